"""Networks of one architecture that are run and trained as one, the seeds of an experiment, say."""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Ensemble(nn.Module):
    """Networks of one architecture with stacked parameters, so that one batched computation serves all.

    Small networks then cost little more than one of them. Their sum of losses has each member's own gradients, and
    optimizers that treat every element alike (SGD, Adam, AdamW and their kin) train each as if it were alone. Not for
    optimizers that look at norms, line searches or whole tensors (LBFGS, LARS, gradient clipping by norm), and not for
    modules whose buffers change in training (BatchNorm's running statistics) or that draw random numbers (dropout).

    Parameters and buffers keep their names, with dots replaced by `__`, and gain a first dimension of members.

    Args:
        members: The networks; copied, so that they stay as they are.

    Raises:
        ValueError: if there are none, or their parameters differ in name, shape or in whether they are trained.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise ValueError("an ensemble needs one network or more")
        self.n_members = len(members)
        # In a list, so that its parameters are not the ensemble's.
        self._base = [copy.deepcopy(members[0])]
        self._names: list[str] = []
        for name, first in members[0].named_parameters():
            same = [_tensor(member, name) for member in members]
            if any(one.shape != first.shape or one.requires_grad != first.requires_grad for one in same):
                raise ValueError(f"the networks of an ensemble must be alike, but {name} is not the same in all")
            stacked = torch.stack([one.detach() for one in same])
            self.register_parameter(_flat(name), nn.Parameter(stacked, requires_grad=first.requires_grad))
            self._names.append(name)
        for name, first_buffer in members[0].named_buffers():
            same = [_tensor(member, name) for member in members]
            if any(one.shape != first_buffer.shape for one in same):
                raise ValueError(f"the networks of an ensemble must be alike, but {name} is not the same in all")
            self.register_buffer(_flat(name), torch.stack([one.detach() for one in same]))
            self._names.append(name)
        if any(_n_tensors(member) != len(self._names) for member in members):
            raise ValueError("the networks of an ensemble must be alike, but some have parameters that others lack")

    def forward(self, *inputs: Shaped[Tensor, "..."], is_shared: bool = False) -> Shaped[Tensor, "members *output"]:
        """The outputs of every member.

        Args:
            inputs: What each member is called with: with a first dimension of members, or without one.
            is_shared: All members are called with the same inputs, which have no dimension of members.
        """
        base = self._base[0].train(self.training)

        def call(tensors: dict[str, Tensor], *own: Tensor) -> Tensor:
            return functional_call(base, tensors, own)

        stacked = {name: getattr(self, _flat(name)) for name in self._names}
        dims = (0, *(None if is_shared else 0 for _ in inputs))
        outputs: Tensor = vmap(call, in_dims=dims)(stacked, *inputs)
        return outputs

    def members(self) -> list[nn.Module]:
        """The networks as they are now, each a module of its own."""
        found = []
        for number in range(self.n_members):
            member = copy.deepcopy(self._base[0]).train(self.training)
            with torch.no_grad():
                for name in self._names:
                    target = _tensor(member, name)
                    target.data = getattr(self, _flat(name))[number].detach().clone()
            found.append(member)
        return found


def _flat(name: str) -> str:
    """A parameter's name without dots, which PyTorch keeps for modules."""
    return name.replace(".", "__")


def _tensor(module: nn.Module, name: str) -> Tensor:
    """A parameter or buffer by its name."""
    found = dict(module.named_parameters()) | dict(module.named_buffers())
    if name not in found:
        raise ValueError(f"the networks of an ensemble must be alike, but one has no {name}")
    return found[name]


def _n_tensors(module: nn.Module) -> int:
    return len(list(module.named_parameters())) + len(list(module.named_buffers()))
