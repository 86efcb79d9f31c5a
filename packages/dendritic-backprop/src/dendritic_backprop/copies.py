"""Structural copies of a module: those of an affine or convolutional one are computed in one fused operation."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.modules.batchnorm import _NormBase

from .adapters import OutputAdapter

FUSED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)

State = dict[str, Tensor]


class FusedCopies(nn.Module):
    """n copies of a `Linear` or `Conv` module, whose outputs come from one operation with n times the outputs.

    Each neuron has its own row of weights, so copies can be compared and chosen neuron by neuron.

    Args:
        template: The module; its weights are not used.
        n: Number of copies.

    Attributes:
        weight: Shape (n, neurons, *weights of a neuron).
        bias: Shape (n, neurons), or None.
    """

    def __init__(self, template: nn.Module, n: int) -> None:
        super().__init__()
        weight, bias = template.weight, template.bias
        assert isinstance(weight, Tensor)  # noqa: S101 - for the type checker
        self._set(weight.new_zeros(n, *weight.shape), weight.new_zeros(n, len(weight)) if bias is not None else None)

    def _set(self, weight: Tensor, bias: Tensor | None) -> None:
        self.n = len(weight)
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def _like(self, change: Callable[[str, Tensor], Tensor]) -> "FusedCopies":
        """Other copies of the same module, with weights made of these."""
        other = FusedCopies.__new__(FusedCopies)
        nn.Module.__init__(other)
        weights = {name: change(name, own.detach()) for name, own in self.named_parameters()}
        other._set(weights["weight"], weights.get("bias"))
        return other

    def forward(self, template: nn.Module, *args: Any, **kwargs: Any) -> Sequence[Tensor]:  # noqa: ANN401
        """The output of each copy."""
        (x,) = (*args, *kwargs.values())
        if isinstance(template, nn.Linear):
            bias = None if self.bias is None else self.bias.flatten()
            return linear(x, self.weight.flatten(0, 1), bias).unflatten(-1, (self.n, -1)).unbind(-2)
        return self._convolve(template, x)

    def _convolve(self, template: nn.Module, x: Tensor) -> Sequence[Tensor]:
        """A convolution's groups each have the channels of all copies, one copy after the other."""
        groups, axis = int(template.groups), 2 - self.weight.ndim  # type: ignore[arg-type] # an int
        grouped = self.weight.unflatten(1, (groups, -1)).transpose(0, 1).flatten(0, 2)
        bias = None if self.bias is None else self.bias.unflatten(1, (groups, -1)).transpose(0, 1).flatten()
        out = template._conv_forward(x, grouped, bias)  # type: ignore[operator] # of every convolution
        if groups == 1:
            return out.unflatten(axis, (self.n, -1)).unbind(axis - 1)
        parts = out.unflatten(axis, (groups, self.n, -1)).unbind(axis - 1)
        return [part.flatten(axis - 1, axis) for part in parts]

    def initialize(self, scale: float, generator: torch.Generator | None = None) -> None:
        """Draw all weights from a normal distribution with this standard deviation."""
        for parameter in self.parameters():
            _draw(parameter, scale, generator)

    def extended(self, other: "FusedCopies") -> "FusedCopies":
        """These copies followed by others."""
        return self._like(lambda name, own: torch.cat([own, other.get_parameter(name).detach()]))

    def truncated(self, n: int) -> "FusedCopies":
        """The first n of them."""
        return self._like(lambda _, own: own[:n].clone())

    def better(self, score: Float[Tensor, "n nodes"], best: Float[Tensor, "n nodes"]) -> Bool[Tensor, "n nodes"]:
        """Where weights with this score take the place of those with the best score so far: neuron by neuron."""
        return score > best

    def keep(self, kept: State, better: Bool[Tensor, "n nodes"]) -> State:
        """The weights that were kept so far, with the present ones in these places."""
        return {
            name: torch.where(better.view(*better.shape, *(1,) * (now.ndim - 2)), now.detach(), kept[name])
            for name, now in self.named_parameters()
        }

    def choose(self, score: Float[Tensor, "n nodes"]) -> Int[Tensor, "nodes"]:
        """For each neuron the number of the copy with the highest score."""
        return score.argmax(0)

    def selected(self, choice: Int[Tensor, "nodes"]) -> "FusedCopies":
        """One copy, made of each neuron's chosen one."""
        nodes = torch.arange(len(choice), device=choice.device)
        return self._like(lambda _, own: own[choice, nodes][None])


class LoopedCopies(nn.Module):
    """n copies of any module, computed one after the other. They are compared and chosen as a whole.

    Args:
        template: The module.
        n: Number of copies.
        adapter: Takes the neurons out of its output.
    """

    def __init__(self, template: nn.Module, n: int, adapter: OutputAdapter) -> None:
        super().__init__()
        self.adapter = adapter
        self.copies = nn.ModuleList(copy.deepcopy(template) for _ in range(n))

    @property
    def n(self) -> int:
        """Number of copies."""
        return len(self.copies)

    def forward(self, template: nn.Module, *args: Any, **kwargs: Any) -> Sequence[Tensor]:  # noqa: ANN401, ARG002
        """The output of each copy."""
        return [self.adapter.split(one(*args, **kwargs)) for one in self.copies]

    def initialize(self, scale: float, generator: torch.Generator | None = None) -> None:
        """Draw all weights from a normal distribution with this standard deviation; reset normalization layers."""
        for module in self.modules():
            if isinstance(module, NORMS):
                module.reset_parameters()
            else:
                for parameter in module.parameters(recurse=False):
                    _draw(parameter, scale, generator)

    def extended(self, other: "LoopedCopies") -> "LoopedCopies":
        """These copies followed by others."""
        both = LoopedCopies(nn.Identity(), 0, self.adapter)
        both.copies.extend(copy.deepcopy(one) for one in (*self.copies, *other.copies))
        return both

    def truncated(self, n: int) -> "LoopedCopies":
        """The first n of them."""
        fewer = LoopedCopies(nn.Identity(), 0, self.adapter)
        fewer.copies.extend(copy.deepcopy(one) for one in self.copies[:n])
        return fewer

    def better(self, score: Float[Tensor, "n nodes"], best: Float[Tensor, "n nodes"]) -> Bool[Tensor, "n nodes"]:
        """Where weights with this score take the place of those with the best score so far: copy by copy."""
        return (score.mean(1) > best.mean(1))[:, None].expand(score.shape)

    def keep(self, kept: State, better: Bool[Tensor, "n nodes"]) -> State:
        """The weights that were kept so far, with the present ones in these places."""
        now = self.state_dict()
        copied = [number for number, is_better in enumerate(better[:, 0].tolist()) if is_better]
        replaced = {name: value.detach().clone() for name, value in now.items() if int(name.split(".")[1]) in copied}
        return {**kept, **replaced}

    def choose(self, score: Float[Tensor, "n nodes"]) -> Int[Tensor, "nodes"]:
        """The number of the copy with the highest mean score, for every neuron."""
        return score.mean(1).argmax().expand(score.shape[1])

    def selected(self, choice: Int[Tensor, "nodes"]) -> "LoopedCopies":
        """The chosen copy."""
        one = LoopedCopies(nn.Identity(), 0, self.adapter)
        one.copies.append(copy.deepcopy(self.copies[int(choice[0])]))
        return one


Copies = FusedCopies | LoopedCopies


def make_copies(template: nn.Module, n: int, adapter: OutputAdapter) -> Copies:
    """Copies of a module, fused where they can be."""
    return FusedCopies(template, n) if type(template) in FUSED else LoopedCopies(template, n, adapter)


def snapshot(copies: Copies) -> State:
    """The weights of copies as they are now."""
    return {name: value.detach().clone() for name, value in copies.state_dict().items()}


def restore(copies: Copies, kept: Mapping[str, Tensor]) -> None:
    """Give copies the weights that were kept."""
    copies.load_state_dict(dict(kept))


@torch.no_grad()
def _draw(parameter: Tensor, scale: float, generator: torch.Generator | None) -> None:
    """Fill with normal numbers that are drawn on the CPU, so that they are the same on every device."""
    drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.promote_types(parameter.dtype, torch.float32))
    parameter.copy_(scale * drawn)
