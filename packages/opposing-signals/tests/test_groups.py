"""Groups: planted ones are found again, by change and by singular vectors, whatever the order of the examples."""

import numpy as np
import pytest
import torch

from opposing_signals import find_groups, find_phases, leading_directions


def oscillating(n=200, n_steps=40, seed=0):
    """Losses that fall slowly, with noise; the first 10 examples go up when the next 10 go down, and grow."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(n_steps).float()
    losses = (2 - 0.01 * time)[:, None] + 0.002 * torch.randn(n_steps, n, generator=generator)
    swing = 0.3 * 1.02**time * (-1) ** time
    losses[:, :10] += swing[:, None]
    losses[:, 10:20] -= 0.9 * swing[:, None]
    return losses


@pytest.mark.parametrize("method", ["delta", "svd"])
def test_planted_groups_are_found(method):
    losses = oscillating()
    groups = find_groups(losses, 21, m=10, method=method)
    assert sorted(groups.up.tolist()) == list(range(10)), "they rise from an odd step to an even one"
    assert sorted(groups.down.tolist()) == list(range(10, 20))
    around = losses[11:33].double().numpy()
    expected = np.corrcoef(around[:, :10].mean(1), around[:, 10:20].mean(1))[0, 1]
    assert groups.window_steps == tuple(range(11, 33))
    assert groups.correlation == pytest.approx(expected, abs=1e-6)
    assert expected < -0.9
    assert groups.alternation < -0.99
    assert groups.flips == 1
    assert groups.is_opposing
    assert groups.swing == pytest.approx(2 * 0.9 * 0.3 * 1.02**21, rel=0.05)
    assert groups.share_of(torch.arange(20)) == 1


@pytest.mark.parametrize("method", ["delta", "svd"])
def test_another_order_of_the_examples_gives_the_same_examples(method):
    losses, order = oscillating(), torch.randperm(200, generator=torch.Generator().manual_seed(5))
    one, other = find_groups(losses, 20, m=7, method=method), find_groups(losses[:, order], 20, m=7, method=method)
    assert order[other.up].tolist() == one.up.tolist()
    assert order[other.down].tolist() == one.down.tolist()


def test_examples_that_all_fall_are_no_opposing_groups():
    losses = torch.linspace(2, 1, 30)[:, None] * torch.linspace(0.5, 1.5, 100)
    groups = find_groups(losses, 15, m=10)
    assert groups.alternation == pytest.approx(1, abs=1e-4)
    assert not groups.is_opposing


@pytest.mark.parametrize("shape", [(12, 50), (60, 9)])
def test_leading_directions_are_those_of_a_singular_value_decomposition(shape):
    losses = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    time, strength, score, explained = leading_directions(losses)
    u, s, vh = torch.linalg.svd(losses.double().diff(dim=0), full_matrices=False)
    assert strength == pytest.approx(float(s[0]))
    sign = torch.sign(time.double() @ u[:, 0])
    torch.testing.assert_close(time.double(), sign * u[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(score.double(), sign * vh[0], atol=1e-5, rtol=0)
    assert explained == pytest.approx(float(s[0] ** 2 / s.square().sum()))


def test_classes_of_members_are_counted():
    groups = find_groups(oscillating(), 21, m=10)
    labels = torch.zeros(200, dtype=torch.long)
    labels[:5], labels[5:10], labels[10:20] = 1, 2, 3
    assert groups.histogram(labels, 5) == ([0, 5, 5, 0, 0], [0, 0, 0, 10, 0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"row": 39}, "successor"), ({"m": 0}, "at least 1"), ({"m": 101}, "half"), ({"method": "pca"}, "delta, svd")],
)
@pytest.mark.usefixtures("unchecked")
def test_groups_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        find_groups(oscillating(), **({"row": 20} | wrong))


def test_the_phases_of_a_training_are_found():
    steps = list(range(100))
    loss = [2 - 0.01 * step for step in steps]
    loss[60], loss[61] = 3.0, 1.5
    sharpness = {0: 8.0, 10: 4.0, 20: 6.0, 40: 11.0, 50: 12.0, 70: 9.0, 90: 9.5}
    phases = find_phases(steps, loss, sharpness, lr=0.2)
    assert phases.to_json() == {"valley": 10, "edge": 40, "spike": 59, "recovery": 70}
    above_at_first = find_phases(steps, loss, {0: 14.0, 10: 8.0, 20: 7.0, 30: 10.5, 50: 12.0, 70: 9.0}, lr=0.2)
    assert (above_at_first.valley, above_at_first.edge, above_at_first.spike) == (20, 30, 59)
    calm = find_phases(steps, [2 - 0.01 * step for step in steps], {0: 3.0, 50: 4.0}, lr=0.2)
    assert calm.to_json() == {"valley": 0, "edge": None, "spike": None, "recovery": None}
