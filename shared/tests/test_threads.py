"""One thread a process, unless somebody asks for more."""

import os
import subprocess
import sys

import pytest
import torch

from separata import Paper, cli
from separata.threads import VARIABLES, asked, limited

COMMAND = """
from separata import Paper, cli

def count() -> None:
    "Count."
    import torch
    print(torch.get_num_threads())

cli.main(Paper("p", "P", 2000, ()), [count])
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="PyTorch takes no more threads than there are cores")
@pytest.mark.parametrize(("words", "expected"), [([], 1), (["--threads", "2"], 2)])
def test_a_command_s_process_computes_on_one_thread_unless_asked(words, expected):
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    program = [sys.executable, "-c", COMMAND, "count", *words]
    done = subprocess.run(program, capture_output=True, text=True, env=env, check=True)
    assert done.stdout == f"{expected}\n"


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ([], {}, [1, "1", "1"]),
        (["--threads", "3"], {}, [3, "3", "3"]),
        ([], {"OMP_NUM_THREADS": "2"}, [2, "2", "2"]),
        ([], {"MKL_NUM_THREADS": "4"}, [1, "1", "4"]),
        (["--threads", "3"], {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}, [3, "3", "3"]),
    ],
)
def test_torch_and_what_is_loaded_later_are_told_alike(monkeypatch, words, variables, expected):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seen = []

    def count() -> None:
        """Count."""
        seen.extend([torch.get_num_threads(), *map(os.environ.get, VARIABLES)])

    before = torch.get_num_threads()
    cli.main(Paper("p", "P", 2000, ()), [count], ["count", *words])
    assert seen == expected
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [(None, None, 1), (None, "4", 4), (None, "4,2", 4), (None, "", 1), (None, "many", 1), (None, "0", 1), (2, "4", 2)],
)
def test_what_was_asked_for(monkeypatch, given, variable, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert asked(given) == expected


def test_fewer_than_one_thread_is_refused():
    with pytest.raises(ValueError, match="--threads must be at least 1, not 0"):
        asked(0)


def test_everything_is_as_before_after_the_block(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = torch.get_num_threads()

    def fail() -> None:
        with limited(2):
            assert torch.get_num_threads() == 2
            assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("2", "2")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_command_that_has_the_option_itself_keeps_it():
    seen = []

    def sort(*, threads: int = 7) -> None:
        """Sort.

        Args:
            threads: Of its own.
        """
        seen.append(threads)

    cli.main(Paper("p", "P", 2000, ()), [sort], ["sort"])
    assert seen == [7]


def test_the_help_of_a_command_shows_the_option_and_imports_no_torch(oja_site):
    code = """
import sys
from oja_rule import cli
try:
    cli.main()
finally:
    print("torch" in sys.modules)
"""
    env = {**os.environ, "PYTHONPATH": str(oja_site), "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-c", code, "fit", "--help"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "--threads N" in done.stdout
    assert "CPU threads per process; $OMP_NUM_THREADS, or 1, if not given." in " ".join(
        done.stdout.replace("│", "").split()
    )
    assert done.stdout.endswith("False\n")


def test_reproduce_measures_on_the_threads_asked_for(oja, oja_site, tmp_path, monkeypatch):
    import oja_rule.experiments as module

    seen = []
    monkeypatch.setattr(module, "counted", lambda name: seen.append(torch.get_num_threads()))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    out = ("--only", "bounded", "--out", str(tmp_path))
    cli.main(oja, [], ["reproduce", "--preset", "smoke", *out])
    cli.main(oja, [], ["reproduce", "--preset", "smoke", *out, "--threads", "2"])
    assert (set(seen[: len(seen) // 2]), set(seen[len(seen) // 2 :])) == ({1}, {2})


def test_the_first_seed_is_recorded(oja, oja_site, tmp_path):
    from separata import evidence

    words = ["reproduce", "--preset", "smoke", "--seeds", "2", "--first-seed", "100", "--only", "bounded"]
    cli.main(oja, [], [*words, "--out", str(tmp_path)])
    assert evidence.load(tmp_path / "smoke-bounded.json").seeds == (100, 101)
