import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from separata import data
from snn_continual import (
    HeldOut,
    PermutedImages,
    SeveralDatasets,
    SplitClasses,
    make_five_datasets,
    make_permuted_mnist,
    make_split_cifar10,
    make_split_cifar100,
    make_split_mini_imagenet,
)

RNG = np.random.default_rng(0)


def png(*shape):
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_parquet(root, name, labels, shape, *, image="image", label="label", test=None):
    """Both splits of a data set, as the hub lays them out."""
    for split, chosen in (("train", labels), ("test", labels if test is None else test)):
        rows = [{"bytes": png(*shape), "path": None} for _ in chosen]
        table = {image: pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), label: list(chosen)}
        (root / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(table), root / name / f"{split}-00000-of-00001.parquet")


def write_folders(root, name):
    for split in ("train", "test"):
        for letter in "ABCDEFGHIJ":
            folder = root / name / split / letter
            folder.mkdir(parents=True)
            (folder / "0.png").write_bytes(png(28, 28))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Each data set with two images of each class, in alternating order."""
    root = tmp_path_factory.mktemp("data")
    ten = [*range(10)] * 2
    write_parquet(root, "cifar10", ten, (32, 32, 3), image="img")
    write_parquet(root, "cifar100", [*range(100)] * 2, (32, 32, 3), image="img", label="fine_label", test=range(100))
    write_parquet(root, "mini-imagenet", [*range(100)], (20, 30, 3))
    write_parquet(root, "svhn", ten, (32, 32, 3))
    write_parquet(root, "mnist", ten, (28, 28))
    write_parquet(root, "fashion-mnist", ten, (28, 28))
    write_folders(root, "notmnist")
    return root


@pytest.fixture
def folder(stored, monkeypatch) -> Path:
    monkeypatch.setenv("SEPARATA_DATA", str(stored))
    return stored


# ---- permutations


def test_each_task_has_all_pixels_of_every_image_in_one_order_of_its_own():
    sequence = PermutedImages("digits", 3, mean=0.0, std=1.0)
    train, test = data.load("digits"), data.load("digits", split="test")
    pixels, orders = torch.cat([train.images, test.images]).flatten(1), set()
    columns = {}
    for index, column in enumerate(pixels.T):
        columns.setdefault(column.numpy().tobytes(), []).append(index)
    for task in map(sequence.__getitem__, range(3)):
        permuted = torch.cat([task.train_images, task.test_images])
        left = {key: list(indices) for key, indices in columns.items()}
        order = tuple(left[column.numpy().tobytes()].pop() for column in permuted.T)
        assert sorted(order) == list(range(64))
        assert torch.equal(permuted, pixels[:, order])
        assert torch.equal(task.train_labels, train.labels)
        assert torch.equal(task.test_labels, test.labels)
        orders.add(order)
    assert len(orders) == 3


def test_permutations_repeat_with_their_seed():
    one, other, third = (PermutedImages("digits", 2, seed=seed)[1].train_images for seed in (4, 4, 5))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_pixels_are_normalised():
    plain, normal = (PermutedImages("digits", 2, mean=m, std=s)[0].train_images for m, s in ((0.0, 1.0), (0.25, 0.5)))
    torch.testing.assert_close(normal, (plain - 0.25) / 0.5)
    mnist = make_permuted_mnist()
    assert (mnist.mean, mnist.std, len(mnist), mnist.shares_head) == (0.1307, 0.3081, 10, True)
    assert PermutedImages("digits").n_classes == 10


# ---- classes in turn


@pytest.mark.parametrize(
    ("sequence", "n_tasks", "n_classes", "per_task", "size"),
    [
        (make_split_cifar10(), 5, 2, 4, 32),
        (make_split_cifar100(), 10, 10, 20, 32),
        (make_split_mini_imagenet(), 20, 5, 5, 84),
    ],
)
@pytest.mark.usefixtures("folder")
def test_tasks_partition_the_classes_and_their_labels_count_from_zero(sequence, n_tasks, n_classes, per_task, size):
    assert (len(sequence), sequence.n_classes, sequence.shares_head) == (n_tasks, n_classes, False)
    raw, seen = data.load(sequence.dataset, size=sequence.size), []
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (sequence.mean, sequence.std))
    for task in map(sequence.__getitem__, range(n_tasks)):
        assert task.train_images.shape == (per_task, 3, size, size)
        assert task.train_labels.bincount().tolist() == [per_task // n_classes] * n_classes
        assert task.test_labels.unique().tolist() == list(range(n_classes))
        labels = {}
        for image, label in zip(task.train_images * std + mean, task.train_labels.tolist(), strict=True):
            match = ((raw.images - image).abs().amax((1, 2, 3)) < 1e-5).nonzero()
            labels.setdefault(label, set()).add(raw.labels[match.item()].item())
        assert all(len(classes) == 1 for classes in labels.values())
        seen += [classes.pop() for _, classes in sorted(labels.items())]
    assert sorted(seen) == list(range(len(raw.classes)))
    in_order = seen == sorted(seen)
    assert in_order == (sequence.shuffle_seed is None)


@pytest.mark.usefixtures("folder")
def test_training_images_of_each_class_can_be_limited():
    task = make_split_cifar10(n_train=1)[0]
    assert task.train_labels.tolist() == [0, 1]
    assert len(task.test_labels) == 4


@pytest.mark.usefixtures("folder")
def test_classes_that_cannot_be_shared_out_evenly_are_refused():
    sequence = SplitClasses("cifar10", 3, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(ValueError, match="10 classes of cifar10 cannot be split into 3"):
        sequence[0]
    with pytest.raises(ValueError, match="at least 1 task"):
        SplitClasses("cifar10", 0, (0.0,) * 3, (1.0,) * 3)
    for n_train in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1 training image of each class, not {n_train}"):
            make_split_cifar10(n_train=n_train)


# ---- data sets in turn


@pytest.mark.usefixtures("folder")
def test_five_data_sets_are_colour_images_of_one_size_and_each_is_normalised():
    sequence = make_five_datasets()
    assert (len(sequence), sequence.n_classes, sequence.shares_head) == (5, 10, False)
    assert make_five_datasets(shares_head=True).shares_head
    for (name, mean, std), task in zip(sequence.datasets, map(sequence.__getitem__, range(5)), strict=True):
        raw = data.load(name)
        assert task.train_images.shape[1:] == task.test_images.shape[1:] == (3, 32, 32)
        assert sorted(task.train_labels.unique().tolist()) == list(range(10))
        margin = (32 - raw.images.shape[-1]) // 2
        inside = task.train_images[..., margin : 32 - margin, margin : 32 - margin]
        for channel in range(3):
            c = channel % raw.images.shape[1]
            expected = (raw.images[:, c] - mean[c]) / std[c]
            torch.testing.assert_close(inside[:, channel], expected)
        if margin:
            black = task.train_images[0, :, [0, -1]].flatten(1)
            torch.testing.assert_close(black, torch.full((3, 64), -mean[0] / std[0]))


def test_a_data_set_that_is_nowhere_is_named_with_both_ways_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="SEPARATA_DATA.*Hugging Face"):
        make_five_datasets()[0]
    with pytest.raises(ValueError, match="SEPARATA_DATA"):
        SeveralDatasets((("notmnist", (0.0,), (1.0,)),))[0]


# ---- a part held out


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_held_out_images_and_the_rest_are_all_training_images_and_no_others(share):
    inner = PermutedImages("digits", 2)
    sequence, whole = HeldOut(inner, share), inner[1]
    task = sequence[1]
    assert (len(sequence), sequence.n_classes, sequence.shares_head) == (2, 10, True)
    assert len(task.test_labels) == round(share * len(whole.train_labels))

    def rows(images, labels):
        return sorted([*image, label] for image, label in zip(images.tolist(), labels.tolist(), strict=True))

    together = torch.cat([task.train_images, task.test_images]), torch.cat([task.train_labels, task.test_labels])
    assert rows(*together) == rows(whole.train_images, whole.train_labels)
    assert torch.equal(task.test_images, sequence[1].test_images)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, float("nan")])
def test_a_share_that_leaves_nothing_to_train_or_to_test_on_is_refused(share):
    with pytest.raises(ValueError, match=f"between 0 and 1, not {share}"):
        HeldOut(PermutedImages("digits", 2), share)


@pytest.mark.parametrize("options", [{"n_tasks": 0}, {"n_tasks": -1}, {"std": 0.0}, {"std": float("nan")}], ids=str)
def test_no_task_and_no_spread_of_pixels_are_refused(options):
    with pytest.raises(ValueError, match="at least 1 task and a positive std"):
        PermutedImages("digits", **options)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_no_task_beyond_the_last(index):
    with pytest.raises(IndexError, match=f"tasks 0 to 1, not {index}"):
        PermutedImages("digits", 2)[index]
