"""Conditional computation: layers of experts that stochastic gates turn off, and are then not computed (section 5)."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import linear

from .neuron import StochasticNeuron
from .noise_injection import NoisyRectifier, Rectifier
from .registry import argument_of, make_neuron

Activation = Literal["linear", "tanh", "relu"]
ACTIVATIONS: dict[str, nn.Module] = {"linear": nn.Identity(), "tanh": nn.Tanh(), "relu": nn.ReLU()}
FEW = 8
"""Examples up to which a padded product would waste more than a loop over blocks on a GPU."""


class Gater(nn.Module):
    """What decides which experts are used: affine, tanh, affine, and a layer of stochastic neurons.

    Args:
        in_features: Size of the inputs.
        hidden: Number of tanh units; 0 for a single affine map.
        n_gates: Number of gates.
        neuron: A name of `available_neurons()`, or a layer of neurons.
        activity: Probability with which a gate is active at first, by its bias.

    Attributes:
        probability: Of each gate for each example of the last pass in training mode, for `sparsity_penalty`.

    Raises:
        ValueError: if a size is not positive, or there is no such neuron.
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        n_gates: int,
        neuron: str | StochasticNeuron = "st",
        *,
        activity: float = 0.5,
    ) -> None:
        super().__init__()
        if min(in_features, n_gates) < 1 or hidden < 0:
            raise ValueError(f"a gater needs inputs and gates, not {in_features}, {hidden} and {n_gates}")
        self.hidden = nn.Sequential(nn.Linear(in_features, hidden), nn.Tanh()) if hidden else nn.Identity()
        self.gates = nn.Linear(hidden or in_features, n_gates)
        self.neuron = make_neuron(neuron, n_gates) if isinstance(neuron, str) else neuron
        self.probability: Tensor | None = None
        self._initialize(activity)

    @torch.no_grad()
    def _initialize(self, activity: float) -> None:
        """Uniform within ±sqrt(6 / (fan in + fan out)), four times that before a sigmoid."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear) and layer not in set(self.neuron.modules()):
                nn.init.xavier_uniform_(layer.weight)
                layer.bias.zero_()
        if not isinstance(self.neuron, NoisyRectifier | Rectifier):
            self.gates.weight.mul_(4)
        self.gates.bias.fill_(argument_of(self.neuron, activity))

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to the last pass, so that the network can be copied."""
        return self.__dict__ | {"probability": None}

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch gates"]:
        """The gates of each example.

        Raises:
            ValueError: if a pre-activation is not a number: it would turn a gate off silently.
        """
        a = self.gates(self.hidden(x))
        if not torch.compiler.is_compiling() and not a.isfinite().all():
            raise ValueError("the pre-activations of the gates are not finite: lower the learning rate")
        if self.training:
            self.probability = self.neuron.probability(a.float() if a.dtype != torch.float64 else a)
        return self.neuron(a)


class ConditionalLinear(nn.Module):
    """Experts e = W x + b that a gater multiplies with its gates, a block of experts by each: y = e ∘ h(x).

    With blocks of one this is the layer of the paper. In training, all experts are computed. At inference, `skip` says
    whether those whose gates are 0 are left out: the outputs are the same to rounding, and the time falls with the
    share of gates that are on, the more so the larger the blocks.

    Args:
        in_features: Size of the inputs.
        out_features: Number of experts.
        gater_hidden: Number of tanh units of the gater.
        gate: A name of `available_neurons()`, or a layer of neurons.
        block_size: Experts that share a gate.
        activation: Of the experts: `"linear"`, as in the paper, `"tanh"` or `"relu"`.
        activity: Probability with which a gate is active at first.
        bias: Whether the experts have biases.
        skip: Compute only active blocks in evaluation mode. Not for tracing, `torch.compile` or export, since what is
            computed depends on the data.

    Raises:
        ValueError: if a size is not positive, the experts are no whole number of blocks, or there is no such gate or
            activation.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        gater_hidden: int = 400,
        gate: str | StochasticNeuron = "st",
        *,
        block_size: int = 1,
        activation: Activation = "linear",
        activity: float = 0.5,
        bias: bool = True,
        skip: bool = True,
    ) -> None:
        super().__init__()
        if block_size < 1 or out_features < 1 or out_features % block_size:
            raise ValueError(f"{out_features} experts are no whole number of blocks of {block_size}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"the activation must be {', '.join(ACTIVATIONS)}, not {activation!r}")
        self.in_features, self.out_features, self.block_size = in_features, out_features, block_size
        self.experts = nn.Linear(in_features, out_features, bias=bias)
        nn.init.xavier_uniform_(self.experts.weight)
        if bias:
            nn.init.zeros_(self.experts.bias)
        self.activation, self.skip = activation, skip
        self.gater = Gater(in_features, gater_hidden, self.n_blocks, gate, activity=activity)

    @classmethod
    def from_linear(
        cls,
        layer: nn.Linear,
        gater_hidden: int = 400,
        gate: str | StochasticNeuron = "st",
        *,
        block_size: int = 1,
        activity: float = 0.5,
        skip: bool = True,
    ) -> "ConditionalLinear":
        """A user's affine layer, with its weights, as experts.

        Raises:
            ValueError: as for the class.
        """
        made = cls(
            layer.in_features,
            layer.out_features,
            gater_hidden,
            gate,
            block_size=block_size,
            activity=activity,
            bias=layer.bias is not None,
            skip=skip,
        ).to(layer.weight)
        made.experts.load_state_dict(layer.state_dict())
        for mine, theirs in zip(made.experts.parameters(), layer.parameters(), strict=True):
            mine.requires_grad_(theirs.requires_grad)
        return made

    @property
    def n_blocks(self) -> int:
        """Number of gates."""
        return self.out_features // self.block_size

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch outputs"]:
        """The experts' outputs, 0 where their gates are.

        Raises:
            ValueError: if the inputs are of another size.
        """
        if x.shape[-1] != self.in_features:
            raise ValueError(f"this layer takes {self.in_features} features, not {x.shape[-1]}")
        rows = x if x.ndim == 2 else x.reshape(-1, self.in_features)
        gates = self.gater(rows)
        if self.skip and not self.training and not torch.compiler.is_compiling():
            y = self.sparse(rows, gates)
        else:
            y = self.dense(rows, gates)
        return y if x.ndim == 2 else y.view(*x.shape[:-1], self.out_features)

    def dense(
        self, x: Float[Tensor, "batch features"], gates: Float[Tensor, "batch blocks"]
    ) -> Float[Tensor, "batch outputs"]:
        """All experts, times their gates."""
        e = ACTIVATIONS[self.activation](self.experts(x))
        return (e.unflatten(1, (self.n_blocks, self.block_size)) * gates[..., None]).flatten(1)

    def sparse(
        self, x: Float[Tensor, "batch features"], gates: Float[Tensor, "batch blocks"]
    ) -> Float[Tensor, "batch outputs"]:
        """The same, computing only the blocks whose gates are not 0, each for the examples that need it."""
        active = gates != 0
        y = x.new_zeros(len(x), self.n_blocks, self.block_size, dtype=gates.dtype)
        if len(x) > FEW and x.is_cuda:
            self._by_one_product(x, gates, active, y)
        else:
            self._block_by_block(x, gates, active, y)
        return y.flatten(1)

    def _block_by_block(self, x: Tensor, gates: Tensor, active: Bool[Tensor, "batch blocks"], y: Tensor) -> None:
        """A product for each block that any example needs."""
        weight = self.experts.weight.view(self.n_blocks, self.block_size, self.in_features)
        bias = None if self.experts.bias is None else self.experts.bias.view(self.n_blocks, self.block_size)
        act = ACTIVATIONS[self.activation]
        pairs = active.t().nonzero()
        counts = active.sum(0).tolist()
        for block, rows in enumerate(pairs[:, 1].split(counts)):
            if counts[block]:
                some, gate = (x, gates[:, block]) if counts[block] == len(x) else (x[rows], gates[rows, block])
                e = act(linear(some, weight[block], None if bias is None else bias[block]))
                y[rows, block] = e.to(y.dtype) * gate[:, None]

    def _by_one_product(self, x: Tensor, gates: Tensor, active: Bool[Tensor, "batch blocks"], y: Tensor) -> None:
        """One batched product over blocks, padded to the largest number of examples that a block has."""
        weight = self.experts.weight.view(self.n_blocks, self.block_size, self.in_features)
        # The examples of each block come first in its order.
        most = int(active.sum(0).max())
        order = active.t().int().sort(dim=1, descending=True, stable=True).indices[:, :most]
        e = torch.bmm(x[order], weight.transpose(1, 2))
        if self.experts.bias is not None:
            e = e + self.experts.bias.view(self.n_blocks, 1, self.block_size)
        gate = gates.t().gather(1, order)
        blocks = torch.arange(self.n_blocks, device=x.device)[:, None].expand_as(order)
        y[order, blocks] = (ACTIVATIONS[self.activation](e) * gate[..., None]).to(y.dtype)

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"{self.in_features}, {self.out_features}, block_size={self.block_size}, activation={self.activation!r}"


def conditional_layers(model: nn.Module) -> list[ConditionalLinear]:
    """The gated layers of a network, each once."""
    return [module for module in model.modules() if isinstance(module, ConditionalLinear)]
