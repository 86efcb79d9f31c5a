"""Data sets in memory, and batches of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from separata import data


class TestImageDataset:
    @pytest.fixture
    def dataset(self):
        images = torch.arange(5.0).div(4).reshape(5, 1, 1, 1).expand(5, 1, 2, 2)
        return data.ImageDataset(images, torch.tensor([0, 1, 2, 1, 0]), ("a", "b", "c"))

    def test_size(self, dataset):
        assert (len(dataset), dataset.n_classes) == (5, 3)

    @pytest.mark.parametrize(
        "indices",
        [[3, 0], torch.tensor([3, 0]), torch.tensor([True, False, False, True, False])],
        ids=["list", "tensor", "mask"],
    )
    def test_subset(self, dataset, indices):
        subset = dataset.subset(indices)
        order = [3, 0] if not (isinstance(indices, torch.Tensor) and indices.dtype == torch.bool) else [0, 3]
        assert subset.images[:, 0, 0, 0].tolist() == [index / 4 for index in order]
        assert subset.labels.tolist() == [[0, 1, 2, 1, 0][index] for index in order]
        assert subset.classes == dataset.classes

    def test_to_another_device(self, dataset):
        moved = dataset.to("meta")
        assert moved.images.device.type == moved.labels.device.type == "meta"
        assert moved.classes == dataset.classes


class TestBatches:
    def seeded(self, seed: int = 0) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    @given(n=st.integers(0, 40), size=st.integers(1, 50), drop_last=st.booleans())
    def test_each_sample_comes_once_beside_its_own(self, n, size, drop_last):
        x = torch.arange(n)
        found = list(data.batches((x, x**2), size, self.seeded(), drop_last=drop_last))
        expected = [size] * (n // size) + ([n % size] if n % size and not drop_last else [])
        assert [len(first) for first, _ in found] == expected
        seen = torch.cat([first for first, _ in found]) if found else x[:0]
        assert len(seen.unique()) == len(seen) == sum(expected)
        assert all(second.equal(first**2) for first, second in found)

    def test_a_tensor_gives_tensors(self):
        x = torch.arange(10.0).reshape(5, 2)
        found = torch.cat(list(data.batches(x, 2, self.seeded())))
        assert found.sort(0).values.equal(x)

    def test_the_generator_decides_the_order(self):
        x = torch.arange(100)
        order = [torch.cat(list(data.batches(x, 7, self.seeded(seed)))) for seed in (0, 0, 1)]
        assert order[0].equal(order[1])
        assert not order[0].equal(order[2])
        assert not order[0].equal(x)
        generator = self.seeded()
        first, second = (torch.cat(list(data.batches(x, 7, generator))) for _ in range(2))
        assert not first.equal(second)

    def test_refusals_come_before_the_first_batch(self):
        x = torch.arange(4)
        with pytest.raises(ValueError, match=r"same first dimension, not \[4, 3\]"):
            data.batches((x, x[:3]), 2, self.seeded())
        with pytest.raises(ValueError, match="first dimension"):
            data.batches((), 2, self.seeded())
        with pytest.raises(ValueError, match="at least 1, not 0"):
            data.batches(x, 0, self.seeded())
