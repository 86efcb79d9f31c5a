"""Solutions on disk."""

import pytest

from udc_solver.files.solutions import load_json, load_tour, save_json, save_tour


def test_tour_counts_from_one(tmp_path):
    save_tour(tmp_path / "out.tour", [2, 0, 1], "three", 7.5)
    lines = (tmp_path / "out.tour").read_text().split()
    assert lines[-6:] == ["TOUR_SECTION", "3", "1", "2", "-1", "EOF"]
    assert load_tour(tmp_path / "out.tour") == [2, 0, 1]


def test_tours_of_others(tmp_path):
    # LKH writes the numbers in one column, TSPLIB itself several on a line.
    (tmp_path / "a.opt.tour").write_text("NAME: a\nTYPE: TOUR\nDIMENSION: 4\nTOUR_SECTION\n1 3\n2 4\n-1\n")
    assert load_tour(tmp_path / "a.opt.tour") == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [("1 2 3\n", "no TOUR_SECTION"), ("DIMENSION: 4\nTOUR_SECTION\n1 2\n-1", "4"), ("TOUR_SECTION\n1 a\n", "'a'")],
)
def test_bad_tours(tmp_path, text, words):
    (tmp_path / "bad.tour").write_text(text)
    with pytest.raises(ValueError, match=words):
        load_tour(tmp_path / "bad.tour")


def test_json(tmp_path):
    save_json(tmp_path / "out.json", "cvrp", [[[1, 2], [3]]], [4.5])
    assert load_json(tmp_path / "out.json", "cvrp") == ("cvrp", [[[1, 2], [3]]])
    (tmp_path / "one.json").write_text('{"solution": [2, 0, 1]}')
    assert load_json(tmp_path / "one.json", "tsp") == (None, [[2, 0, 1]])
    with pytest.raises(ValueError, match="of the problem cvrp, not tsp"):
        load_json(tmp_path / "out.json", "tsp")


@pytest.mark.parametrize("text", ["[1, 2]", '{"solution": 3}', '{"solution": [1.5]}', '{"solution": [[true]]}', "{"])
def test_bad_json(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match="bad.json"):
        load_json(tmp_path / "bad.json", "tsp")
