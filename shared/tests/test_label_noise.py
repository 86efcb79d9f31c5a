"""Labels that are wrong on purpose, as often and in the way that was asked."""

import pytest
import torch

from separata.label_noise import Mode, noisy_labels

LABELS = torch.arange(10).repeat(1000)


def noisy(fraction: float, mode: Mode, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return noisy_labels(LABELS, fraction, 10, torch.Generator().manual_seed(seed), mode)


@pytest.mark.parametrize(("mode", "share_changed"), [("uniform", 0.9), ("other", 1.0), ("permute", 0.9)])
def test_as_many_labels_change_as_the_mode_says(mode: Mode, share_changed: float) -> None:
    labels, drawn = noisy(0.2, mode)
    assert int(drawn.sum()) == 2000
    assert torch.equal(labels[~drawn], LABELS[~drawn])
    changed = (labels != LABELS)[drawn].double().mean().item()
    assert changed == pytest.approx(share_changed, abs=0.03)
    # Each class gets its share of the drawn ones: 200 each, with a standard deviation of about 13.
    assert torch.bincount(labels[drawn], minlength=10).sub(200).abs().max() < 60


def test_a_permutation_keeps_how_often_each_class_occurs() -> None:
    labels, _ = noisy(0.35, "permute")
    assert torch.equal(torch.bincount(labels), torch.bincount(LABELS))


def test_the_seed_decides_and_the_ends_are_exact() -> None:
    assert torch.equal(noisy(0.3, "other", 1)[0], noisy(0.3, "other", 1)[0])
    assert not torch.equal(noisy(0.3, "other", 1)[0], noisy(0.3, "other", 2)[0])
    assert torch.equal(noisy(0.0, "other")[0], LABELS)
    assert not (noisy(1.0, "other")[0] == LABELS).any()


@pytest.mark.parametrize(
    ("labels", "fraction", "n_classes", "mode", "message"),
    [
        ([0, 1], 1.2, 2, "uniform", "between 0 and 1"),
        ([0, 1], float("nan"), 2, "uniform", "between 0 and 1"),
        ([0, 2], 0.5, 2, "uniform", "from 0 to 1"),
        ([-1, 0], 0.5, 2, "uniform", "from 0 to 1"),
        ([0, 0], 0.5, 1, "other", "no other class"),
    ],
)
def test_what_cannot_be_is_refused(
    labels: list[int], fraction: float, n_classes: int, mode: Mode, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        noisy_labels(torch.tensor(labels), fraction, n_classes, torch.Generator(), mode)
