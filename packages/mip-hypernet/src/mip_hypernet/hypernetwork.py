"""The hypernetwork θ = h(E(γ); ω), with or without independent weights θ₀ to which it adds."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .encoding import Encoding, encode, encoded_size
from .heads import Heads, count_head, make_head
from .initialization import INITIALIZATIONS, Initialization, initialize_hidden, output_stds

Shapes = Mapping[str, Sequence[int]]
Input = Float[Tensor, "..."] | float | Sequence[float]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
MANY = 100_000_000
"""Weights from which on a person is warned: with gradients and the two moments of Adam, 1.6 GB."""


class HyperNetwork(nn.Module):
    """A multilayer perceptron that predicts the tensors of another network.

    θ(γ) = θ₀ + h(E(γ); ω), with E an encoding of constant norm and θ₀ independent learnable weights, is the magnitude
    invariant parametrization (MIP). Without the two, θ = h(γ; ω), it is the usual hypernetwork, whose outputs are
    proportional in magnitude to its input as long as its biases are 0.

    Several inputs are put side by side in the order of their names. What is predicted is computed in the weights'
    own precision, under autocast, too.

    Args:
        input_shapes: Shapes of the inputs by name, such as `{"gamma": (1,)}`.
        output_shapes: Shapes of the predicted tensors by name.
        hidden_sizes: Widths of the hidden layers.
        encoding: `l2` (MIP), `l1` or None.
        residual: Whether θ₀ is there (MIP).
        activation: Between the layers: `leaky_relu`, `relu`, `tanh`, `gelu` or `silu`.
        normalization: None; `layer`, LayerNorm before each activation; `weight`, weight normalization.
        dropout: Share of the units of each hidden layer that is dropped in training.
        heads: The last layer: `joint` is one matrix; `per-tensor`, one for each tensor; `low-rank` and `chunked` save
            memory.
        rank: Of `low-rank` heads.
        chunk: Numbers in a chunk of `chunked` heads.
        initialization: `slices` (that of MIP, and the default where there is a base), `hyperfan` (the default where
            there is none) or `default` (PyTorch's).
        output_bias: Give a hypernetwork without θ₀ a bias in its last layer, which begins at 0, or as PyTorch's with
            that initialization.
        base: Initial values of θ₀ by name; 0 if not given. Without θ₀, `hyperfan` takes magnitudes from them.
        delta: Factor of the last layer's initial weights; 0 predicts the base for every input, to begin with.
        generator: Draws the weights; PyTorch's global one if not given.

    Raises:
        ValueError: if a setting is unknown or out of range, a name or shape is empty, or the base has other names or
            shapes than the outputs.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own
        self,
        input_shapes: Shapes,
        output_shapes: Shapes,
        hidden_sizes: Sequence[int] = (16, 64, 128),
        *,
        encoding: Encoding | None = "l2",
        residual: bool = True,
        activation: str = "leaky_relu",
        normalization: Literal["layer", "weight"] | None = None,
        dropout: float = 0.0,
        heads: Heads = "joint",
        rank: int = 8,
        chunk: int = 1024,
        initialization: Initialization | None = None,
        output_bias: bool = False,
        base: Mapping[str, Tensor] | None = None,
        delta: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        initialization = initialization or ("slices" if residual else "hyperfan")
        _check_settings(hidden_sizes, activation, normalization, dropout, initialization)
        if not 0 <= delta < math.inf:
            raise ValueError(f"delta must be a finite number from 0 on, not {delta}")
        self.input_shapes = {name: tuple(input_shapes[name]) for name in sorted(input_shapes)}
        self.output_shapes = {name: tuple(shape) for name, shape in output_shapes.items()}
        _check_shapes(self.input_shapes, "input")
        _check_shapes(self.output_shapes, "output")
        self.encoding, self.residual, self.initialization = encoding, residual, initialization
        sizes = {name: math.prod(shape) for name, shape in self.output_shapes.items()}
        self._sizes = list(sizes.values())
        d = sum(map(math.prod, self.input_shapes.values()))
        n_weights = count_weights(
            self.input_shapes,
            self.output_shapes,
            hidden_sizes,
            encoding=encoding,
            residual=residual,
            normalization=normalization,
            heads=heads,
            rank=rank,
            chunk=chunk,
            output_bias=output_bias,
        )
        if n_weights > MANY:
            warnings.warn(
                f"this hypernetwork has {n_weights:,} weights; heads='low-rank' or 'chunked', fewer hidden units, or "
                f"predicting fewer of the {sum(sizes.values()):,} numbers would take less memory",
                stacklevel=2,
            )
        widths = [encoded_size(d, encoding), *hidden_sizes]
        linear = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths)]
        initialize_hidden(linear, initialization, generator)
        self.hidden = nn.Sequential(*_hidden(linear, activation, normalization, dropout))
        self.head = make_head(heads, widths[-1], sizes, rank, chunk)
        self.base = nn.Parameter(torch.zeros(sum(self._sizes))) if residual or output_bias else None
        reference = self._reference(d)
        if base is not None:
            _check_values(self.output_shapes, base)
        stds = output_stds(initialization, self.output_shapes, reference, base)
        if initialization == "slices" and normalization == "layer":
            # LayerNorm gives z the norm √h; changes of the base are to begin as large as without it, with that of E(γ).
            delta *= math.sqrt(d if encoding else 1) / float(reference.norm())
        self.head.initialize(stds, delta, generator)
        if residual and base is not None:
            self.load_base(base)
        elif self.base is not None and not residual and initialization == "default":
            bound = 1 / math.sqrt(widths[-1])
            nn.init.uniform_(self.base, -bound, bound, generator=generator)

    def forward(self, **inputs: Input) -> dict[str, Float[Tensor, "..."]]:
        """The predicted tensors by name.

        Args:
            inputs: Of each name, a tensor of its shape, or several of them along a first dimension, as many of each;
                a number where the shape has a single one.

        Returns:
            The tensors; with a first dimension if the inputs had one.

        Raises:
            ValueError: if a name is missing or unknown, a shape is wrong, or a value is not finite or outside [0, 1]
                and to be encoded.
        """
        gamma = self.flatten_inputs(inputs)
        with torch.autocast(gamma.device.type, enabled=False):
            flat = self.predict_flat(gamma)
        parts = flat.split(self._sizes, dim=-1)
        lead = gamma.shape[:-1]
        return {
            name: part.reshape(*lead, *shape)
            for (name, shape), part in zip(self.output_shapes.items(), parts, strict=True)
        }

    def predict_flat(self, gamma: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        """All predicted numbers in a row, in the order of `output_shapes`, of flat inputs."""
        z = self.hidden(encode(gamma, self.encoding))
        flat: Tensor = self.head(z, self.base)
        return flat

    def flatten_inputs(self, inputs: Mapping[str, Input]) -> Float[Tensor, "*batch d"]:
        """Named inputs side by side.

        Raises:
            ValueError: as `forward`.
        """
        known = self.input_shapes
        if missing := [name for name in known if name not in inputs]:
            raise ValueError(f"the hypernetwork needs the input {missing[0]}; its inputs are {', '.join(known)}")
        if unknown := [name for name in inputs if name not in known]:
            raise ValueError(f"the hypernetwork has no input {unknown[0]}; its inputs are {', '.join(known)}")
        first = next(self.hidden.parameters())
        parts, batches = [], []
        for name, shape in known.items():
            value = _number(name, inputs[name]).to(first)
            if value.shape == () and math.prod(shape) == 1:
                value = value.reshape(shape)
            if value.shape == shape:
                parts.append(value.reshape(-1))
            elif value.shape[1:] == shape:
                parts.append(value.reshape(len(value), -1))
                batches.append(len(value))
            else:
                raise ValueError(
                    f"the input {name} must have the shape {shape}, or {('batch', *shape)} for several, not "
                    f"{tuple(value.shape)}".replace("'", "")
                )
        if len(set(batches)) > 1:
            raise ValueError(f"the inputs must be as many of each, not {' and '.join(map(str, batches))}")
        if batches:
            parts = [part if part.ndim == 2 else part.expand(batches[0], -1) for part in parts]
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]

    def base_parameters(self) -> dict[str, Tensor]:
        """The independent weights θ₀ by name, views of the parameter `base`.

        Raises:
            ValueError: if there are none.
        """
        base = self._need_base()
        parts = base.split(self._sizes)
        return {name: part.view(shape) for (name, shape), part in zip(self.output_shapes.items(), parts, strict=True)}

    @torch.no_grad()
    def load_base(self, values: Mapping[str, Tensor]) -> None:
        """Give the independent weights other values, those of a pretrained network, say.

        Raises:
            ValueError: if there are none, or names or shapes differ.
        """
        base = self._need_base()
        _check_values(self.output_shapes, values)
        base.copy_(torch.cat([values[name].detach().reshape(-1).to(base) for name in self.output_shapes]))

    def freeze_base(self) -> None:
        """Train the hypernetwork alone from now on; make optimizers afterwards.

        Raises:
            ValueError: if there are no independent weights.
        """
        self._need_base().requires_grad = False

    def _need_base(self) -> nn.Parameter:
        if self.base is None:
            raise ValueError("this hypernetwork has no independent weights; it was made with residual=False")
        return self.base

    @torch.no_grad()
    def _reference(self, d: int) -> Float[Tensor, "h"]:
        """The last hidden layer at an input of norm 1."""
        was_training = self.hidden.training
        gamma = torch.full((d,), 1 / math.sqrt(d), device=next(self.hidden.parameters()).device)
        z: Tensor = self.hidden.eval()(encode(gamma.to(next(self.hidden.parameters())), self.encoding))
        self.hidden.train(mode=was_training)
        return z


def count_weights(
    input_shapes: Shapes,
    output_shapes: Shapes,
    hidden_sizes: Sequence[int] = (16, 64, 128),
    *,
    encoding: Encoding | None = "l2",
    residual: bool = True,
    normalization: Literal["layer", "weight"] | None = None,
    heads: Heads = "joint",
    rank: int = 8,
    chunk: int = 1024,
    output_bias: bool = False,
) -> int:
    """Trainable weights |ω| of the `HyperNetwork` that these settings would make, θ₀ included."""
    sizes = list(map(math.prod, output_shapes.values()))
    widths = [encoded_size(sum(map(math.prod, input_shapes.values())), encoding), *hidden_sizes]
    n = sum(n_in * n_out + n_out for n_in, n_out in pairwise(widths))
    n += {None: 0, "layer": 2, "weight": 1}[normalization] * sum(hidden_sizes)
    return n + count_head(heads, widths[-1], sizes, rank, chunk) + (sum(sizes) if residual or output_bias else 0)


def _hidden(linear: Sequence[nn.Linear], activation: str, normalization: str | None, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for one in linear:
        layers.append(weight_norm(one) if normalization == "weight" else one)
        if normalization == "layer":
            layers.append(nn.LayerNorm(one.out_features))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return layers


def _check_settings(
    hidden_sizes: Sequence[int], activation: str, normalization: str | None, dropout: float, initialization: str
) -> None:
    if not hidden_sizes or min(hidden_sizes) < 1:
        raise ValueError(f"a hypernetwork needs one or more hidden layers of positive width, not {list(hidden_sizes)}")
    for name, value, known in (
        ("activation", activation, tuple(ACTIVATIONS)),
        ("normalization", normalization, (None, "layer", "weight")),
        ("initialization", initialization, INITIALIZATIONS),
    ):
        if value not in known:
            raise ValueError(f"the {name} must be one of {', '.join(map(str, known))}, not {value!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}")


def _number(name: str, value: Input) -> Tensor:
    if isinstance(value, Tensor):
        return value
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"the input {name} must be numbers or a tensor, not {value!r}") from None


def _check_shapes(shapes: Shapes, kind: str) -> None:
    if not shapes:
        raise ValueError(f"a hypernetwork needs one {kind} or more, but there is none")
    for name, shape in shapes.items():
        if math.prod(shape) < 1:
            raise ValueError(f"the {kind} {name} has the shape {tuple(shape)}, without a number in it")


def _check_values(shapes: Shapes, values: Mapping[str, Tensor]) -> None:
    for kind, some, others in (("missing", shapes, values), ("unknown", values, shapes)):
        if names := [name for name in some if name not in others]:
            raise ValueError(f"the values of the base do not fit: {names[0]} is {kind}")
    for name, shape in shapes.items():
        if tuple(values[name].shape) != tuple(shape):
            raise ValueError(f"the values of the base do not fit: {name} is {tuple(values[name].shape)}, not {shape}")
