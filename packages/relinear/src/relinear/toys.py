"""Small functions on which kinds of neurons differ."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from separata.training import seeded

from .activation import QuadraticActivation
from .expressivity import functional_dimension
from .linear import QuadraticLinear
from .networks import make_mlp
from .pieces import polynomial_pieces
from .splines import interpolating_network, spline_network, xor_neuron


@dataclass(frozen=True)
class Toys:
    """Dimensions, a random spline, XOR, pieces of random networks, and rings.

    Args:
        n_points: Points at which the dimension is measured.
        widths: Inputs of single neurons.
        n_inputs: Inputs, and hidden units, of the two layers.
        n_knots: Pieces of the spline.
        steps: Of the training of single neurons.
        rates: Learning rates of Adam, of which each neuron has the best on other samples.
        seed: Draws all.
    """

    n_points: int = 400
    widths: tuple[int, ...] = (2, 3, 4, 5, 8)
    n_inputs: int = 3
    n_knots: int = 20
    steps: int = 400
    rates: tuple[float, ...] = (0.03, 0.1)
    seed: int = 0


def neuron_dimension(d: int) -> int:
    """Dimension of the set of functions of one quadratic neuron of d inputs: 3d + 3 parameters less a symmetry.

    It is at most that of all quadratic polynomials.
    """
    return min((d + 1) * (d + 2) // 2, 3 * d + 2)


def dimension_mismatches(config: Toys) -> int:
    """How many of the dimensions of single neurons, quadratic or (w·x + b)², are not as the formulas say."""
    wrong = 0
    for d in config.widths:
        square = nn.Sequential(nn.Linear(d, 1), QuadraticActivation())
        wrong += functional_dimension(QuadraticLinear(d, 1), d, config.n_points) != neuron_dimension(d)
        wrong += functional_dimension(square, d, config.n_points) != d + 1
    return wrong


def run_toys(config: Toys, device: str) -> dict[str, float]:
    """All else that the claim measures, with random numbers of a seed."""
    del device
    d = config.n_inputs
    generator = torch.Generator().manual_seed(config.seed)
    two_layers = {
        "quadratic": nn.Sequential(QuadraticLinear(d, d), QuadraticLinear(d, 1)),
        "activation": nn.Sequential(
            nn.Linear(d, d), QuadraticActivation(), nn.Linear(d, 1), QuadraticActivation(), nn.Linear(1, 1)
        ),
        "conventional": nn.Sequential(nn.Linear(d, d), nn.Linear(d, 1)),
    }
    found: dict[str, float] = {
        f"dimension_{name}": functional_dimension(one, d, config.n_points, generator)
        for name, one in two_layers.items()
    }
    found |= _spline_errors(config) | _pieces(config) | {"xor_error": _xor_error()}
    makers: dict[str, Callable[[], nn.Module]] = {
        "quadratic": lambda: QuadraticLinear(2, 1),
        "activation": lambda: nn.Sequential(nn.Linear(2, 1), QuadraticActivation(), nn.Linear(1, 1)),
        "conventional": lambda: nn.Linear(2, 1),
    }
    return found | {f"rings_{name}": _rings(make, config) for name, make in makers.items()}


def random_spline(n: int, seed: int) -> tuple[Float[np.ndarray, "n_plus_1"], Float[np.ndarray, "three n"]]:
    """Knots and coefficients of a quadratic spline with a continuous derivative and random curvatures."""
    rng = np.random.default_rng(seed)
    knots = np.r_[0.0, np.sort(rng.uniform(0, 1, n - 1)), 1.0]
    curvature, width = rng.normal(size=n) * n, np.diff(knots)
    slope = np.r_[rng.normal(), np.zeros(n - 1)]
    value = np.zeros(n)
    for j in range(1, n):
        slope[j] = slope[j - 1] + 2 * curvature[j - 1] * width[j - 1]
        value[j] = value[j - 1] + slope[j - 1] * width[j - 1] + curvature[j - 1] * width[j - 1] ** 2
    return knots, np.stack([curvature, slope, value])


def _spline_errors(config: Toys) -> dict[str, float]:
    """Relative to the spline's largest value, of networks of as many hidden units."""
    knots, coefficients = random_spline(config.n_knots, config.seed)
    x = np.linspace(0, 1, 2001)
    place = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, config.n_knots - 1)
    t, (a, b, c) = x - knots[place], coefficients[:, place]
    target = a * t**2 + b * t + c
    at = np.linspace(0, 1, config.n_knots + 1)
    networks = {
        "spline_error": spline_network(knots, coefficients),
        "spline_error_conventional": interpolating_network(at, np.interp(at, x, target)),
    }
    return {
        name: float(np.abs(_values(one, x) - target).max() / np.abs(target).max()) for name, one in networks.items()
    }


@torch.no_grad()
def _values(network: nn.Module, x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return network(torch.from_numpy(x)[:, None])[:, 0].numpy()


@torch.no_grad()
def _xor_error() -> float:
    x = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))
    return float((xor_neuron()(x)[:, 0] - (x[:, 0] != x[:, 1]).float()).abs().max())


def _pieces(config: Toys) -> dict[str, float]:
    """Of random networks of one variable, with two hidden layers."""
    with seeded(config.seed):
        networks = {
            "quadratic": make_mlp((1, 6, 6, 1), "quadratic", "random"),
            "conventional": make_mlp((1, 6, 6, 1), "conventional"),
            "activation": make_mlp((1, 6, 6, 1), "activation"),
        }
    pieces = {name: polynomial_pieces(one, -1.0, 1.0) for name, one in networks.items()}
    return {
        "degree_quadratic": pieces["quadratic"].degree,
        "degree_conventional": pieces["conventional"].degree,
        "pieces_quadratic": pieces["quadratic"].n_pieces,
        "pieces_activation": pieces["activation"].n_pieces,
    }


def rings(n: int, generator: torch.Generator) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n"]]:
    """Points on two rings around 0, of radius 1 and 2, with noise of a standard deviation of 0.1."""
    y = torch.arange(n) % 2
    angle = 2 * math.pi * torch.rand(n, generator=generator)
    radius = 1 + y + 0.1 * torch.randn(n, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), y.float()


def _rings(make: Callable[[], nn.Module], config: Toys) -> float:
    """Accuracy of one trained neuron on new points, at the learning rate that is best on others."""
    train, held_out, test = (rings(400, torch.Generator().manual_seed(3 * config.seed + i)) for i in range(3))
    trained = []
    for rate in config.rates:
        with seeded(config.seed):
            neuron = make()
        optimizer = torch.optim.Adam(neuron.parameters(), rate)
        for _ in range(config.steps):
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(neuron(train[0])[:, 0], train[1]).backward()
            optimizer.step()
        trained.append(neuron)
    return _score(max(trained, key=lambda one: _score(one, *held_out)), *test)


@torch.no_grad()
def _score(neuron: nn.Module, x: Tensor, y: Tensor) -> float:
    return float(((neuron(x)[:, 0] > 0) == (y > 0)).double().mean())
