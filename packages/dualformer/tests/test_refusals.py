import json
import shutil

import pytest
from dualformer_shell import TINY, call

from dualformer import records
from separata import files
from separata.testing import contents, write_bomb


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--probs", "0.5,0.5"), ("five numbers",)),
        (("--probs", "0.5,0.5,0.5,0,0"), ("sum to 1",)),
        (("--probs", "most"), ("complete-trace", "'most'")),
        (("--create-drop", "-0.1"), ("between 0 and 1", "-0.1")),
        (("--create-drop", "1.1"), ("between 0 and 1", "1.1")),
        (("--variant", "mine"), ("released", "'mine'")),
        (("--model", "huge"), ("s, m, l, xl", "'huge'")),
        (("--n-heads", "3"), ("heads",)),
        (("--steps", "0"), ("at least 1",)),
        (("--steps", "many"), ("steps",)),
        (("--lr", "-1"), ("positive",)),
        (("--seed", "-1"), ("seed", "at least 0")),
        (("--weights", "int8"), ("float32, bfloat16",)),
        (("--data", "none.jsonl"), ("no file none.jsonl",)),
        (("--validation", "none.jsonl"), ("no file none.jsonl",)),
        (("--device", "tpu"), ("auto, cpu, cuda",)),
        (("--devices", "3"), ("3 processes",)),
        (("--precision", "7-bit"), ("7-bit",)),
        (("--colour", "red"), ("--colour",)),
    ],
    ids=lambda value: " ".join(value).strip("-") if value[0].startswith("--") else "",
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_options_are_refused_before_anything_is_written(here, options, words):
    before = contents(here)
    given = {"--data": "tasks.jsonl", "--out": "new", **dict(zip(TINY[::2], TINY[1::2])), **dict([options])}
    call("train", *(word for pair in given.items() for word in pair)).assert_refused(*words)
    assert contents(here) == before
    assert not (here / "new").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("S..\n.G", "row 2 has 2 cells"),
        ("...\n..G", "exactly one S"),
        ("S.G\n..G", "exactly one G, but has 2"),
        ("#####\n....G", "exactly one S"),
        ("S#G\n.#.\n.#.", "no path from S to G"),
        ("", "empty"),
        ("hello", "not with"),
    ],
)
def test_mazes_that_are_none_are_refused(here, text, words):
    (here / "bad.txt").write_text(text)
    for command in (("trace", "--maze", "bad.txt"), ("solve", "run", "bad.txt"), ("evaluate", "run", "bad.txt")):
        call(*command).assert_refused("bad.txt", words)
    call("generate", "bad.txt", "--strict", "--out", "new.jsonl").assert_refused(words)
    assert not (here / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("#####\n# $.#\n#####", "exactly one worker"), ("######\n#@$$.#\n######", "2 boxes and 1 docks")],
)
def test_levels_that_are_none_are_refused(here, text, words):
    (here / "bad.xsb").write_text(text)
    call("trace", "--sokoban", "bad.xsb").assert_refused("bad.xsb", words)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("solve", "run", "maze.txt", "--mode", "quick"), ("fast, slow, auto", "'quick'")),
        (("solve", "run", "maze.txt", "--mode", "all"), ("fast, slow, auto", "'all'")),
        (("evaluate", "run", "tasks.jsonl", "--mode", "quick"), ("fast, slow, auto", "'quick'")),
        (("solve", "run", "maze.txt", "--max-len", "2", "--mode", "fast"), ("max_len", "2 tokens")),
        (("solve", "run", "maze.txt", "--n-samples", "0"), ("at least 1",)),
        (("solve", "run", "maze.txt", "--temperature", "-1"), ("negative",)),
        (("solve", "run", "level.xsb"), ("level.xsb", "maze tasks")),
        (("solve", "dualformer", "maze.txt"), ("8x8, but the task is 4x4",)),
        (("evaluate", "complete-trace", "tasks.jsonl"), ("8x8, but the task is 4x4",)),
        (("solve", "none", "maze.txt"), ("none holds no training", "complete-trace, dualformer")),
        (("solve", "dualformer"), ("give a task", ".jsonl")),
        (("evaluate", "run"), ("give a task", ".jsonl")),
        (("evaluate", "run", "tasks.jsonl", "--batch-size", "0"), ("--batch-size", "at least 1")),
        (("evaluate", "run", "tasks.jsonl", "--seed", "-1"), ("seed", "at least 0")),
        (("solve", "run", "maze.txt", "--seed", "-1"), ("seed", "at least 0")),
        (("trace", "--maze", "maze.txt", "--seed", "-1"), ("seed", "at least 0")),
        (("generate", "--seed", "-1", "--out", "new.jsonl"), ("seed", "at least 0")),
        (("generate", "--tasks-per-layout", "0", "--out", "new.jsonl"), ("--tasks-per-layout", "at least 1")),
        (("generate", "--size", "6", "--tasks-per-layout", "2000", "--out", "new.jsonl"), ("6x6", "2,000 tasks")),
        (("solve", "run", "none.txt"), ("no file none.txt",)),
        (("solve", "run", "maze.txt", "--image", "maze.doc"), (".svg, .png or .pdf",)),
        (("evaluate", "run", "tasks.jsonl", "--limit", "0"), ("at least 1",)),
        (("trace",), ("--maze", "--sokoban")),
        (("trace", "--maze", "maze.txt", "--level", "5"), ("0, 1, 2, 3 or 4",)),
        (("generate", "--size", "2", "--out", "new.jsonl"), ("10 cells",)),
        (("generate", "--task", "chess", "--out", "new.jsonl"), ("maze, sokoban",)),
        (("generate", "--n-tasks", "0", "--out", "new.jsonl"), ("at least 1",)),
        (("generate", "walled.txt", "--out", "new.jsonl"), ("none of the tasks",)),
    ],
    ids=lambda value: " ".join(value) if value[0] in {"solve", "evaluate", "trace", "generate"} else "",
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_questions_cost_one_line(here, command, words):
    before = contents(here)
    call(*command).assert_refused(*words)
    assert contents(here) == before


def test_a_corrupt_line_is_named_and_nothing_is_trained_on_the_rest(here):
    lines = (here / "tasks.jsonl").read_text().splitlines()
    lines[4] = lines[4][:50]
    (here / "corrupt.jsonl").write_text("\n".join(lines))
    call("train", "--data", "corrupt.jsonl", "--out", "new", *TINY).assert_refused("corrupt.jsonl, line 5")
    call("evaluate", "run", "corrupt.jsonl").assert_refused("corrupt.jsonl, line 5")
    assert not (here / "new").exists()


def test_a_folder_that_holds_a_run_is_left_as_it_is(here):
    before = contents(here)
    command = ("train", "--data", "tasks.jsonl", "--out", "run", *TINY)
    call(*command).assert_refused("already holds a training", "--resume")
    call(*command, "--seed", "3", "--resume").assert_refused("another seed")
    assert contents(here) == before


def test_a_run_goes_on_with_the_same_data_whatever_its_name(here):
    shutil.copy(here / "tasks.jsonl", here / "moved.jsonl")
    before = contents(here / "run")
    assert call("train", "--data", "moved.jsonl", "--out", "run", *TINY, "--resume").code == 0
    records.save_jsonl(records.load_jsonl(here / "tasks.jsonl", 3), here / "moved.jsonl")
    call("train", "--data", "moved.jsonl", "--out", "run", *TINY, "--resume").assert_refused("another data")
    assert contents(here / "run") == before


def test_a_pickle_in_place_of_tensors_is_never_run(here):
    for name in ("model.safetensors", "checkpoint.safetensors"):
        write_bomb(here / "run" / name, here / "ran")
    call("evaluate", "run", "tasks.jsonl").assert_refused("not a whole safetensors file")
    done = call("train", "--data", "tasks.jsonl", "--out", "run", *TINY, "--resume")
    done.assert_refused("not a whole safetensors file")
    assert not (here / "ran").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"tokenizer": {"kind": "maze"}, "model": {}}'])
def test_damaged_settings_are_refused(here, text):
    (here / "run" / "config.json").write_text(text)
    call("evaluate", "run", "tasks.jsonl").assert_refused("config.json")


def test_weights_of_another_model_or_vocabulary_are_refused(here):
    config = json.loads((here / "run" / "config.json").read_text())
    config["tokenizer"]["width"] = config["tokenizer"]["height"] = 5
    files.write_json(here / "run" / "config.json", config)
    call("evaluate", "run", "tasks.jsonl").assert_refused("vocabulary")
    config["tokenizer"]["width"] = config["tokenizer"]["height"] = 4
    files.write_json(here / "run" / "config.json", {**config, "model": {**config["model"], "n_layers": 2}})
    call("evaluate", "run", "tasks.jsonl").assert_refused("another model")
