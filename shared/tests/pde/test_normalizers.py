"""Normalizers, against the statistics that they are to give."""

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from separata import pde


@pytest.fixture
def samples(generator):
    return 5 + 3 * torch.randn(50, 2, 6, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("shape", "axes"), [((), (0, 1, 2, 3)), ((2, 1, 1), (0, 2, 3)), ((2, 6, 4), (0,)), ((6, 4), (0, 1))]
)
def test_each_statistic_is_zero_and_one(shape, axes, samples):
    normalizer = pde.GaussianNormalizer(shape, eps=0.0).fit(samples)
    encoded = normalizer.encode(samples)
    assert encoded.dtype == torch.float64
    assert encoded.mean(axes).abs().max() < 1e-12
    torch.testing.assert_close(encoded.std(axes), torch.ones_like(encoded.std(axes)))
    torch.testing.assert_close(normalizer.decode(encoded), samples)

    normalizer = pde.MinMaxNormalizer(shape).fit(samples)
    encoded = normalizer(samples)
    assert encoded.amin(axes).abs().max() < 1e-12
    assert (encoded.amax(axes) - 1).abs().max() < 1e-12
    torch.testing.assert_close(normalizer.decode(encoded), samples)


def test_a_constant_point_is_encoded_as_zero(samples):
    samples[:, 0, 0, 0] = 7
    encoded = pde.GaussianNormalizer((2, 6, 4)).fit(samples).encode(samples)
    assert not encoded[:, 0, 0, 0].any()
    assert encoded.isfinite().all()


def test_it_travels_with_its_model(samples):
    model = nn.ModuleList(
        [pde.GaussianNormalizer((2, 1, 1)).fit(samples.float()), pde.MinMaxNormalizer().fit(samples.float())]
    )
    stored = load(save(model.state_dict()))
    other = nn.ModuleList([pde.GaussianNormalizer((2, 1, 1)), pde.MinMaxNormalizer()])
    other.load_state_dict(stored)
    for ours, theirs in zip(model, other, strict=True):
        assert torch.equal(ours.encode(samples), theirs.encode(samples))
    assert not list(model.parameters())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: pde.GaussianNormalizer((6, 4)).encode(x[..., :3]),
            "this normalizer is for values of shape \\(6, 4\\)",
        ),
        (
            lambda x: pde.GaussianNormalizer((6, 4)).decode(x[0, 0, 0]),
            "is for values of shape \\(6, 4\\), not \\(4,\\)",
        ),
        (lambda x: pde.GaussianNormalizer((2, 12, 8)).fit(x), "for values of shape \\(2, 12, 8\\), not \\(2, 6, 4\\)"),
        (
            lambda x: pde.GaussianNormalizer((6, 4)).fit(x[:1, 0]),
            "values to each standard deviation must be at least 2",
        ),
        (lambda x: pde.GaussianNormalizer().fit(x[:0]), "there are no samples to fit a normalizer to"),
        (lambda x: pde.GaussianNormalizer().fit(x * math.nan), "samples holds values that are not finite at index 0"),
        (lambda x: pde.GaussianNormalizer(eps=-1.0), "eps must not be negative, not -1.0"),
        (lambda x: pde.MinMaxNormalizer().fit(0 * x), "values that are all equal have no range"),
    ],
)
def test_what_is_wrong_is_named(call, message, samples):
    with pytest.raises(ValueError, match=message):
        call(samples)
