"""What a network does at the boundary: which condition suits it, and whether it commutes with shifts."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from separata.training import seeded

from .configs import PaddingName, TrainConfig
from .evaluation import evaluate
from .multigrid import MultigridConv2d, cycles_for
from .network import MgNO
from .problems.heat import HeatFlow
from .training import Trainer


@dataclass(frozen=True)
class HeatTrial:
    """A linear network for heat flow, with the padding of one boundary condition and the flow of another.

    Args:
        flow: Boundary condition of the flow.
        padding_mode: Boundary condition of the network.
        resolution: Points along each side.
        width: Channels of the one hidden layer.
        n_train: Samples that are trained on.
        n_test: Unseen samples.
        train: How it is trained; its seed does not count.
        seed: Of data and training.
    """

    flow: PaddingName = "zeros"
    padding_mode: PaddingName = "zeros"
    resolution: int = 16
    width: int = 8
    n_train: int = 200
    n_test: int = 100
    train: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0


def run_heat(trial: HeatTrial, device: str) -> float | None:
    """The relative L2 error on unseen temperatures; None if the training diverged."""
    problem = HeatFlow(trial.flow, trial.resolution)
    train, test = (
        problem.sample(n, torch.Generator().manual_seed(2 * trial.seed + stream)).to(dtype=torch.float32)
        for stream, n in enumerate((trial.n_train, trial.n_test))
    )
    cycles = cycles_for(trial.resolution)
    with seeded(trial.seed):
        # Linear, as heat flow is, so that nothing but the boundary is in the way.
        model = MgNO(1, 1, trial.width, 1, cycles, trial.padding_mode, activation="identity", bias="none")
    model.to(torch.device(device))
    try:
        Trainer(model, train, replace(trial.train, seed=trial.seed)).fit()
    except FloatingPointError:
        return None
    return evaluate(model, test).relative_l2


@dataclass(frozen=True)
class ExactTrial:
    """Random networks, to see what holds exactly.

    Args:
        resolution: Points along each side.
        width: Channels.
        seed: Of weights and functions.
    """

    resolution: int = 64
    width: int = 8
    seed: int = 0


def run_exact(trial: ExactTrial, device: str) -> dict[str, float]:
    """How far random networks are from commuting with shifts and from linear maps, in double precision.

    Returns:
        `shift` (of a periodic network, by as many points as its coarsest grid's distance), `shift_unwrapped` (with
        PyTorch's transposed convolutions), `linear` (of one V-cycle) and `linear_network` (of a network with
        activations): largest differences over the largest value.
    """
    del device
    generator = torch.Generator().manual_seed(trial.seed)
    f, g = torch.randn(2, 1, trial.width, trial.resolution, trial.resolution, generator=generator).double()
    cycles = cycles_for(trial.resolution)[-4:]
    with seeded(trial.seed), torch.no_grad():
        periodic, unwrapped = (
            MgNO(trial.width, 1, trial.width, 2, cycles, "circular", wrap_prolongation=wrap).double()
            for wrap in (True, False)
        )
        cycle = MultigridConv2d(trial.width, trial.width, cycles).double()
        network = MgNO(trial.width, trial.width, trial.width, 2, cycles, bias="none").double()
        shift = 2 ** (len(cycles) - 1)
        return {
            "shift": _shift_error(periodic, f, shift),
            "shift_unwrapped": _shift_error(unwrapped, f, shift),
            "linear": _linear_error(cycle, f, g),
            "linear_network": _linear_error(network, f, g),
        }


def _shift_error(model: nn.Module, f: Tensor, shift: int) -> float:
    by = (shift, -shift)
    expected = model(f).roll(by, (2, 3))
    return _difference(model(f.roll(by, (2, 3))), expected)


def _linear_error(model: nn.Module, f: Tensor, g: Tensor) -> float:
    return _difference(model(2 * f - 3 * g), 2 * model(f) - 3 * model(g))


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())
