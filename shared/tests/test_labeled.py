"""Labeled data of a user's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_wine

from separata import data
from separata.labeled import LabeledDataset, load_samples, load_splits, split

SEED = 3


def shares(part: LabeledDataset) -> np.ndarray:
    return np.bincount(part.y.numpy(), minlength=part.n_classes) / len(part)


def as_set(x: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in x}


def test_a_name_keeps_its_own_test_part() -> None:
    found = load_splits("digits", validation=0.25, seed=SEED)
    test = data.load("digits", split="test")
    assert torch.equal(found.test.x, test.images)
    assert torch.equal(found.test.y, test.labels)
    whole = data.load("digits")
    assert len(found.train) + len(found.validation) == len(whole)
    assert as_set(found.train.x) | as_set(found.validation.x) == as_set(whole.images)
    assert not as_set(found.train.x) & as_set(found.validation.x)
    assert len(found.validation) == pytest.approx(0.25 * len(whole), abs=1)
    for part in found:
        np.testing.assert_allclose(
            shares(part), shares(LabeledDataset(whole.images, whole.labels, whole.classes)), atol=0.01
        )


def test_the_seed_draws_the_validation_part_and_never_the_test_part(tmp_path: Path) -> None:
    wine = load_wine()
    np.savez(tmp_path / "wine.npz", x=wine.data, y=wine.target)
    first, same, other = (load_splits(tmp_path / "wine.npz", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.validation.x, same.validation.x)
    assert not torch.equal(first.validation.x, other.validation.x)
    assert torch.equal(first.test.x, other.test.x)
    assert len(first.test) == 36  # a fifth of 178, rounded up
    assert first.train.classes == ("0", "1", "2")
    assert first.train.sample_shape == (13,)


@pytest.mark.parametrize("layout", ["gray", "first", "last"])
def test_images_in_arrays_have_their_channels_first(tmp_path: Path, layout: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 6, 5), dtype=np.uint8)
    stored = {"gray": images[:, 0], "first": images, "last": images.transpose(0, 2, 3, 1)}[layout]
    expected = (images[:, :1] if layout == "gray" else images).astype(np.float32) / 255
    y = np.arange(40) % 2
    np.savez(tmp_path / "own.npz", x_train=stored, y_train=y, x_test=stored[:7], y_test=y[:7])
    found = load_splits(tmp_path / "own.npz")
    np.testing.assert_array_equal(found.test.x.numpy(), expected[:7])
    assert as_set(found.train.x) | as_set(found.validation.x) == as_set(torch.from_numpy(expected))


def test_a_table_of_scikit_learn(tmp_path: Path) -> None:
    frame = load_breast_cancer(as_frame=True)
    names = frame.target_names[frame.target]
    table = frame.data.assign(Class=names)
    table = table[["Class", *frame.data.columns]]  # the label is found by its name, not by its place
    table.to_csv(tmp_path / "cancer.csv", index=False)
    found = load_splits(tmp_path / "cancer.csv")
    assert found.train.classes == ("benign", "malignant")
    rows = torch.cat([part.x for part in found])
    order = np.lexsort(rows.numpy().T[::-1])
    expected = frame.data.to_numpy().astype(np.float32)
    expected_order = np.lexsort(expected.T[::-1])
    np.testing.assert_allclose(rows.numpy()[order], expected[expected_order])
    labels = torch.cat([part.y for part in found]).numpy()[order]
    np.testing.assert_array_equal(np.array(found.train.classes)[labels], names[expected_order])


def test_columns_may_be_called_by_their_numbers(tmp_path: Path) -> None:
    rows = "".join(f"{i},{-i},{i % 2}\n" for i in range(20))
    (tmp_path / "own.csv").write_text(f"0,1,2\n{rows}")
    found = load_splits(tmp_path / "own.csv")
    assert found.train.classes == ("0", "1")
    assert torch.cat([part.x for part in found])[:, 0].sort().values.tolist() == list(range(20))


def test_features_may_be_called_as_labels_are(tmp_path: Path) -> None:
    """Of coordinates x and y, none is lost when there is no label; the table of a training works, too."""
    rows = [(i, 0.5 * i, "ab"[i % 2]) for i in range(20)]
    for name, label in (("named", "label"), ("last", "species")):
        text = "".join(f"{x},{y},{of}\n" for x, y, of in rows)
        (tmp_path / f"{name}.csv").write_text(f"x,{'y' if name == 'named' else 'z'},{label}\n{text}")
        assert load_splits(tmp_path / f"{name}.csv").train.sample_shape == (2,)
        assert load_samples(tmp_path / f"{name}.csv", (2,)).tolist() == [[x, y] for x, y, _ in rows]
    (tmp_path / "new.csv").write_text("x,y\n3,4\n")
    assert load_samples(tmp_path / "new.csv", (2,)).tolist() == [[3, 4]]


def save_pictures(folder: Path, n: int, mode: str = "L") -> None:
    """Pictures of two classes."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{i}.png")


def test_a_folder_that_is_called_as_a_known_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pictures(tmp_path / "digits", 12)
    monkeypatch.chdir(tmp_path)
    assert load_splits("./digits").train.classes == ("cat", "dog")
    assert load_splits("digits/").train.classes == ("cat", "dog")
    assert load_splits("digits").train.n_classes == 10


def test_a_gray_part_beside_one_in_color(tmp_path: Path) -> None:
    save_pictures(tmp_path / "train", 12)
    save_pictures(tmp_path / "test", 2, "RGB")
    found = load_splits(tmp_path)
    assert found.train.sample_shape == found.test.sample_shape == (3, 8, 9)
    assert torch.equal(found.train.x[:, 0], found.train.x[:, 2])
    assert not torch.equal(found.test.x[:, 0], found.test.x[:, 2])


def test_a_folder_of_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part, n in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = random.integers(0, 256, (8, 9), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{i}.png")
    found = load_splits(tmp_path / "pets")
    assert found.train.classes == ("cat", "dog")
    assert (len(found.train), len(found.validation), len(found.test)) == (21, 3, 6)
    assert load_splits(tmp_path / "pets", size=4).train.sample_shape == (1, 4, 4)
    alone = load_splits(tmp_path / "pets" / "train")
    assert (len(alone.train), len(alone.validation), len(alone.test)) == (17, 2, 5)
    pictures = load_samples(tmp_path / "pets" / "test" / "cat", (1, 8, 9))
    assert pictures.shape == (3, 1, 8, 9)
    assert torch.equal(load_samples(tmp_path / "pets" / "test" / "cat" / "0.png", (1, 8, 9)), pictures[:1])


def test_fewer_samples_for_training() -> None:
    found = load_splits("digits", n_train=100, seed=SEED)
    assert len(found.train) == 100
    assert not as_set(found.train.x) & as_set(found.validation.x)
    np.testing.assert_allclose(shares(found.train), shares(found.validation), atol=0.02)


def test_a_split_is_stratified_and_loses_nothing() -> None:
    whole = LabeledDataset(torch.arange(60.0)[:, None], torch.arange(60) % 3, ("a", "b", "c"))
    rest, chosen = split(whole, 0.35, SEED)
    assert sorted([*rest.x.flatten().tolist(), *chosen.x.flatten().tolist()]) == list(range(60))
    assert np.bincount(chosen.y.numpy()).tolist() == [7, 7, 7]


def test_samples_are_brought_to_the_shape_of_a_model(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((5, 16)).astype(np.float32)
    np.save(tmp_path / "flat.npy", x)
    np.savez(tmp_path / "flat.npz", x=x)
    expected = torch.from_numpy(x).reshape(5, 1, 4, 4)
    assert torch.equal(load_samples(tmp_path / "flat.npy", (1, 4, 4)), expected)
    assert torch.equal(load_samples(tmp_path / "flat.npz", (1, 4, 4)), expected)
    Image.fromarray(np.full((9, 9, 3), 51, np.uint8)).save(tmp_path / "color.png")
    torch.testing.assert_close(load_samples(tmp_path / "color.png", (1, 4, 4)), torch.full((1, 1, 4, 4), 0.2))
    (tmp_path / "rows.csv").write_text("a,label,b\n1,yes,2\n3,no,4\n")
    assert load_samples(tmp_path / "rows.csv", (2,)).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match=r"samples are 16, but the model was made for 1 x 5 x 5"):
        load_samples(tmp_path / "flat.npy", (1, 5, 5))
    np.save(tmp_path / "wide.npy", x.reshape(5, 2, 8))
    assert torch.equal(load_samples(tmp_path / "wide.npy", (16,)), torch.from_numpy(x))
    with pytest.raises(ValueError, match=r"samples are 1 x 2 x 8, but the model was made for 1 x 8 x 2"):
        load_samples(tmp_path / "wide.npy", (1, 8, 2))


def _npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path / "own.npz", **arrays)
    return path / "own.npz"


X, Y = np.zeros((20, 4)), np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X}, "holds neither x and y nor x_train, y_train, x_test and y_test: x_train is not there"),
        ({"x": X, "y": Y[:-1]}, "must have one label for each sample"),
        ({"x": X, "y": Y / 2}, "labels are whole numbers from 0 on"),
        ({"x": X, "y": Y - 1}, "has the label -1"),
        ({"x": X * np.nan, "y": Y}, "NaN or infinite"),
        ({"x": X, "y": Y * 2}, "has no sample of class 1 left for training"),
        ({"x": X[:2], "y": Y[:2]}, "no sample of class|too few"),
        ({"x": X.astype(str), "y": Y}, "which are no numbers"),
        ({"x": X[:, :0], "y": Y}, "samples without a number in them"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "samples of 4 for training and 3 for testing"),
    ],
)
def test_arrays_that_are_no_data_set(tmp_path: Path, arrays: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_splits(_npz(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rows below its header"),
        ("a,b\n", "has no rows below its header"),
        ("a\n1\n2\n", "has a single column"),
        ("a,label\n1,x\n2\n", "row 3 has 1 cells, but the header has 2"),
        ("a,label\n1,x\ntwo,x\n", "row 3 has two as a, which is no finite number"),
        ("a,label\n1,x\n,x\n", "row 3 has nothing as a"),
        ("a,b\n1,.1\n2,.2\n3,.3\n", "column b has a value of its own in each row"),
        ("a,label\n1,x\n2,\n", "row 3 has no label, nothing as label"),
        ("a,label\n1,x\n1e39,x\n", "row 3 has 1e39 as a, which is no finite number"),
        ("5,0,0.5,1\n1,0,0,1\n", "first row is of numbers, not the names of columns"),
        (",a,label\n0,1,x\n1,2,x\n", "column 1 has no name; leave out an index"),
    ],
)
def test_tables_that_are_no_data_set(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load_splits(path)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    for missing in (tmp_path / "own.npz", tmp_path / "own.csv"):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            load_splits(missing)
    with pytest.raises(ValueError, match=r"unknown data set 'flowers'.*or give a folder of images"):
        load_splits("flowers")
    (tmp_path / "own.txt").write_text("x")
    with pytest.raises(ValueError, match="neither a folder of images nor"):
        load_splits(tmp_path / "own.txt")
    with pytest.raises(ValueError, match="share of validation samples"):
        load_splits("digits", validation=0)
    with pytest.raises(ValueError, match="5 cannot be chosen"):
        load_splits("digits", n_train=5)
    with pytest.raises(ValueError, match="size must be at least 1 pixel, not 0"):
        load_splits(_npz(tmp_path, x=np.zeros((20, 4, 4)), y=Y), size=0)


def test_any_seed_of_pytorch_draws_a_validation_part() -> None:
    assert len(load_splits("digits", seed=2**63 - 1).validation) == 144
