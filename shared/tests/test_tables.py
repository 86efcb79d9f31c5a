"""Tables of a user's own."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris

from separata.tables import Table, TableSchema, load_table

PEOPLE = """age,color,Smoker,site,income
31,red,yes,here,1.5
28,blue,no,here,2.25
44,red,no,here,-3
52,green,yes,here,1e2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "own.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_are_encoded_and_numbers_stay(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, PEOPLE))
    assert table.schema.target == "income"
    assert table.schema.is_regression
    assert table.y.tolist() == [1.5, 2.25, -3, 100]
    assert table.schema.features == ("age", "color=blue", "color=green", "color=red", "Smoker=no", "Smoker=yes")
    assert table.x.tolist() == [
        [31, 0, 0, 1, 0, 1],
        [28, 1, 0, 0, 1, 0],
        [44, 0, 0, 1, 1, 0],
        [52, 0, 1, 0, 0, 1],
    ]
    assert table.notes == (
        "The column color has 3 categories and was one-hot encoded.",
        "The column Smoker has 2 categories and was one-hot encoded.",
        "The column site has one value only and was dropped.",
    )


def test_another_table_is_read_as_the_first_was(tmp_path: Path) -> None:
    schema = load_table(write(tmp_path, PEOPLE)).schema
    stored = TableSchema.from_dict(json.loads(json.dumps(asdict(schema))))
    assert stored == schema
    new = write(tmp_path, "Smoker,other,color,age\nno,1,green,20\n")
    assert stored.encode(new).tolist() == [[20, 0, 1, 0, 1, 0]]
    with pytest.raises(ValueError, match="no column color, which the model needs"):
        schema.encode(write(tmp_path, "age,Smoker\n1,yes\n"))
    with pytest.raises(ValueError, match="row 2 has pink as color; the categories are blue, green, red"):
        schema.encode(write(tmp_path, "age,Smoker,color\n1,yes,pink\n"))
    with pytest.raises(ValueError, match="row 3 has old as age, which is no finite number"):
        schema.encode(write(tmp_path, "age,Smoker,color\n1,yes,red\nold,no,red\n"))
    with pytest.raises(ValueError, match="is damaged"):
        TableSchema.from_dict({"columns": [{"name": "age"}], "target": "y", "classes": None})


def test_real_tables_with_classes_and_with_quantities(tmp_path: Path) -> None:
    iris, diabetes = load_iris(as_frame=True), load_diabetes(as_frame=True, scaled=False)
    iris.frame.to_csv(tmp_path / "iris.csv", index=False)
    diabetes.frame.to_csv(tmp_path / "diabetes.csv", index=False)
    flowers = load_table(tmp_path / "iris.csv")
    assert flowers.schema.classes == ("0", "1", "2")
    assert flowers.y.tolist() == iris.target.tolist()
    torch.testing.assert_close(flowers.x, torch.tensor(iris.data.to_numpy(), dtype=torch.float32))
    people = load_table(tmp_path / "diabetes.csv", "target")
    assert people.schema.is_regression
    assert people.y.dtype == torch.float32
    assert len(people) == 442
    assert people.schema.features == tuple(diabetes.feature_names)
    by_sex = load_table(tmp_path / "diabetes.csv", "sex", "classification")
    assert by_sex.schema.classes == ("1.0", "2.0")
    assert load_table(tmp_path / "iris.csv", task="regression").y.dtype == torch.float32


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        ("1 1 2 2 3 3", ("1", "2", "3")),
        ("10 9 10 9 9 10", ("9", "10")),
        ("1 1 2 2 3 4", None),
        ("1.5 1.5 2 2 3 3", None),
        ("yes no yes yes no yes", ("no", "yes")),
    ],
)
def test_what_a_target_is(tmp_path: Path, target: str, classes: tuple[str, ...] | None) -> None:
    rows = "\n".join(f"{cell},{i}" for i, cell in enumerate(target.split()))
    table = load_table(write(tmp_path, f"label,x\n{rows}\n"))
    assert table.schema.target == "label"
    assert table.schema.classes == classes
    if classes:
        assert [classes[i] for i in table.y.tolist()] == target.split()


def test_a_table_in_the_hands_of_a_stranger(tmp_path: Path) -> None:
    def refused(text: str, reason: str, target: str | None = None, task: str = "auto") -> None:
        with pytest.raises(ValueError, match=reason) as caught:
            load_table(write(tmp_path, text), target, task)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)

    refused("a,b\n1,2\n,3\n", "row 3 has nothing as a: fill it in")
    refused("a,b\n1,2\nNaN,3\n", "row 3 has nothing as a")
    refused("a,b\n1,2\n1\n", "row 3 has 1 cells, but the header has 2")
    refused("a\n1\n2\n", "a single column")
    refused("a,b\n", "no rows below its header")
    refused("a,a\n1,2\n2,3\n", "two columns named a")
    refused("a,b\n1,2\n2,3\n", "no column c; it has a, b", "c")
    refused("a,b\n1,2\n2,2\n", "its column b has one value only, so there is nothing to predict")
    refused("a,b\n1,2\n1,3\n", "no column of features with more than one value")
    refused("a,b\n1,2\n2,inf\n", "row 3 has inf as b, which is no finite number", "b", "regression")
    refused("a,b\n1,2\n2,1e39\n", "row 3 has 1e39 as b, which is no finite number", "b", "regression")
    refused("a,b\n1,2\n2,-1e30\n", "row 3 has -1e30 as b, beyond 1e\\+15: give it in larger units", "b", "regression")
    refused("a,b\n1e20,2\n2,3\n", "row 2 has 1e20 as a, beyond", "b", "regression")
    refused("a,b\n1,2\n2,5\nx,3\n7,2\n", "row 4 has x as a, which is no finite number")
    refused("a,b\n1,2\n2,3\n", "a value of its own in each row", "b", "classification")
    refused("a,b\n1,red\n2,green\n", "a value of its own in each row")
    words = "\n".join(f"w{i},{i % 2}" for i in range(101))
    refused(f"a,b\n{words}\n", "its column a has 101 different words, too many to be categories")
    (tmp_path / "own.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match="is not a table of text"):
        load_table(tmp_path / "own.csv")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_table(tmp_path / "none.csv")


def test_a_table_has_as_many_samples_as_rows(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, PEOPLE))
    assert isinstance(table, Table)
    assert len(table) == len(table.x) == len(table.y) == 4
