"""What the tests of dualformer share: a folder with mazes, tasks and a run, trained once."""

import shutil
import sys
from pathlib import Path

import pytest

# For `dualformer_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with mazes, tasks and a trained run."""
    from dualformer_shell import LEVEL, MAZE, TINY, call

    from dualformer import records

    place = tmp_path_factory.mktemp("files")
    (place / "maze.txt").write_text(MAZE)
    (place / "level.xsb").write_text(LEVEL)
    (place / "walled.txt").write_text("S#..\n##..\n....\n...G\n")
    records.save_jsonl(records.generate_many("maze", 4, 20, seed=1), place / "tasks.jsonl")
    assert call("train", "--data", place / "tasks.jsonl", "--out", place / "run", *TINY).code == 0
    return place


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A copy of it to work in."""
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"
