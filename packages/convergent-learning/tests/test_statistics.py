"""Streaming statistics, against NumPy on the stacked data."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convergent_learning import ActivationStats, Moments, collect, read_activations

DOUBLE = torch.float64


def rows(n=200, p=5, q=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, p, generator=generator, dtype=DOUBLE)
    y = torch.randn(n, q, generator=generator, dtype=DOUBLE) + x[:, :q]
    return x, y


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 199), min_size=0, max_size=5, unique=True))
def test_any_split_into_batches_gives_numpys_covariance(cuts):
    x, y = rows()
    moments = Moments([5, 4])
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 200], strict=True):
        moments.update([x[a:b], y[a:b]])
    expected = np.cov(np.hstack([x, y]).T, bias=True)
    np.testing.assert_allclose(moments.scatter / moments.count, expected, atol=1e-12)
    np.testing.assert_allclose(moments.mean, np.hstack([x, y]).mean(0), atol=1e-12)


@pytest.mark.parametrize("at", [1, 77, 199])
def test_merged_moments_are_those_of_all_rows(at):
    x, y = rows()
    first, second = Moments([5, 4]), Moments([5, 4])
    first.update([x[:at], y[:at] + 3])
    second.update([x[at:], y[at:]])
    first.merge(second)
    first.update([x[:10], y[:10]])
    stacked = np.hstack([np.vstack([x, x[:10]]), np.vstack([y[:at] + 3, y[at:], y[:10]])])
    assert first.count == 210
    np.testing.assert_allclose(first.scatter / 210, np.cov(stacked.T, bias=True), atol=1e-12)
    np.testing.assert_allclose(first.mean, stacked.mean(0), atol=1e-12)


def test_moments_merge_into_empty_ones_and_refuse_others():
    x, y = rows()
    full, empty = Moments([5, 4]), Moments([5, 4])
    full.update([x, y])
    empty.merge(full)
    torch.testing.assert_close(empty.scatter, full.scatter)
    with pytest.raises(ValueError, match="cannot be merged"):
        full.merge(Moments([4, 5]))
    with pytest.raises(ValueError, match="no rows"):
        _ = Moments([2]).mean
    with pytest.raises(ValueError, match="expected rows of"):
        full.update([x, y[:3]])


def test_single_precision_is_as_exact_as_it_says_and_precise_is_exact():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 30, generator=generator) + 10
    x[:, 1:] += x[:, :-1]
    expected = np.corrcoef(x.double().numpy().T)
    for precise, error in ((False, 2e-6), (True, 1e-10)):
        moments = Moments([30], precise=precise)
        for part in x.split(3000):
            moments.update([part])
        scale = moments.scatter.diagonal().sqrt()
        found = moments.scatter / torch.outer(scale, scale)
        assert np.abs(found.numpy() - expected).max() < error


class Offset(nn.Module):
    """Units with a large common offset; their activation is taken after a ReLU in place."""

    def __init__(self, seed, offset=0.0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.linear = nn.Linear(6, 5).double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(5, 6, generator=generator, dtype=DOUBLE))
            self.linear.bias.fill_(offset)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.linear(x)).sum(1)


@pytest.mark.parametrize(("offset", "error"), [(0.0, 1e-10), (1e6, 1e-6)])
def test_correlations_are_numpys_whatever_the_offset(offset, error):
    nets = [Offset(0, offset).eval(), Offset(1, offset).eval()]
    x = torch.randn(500, 6, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    stats = collect(nets, x.split(37), ["linear", "relu"])
    raw = [x @ net.linear.weight.detach().T for net in nets]
    found = stats.cross("linear", 0, 1)
    expected = np.corrcoef(np.hstack(raw).T)[:5, 5:]
    np.testing.assert_allclose(found, expected, atol=error)
    if offset == 0:
        expected = np.corrcoef(np.hstack([one.clamp(min=0) for one in raw]).T)
        np.testing.assert_allclose(stats.cross("relu"), expected[:5, 5:], atol=1e-10)
        np.testing.assert_allclose(stats.within("relu", 1), expected[5:, 5:], atol=1e-10)
        rectified = collect(nets, x.split(100), ["linear"], after="relu")
        np.testing.assert_allclose(rectified.cross("linear"), expected[:5, 5:], atol=1e-10)


def conv(seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(3 * 16, 2))
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return net.eval()


def test_every_position_of_a_convolution_is_a_sample():
    nets, x = [conv(0), conv(1)], torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    stats = collect(nets, x.split(7), ["0"], precise=True)
    maps = [torch.nn.functional.conv2d(x, net[0].weight, net[0].bias).detach() for net in nets]
    columns = np.hstack([one.permute(0, 2, 3, 1).reshape(-1, 3) for one in maps]).astype(float)
    assert stats["0"].count == 40 * 16
    np.testing.assert_allclose(stats.cross("0"), np.corrcoef(columns.T)[:3, 3:], atol=1e-5)


def test_random_positions_are_the_same_in_all_networks():
    net, x = conv(), torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    stats = collect([net, net], x.split(9), ["0"], max_positions=3, keep=50)
    assert stats["0"].count == 120
    torch.testing.assert_close(stats.cross("0").diagonal(), torch.ones(3, dtype=DOUBLE), atol=1e-5, rtol=0)
    kept = stats["0"].samples
    assert kept.shape == (50, 6)
    assert torch.equal(kept[:, :3], kept[:, 3:])


def test_kept_samples_are_drawn_from_all_batches_alike():
    net = nn.Sequential(nn.Linear(1, 1, bias=False)).eval()
    net[0].weight.data.fill_(1.0)
    x = torch.arange(4000.0)[:, None]
    kept = collect([net], x.split(100), ["0"], keep=1000)["0"].samples[:, 0]
    assert len(kept.unique()) == 1000
    assert abs(kept.mean() - 2000) < 5 * 4000 / 12**0.5 / 1000**0.5


def test_tokens_and_layers_with_other_names():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(4, 6)

        def forward(self, x):
            return self.up(x)

    x = torch.randn(10, 7, 4, generator=torch.Generator().manual_seed(0))
    first = Tokens().eval()
    stats = collect([first, nn.Sequential(first.up).eval()], [x], [("up", "0")])
    assert stats["up=0"].count == 70
    torch.testing.assert_close(stats.cross("up=0").diagonal(), torch.ones(6, dtype=DOUBLE), atol=1e-5, rtol=0)
    length = nn.Sequential(nn.Conv1d(4, 5, 1)).eval()
    assert read_activations(length, torch.zeros(2, 4, 9), ["0"])["0"].shape == (2, 9, 5)


class Shapes(nn.Module):
    """A convolution over a length, then tokens of another network: the same activation after both."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.pooled = nn.Conv1d(3, 4, 1), nn.ReLU(), nn.ReLU()
        self.linear, self.gelu, self.norm = nn.Linear(4, 5), nn.GELU(), nn.LayerNorm(5)

    def forward(self, x):
        x = self.pooled(torch.nn.functional.max_pool1d(self.relu(self.conv(x)), 2))
        return self.norm(self.gelu(self.linear(x.mT)))


def test_units_are_found_on_the_axis_of_the_layer_that_made_them():
    x = torch.randn(10, 3, 8, generator=torch.Generator().manual_seed(0))
    net = Shapes().eval()
    read = read_activations(net, x, ["conv", "relu", "pooled", "linear", "gelu", "norm"])
    assert [tuple(one.shape) for one in read.values()] == [(10, 8, 4)] * 2 + [(10, 4, 4)] + [(10, 4, 5)] * 3
    torch.testing.assert_close(read["relu"], net.conv(x).mT.relu())
    images = nn.Sequential(nn.Linear(3, 6), nn.GELU(), nn.LayerNorm(6)).eval()
    last = read_activations(images, torch.randn(2, 4, 5, 3), ["0", "1", "2"])
    assert {tuple(one.shape) for one in last.values()} == {(2, 20, 6)}


def test_an_axis_that_nothing_tells_has_to_be_given():
    class Unknown(Shapes):
        def forward(self, x):
            return self.relu(self.conv(x) * 2 if x.sum() > 0 else self.conv(x))

    net, x = Unknown().eval(), torch.ones(2, 3, 8)
    with pytest.raises(ValueError, match="axis='channels'"):
        read_activations(net, x, ["relu"])
    assert collect([net], [x.cumsum(2)], ["relu"], axis="channels")["relu"].sizes == (4,)
    assert read_activations(net, x, ["relu"], axis="last")["relu"].shape == (2, 4, 8)


def test_dead_units_are_listed_and_correlate_with_nothing():
    net = conv()
    net[0].weight.data[1] = 0
    net[0].bias.data[1] = -1
    stats = collect([net, conv(1)], [torch.randn(20, 1, 6, 6)], ["1"])
    assert stats["1"].dead(0).tolist() == [False, True, False]
    assert not stats.cross("1")[1].any()
    assert stats.cross("1").isfinite().all()


def test_bad_networks_and_loaders_cost_one_sentence():
    net, x = conv(), torch.randn(20, 1, 6, 6)
    with pytest.raises(ValueError, match=r"no layer '10'; near names are"):
        collect([net], [x], ["10"])
    with pytest.raises(ValueError, match="no batch"):
        collect([net], [], ["0"])
    with pytest.raises(ValueError, match="a batch is a tensor"):
        collect([net], [{"x": x}], ["0"])
    with pytest.raises(ValueError, match="answers NaN"):
        collect([net], [x * float("nan")], ["0"])
    with pytest.raises(ValueError, match="other samples or positions"):
        collect([net, nn.Sequential(nn.Conv2d(1, 3, 5)).eval()], [x], ["0"])
    with pytest.raises(ValueError, match="2 names for 1 networks"):
        collect([net], [x], [("0", "1")])
    shared = nn.ReLU()
    with pytest.raises(ValueError, match="ran 2 times"):
        collect([nn.Sequential(nn.Conv2d(1, 3, 3), shared, shared).eval()], [x], ["1"])
    net[0].weight.data.zero_()
    with pytest.raises(ValueError, match="are dead"):
        collect([net], [x], ["0"])


def test_training_mode_and_few_samples_are_warned_of():
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5)).train()
    with pytest.warns(UserWarning, match="evaluation mode"):
        stats = collect([net, net], [torch.randn(40, 3)], ["1"])
    assert net.training
    assert net[1].training
    torch.testing.assert_close(stats.cross("1").diagonal(), torch.ones(8, dtype=DOUBLE), atol=1e-5, rtol=0)
    with pytest.warns(UserWarning, match="lack rank"):
        collect([net.eval()], [torch.randn(4, 3)], ["0"])


def test_statistics_on_disk_come_back_and_strangers_do_not(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stats = collect([conv(), conv(1)], [torch.randn(20, 1, 6, 6)], ["0", "1"], keep=30)
    stats.save(tmp_path / "stats.npz")
    again = ActivationStats.load(tmp_path / "stats.npz")
    for layer in ("0", "1"):
        assert torch.equal(stats.cross(layer), again.cross(layer))
        assert torch.equal(stats[layer].samples, again[layer].samples)
    with pytest.raises(ValueError, match="no statistics of a layer 'x', only of 0, 1"):
        again.cross("x")
    with pytest.raises(ValueError, match="no network 2"):
        again.cross("0", 0, 2)
    held = dict(np.load(tmp_path / "stats.npz"))
    for change in (
        {"mean0": np.zeros(3)},
        {"count0": np.array(np.inf)},
        {"covariance0": -held["covariance0"]},
        {"covariance1": np.full((6, 6), np.nan)},
        {"layers": np.zeros(2, np.uint8)},
    ):
        np.savez(tmp_path / "wrong.npz", **(held | change))
        with pytest.raises(ValueError, match="does not hold the statistics"):
            ActivationStats.load(tmp_path / "wrong.npz")
