"""Layers that learn without disturbing earlier tasks: Hebbian learning based orthogonal projection (HLOP)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .configs import Feedback
from .paper import FEEDBACKS
from .rates import is_constant, split_time
from .subspace import HebbianSubspace
from .synapses import Connection, Convolution, Dense, Projection, Synapses, through_time

PROJECTIONS = ("input", "weight")


class HLOPLayer(nn.Module, ABC):
    """What `HLOPLinear` and `HLOPConv2d` share. It is drop-in: without a subspace, the layer is what it extends.

    A layer takes activity without time, (batch, ...); with time first, (time, batch, ...); or, when it has `timesteps`,
    flattened over time, (time · batch, ...), all samples of a step together.

    Attributes:
        subspace: What it knows of earlier tasks.
        feedback: How the error reaches the layer below.
        project: Where the projection happens: `input` (the presynaptic activity) or `weight` (the gradient). Both give
            the same gradient; the second is cheaper when there are more samples than output neurons, but needs
            real-valued lateral neurons.
        rate: The activity over time as the subspace learns it: None for every step by itself, or a rate.
        trace: The activity over time as the gradient takes it: None for the activity itself, or a trace.
        timesteps: Steps in activity that is flattened over time.
        is_learning: Whether the subspace learns from what the layer sees while training.
        is_projecting: Whether gradients are projected.
    """

    weight: Any
    bias: Any
    subspace: HebbianSubspace
    feedback: Feedback
    project: Projection
    rate: Callable[[Tensor], Tensor] | None
    trace: nn.Module | None
    timesteps: int | None
    feedback_weight: Tensor | None
    is_learning: bool
    is_projecting: bool
    _connection: Connection
    _n_dims: int

    def _equip(
        self,
        subspace: HebbianSubspace | None,
        feedback: Feedback,
        project: Projection,
        rate: Callable[[Tensor], Tensor] | None,
        trace: nn.Module | None,
        timesteps: int | None,
        generator: torch.Generator | None,
    ) -> None:
        """Give a linear or convolutional layer what makes it an HLOP layer."""
        n_features = self.weight[0].numel()
        subspace = subspace or HebbianSubspace(n_features)
        if subspace.n_features != n_features:
            raise ValueError(f"the layer's weight has {n_features} inputs, but its subspace has {subspace.n_features}")
        if feedback not in FEEDBACKS:
            raise ValueError(f"feedback must be one of {', '.join(FEEDBACKS)}, not '{feedback}'")
        if project not in PROJECTIONS:
            raise ValueError(f"project must be one of {', '.join(PROJECTIONS)}, not '{project}'")
        if project == "weight" and subspace.spiking is not None:
            raise ValueError("spiking lateral neurons answer to activity, so they need project='input', not 'weight'")
        self.subspace = subspace.to(self.weight)
        self.feedback, self.project, self.rate, self.trace, self.timesteps = feedback, project, rate, trace, timesteps
        self.is_learning = self.is_projecting = False
        random = torch.empty_like(self.weight) if feedback == "fa" else None
        if random is not None:
            nn.init.kaiming_uniform_(random, a=math.sqrt(5), generator=generator)
        self.register_buffer("feedback_weight", random)

    @property
    @abstractmethod
    def _fan_in_scale(self) -> float:
        """Size of sign-symmetric feedback, such that it is about as large as the weight."""

    def backward_weight(self) -> Tensor | None:
        """The weight that carries the error back; None for the forward weight itself."""
        if self.feedback == "sign":
            return self.weight.detach().sign() * self._fan_in_scale
        return self.feedback_weight

    def samples(self, x: Tensor) -> Tensor:
        """The vectors, (samples, features), from which the subspace learns when the layer sees `x`.

        They are the activity at every step, or its rate; and where a trace stands for the activity in the gradient, its
        vectors too.

        Raises:
            ValueError: if `x` is flattened over time and its length is not a multiple of `timesteps`.
        """
        x = self._time_first(x.detach())
        return self._samples(x, None if self.trace is None else self.trace(x))

    def _samples(self, x: Tensor, traced: Tensor | None) -> Tensor:
        seen = [self._at_once(one) for one in (x, traced) if one is not None]
        return self._connection.samples(torch.cat(seen))

    def _at_once(self, x: Tensor) -> Tensor:
        """Activity over time as the subspace learns it: a rate, or all steps together."""
        if self.rate is not None:
            return self.rate(x)
        # The mean over copies is that over one.
        return x[0] if is_constant(x) else x.flatten(0, 1)

    def _time_first(self, x: Tensor) -> Tensor:
        """The activity as (time, batch, ...)."""
        if x.dim() == self._n_dims + 1:
            return x.unsqueeze(0) if self.timesteps is None else split_time(x, self.timesteps)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """The postsynaptic current; learns the subspace on the way, while training and `is_learning`."""
        if x.dim() == self._n_dims:
            return self.forward(x.unsqueeze(0)).squeeze(0)
        over_time = self._time_first(x)
        is_learning = self.training and self.is_learning
        traced = None
        if self.trace is not None and (is_learning or torch.is_grad_enabled()):
            traced = self.trace(over_time.detach())
        if is_learning:
            self.subspace.learn(self._samples(over_time.detach(), traced))
        y = self._current(over_time, traced)
        return y.flatten(0, 1) if x.dim() == self._n_dims + 1 else y

    def _current(self, x: Tensor, traced: Tensor | None) -> Tensor:
        if not torch.is_grad_enabled():
            return through_time(lambda one: self._connection.forward(one, self.weight, self.bias), x)
        return Synapses.apply(
            x,
            traced,
            self.weight,
            self.bias,
            self.backward_weight(),
            self._connection,
            self.subspace if self.is_projecting else None,
            self.project,
        )


class HLOPLinear(HLOPLayer, nn.Linear):
    """`nn.Linear` whose weight changes only orthogonally to the activity of earlier tasks.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        bias: Whether there is a bias. A bias shifts every input's output, earlier tasks' too: the paper has none.
        subspace: The Hebbian subspace, of `in_features`; one with default settings if not given.
        feedback: How the error reaches the layer below: `bp`, `fa` (a fixed random matrix) or `sign` (the weight's
            signs).
        project: Whether the `input` or the `weight` gradient is projected.
        rate: What the subspace learns from activity over time: None for every step, or a rate such as `WeightedRate()`.
        trace: What stands for the activity in the gradient: None for itself, or a `LeakyTrace`.
        timesteps: Steps in activity that is flattened over time.
        generator: Randomness of the feedback matrix.

    Raises:
        ValueError: if an option is none of those named, or the subspace does not fit.
    """

    _n_dims = 1
    _connection = Dense()

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        subspace: HebbianSubspace | None = None,
        feedback: Feedback = "bp",
        project: Projection = "input",
        rate: Callable[[Tensor], Tensor] | None = None,
        trace: nn.Module | None = None,
        timesteps: int | None = None,
        generator: torch.Generator | None = None,
        **factory: Any,  # noqa: ANN401 - device and dtype of nn.Linear
    ) -> None:
        super().__init__(in_features, out_features, bias, **factory)
        self._equip(subspace, feedback, project, rate, trace, timesteps, generator)

    @property
    def _fan_in_scale(self) -> float:
        return 1 / math.sqrt(self.in_features)


class HLOPConv2d(HLOPLayer, nn.Conv2d):
    """`nn.Conv2d` whose kernel changes only orthogonally to the patches that earlier tasks put under it.

    The arguments are those of `nn.Conv2d`, and those of `HLOPLinear`; `project` is `weight` by default, and the
    subspace is of `in_channels · kernel height · kernel width` features.

    Raises:
        ValueError: for grouped convolutions, for padding other than with zeros, and as `HLOPLinear`.
    """

    _n_dims = 3

    def __init__(  # noqa: PLR0913 - those of nn.Conv2d
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        padding_mode: str = "zeros",
        subspace: HebbianSubspace | None = None,
        feedback: Feedback = "bp",
        project: Projection = "weight",
        rate: Callable[[Tensor], Tensor] | None = None,
        trace: nn.Module | None = None,
        timesteps: int | None = None,
        generator: torch.Generator | None = None,
        **factory: Any,  # noqa: ANN401 - device and dtype of nn.Conv2d
    ) -> None:
        if groups != 1:
            raise ValueError(f"orthogonal projection is defined for convolutions with groups=1, not {groups}")
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ValueError(
                "orthogonal projection is defined for a number of zeros as padding, not for other kinds of it"
            )
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 1, bias, **factory)
        self._connection = Convolution(
            self.kernel_size,  # type: ignore[arg-type] # pairs, by now
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
        )
        self._equip(subspace, feedback, project, rate, trace, timesteps, generator)

    @property
    def _fan_in_scale(self) -> float:
        return math.sqrt(2 / (self.kernel_size[0] * self.kernel_size[1] * self.out_channels))
