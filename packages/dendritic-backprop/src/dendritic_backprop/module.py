"""A module with dendrites: copies of it whose activated outputs are added to what its neurons receive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .adapters import OutputAdapter, detached, find_axis, find_n_nodes, make_adapter
from .configs import DendriteConfig
from .copies import Copies, make_copies
from .correlation import patterns

DEFAULT = DendriteConfig()
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


@dataclass
class Trace:
    """One use of a module in a dendrite phase: its candidates' outputs, and the probe that receives the errors.

    Attributes:
        values: Outputs of the candidates, each of the shape of the module's output; they carry gradients. None where
            `keeps_values` is false.
        probe: Zeros added to the output; after the backward pass, its gradient is that of the loss by the output.
        inputs: Arguments of the module, detached.
        older: Outputs of the dendrites that are there already.
    """

    values: Sequence[Tensor]
    probe: Tensor
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    older: Sequence[Tensor]


class DendriticModule(nn.Module):
    """A module with D dendrites for each of its neurons.

    With the copies M_1, ..., M_D of the module M, each with weights of its own,

        z_d = M_d(x) + Σ_{e<d} lateral_de v_e,    v_d = f(z_d),    out = M(x) + Σ_d gain_d v_d

    for each neuron (output feature or channel); the model's own activation follows. Dendrites take part in the forward
    pass, but are hidden from back-propagation: x reaches them without its history, and their weights are frozen. Only
    the gains learn with the neurons. So the module passes back the errors that M alone would (`perforated`).

    Without dendrites, it computes what the module computes.

    Args:
        module: The module M, such as `nn.Linear`, `nn.Conv2d`, `nn.GRU`, or a block such as `nn.Sequential` of a
            convolution and its normalization.
        node_axis: Axis of the neurons in its output; the last one of `nn.Linear` and recurrent modules, that of the
            channels otherwise, if not given.
        config: What dendrites are, and how they learn.
        n_nodes: Number of neurons; found in the module, or in its first output, if not given.
        adapter: Takes the neurons out of an output that is no tensor; known for PyTorch's recurrent modules.
        name: What errors call the module.

    Attributes:
        dendrites: The D copies.
        gain: Shape (D, neurons).
        lateral: Weights between dendrites of a neuron, of shape (D (D - 1) / 2, neurons): those of dendrite d come
            after those of all earlier ones.
        candidates: Copies that are being trained; None outside of a dendrite phase.
        candidate_lateral: Their weights from the D dendrites, of shape (k, D, neurons).
        keeps_values: Whether candidates are computed in each forward pass that is recorded.
    """

    gain: nn.Parameter
    lateral: nn.Parameter
    candidate_lateral: nn.Parameter | None

    def __init__(
        self,
        module: nn.Module,
        node_axis: int | None = None,
        config: DendriteConfig = DEFAULT,
        *,
        n_nodes: int | None = None,
        adapter: OutputAdapter | None = None,
        name: str = "",
    ) -> None:
        super().__init__()
        self.module, self.config = module, config
        self.node_axis = find_axis(module) if node_axis is None else node_axis
        self.n_nodes = find_n_nodes(module) if n_nodes is None else n_nodes
        self.adapter = adapter or make_adapter(module)
        self.name = name or type(module).__name__
        self.activation = ACTIVATIONS[config.activation]
        self.dendrites: Copies = make_copies(module, 0, self.adapter)
        like = next(module.parameters(), torch.empty(0))
        self.gain = nn.Parameter(like.new_zeros(0, self.n_nodes or 0))
        self.lateral = nn.Parameter(like.new_zeros(0, self.n_nodes or 0))
        self.candidates: Copies | None = None
        self.candidate_lateral = None
        self.traces: list[Trace] = []
        self.keeps_values = True
        self._freeze()

    @property
    def num_dendrites(self) -> int:
        """Dendrites of each neuron, D."""
        return len(self.gain)

    @property
    def is_trained_by_gradient(self) -> bool:
        """Whether dendrites learn by ordinary back-propagation, as in the ablation."""
        return self.config.learning == "gradient"

    @property
    def is_hidden(self) -> bool:
        """Whether dendrites are hidden from back-propagation."""
        return self.config.perforated and not self.is_trained_by_gradient

    # ---- forward pass

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of the module
        """What the module returns, with its dendrites' part in it."""
        output = self.module(*args, **kwargs)
        out = self._neurons(output)
        is_recording = self.candidates is not None and torch.is_grad_enabled()
        if not self.num_dendrites and not is_recording:
            return output
        older = self.values(*args, **kwargs)
        for d, (gain, v) in enumerate(zip(self.gain, older, strict=True)):
            # The module's own output may be needed for its gradient; the sum is nobody else's.
            add = out.addcmul_ if d else partial(torch.addcmul, out)
            out = add(self._along(gain, out), v)
        if is_recording:
            out = self._record(out, older, args, kwargs)
        return self.adapter.join(out, output)

    def values(self, *args: Any, **kwargs: Any) -> Sequence[Tensor]:  # noqa: ANN401
        """The outputs v_1, ..., v_D of the dendrites, each of the shape of the module's output."""
        if not self.num_dendrites:
            return []
        if not self.is_hidden:
            return self._chain(self.dendrites(self.module, *args, **kwargs))
        with torch.no_grad():
            return self._chain(self.dendrites(self.module, *detached(args), **detached(kwargs)))

    def _chain(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Activate dendrites in turn; each sees the older ones."""
        values: list[Tensor] = []
        for d, z in enumerate(inputs):
            if self.config.cascade:
                first = d * (d - 1) // 2
                for weight, v in zip(self.lateral[first : first + d], values, strict=True):
                    z = self._add(z, self._along(weight, z), v)  # noqa: PLW2901
            values.append(self.activation(z))
        return values

    def _add(self, z: Tensor, weight: Tensor, v: Tensor) -> Tensor:
        """Z + weight v, in place where no gradient needs z."""
        return torch.addcmul(z, weight, v) if z.requires_grad else z.addcmul_(weight, v)

    def _along(self, weight: Float[Tensor, "nodes"], out: Tensor) -> Tensor:
        """A number for each neuron, in a shape that goes with an output."""
        behind = -1 - self.node_axis if self.node_axis < 0 else out.ndim - 1 - self.node_axis
        return weight.to(out.dtype).view(-1, *(1,) * behind)

    def _neurons(self, output: Any) -> Tensor:  # noqa: ANN401
        try:
            out = self.adapter.split(output)
        except ValueError as error:
            raise ValueError(f"dendrites cannot be added to {self.name}: {error}") from None
        if not -out.ndim <= self.node_axis < out.ndim:
            raise ValueError(f"{self.name} has no axis {self.node_axis}: its output has the shape {tuple(out.shape)}")
        n = out.shape[self.node_axis]
        if self.n_nodes is None:
            self._learn_size(n)
        if n != self.n_nodes:
            raise ValueError(
                f"{self.name} has {self.n_nodes} neurons, but axis {self.node_axis} of its output has {n}: "
                f"shape {tuple(out.shape)}; name the axis of its neurons"
            )
        return out

    def _learn_size(self, n: int) -> None:
        self.n_nodes = n
        for name in ("gain", "lateral"):
            setattr(self, name, nn.Parameter(getattr(self, name).new_zeros(0, n)))
        self._freeze()

    def _record(self, out: Tensor, older: Sequence[Tensor], args: Any, kwargs: Any) -> Tensor:  # noqa: ANN401
        """Compute the candidates, which do not act yet, and add a probe for the errors."""
        inputs = detached(args), detached(kwargs)
        hidden = [v.detach() for v in older]
        probe = torch.zeros_like(out, requires_grad=True)
        values = self.candidate_values(inputs, hidden) if self.keeps_values else []
        self.traces.append(Trace(values, probe, inputs, hidden))
        return out + probe

    # ---- candidates

    def start_candidates(self, n: int | None = None, generator: torch.Generator | None = None) -> None:
        """Make n new candidates for each neuron; while they are there, each forward pass with gradients is recorded.

        Args:
            n: Candidates for each neuron; as configured if not given.
            generator: Draws their weights; on the CPU.

        Raises:
            ValueError: if there are candidates already, or the number of neurons is not known yet.
        """
        if self.candidates is not None:
            raise ValueError(f"{self.name} has candidates already; accept or discard them first")
        if self.n_nodes is None:
            raise ValueError(f"how many neurons {self.name} has is not known; run the network once, or give n_nodes")
        self._make_candidates(self.config.n_candidates if n is None else n)
        assert self.candidates is not None  # noqa: S101 - for the type checker
        self.candidates.initialize(self.config.init_scale, generator)

    def _make_candidates(self, n: int) -> None:
        self.candidates = make_copies(self.module, n, self.adapter).train()
        for parameter in self.candidates.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        n_lateral = self.num_dendrites if self.config.cascade else 0
        self.candidate_lateral = nn.Parameter(self.gain.new_zeros(n, n_lateral, self.n_nodes or 0))
        self.traces = []

    def candidate_parameters(self) -> list[nn.Parameter]:
        """What a dendrite phase trains: the candidates' weights, and those from older dendrites."""
        if self.candidates is None or self.candidate_lateral is None:
            return []
        own = [parameter for parameter in self.candidates.parameters() if parameter.requires_grad]
        return [*own, self.candidate_lateral] if self.candidate_lateral.numel() else own

    def candidate_values(self, inputs: tuple[tuple[Any, ...], dict[str, Any]], older: Sequence[Tensor]) -> list[Tensor]:
        """Outputs of the candidates for these arguments of the module and outputs of the older dendrites."""
        assert self.candidates is not None  # noqa: S101 - for the type checker
        assert self.candidate_lateral is not None  # noqa: S101 - for the type checker
        args, kwargs = inputs
        values = []
        for z, weights in zip(self.candidates(self.module, *args, **kwargs), self.candidate_lateral, strict=True):
            for weight, v in zip(weights, older, strict=False):
                z = torch.addcmul(z, self._along(weight, z), v)  # noqa: PLW2901
            values.append(self.activation(z))
        return values

    def in_patterns(self, values: Sequence[Tensor]) -> Float[Tensor, "k patterns nodes"]:
        """Outputs with patterns (samples and positions) along one axis and neurons along the last."""
        return torch.stack([patterns(v, self.node_axis) for v in values])

    def accept(self, choice: Int[Tensor, "nodes"] | None = None, gain: Float[Tensor, "nodes"] | None = None) -> None:
        """Make the candidates the newest dendrite, frozen.

        With a gain of zero, the network computes exactly what it did before. `gain`, `lateral` and `dendrites` are new
        parameters: make a new optimizer, as the controller does.

        Args:
            choice: For each neuron the number of its candidate; the first if not given.
            gain: Initial gain of each neuron's new dendrite; zero if not given.

        Raises:
            ValueError: if there are no candidates.
        """
        if self.candidates is None or self.candidate_lateral is None:
            raise ValueError(f"{self.name} has no candidates to accept; start some first")
        n = self.gain.shape[1]
        choice = self.gain.new_zeros(n, dtype=torch.long) if choice is None else choice.to(self.gain.device)
        self.dendrites = self.dendrites.extended(self.candidates.selected(choice))  # type: ignore[arg-type] # alike
        nodes = torch.arange(n, device=self.gain.device)
        # Indexing by two lists puts their axis first.
        rows = self.candidate_lateral.detach()[choice, :, nodes].T
        self.lateral = nn.Parameter(torch.cat([self.lateral.detach(), rows]))
        row = self.gain.new_zeros(n) if gain is None else gain.to(self.gain)
        self.gain = nn.Parameter(torch.cat([self.gain.detach(), row[None]]))
        self.discard()
        self._freeze()

    def discard(self) -> None:
        """Drop the candidates."""
        self.candidates, self.candidate_lateral, self.traces = None, None, []

    def truncate(self, n: int) -> None:
        """Keep the n oldest dendrites; later ones are gone."""
        if not 0 <= n <= self.num_dendrites:
            raise ValueError(f"{self.name} has {self.num_dendrites} dendrites, of which {n} cannot be kept")
        self.dendrites = self.dendrites.truncated(n)
        self.gain = nn.Parameter(self.gain.detach()[:n].clone())
        n_lateral = n * (n - 1) // 2 if self.config.cascade else 0
        self.lateral = nn.Parameter(self.lateral.detach()[:n_lateral].clone())
        self._freeze()

    # ---- what PyTorch calls

    def _freeze(self) -> None:
        """Freeze dendrites, unless they learn by gradient."""
        for parameter in (*self.dendrites.parameters(), self.lateral):
            parameter.requires_grad_(self.is_trained_by_gradient and parameter.is_floating_point())
        # The module's own parts keep the mode that they are in.
        self.dendrites.train(self.training and self.is_trained_by_gradient)

    def train(self, mode: bool = True) -> "DendriticModule":
        """Set the mode; frozen dendrites stay in evaluation mode, and candidates in that of their own training."""
        of_candidates = self.candidates.training if self.candidates is not None else None
        super().train(mode)
        if not self.is_trained_by_gradient:
            self.dendrites.eval()
        if self.candidates is not None and of_candidates is not None:
            self.candidates.train(of_candidates)
        return self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the module's
        """What only the module has, such as `weight` or `in_features`: some networks look at their layers."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            module = self.__dict__.get("_modules", {}).get("module")
            if module is None:
                raise
            return getattr(module, name)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy of the module has: everything but what was recorded."""
        return {**self.__dict__, "traces": []}

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:  # noqa: ANN401
        """Take the number of dendrites and candidates from the state, so that any state of this network loads."""
        gain = state_dict.get(f"{prefix}gain")
        if isinstance(gain, Tensor) and gain.ndim == 2 and self.n_nodes in {None, gain.shape[1]}:
            self._resize(*gain.shape)
        lateral = state_dict.get(f"{prefix}candidate_lateral")
        if isinstance(lateral, Tensor):
            if self.candidates is None or self.candidates.n != len(lateral):
                self._make_candidates(len(lateral))
        else:
            self.discard()
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _resize(self, n_dendrites: int, n_nodes: int) -> None:
        if self.n_nodes is None:
            self._learn_size(n_nodes)
        if n_dendrites == self.num_dendrites:
            return
        self.dendrites = make_copies(self.module, n_dendrites, self.adapter)
        n_lateral = n_dendrites * (n_dendrites - 1) // 2 if self.config.cascade else 0
        self.gain = nn.Parameter(self.gain.new_zeros(n_dendrites, self.gain.shape[1]))
        self.lateral = nn.Parameter(self.lateral.new_zeros(n_lateral, self.gain.shape[1]))
        self.discard()
        self._freeze()

    def extra_repr(self) -> str:
        """Its dendrites in a few words."""
        return f"num_dendrites={self.num_dendrites}, activation={self.config.activation}, node_axis={self.node_axis}"
