"""The command line, on a file that this package did not make."""

import sys

import numpy as np
import pytest

from oja_rule import cli


@pytest.fixture
def run(monkeypatch):
    """Run the command line with these words."""

    def run(*words: object) -> None:
        monkeypatch.setattr(sys, "argv", ["oja-rule", *map(str, words)])
        cli.main()

    return run


def test_the_direction_of_an_array_is_written(run, tmp_path, capsys):
    rows = np.random.default_rng(0).normal(size=(2000, 4)) * [1, 1, 4, 1]
    np.save(tmp_path / "rows.npy", rows)
    run("fit", tmp_path / "rows.npy", "--out", tmp_path / "direction.npy")
    _, _, components = np.linalg.svd(rows - rows.mean(0))
    assert abs(np.load(tmp_path / "direction.npy") @ components[0]) > 0.99
    assert capsys.readouterr().out.startswith("norm ")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (np.zeros(3), [], "(samples, features)"),
        (np.full((2, 2), np.nan), [], "finite"),
        (np.zeros((2, 2)), ["--lr", "0"], "lr must be positive"),
    ],
)
def test_bad_input_costs_one_line(run, tmp_path, capsys, content, options, message):
    np.save(tmp_path / "rows.npy", content)
    with pytest.raises(SystemExit) as end:
        run("fit", tmp_path / "rows.npy", "--out", tmp_path / "out.npy", *options)
    told = capsys.readouterr().err
    assert (end.value.code, told.count("\n"), message in told) == (2, 1, True)
    assert not (tmp_path / "out.npy").exists()
