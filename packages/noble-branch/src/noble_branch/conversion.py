"""Branches in a network, whoever made it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from separata.conversion import Conversion, Targets, convert

from .branch import NonlinearLowRankBranch
from .configs import BranchConfig
from .linear import BranchedLinear


@dataclass(frozen=True)
class Branched(Conversion):
    """Which layers have a branch now, which were left alone and why, and what the branches cost."""

    plain_parameters: int = 0
    """Parameters of the network before."""
    added_parameters: int = 0
    """Parameters of the branches."""

    @property
    def added_percent(self) -> float:
        """Parameters of the branches, in percent of the network's before."""
        return 100 * self.added_parameters / self.plain_parameters

    def __str__(self) -> str:
        return f"{super().__str__()}\nadded {self.added_parameters:,} parameters (+{self.added_percent:.1f} %)"


def in_blocks(name: str, module: nn.Module) -> bool:  # noqa: ARG001 - the signature of a target
    """Whether a layer is inside a numbered block, such as `h.3.mlp.c_fc`; embeddings and heads are not."""
    return any(part.isdecimal() for part in name.split(".")[:-1])


def add_branches(
    model: nn.Module,
    rank: int | None = None,
    *,
    ratio: float | None = None,
    targets: Targets = in_blocks,
    skip: str | tuple[str, ...] = (),
    activation: str | None = None,
    config: BranchConfig | None = None,
    path: str = "naive",
) -> Branched:
    """Add a nonlinear low-rank branch to linear layers, in place, before training.

    `nn.Linear` and the `Conv1D` of transformers get one; everything else is left alone, and the result says why. Make
    the optimizer afterwards, best from `branch_param_groups`.

    Args:
        model: Any network, such as one of transformers or timm.
        rank: Rank of every branch; 64 if neither this nor `ratio` is given.
        ratio: Instead of a rank, its share of the smaller side of each layer.
        targets: Globs over the whole names of layers, or a function of name and module; all layers inside numbered
            blocks if not given. What peft has as `target_modules=["c_fc"]` is `"*.c_fc"` here.
        skip: Globs of layers that stay as they are.
        activation: Name of the activation, in the place of that of `config`.
        config: Activation and initialization of the branches.
        path: How they are computed; see `BranchedLinear`.

    Returns:
        What was converted, what was left and why, and how many parameters that added.

    Raises:
        ValueError: if rank and ratio are both given or cannot be, the network has branches, or no layer is a target.
    """
    if rank is not None and ratio is not None:
        raise ValueError(f"give the rank or the ratio, not both ({rank} and {ratio})")
    if ratio is not None and not 0 < ratio <= 1:
        raise ValueError(f"the ratio must be above 0 and at most 1, not {ratio}")
    if any(isinstance(module, BranchedLinear) for module in model.modules()):
        raise ValueError("the network has branches already; remove_branches takes them away")
    config = config or BranchConfig()
    if activation is not None:
        config = BranchConfig(activation, config.up_std, config.freq_range, config.phase)
    n_before = _count(model)

    def make(name: str, layer: nn.Module) -> nn.Module:
        n_out, n_in = layer.weight.shape  # type: ignore[misc]
        one = 64 if rank is None else rank
        if ratio is not None:
            one = max(1, round(ratio * min(n_in, n_out)))
        try:
            if isinstance(layer, nn.Linear):
                return BranchedLinear.from_linear(layer, one, config, path=path)
            return BranchedLinear.from_conv1d(layer, one, config, path=path)
        except ValueError as error:
            raise ValueError(f"{name or 'the layer'}: {error}") from None

    found = convert(model, make, _kinds(), targets=targets, skip=skip, opaque=(BranchedLinear,))
    return Branched(found.model, found.converted, found.left, n_before, _count(found.model) - n_before)


def remove_branches(model: nn.Module) -> Conversion:
    """Take the branches away, in place. What is left is not the same function: a branch cannot be merged.

    Raises:
        ValueError: if there is none.
    """

    def make(name: str, layer: nn.Module) -> nn.Module:  # noqa: ARG001 - the signature of a conversion
        return layer.to_plain()  # type: ignore[operator]

    return convert(model, make, (BranchedLinear,))


def branch_param_groups(
    model: nn.Module, lr: float, weight_decay: float = 0.0, branch_lr_scale: float = 1.0
) -> list[dict[str, Any]]:
    """Groups of parameters for an optimizer.

    Frequencies, phases, biases and other vectors have no weight decay: it would pull frequencies to zero.

    Args:
        model: A network with branches.
        lr: Learning rate.
        weight_decay: Weight decay of matrices.
        branch_lr_scale: Learning rate of the branches over `lr`.

    Returns:
        Up to four groups, named `plain` and `branch`, each with and without weight decay; none is empty.

    Raises:
        ValueError: if a number is negative.
    """
    for name, value in {"lr": lr, "weight_decay": weight_decay, "branch_lr_scale": branch_lr_scale}.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    within = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, NonlinearLowRankBranch)
        for parameter in module.parameters()
    }
    members: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            members.setdefault((id(parameter) in within, parameter.ndim >= 2), []).append(parameter)
    return [
        {
            "name": f"{'branch' if branch else 'plain'}{'' if decayed else ', no decay'}",
            "params": parameters,
            "lr": lr * (branch_lr_scale if branch else 1),
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (branch, decayed), parameters in sorted(members.items(), key=lambda item: item[0])
    ]


def load_plain(model: nn.Module, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Load the weights of a plain network into the same with branches, which keep their initial parameters.

    All else is strict: `load_state_dict` itself is to be used for the state of a network with branches.

    Args:
        model: A network with branches.
        state: The `state_dict` of the network without.

    Returns:
        Names of the parameters that are new, those of the branches.

    Raises:
        ValueError: if a name is missing that is not a branch's, or is unknown, or a shape differs; nothing is loaded.
    """
    own = model.state_dict(keep_vars=True)
    prefixes = tuple(
        f"{name}." if name else "" for name, one in model.named_modules() if isinstance(one, NonlinearLowRankBranch)
    )
    new = tuple(name for name in own if prefixes and name.startswith(prefixes))
    # Files of transformers hold a tied weight under one of its names.
    held = {id(own[name]) for name in state if name in own}
    problems = [
        f"{name} is missing"
        for name, value in own.items()
        if name not in new and name not in state and id(value) not in held
    ]
    problems += [f"{name} is unknown" for name in state if name not in own or name in new]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if problems:
        more = f", and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ValueError(f"this is not the state of the network without branches: {'; '.join(problems[:4])}{more}")
    model.load_state_dict(dict(state), strict=False)
    return new


def _kinds() -> tuple[type[nn.Module], ...]:
    """The layers that get branches; a network that has a `Conv1D` has imported transformers."""
    module = sys.modules.get("transformers.pytorch_utils")
    return (nn.Linear, module.Conv1D) if module else (nn.Linear,)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
