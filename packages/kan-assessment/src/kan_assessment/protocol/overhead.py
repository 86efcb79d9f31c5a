"""How much slower KANs are: step times of several implementations over widths, relative to an MLP."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from kan_assessment.costs.counting import count_family
from kan_assessment.costs.matching import match
from kan_assessment.costs.timing import StepProfile, profile_step
from kan_assessment.models.registry import get_family
from separata.training import seeded

FAMILIES = ("bspline_kan", "per_edge_kan", "rbf_kan", "af_kan", "s_kan")


@dataclass(frozen=True)
class Overhead:
    """What is timed.

    Args:
        widths: Widths of the one hidden layer.
        n_inputs: Inputs.
        n_outputs: Outputs.
        batch_size: Samples of a step.
        n_steps: Repetitions, after 5 warm-ups.
        families: Names of the families besides the MLP.
        repetition: Numbers repetitions of the whole measurement.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128)
    n_inputs: int = 64
    n_outputs: int = 10
    batch_size: int = 64
    n_steps: int = 20
    families: tuple[str, ...] = FAMILIES
    repetition: int = 0

    def repeated(self, repetition: int) -> "Overhead":
        """The same measurement once more."""
        return replace(self, repetition=repetition)


def measure_overhead(setting: Overhead, device: str) -> dict[str, dict[str, dict[str, float]]]:
    """Ratios to the time of an MLP: `step` for training steps, `forward` for inference.

    Every model has the MLP's widths; the B-spline KAN is also measured beside an MLP with as many parameters.

    Returns:
        For each of the two, by model and width, the ratio of medians.
    """
    found: dict[str, dict[str, dict[str, float]]] = {"step": {}, "forward": {}}
    for width in setting.widths:
        for name, model, reference in _contenders(setting, width):
            # The MLP anew each time, so that both are measured under the same conditions.
            of = _profile(reference, setting, device)
            profiled = _profile(model, setting, device)
            found["step"].setdefault(name, {})[str(width)] = profiled.step.median / of.step.median
            found["forward"].setdefault(name, {})[str(width)] = profiled.forward.median / of.forward.median
    return found


def _contenders(setting: Overhead, width: int) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """Name, model, and the MLP that it is compared with."""
    n_in, n_out = setting.n_inputs, setting.n_outputs
    mlp = get_family("mlp")
    with seeded(setting.repetition):
        for name in setting.families:
            family = get_family(name)
            yield family.label, family.build(n_in, [width], n_out), mlp.build(n_in, [width], n_out)
        kan = get_family("bspline_kan")
        budget = count_family(kan, n_in, [width], n_out).params
        hidden = match(mlp, n_in, n_out, budget).hidden
        yield "B-spline KAN, equal parameters", kan.build(n_in, [width], n_out), mlp.build(n_in, hidden, n_out)


def _profile(model: nn.Module, setting: Overhead, device: str) -> StepProfile:
    return profile_step(model.to(torch.device(device)), setting.n_inputs, setting.batch_size, setting.n_steps)
