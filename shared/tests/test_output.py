import json
import math

import pytest

from separata.output import Output, finite, listing, table

ROWS = [
    {"layer": "fc1", "explained_energy": 0.51239, "of": 800},
    {"layer": "readout", "explained_energy": 1.0, "of": 20},
]


def test_a_table_is_for_people(capsys):
    table(ROWS, {"n_tasks": 2, "mean_accuracy": 0.25}).show(as_json=False)
    assert capsys.readouterr().out == (
        "layer    explained energy   of\n"
        "fc1                0.5124  800\n"
        "readout            1.0000   20\n"
        "n tasks 2\n"
        "mean accuracy 0.2500\n"
    )


def test_a_table_is_for_programs(capsys):
    table(ROWS, {"n_tasks": 2}).show(as_json=True)
    assert json.loads(capsys.readouterr().out) == {"n_tasks": 2, "rows": ROWS}


def test_a_table_of_no_rows_has_its_totals():
    assert table([], {"n": 0}).text == "n 0"


def test_numbers_under_their_names_are_for_people_and_for_programs(capsys):
    values = {"relative_l2": 0.0125, "gap": None, "train_mse": math.nan, "n_samples": 12_000}
    listing(values).show(as_json=False)
    assert capsys.readouterr().out == "relative l2  1.250e-02\ntrain mse    not defined\nn samples    12,000\n"
    listing(values).show(as_json=True)
    assert json.loads(capsys.readouterr().out) == values | {"train_mse": None}
    assert listing({}).text == ""


def test_an_exit_code_tells_something_too(capsys):
    Output({}, "sat").show(as_json=False)
    with pytest.raises(SystemExit) as end:
        Output({}, "sat", code=10).show(as_json=False)
    assert end.value.code == 10
    assert capsys.readouterr().out == "sat\nsat\n"


def test_a_number_that_json_cannot_hold_is_nothing():
    assert [finite(value) for value in (0.5, math.inf, -math.inf, math.nan)] == [0.5, None, None, None]


def test_what_json_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="not JSON compliant"):
        Output(float("nan"), "").show(as_json=True)
