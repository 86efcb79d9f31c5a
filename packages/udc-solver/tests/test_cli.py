"""The command line, on a file that this package did not make."""

import numpy as np
import pytest

from separata.testing import Commands, contents
from udc_solver import cli
from udc_solver.paper import PAPER

call = Commands(PAPER, [cli.fit])


def test_the_direction_of_an_array_is_written(tmp_path):
    rows = np.random.default_rng(0).normal(size=(2000, 4)) * [1, 1, 4, 1]
    np.save(tmp_path / "rows.npy", rows)
    code, out, _ = call("fit", tmp_path / "rows.npy", "--out", tmp_path / "direction.npy")
    _, _, components = np.linalg.svd(rows - rows.mean(0))
    assert abs(np.load(tmp_path / "direction.npy") @ components[0]) > 0.99
    assert (code, out.split()[0]) == (0, "norm")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (np.zeros(3), [], "(samples, features)"),
        (np.full((2, 2), np.nan), [], "finite"),
        (np.zeros((2, 2)), ["--lr", "0"], "lr must be positive"),
    ],
)
def test_bad_input_costs_one_line(tmp_path, content, options, message):
    np.save(tmp_path / "rows.npy", content)
    call("fit", tmp_path / "rows.npy", "--out", tmp_path / "out.npy", *options).assert_refused(message)
    assert contents(tmp_path).keys() == {"rows.npy"}
