import pickle
from pathlib import Path

import pytest
import torch

from separata.testing import Commands, interrupted_after, write_bomb


@pytest.fixture
def call(oja):
    from oja_rule.cli import fit

    return Commands(oja, [fit])


def test_a_command_is_called_as_it_is_typed(call, tmp_path):
    (tmp_path / "in.txt").write_text("1 2 3")
    code, out, err = call("fit", tmp_path / "in.txt", "--out", tmp_path / "out.txt", "--passes", 2)
    assert (code, out, err) == (0, "done\n", "")
    assert (tmp_path / "out.txt").read_text() == "12.0"


def test_a_refusal_is_told_from_all_else(call, tmp_path):
    call("fit", tmp_path / "gone.txt", "--out", tmp_path / "out.txt").assert_refused("gone.txt")
    (tmp_path / "in.txt").write_text("1 2 3")
    done = call("fit", tmp_path / "in.txt", "--out", tmp_path / "out.txt")
    with pytest.raises(AssertionError, match="exit code 0"):
        done.assert_refused()
    with pytest.raises(AssertionError, match="does not say"):
        call("fit", tmp_path / "gone.txt", "--out", tmp_path / "out.txt").assert_refused("other.txt")


def test_an_optimizer_is_interrupted_inside_the_block():
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.ones(1)
    with interrupted_after(2):
        optimizer.step()
        with pytest.raises(KeyboardInterrupt):
            optimizer.step()
    optimizer.step()
    assert weight.item() == -2


@pytest.mark.parametrize("by_torch", [False, True])
def test_a_bomb_leaves_its_mark(tmp_path: Path, by_torch):
    write_bomb(tmp_path / "bomb", tmp_path / "mark", by_torch=by_torch)
    if by_torch:
        torch.load(tmp_path / "bomb", weights_only=False)
    else:
        pickle.loads((tmp_path / "bomb").read_bytes())
    assert (tmp_path / "mark").exists()
