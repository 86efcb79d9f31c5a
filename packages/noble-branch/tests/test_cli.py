"""The commands, on files that this package did not make."""

import json

import pytest

from noble_branch import cli
from noble_branch.paper import PAPER
from separata.runs import read_csv
from separata.testing import Commands, contents, interrupted_after

call = Commands(PAPER, [cli.train, cli.compare, cli.overhead, cli.ablate])

TINY = ("--width", "8", "--depth", "1", "--heads", "2", "--rank", "2", "--n-steps", "6", "--eval-every", "2")
TINY = (*TINY, "--batch-size", "2", "--device", "cpu")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_text("the rain in spain stays mainly in the plain\n" * 40)
    return path


def test_a_text_is_learned_and_its_log_compared(text, tmp_path):
    words = ("train", text, "--task", "text", "--length", "16", *TINY)
    for kind in ("plain", "branch"):
        done = call(*words, "--kind", kind, "--out", tmp_path / kind, "--json")
        assert done.code == 0, done.err
    rows = read_csv(tmp_path / "branch" / "history.csv")
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert list(rows[-1]) == ["step", "train_loss", "eval_loss", "seconds"]
    assert json.loads(done.out)["best_eval_loss"] == min(row["eval_loss"] for row in rows)
    found = call("compare", tmp_path / "plain", tmp_path / "branch", "--json")
    assert found.code == 0
    base = read_csv(tmp_path / "plain" / "history.csv")
    assert json.loads(found.out)["target"] == min(row["eval_loss"] for row in base)


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(text, tmp_path):
    words = ("train", text, "--task", "text", "--length", "16", *TINY)
    assert call(*words, "--out", tmp_path / "whole").code == 0
    with interrupted_after(3):
        assert call(*words, "--out", tmp_path / "part").code != 0
    assert call(*words, "--out", tmp_path / "part", "--resume").code == 0
    whole, part = contents(tmp_path / "whole"), contents(tmp_path / "part")
    assert whole["model.safetensors"] == part["model.safetensors"]
    histories = [read_csv(tmp_path / name / "history.csv") for name in ("whole", "part")]
    losses = [[row["eval_loss"] for row in rows] for rows in histories]
    assert losses[0] == losses[1]


def test_logs_of_others_are_compared_and_drawn(tmp_path):
    rows = "\n".join(f"{100 * i},{2 - (i - 1) / 9:.12f}," for i in range(1, 11))
    (tmp_path / "base.csv").write_text(f"it,val_loss,note\n{rows}\n")
    lines = [{"it": 100, "val_loss": 2}, {"it": 300, "lr": 1}, {"it": 680, "val_loss": 1}]
    (tmp_path / "noble.jsonl").write_text("\n".join(map(json.dumps, lines)))
    words = ("compare", tmp_path / "base.csv", tmp_path / "noble.jsonl", "--step", "it")
    code, out, _ = call(*words, "--plot", tmp_path / "curves.svg", "--json", "--step-time-ratio", "1.205")
    value = json.loads(out)
    assert code == 0
    assert value["speedup"] == pytest.approx(1.4706, abs=1e-4)
    assert value["net_speedup"] == pytest.approx(1.2204, abs=1e-4)
    assert b"<svg" in contents(tmp_path)["curves.svg"]


def test_the_overhead_of_a_known_block_is_that_of_the_formula():
    code, out, _ = call("overhead", "vit-s", "--rank", "8", "--n-tokens", "4", "--repeats", "1", "--json")
    value, width = json.loads(out), 384
    added = 8 * (4 * width + 2 * width + 5 * width + 5 * width) + 4 * (8 * 8 + 4 * 8)
    assert (code, value["added_parameters"]) == (0, added)
    # Twice forward and twice as much backward; the first layer's input has a gradient, too, through the norm.
    assert value["added_flops"] == 3 * 2 * 4 * (8 * 16 * width + 4 * 8 * 8)


def test_the_loss_of_held_out_data_is_compared_where_a_log_has_both(tmp_path):
    # As transformers logs: training batches more often, in rows of their own.
    history = [{"step": 50 * i, "loss": 9.0 - i} for i in range(1, 9)]
    history += [{"step": 100 * i, "eval_loss": 5.0 - i} for i in range(1, 5)]
    history.append({"step": 400, "train_runtime": 1.0, "train_loss": 0.1})
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 400, "log_history": history}, indent=1))
    (tmp_path / "list.json").write_text(json.dumps([{"step": 100, "eval_loss": 3.0}, {"step": 300, "eval_loss": 1.0}]))
    found = call("compare", tmp_path / "trainer_state.json", tmp_path / "list.json", "--json")
    assert found.code == 0, found.err
    value = json.loads(found.out)
    assert (value["loss"], value["target"], value["baseline_step"], value["step"]) == ("eval_loss", 1.0, 400, 300)
    named = call("compare", *2 * (tmp_path / "trainer_state.json",), "--loss", "loss", "--json")
    assert json.loads(named.out)["target"] == 1.0
    assert json.loads(named.out)["loss"] == "loss"


def test_losses_of_different_data_are_not_compared(tmp_path):
    (tmp_path / "base.jsonl").write_text('{"step": 1, "loss": 1}\n')
    (tmp_path / "log.jsonl").write_text('{"step": 1, "eval_loss": 1}\n')
    call("compare", tmp_path / "base.jsonl", tmp_path / "log.jsonl").assert_refused("loss and eval_loss", "--loss")


def test_a_table_of_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "BASE.CSV").write_text("step,loss\n100,2\n200,1\n", encoding="utf-8-sig")
    found = call("compare", tmp_path / "BASE.CSV", tmp_path / "BASE.CSV", "--json")
    assert json.loads(found.out)["speedup"] == 1


def test_a_list_of_something_else_costs_one_line(tmp_path):
    (tmp_path / "a.json").write_text('{"log_history": 3}')
    call("compare", tmp_path / "a.json", tmp_path / "a.json").assert_refused("no list of rows")


YOURS = """
import torch
from beside import WIDTH

def made():
    layers = [torch.nn.Linear(WIDTH, 10), torch.nn.ReLU(), torch.nn.Linear(10, 4)]
    return torch.nn.Sequential(*layers), torch.zeros(5, WIDTH)

def alone():
    return made()[0]
"""


def test_the_overhead_of_a_network_of_one_s_own(tmp_path):
    (tmp_path / "beside.py").write_text("WIDTH = 6")
    (tmp_path / "yours.py").write_text(YOURS)
    words = ("overhead", f"{tmp_path / 'yours.py'}:made", "--rank", "2", "--activation", "gelu", "--repeats", "1")
    found = call(*words, "--json", "--targets", "0,2")
    assert found.code == 0, found.err
    value = json.loads(found.out)
    assert (value["plain_parameters"], value["added_parameters"]) == (70 + 44, 2 * (16 + 14))
    assert value["branched_seconds"] > 0
    assert json.loads(call(*words, "--json", "--targets", "2").out)["added_parameters"] == 2 * 14


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yours.py:alone", "must return a network and a batch"),
        ("yours.py:nothing", "cannot be called: KeyError"),
        ("other.py:made", "no Python file"),
        ("yours.py:made", "nothing to convert"),
    ],
)
def test_a_function_that_is_none_costs_one_line(tmp_path, name, message):
    (tmp_path / "beside.py").write_text("WIDTH = 6")
    (tmp_path / "yours.py").write_text(YOURS)
    words = () if "nothing to" in message else ("--targets", "0")
    call("overhead", str(tmp_path / name), "--rank", "2", *words, "--repeats", "1").assert_refused(message)


@pytest.mark.parametrize("keys", [("n_embd", "n_head"), ("hidden_size", "num_attention_heads")])
def test_the_overhead_of_a_hugging_face_folder(tmp_path, keys):
    (tmp_path / "config.json").write_text(json.dumps(dict(zip(keys, (16, 2), strict=True)) | {"n_layer": 3}))
    words = ("--rank", "4", "--n-tokens", "4", "--repeats", "1", "--json")
    code, out, _ = call("overhead", tmp_path, *words)
    assert code == 0
    value = json.loads(out)
    assert value["added_parameters"] == 4 * 16 * (4 + 2 + 5 + 5) + 4 * (16 + 16)
    assert value["plain_parameters"] == 12 * 16**2 + 13 * 16


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "names no width"), ("[]", "names no width"), ("{", "not a JSON"), ('{"n_embd": 9, "n_head": 2}', "divide")],
)
def test_a_folder_of_something_else_costs_one_line(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content)
    call("overhead", tmp_path).assert_refused(message)


def test_variants_are_compared(text):
    code, out, _ = call("ablate", text, "--task", "text", "--axis", "targets", *TINY, "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert [row["targets"] for row in rows] == ["plain", "all", "attention", "mlp"]
    n = [row["parameters"] - rows[0]["parameters"] for row in rows]
    assert n[1] == n[2] + n[3] > n[3] > n[2] > 0


def test_ranks_are_varied_up_to_the_width(text):
    code, out, _ = call("ablate", text, "--task", "text", "--axis", "rank", *TINY, "--json")
    assert code == 0
    assert [row["rank"] for row in json.loads(out)["rows"]] == ["plain", "4", "8"]


def test_variants_that_cannot_be_are_refused_before_any_is_trained(monkeypatch):
    monkeypatch.setattr("noble_branch.commands.run_trial", None)
    call("ablate", "--task", "regression", "--axis", "targets", *TINY).assert_refused("attention")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no row"),
        ('{"step": 1}\n', "has no row"),
        ("[1]\n", "line 1"),
        ('{"step": 1, "loss": NaN}\n', "finite"),
        ('{"step": 2, "loss": 1}\n{"step": 1, "loss": 1}\n', "must ascend"),
        ('{"step": "a", "loss": 1}\n', "no number"),
    ],
)
def test_a_log_that_is_none_costs_one_line(tmp_path, content, message):
    (tmp_path / "base.jsonl").write_text('{"step": 1, "loss": 1}\n')
    (tmp_path / "log.jsonl").write_text(content)
    words = ("compare", tmp_path / "base.jsonl", tmp_path / "log.jsonl", "--plot", tmp_path / "x.svg")
    call(*words).assert_refused(message)
    assert "x.svg" not in contents(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rank", "99", "--task", "char-lm"), "the rank must be between"),
        (("--task", "text"), "needs a file"),
        (("--targets", "*.nothing"), "matches no"),
        (("--lr", "0"), "lr must be positive"),
        (("--task", "vit", "--patch", "3"), "do not fill"),
        (("--task", "pixels", "--dataset", "nothing"), "unknown data set"),
        (("nothing.txt", "--task", "text"), "there is no text nothing.txt"),
    ],
)
def test_bad_input_writes_nothing(tmp_path, words, message):
    call("train", "--out", tmp_path / "run", *TINY, *words).assert_refused(message)
    assert not contents(tmp_path)


def test_a_short_text_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    call("train", tmp_path / "short.txt", "--task", "text", "--out", tmp_path / "run", *TINY).assert_refused(
        "needs 650"
    )
    call("overhead", "gpt5").assert_refused("gpt2")
