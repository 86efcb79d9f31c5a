"""The command line, on models and files that this package did not make."""

import json

import numpy as np
import pytest

from circuit_diagrams import cli
from circuit_diagrams.paper import PAPER
from separata.testing import Commands, contents

call = Commands(PAPER, [cli.draw, cli.cost, cli.check, cli.run, cli.backward, cli.gallery])

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        return self.head(self.body(image).mean((2, 3)))

broken = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    import sys

    (tmp_path / "my_net.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("my_net", None)
    return tmp_path


@pytest.mark.parametrize("suffix", ["svg", "html", "json", "txt", "py"])
def test_a_users_model_is_drawn(folder, suffix):
    out = folder / f"net.{suffix}"
    code, text, _ = call("draw", "my_net:Net", "--input", "2,3,8,8", "--axes", "image: b c h w", "--out", out)
    assert code == 0
    assert "5 operations" in text
    assert out.stat().st_size > 100


def test_costs_in_a_table_and_as_json(folder):
    code, text, _ = call("cost", "my_net:Net", "--input", "2,3,8,8", "--out", folder / "cost.csv", "--json")
    found = json.loads(text)
    assert code == 0
    assert found["macs"] == 2 * 4 * 6 * 6 * 27 + 2 * 4 * 2
    assert (folder / "cost.csv").read_text().count("\n") == 6


def test_costs_as_polynomials_and_at_other_sizes(folder):
    words = ("cost", "my_net:Net", "--input", "2,3,8,8", "--axes", "image: b c h 8")
    code, text, _ = call(*words, "--symbolic", "--at", "b=5, h=10", "--json")
    found = json.loads(text)
    assert code == 0
    assert found["macs"] == 5 * 4 * 8 * 6 * 27 + 5 * 4 * 2
    # 27 multiply-adds for each of 4 channels, 6 columns and h - 2 rows; 8 for the head.
    assert found["polynomials"]["macs"] == "648 b h - 1,288 b"
    assert found["rows"][0]["polynomial"] == "648 b h - 1,296 b"
    call(*words, "--at", "h").assert_refused("sizes are given as")
    code, _, told = call(*words, "--at", "c=5")
    assert code == 2
    assert told.endswith("error: the module does not let c vary\n")


def test_a_model_is_checked(folder):
    code, text, _ = call("check", "my_net:Net", "--input", "2,3,8,8", "--json")
    found = json.loads(text)
    assert code == 0
    assert found["error"] < 1e-12
    assert (found["wrong"], found["missed"]) == ([], [])


def test_a_text_is_run_on_given_inputs(folder):
    (folder / "double.txt").write_text("input x: n=3\ny = mul(x, 2.0)\nreturn y\n")
    np.savez(folder / "in.npz", x=np.array([1.0, 2.0, 4.0], dtype=np.float32))
    code, _, _ = call("run", folder / "double.txt", "--inputs", folder / "in.npz", "--out", folder / "out.npz")
    assert code == 0
    assert np.load(folder / "out.npz")["output0"].tolist() == [2, 4, 8]


def test_backward_and_the_gallery(folder):
    assert call("backward", "my_net:Net", "--input", "2,3,8,8", "--out", folder / "back.svg")[0] == 0
    code, _, _ = call("gallery", "--only", "attention,identity-block", "--out", folder / "pictures")
    assert code == 0
    assert set(contents(folder / "pictures")) == {"attention.svg", "identity-block.svg"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["draw", "my_net:Net", "--out", "a.svg"], "--input"),
        (["draw", "my_net", "--input", "1", "--out", "a.svg"], "module:attribute"),
        (["draw", "my_net:Other", "--input", "1", "--out", "a.svg"], "has no Other"),
        (["draw", "no_such_module:Net", "--input", "1", "--out", "a.svg"], "no module no_such_module"),
        (["draw", "my_net:broken", "--input", "1", "--out", "a.svg"], "is no model"),
        (["draw", "my_net:Net", "--input", "2,x", "--out", "a.svg"], "sizes with commas"),
        (["draw", "my_net:Net", "--input", "2,3", "--out", "a.svg"], "cannot be called"),
        (["draw", "my_net:Net", "--input", "2,3,8,8", "--out", "a.bmp"], "not as a.bmp"),
        (["draw", "my_net:Net", "--input", "2,3,8,8", "--axes", "x: b c h w", "--out", "a.svg"], "inputs are image"),
        (["draw", "my_net:Net", "--input", "2,3,8,8", "--depth", "-1", "--out", "a.svg"], "depth"),
        (["draw", "gallery:nothing", "--out", "a.svg"], "the gallery has"),
        (["draw", "absent.json", "--out", "a.svg"], "no file"),
        (["cost", "my_net:Net", "--input", "2,3,8,8", "--out", "a.txt"], ".csv"),
        (["check", "bad.txt"], "line 1, column 9"),
        (["run", "bad.txt"], "line 1, column 9"),
        (["gallery", "--only", "nothing"], "the gallery has"),
    ],
)
def test_bad_input_costs_one_line(folder, words, message):
    (folder / "bad.txt").write_text("input x relu\n")
    before = {name for name in contents(folder) if "__pycache__" not in name}
    call(*words).assert_refused(message)
    assert {name for name in contents(folder) if "__pycache__" not in name} == before
