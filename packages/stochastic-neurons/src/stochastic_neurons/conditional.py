"""Conditional computation: layers of experts that stochastic gates turn off, and are then not computed (section 5)."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .neuron import StochasticNeuron
from .noise_injection import NoisyRectifier, Rectifier
from .registry import argument_of, make_neuron

Activation = Literal["linear", "tanh", "relu"]
ACTIVATIONS: dict[str, nn.Module] = {"linear": nn.Identity(), "tanh": nn.Tanh(), "relu": nn.ReLU()}
N_WEIGHTS = 15
"""Weights into a rectified gate that are not 0 at first."""
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
        """Uniform within ±sqrt(6 / (fan in + fan out)), four times that before a sigmoid; sparse before a rectifier."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear) and layer not in set(self.neuron.modules()):
                nn.init.xavier_uniform_(layer.weight)
                layer.bias.zero_()
        if isinstance(self.neuron, NoisyRectifier | Rectifier):
            n_gates, n_inputs = self.gates.weight.shape
            places = torch.rand(n_gates, n_inputs).topk(min(N_WEIGHTS, n_inputs)).indices
            self.gates.weight.zero_().scatter_(1, places, torch.randn(places.shape))
        else:
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
            raise ValueError(
                "the pre-activations of the gates are not finite: look for NaN in the inputs, or lower the learning "
                "rate"
            )
        if self.training:
            self.probability = self.neuron.probability(a.float() if a.dtype != torch.float64 else a)
        return self.neuron(a)


class ConditionalLinear(nn.Module):
    """Experts e = W x + b that a gater multiplies with its gates, a block of experts by each: y = e ∘ h(x).

    With blocks of one this is the layer of the paper. In training, all experts are computed, and so they are wherever
    gradients of the gates are recorded, since a gate that is off learns from what its experts would have given. In
    evaluation mode under `torch.no_grad()`, experts whose gates are 0 are skipped: the outputs are the same to
    rounding, and the time falls with the share of gates that are on, the more so the larger the blocks.

    Args:
        in_features: Size of the inputs.
        out_features: Number of experts.
        gater_hidden: Number of tanh units of the gater.
        gate: A name of `available_neurons()`, or a layer of neurons.
        block_size: Experts that share a gate.
        activation: Of the experts: `"linear"`, as in the paper, `"tanh"` or `"relu"`.
        activity: Probability with which a gate is active at first.
        bias: Whether the experts have biases.
        skip: Compute only active blocks in evaluation mode without gradients. Not for tracing, `torch.compile` or
            export, since what is computed depends on the data.

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
        is_learning = self.training or (torch.is_grad_enabled() and gates.requires_grad)
        if self.skip and not is_learning and not torch.compiler.is_compiling():
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
        if len(x) == 1 and x.dtype == self.experts.weight.dtype:  # autocast knows no product of matrix and vector
            return self._single(x[0], gates[0])[None]
        active = gates != 0
        blocks, rows = active.t().nonzero().unbind(1)
        by_one_product = x.is_cuda and len(x) > FEW
        e = (self._padded if by_one_product else self._by_block)(x, active, rows)
        if self.experts.bias is not None:
            e = e + self.experts.bias.to(e.dtype).view(self.n_blocks, self.block_size)[blocks]
        e = ACTIVATIONS[self.activation](e) * gates[rows, blocks][:, None]
        y = e.new_zeros(len(x), self.n_blocks, self.block_size)
        return y.index_put((rows, blocks), e).flatten(1)

    def _single(self, x: Float[Tensor, "features"], gates: Float[Tensor, "blocks"]) -> Float[Tensor, "outputs"]:
        """For one example, with as few operations as can be: they take as long as the products."""
        blocks = gates.nonzero()[:, 0]
        weight = self.experts.weight.view(self.n_blocks, self.block_size, self.in_features)
        products = [torch.mv(weight[block], x) for block in blocks.tolist()]
        e = torch.stack(products) if products else x.new_zeros(0, self.block_size)
        if self.experts.bias is not None:
            e = e + self.experts.bias.to(e.dtype).view(self.n_blocks, self.block_size)[blocks]
        e = ACTIVATIONS[self.activation](e) * gates[blocks][:, None]
        return e.new_zeros(self.n_blocks, self.block_size).index_copy(0, blocks, e).flatten()

    def _by_block(
        self, x: Float[Tensor, "batch features"], active: Bool[Tensor, "batch blocks"], rows: Int[Tensor, "pairs"]
    ) -> Float[Tensor, "pairs block"]:
        """A product for each block, with the examples that need it; pairs are in the order of the blocks."""
        weight = self.experts.weight.view(self.n_blocks, self.block_size, self.in_features)
        needed = [(block, count) for block, count in enumerate(active.sum(0).tolist()) if count]
        if not needed:
            return x.new_zeros(0, self.block_size)
        groups = x[rows].split([count for _, count in needed])
        return torch.cat([torch.mm(some, weight[block].t()) for some, (block, _) in zip(groups, needed, strict=True)])

    def _padded(
        self, x: Float[Tensor, "batch features"], active: Bool[Tensor, "batch blocks"], rows: Int[Tensor, "pairs"]
    ) -> Float[Tensor, "pairs block"]:
        """One batched product over blocks, padded to the largest number of examples that a block has."""
        counts = active.sum(0)
        first = torch.arange(int(counts.max()), device=x.device)
        is_there = first < counts[:, None]
        # Where a block has fewer examples, some example stands in, whose product is not taken.
        places = (counts.cumsum(0) - counts)[:, None] + first
        some = x[rows[places.clamp(max=max(len(rows) - 1, 0))]] if len(rows) else x.new_zeros(len(counts), 0, len(x[0]))
        weight = self.experts.weight.view(self.n_blocks, self.block_size, self.in_features)
        return torch.bmm(some, weight.mT)[is_there]

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"{self.in_features}, {self.out_features}, block_size={self.block_size}, activation={self.activation!r}"


def conditional_layers(model: nn.Module) -> list[ConditionalLinear]:
    """The gated layers of a network, each once."""
    return [module for module in model.modules() if isinstance(module, ConditionalLinear)]
