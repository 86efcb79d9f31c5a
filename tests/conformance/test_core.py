"""The core is quick to import and the command that lists everything quick to answer."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

from house import ROOT, python, run, script

TRIES = 3


def test_importing_the_core_is_quick():
    statement = "import separata, sys; assert not {'torch', 'numpy'} & sys.modules.keys()"
    tries = [python("-c", statement) for _ in range(TRIES)]
    assert {(done.code, done.err) for done in tries} == {(0, "")}
    assert min(done.core_seconds for done in tries) < 0.3


def test_listing_is_quick_and_whole(tmp_path: Path):
    run("separata", "list", cwd=tmp_path)  # warms up the caches of compiled modules
    tries = [run("separata", "list", cwd=tmp_path, env={"COLUMNS": "160"}) for _ in range(TRIES)]
    assert {(done.code, done.err) for done in tries} == {(0, "")}
    assert all(entry.name in tries[0].out for entry in entry_points(group="separata.papers"))
    assert min(done.core_seconds for done in tries) < 1


def test_the_core_declares_what_it_uses():
    done = run("deptry", "--no-ansi", "src", cwd=ROOT / "shared")
    assert done.code == 0, done.out + done.err


def test_the_core_s_change_log_begins_with_its_version(monkeypatch):
    version = tomllib.loads((ROOT / "shared/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    monkeypatch.chdir(ROOT)
    assert script("release").folder_of(f"separata-v{version}") == Path("shared")
