"""What the tests use to start commands and to find peers."""

import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from house import peer, python, run, started
from processes import is_alive, within

PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
try:
    print(child.pid, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(60 * (sys.argv[1] == "stubborn"))
"""


@contextmanager
def in_the_background():
    """As a shell starts what ends in `&`: the interrupt is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("kind", ["obedient", "stubborn"])
def test_what_is_started_can_be_interrupted_and_leaves_nothing_behind(kind: str):
    with in_the_background(), started(sys.executable, "-c", PARENT, kind) as going:
        child = int(going.stdout.readline())
        going.send_signal(signal.SIGINT)
        assert going.stdout.readline() == "interrupted\n"
        if kind == "obedient":
            going.wait(timeout=10)
    assert going.returncode == (0 if kind == "obedient" else -signal.SIGKILL)
    assert within(10, lambda: not is_alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_nothing_survives_a_test_that_fails():
    pids = []

    def failing():
        with started(sys.executable, "-c", PARENT, "stubborn") as going:
            pids.extend([going.pid, int(going.stdout.readline())])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert len(pids) == 2
    assert within(10, lambda: not any(map(is_alive, pids)))


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path):
    with pytest.raises(TimeoutError):
        python("-c", "import time; time.sleep(60)", timeout=0.3)


def test_a_command_is_run_as_at_the_shell(tmp_path: Path):
    done = python("-c", "import os, sys; print(os.getcwd()); print('ü', file=sys.stderr); sys.exit(3)", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (3, f"{tmp_path}\n", "ü\n")
    assert run("pytest", "--version").code == 0, "console scripts of this environment are found"
    with pytest.raises(FileNotFoundError):
        run("no-such-command")


PEERS = {
    "absent": (None, "No module named"),
    "broken": (
        "raise RuntimeError('operator torchvision::nms\\ndoes not exist')",
        "operator torchvision::nms does not",
    ),
    "lazy": ("def __getattr__(name): raise ImportError('needs a library')", "needs a library"),
    "sound": ("def search(): return 3", None),
}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_that_does_not_import_is_skipped_with_its_reason(name: str, tmp_path: Path, monkeypatch):
    source, reason = PEERS[name]
    monkeypatch.syspath_prepend(str(tmp_path))
    if source:
        (tmp_path / f"peer_{name}.py").write_text(source)
    if reason is None:
        assert peer(f"peer_{name}", "search").search() == 3
        return
    with pytest.raises(pytest.skip.Exception, match=reason):
        peer(f"peer_{name}", "search")
