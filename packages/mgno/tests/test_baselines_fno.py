"""The Fourier neural operator: sums of exponentials by hand, shifts, resolutions, and the count of its parameters."""

import math

import numpy as np
import pytest
import torch

from mgno.baselines.fno import FNO, SpectralConv2d
from separata.training import seeded


def fields(n, coefficients):
    """Real trigonometric polynomials of wavenumbers up to 3, (batch, channels, n, n), on the grid j/n."""
    where = torch.arange(n, dtype=torch.float64) / n
    k = torch.arange(-3, 4, dtype=torch.float64)
    waves = torch.exp(2j * math.pi * k[:, None] * where)
    return torch.einsum("bckl,kx,ly->bcxy", coefficients, waves, waves).real


def random_fields(*sizes):
    generator = torch.Generator().manual_seed(0)
    coefficients = torch.randn(2, 2, 7, 7, dtype=torch.complex128, generator=generator)
    return [fields(n, coefficients) for n in sizes]


@pytest.mark.parametrize(("height", "width"), [(12, 9), (11, 14), (6, 5), (5, 6), (1, 2)])
def test_spectral_convolution_by_sums_over_all_modes(height, width):
    layer = SpectralConv2d(2, 3, (3, 4)).double()
    u = torch.randn(1, 2, height, width, dtype=torch.float64)
    weight = torch.view_as_complex(layer.weight.detach()).numpy()
    i, j = np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij")
    expected = np.zeros((3, height, width)) + layer.bias.detach().numpy()
    for k in range(-3, 3):
        for m in range(4):
            if not (-height / 2 <= k < height / 2 and m <= width / 2):
                continue
            wave = np.exp(2j * np.pi * (k * i + m * j))
            mode = (u[0].numpy() * wave.conj()).mean((1, 2)) @ weight[k + 3, m]
            # Of a real function, the modes at -m are the conjugates of those at m.
            twice = 1 if m in (0, width / 2) else 2
            expected += twice * (mode[:, None, None] * wave).real
    torch.testing.assert_close(layer(u)[0].detach(), torch.from_numpy(expected), atol=1e-12, rtol=0)


def test_spectral_convolution_is_the_same_map_at_all_resolutions():
    layer = SpectralConv2d(2, 3, (4, 4)).double()
    coarse, fine, odd = (layer(u) for u in random_fields(8, 24, 9))
    torch.testing.assert_close(fine[..., ::3, ::3], coarse, atol=1e-12, rtol=0)
    torch.testing.assert_close(odd[..., ::3, ::3], fine[..., ::8, ::8], atol=1e-12, rtol=0)


@pytest.mark.parametrize("padding", [0.0, 0.25])
def test_the_operator_converges_under_refinement(padding):
    with seeded(0):
        network = FNO(2, 1, width=8, n_modes=4, padding=padding).double()
    values = [
        network(u).detach()[..., :: n // 16, :: n // 16]
        for u, n in zip(random_fields(16, 32, 64, 128), (16, 32, 64, 128))
    ]
    errors = [float((v - values[-1]).norm() / values[-1].norm()) for v in values[:-1]]
    assert errors[1] < 0.05
    # Coordinates, and zeros beyond the boundary, jump: first order. Without them: below.
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2]


def test_of_a_smooth_periodic_function_the_resolution_does_not_matter():
    with seeded(0):
        network = FNO(2, 1, width=8, n_modes=4, positional=False).double()
    coarse, fine = (network(u) for u in random_fields(32, 64))
    assert (fine[..., ::2, ::2] - coarse).norm() < 1e-3 * coarse.norm()


def test_it_commutes_with_shifts_unless_it_knows_where_it_is():
    x = torch.randn(1, 2, 15, 16)

    def error(**options):
        network = FNO(2, 1, width=4, n_modes=5, **options)
        return (network(x.roll((4, 7), (2, 3))) - network(x).roll((4, 7), (2, 3))).abs().max()

    assert error(positional=False) < 1e-5
    assert error() > 1e-3
    assert error(positional=False, padding=0.2) > 1e-3


def test_coordinates_are_those_of_the_unit_square():
    network = FNO(1, 1, width=2, n_modes=1)
    seen = []
    network.lifting.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    network(torch.zeros(2, 1, 4, 5))
    torch.testing.assert_close(seen[0][1, 1, :, 3], torch.tensor([0, 0.25, 0.5, 0.75]))
    torch.testing.assert_close(seen[0][0, 2, 2], torch.tensor([0, 0.2, 0.4, 0.6, 0.8]))


@pytest.mark.parametrize("modes", [(3, 5), (12, 12)])
@pytest.mark.parametrize("positional", [True, False])
def test_number_of_parameters(positional, modes):
    c_in, c_out, w, n_layers = 2, 3, 10, 3
    spectral = w * w * 2 * modes[0] * modes[1] * 2 + w
    layer = spectral + w * w + (w * 5 + 5 + 5 * w + w) + w
    lifting = (c_in + 2 * positional) * 20 + 20 + 20 * w + w
    projection = w * 20 + 20 + 20 * c_out + c_out
    network = FNO(c_in, c_out, w, modes, n_layers, positional=positional)
    assert sum(p.numel() for p in network.parameters()) == n_layers * layer + lifting + projection


def test_by_default_it_is_as_large_as_that_of_the_literature():
    """2.37 million: with 12 modes and width 32, that of Li et al. has 2,368,001."""
    paper = 4 * (2 * 32 * 32 * 12 * 12 * 2 + 32 * 32 + 32) + (3 * 32 + 32) + (32 * 128 + 128) + (128 + 1)
    assert paper == 2_368_001
    assert sum(p.numel() for p in FNO(1, 1).parameters()) == pytest.approx(paper, rel=0.005)
