"""The multigrid convolution against classical multigrid, and its exact properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mgno import MultigridConv1d, MultigridConv2d, Prolongation, count_parameters, cycles_for
from mgno.multigrid import laplacian
from mgno.transfers import PaddingMode, Transfer, check_names

THREE = ((1, 0), (1, 1), (2, 0))


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("in_channels", "expected"), [(1, 74_853), (24, 165_312)])
def test_parameters_are_those_of_the_published_layer_shapes(in_channels, expected):
    assert count_parameters(MultigridConv2d(in_channels, 24)) == expected


def residual_factor(n_levels, omega, n_dims=2):
    """The mean reduction of the residual of `-Δu = f` in a cycle, once the rough parts of the error are gone."""
    n = 2**n_levels - 1
    cycle = {1: MultigridConv1d, 2: MultigridConv2d}[n_dims].from_poisson(n_levels, omega, spacing=1 / (n + 1)).double()
    stencil = laplacian(n_dims).double()[None, None] * (n + 1) ** 2
    convolve = {1: nn.functional.conv1d, 2: nn.functional.conv2d}[n_dims]
    f = draw(1, 1, *[n] * n_dims)
    u, norms = torch.zeros_like(f), []
    with torch.no_grad():
        for _ in range(9):
            residual = f - convolve(u, stencil, padding=1)
            norms.append(float(residual.norm()))
            u = u + cycle(residual)
    return (norms[-1] / norms[1]) ** (1 / 7)


@pytest.mark.parametrize(("omega", "expected"), [(0.8, 0.34), (2 / 3, 0.42)])
def test_with_the_weights_of_poisson_s_equation_it_is_classical_multigrid(omega, expected):
    factors = [residual_factor(n_levels, omega) for n_levels in (5, 6, 7)]
    assert factors == pytest.approx([expected] * 3, abs=0.05)
    assert max(factors) - min(factors) < 0.02, "independent of the number of points"


def test_on_a_line_it_is_classical_multigrid_too():
    assert residual_factor(7, 2 / 3, n_dims=1) < 0.2


@pytest.mark.parametrize("padding_mode", ["zeros", "circular", "reflect"])
@pytest.mark.parametrize("residual", [False, True])
def test_it_is_linear_and_autograd_is_its_adjoint(padding_mode, residual):
    cycle = MultigridConv2d(2, 3, THREE, padding_mode, residual_restriction=residual).double()
    f, g, v = draw(4, 2, 12, 16), draw(5, 2, 12, 16)[1:], draw(4, 3, 12, 16)
    with torch.no_grad():
        difference = cycle(2 * f - 3 * g) - 2 * cycle(f) + 3 * cycle(g)
    assert float(difference.abs().max()) < 1e-12
    transposed = torch.autograd.functional.vjp(cycle, f, v)[1]
    with torch.no_grad():
        found = float((cycle(g) * v).sum())
    assert found == pytest.approx(float((g * transposed).sum()), rel=1e-10)


@settings(max_examples=5, deadline=None)
@given(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([(8, 12), (16, 8), (20, 24)]))
def test_periodic_cycles_commute_with_shifts_by_cells_of_the_coarsest_grid(down, right, size):
    cycle = MultigridConv2d(1, 2, THREE, "circular").double()
    f, by = draw(1, 1, *size), (4 * down, 4 * right)
    with torch.no_grad():
        torch.testing.assert_close(cycle(f.roll(by, (2, 3))), cycle(f).roll(by, (2, 3)), atol=1e-12, rtol=0)


def test_without_wrapped_prolongation_or_for_other_shifts_they_do_not():
    f = draw(1, 1, 16, 16)
    for wrap, shift in ((False, 4), (True, 1)):
        cycle = MultigridConv2d(1, 2, THREE, "circular", wrap_prolongation=wrap).double()
        with torch.no_grad():
            assert not torch.allclose(cycle(f.roll(shift, 2)), cycle(f).roll(shift, 2), atol=1e-4)


def test_reflecting_cycles_see_an_even_extension():
    """A mirror image of both grid and kernels gives the mirror image of the result, for symmetric kernels."""
    cycle = MultigridConv1d(1, 1, ((2, 0),), "reflect").double()
    f = draw(1, 1, 9)
    extended = torch.cat([f.flip(2)[..., :-1], f, f.flip(2)[..., 1:]], 2)
    with torch.no_grad():
        for step in cycle.levels[0].down:
            for kernel in (step.A, step.S):
                if kernel is not None:
                    kernel.weight.copy_(kernel.weight + kernel.weight.flip(2))
        torch.testing.assert_close(cycle(extended)[..., 8:17], cycle(f), atol=1e-12, rtol=0)


def test_one_level_is_one_convolution():
    cycle = MultigridConv2d(2, 3, ((1, 0),))
    f = draw(2, 2, 7, 5).float()
    expected = nn.functional.conv2d(f, cycle.levels[0].down[0].S.weight, padding=1)
    torch.testing.assert_close(cycle(f), expected)


def test_two_levels_are_what_the_formula_says():
    """Step by step, with matrices taken from the convolutions by their values on unit vectors."""
    cycle = MultigridConv1d(1, 1, ((1, 1), (1, 0)), residual_restriction=True).double()
    fine, coarse = (level for level in cycle.levels)
    n, m = 8, 4

    def matrix(module, size):
        with torch.no_grad():
            return module(torch.eye(size, dtype=torch.float64)[:, None])[:, 0].T

    s0, s1, a1 = (matrix(module, n) for module in (fine.down[0].S, fine.up[0].S, fine.up[0].A))
    a, r, pi = (matrix(module, n) for module in (fine.A, fine.R, fine.Pi))
    s, a_coarse = matrix(coarse.down[0].S, m), matrix(coarse.down[0].A, m)
    p = matrix(lambda x: fine.P(x, (n,)), m)
    f = draw(1, 1, n)
    u = s0 @ f[0, 0]
    f1, u1 = r @ (f[0, 0] - a @ u), pi @ u
    u = u + p @ (u1 + s @ (f1 - a_coarse @ u1))
    u = u + s1 @ (f[0, 0] - a1 @ u)
    torch.testing.assert_close(cycle(f)[0, 0], u)


@pytest.mark.parametrize("n", [15, 16, 17, 31, 101, 128, 211])
@pytest.mark.parametrize(("padding_mode", "transfer"), [("zeros", "cell"), ("circular", "cell"), ("reflect", "vertex")])
def test_the_grid_is_kept_at_any_size(n, padding_mode, transfer):
    cycle = MultigridConv2d(1, 1, ((1, 0), (1, 0), (2, 0)), padding_mode, transfer=transfer)
    assert cycle(torch.randn(1, 1, n, n + 1)).shape == (1, 1, n, n + 1)


def test_the_grids_are_the_published_ones():
    cell, vertex = (MultigridConv1d(1, 1, transfer=transfer) for transfer in ("cell", "vertex"))
    assert cell.grids([211]) == [(211,), (106,), (53,), (27,), (14,), (7,)]
    assert vertex.grids([101])[:5] == [(101,), (50,), (24,), (11,), (5,)]


def test_a_prolongation_is_pytorch_s_transposed_convolution_inside():
    prolong = Prolongation(2, 2, 3, "circular").double()
    coarse = draw(1, 2, 5, 5)
    expected = nn.functional.conv_transpose2d(coarse, prolong.weight, stride=2, padding=1)
    torch.testing.assert_close(prolong(coarse, (10, 10))[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_gradients_are_right():
    cycle = MultigridConv1d(2, 1, ((1, 1), (2, 0)), "circular", bias=True, norm=True).double()
    parameters = tuple(p.detach().clone().requires_grad_() for p in cycle.parameters())
    names = [name for name, _ in cycle.named_parameters()]
    f = draw(2, 2, 6).requires_grad_()

    def call(f, *values):
        return torch.func.functional_call(cycle, dict(zip(names, values, strict=True)), (f,))

    assert torch.autograd.gradcheck(call, (f, *parameters))


def test_growing_channels_and_few_levels():
    cycle = MultigridConv2d(1, 5, ((1, 0), (1, 0), (1, 0)), growth=True)
    assert [level.down[0].S.out_channels for level in cycle.levels] == [5, 10, 15]
    assert cycles_for(64) == ((1, 0),) * 5 + ((2, 0),)
    assert cycles_for(16) == ((1, 0),) * 3 + ((2, 0),)
    assert cycles_for(1) == ((2, 0),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cycles": ()}, "at least one level"),
        ({"cycles": ((1, 0), (-1, 0))}, "must not be negative"),
        ({"cycles": ((0, 1), (2, 0))}, "finest and the coarsest"),
        ({"cycles": ((1, 0), (1, 1))}, r"give its steps as \(2, 0\)"),
        ({"transfer": "vertex", "padding_mode": "circular"}, "not for periodic"),
        ({"in_channels": 0}, "at least 1, not 0"),
    ],
)
def test_wrong_settings_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        MultigridConv2d(**{"in_channels": 1, "out_channels": 1, **arguments})


@pytest.mark.parametrize("cycles", [(1, 2), ((1,), (2,))])
def test_cycles_that_are_no_pairs_are_refused(cycles, unchecked):
    with pytest.raises(ValueError, match=r"pairs of steps \(down, up\)"):
        MultigridConv2d(1, 1, cycles)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="padding_mode must be one of zeros, circular, reflect, not valid"):
        check_names(transfer=("cell", Transfer), padding_mode=("valid", PaddingMode))


def test_wrong_functions_are_refused():
    cycle = MultigridConv2d(2, 1, THREE)
    with pytest.raises(ValueError, match=r"expected functions \(batch, 2, height, width\), not \(1, 1, 8, 8\)"):
        cycle(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="3 levels need at least 4 points along each side, not 3"):
        cycle(torch.zeros(1, 2, 8, 3))
    with pytest.raises(ValueError, match="must be positive"):
        MultigridConv2d.from_poisson(0)
