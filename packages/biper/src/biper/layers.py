"""Layers with binary weights, and BiPer's: their weights are a square wave of latent weights."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn
from torch.nn import functional as F

from .binarizers import check_omega, exact, scale_by_deviation, sgn, sign_activation, sine, square_wave

STAGES = (1, 2)
SINE, SQUARE = STAGES
SINGLE = 1e-6
"""Relative difference of frequencies that single precision explains."""


class BinaryLayer(nn.Module):
    """What layers with binary weights share, however they are trained.

    y = scale · (sgn(x) * b + bias), with binary weights b, one scale for each output, and zeros around sgn(x) where a
    convolution pads. A method says what b is of the latent weights `weight`, which gradient it has, and what the scale
    is.
    """

    method: ClassVar[str]
    """Name of the method in `biper.methods`."""
    n_sample_axes: ClassVar[int]
    """Trailing axes of an input that are one sample."""
    weight: Tensor
    bias: Tensor | None
    binarize_input: bool
    zero_is_one: bool

    def effective_weight(self) -> Tensor:
        """The weights that an input meets, with the gradient of training."""
        raise NotImplementedError

    def scale(self) -> Float[Tensor, "outputs"] | None:
        """What each output is multiplied by."""
        return None

    def binary_input(self, x: Tensor) -> Tensor:
        """sgn(x), with the gradient of training."""
        raise NotImplementedError

    def combine(self, x: Tensor, weight: Tensor) -> Tensor:
        """The linear map of an input and weights."""
        raise NotImplementedError

    def per_output(self, scale: Float[Tensor, "outputs"]) -> Tensor:
        """One number for each output, as it is multiplied with an output of the layer."""
        raise NotImplementedError

    def binary_weight(self) -> Int8[Tensor, "..."]:
        """The weights b of the finished layer, -1 or +1 (0 too if `zero_is_one` is false)."""
        with torch.no_grad():
            return sgn(self.effective_weight().detach(), zero_is_one=self.zero_is_one).to(torch.int8)

    @property
    def has_binary_weights(self) -> bool:
        """Whether the layer computes with -1 and +1, as all do but those in BiPer's first stage."""
        return True

    def begin_epoch(self, progress: float) -> None:
        """Take note of how far the training is, from 0 to 1."""

    def after_update(self) -> None:
        """Bring the latent weights back to where the method wants them, after each step of an optimizer."""

    def forward(self, x: Tensor) -> Tensor:
        """Y = scale · (sgn(x) * b + bias).

        Raises:
            TypeError: if the input is not of floating point.
            ValueError: if a training sample is a single number.
        """
        if not x.is_floating_point():
            raise TypeError(f"a binary layer takes numbers of floating point, not {x.dtype}; convert with .float()")
        y = self.combine(self.binary_input(x) if self.binarize_input else x, self.effective_weight())
        scale = self.scale()
        return y if scale is None else y * self.per_output(scale).to(y.dtype)

    def extra_repr(self) -> str:
        """The settings of the layer, for `print`."""
        return f"{super().extra_repr()}, binarize_input={self.binarize_input}"


class BinaryConv2d(BinaryLayer, nn.Conv2d):
    """A convolution with binary weights; its arguments are those of `nn.Conv2d`, and how inputs are treated."""

    n_sample_axes = 3

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - those of nn.Conv2d
        binarize_input: bool = True,
        zero_is_one: bool = True,
        **settings: Any,  # noqa: ANN401 - those of nn.Conv2d
    ) -> None:
        nn.Conv2d.__init__(self, *arguments, **settings)
        self.binarize_input, self.zero_is_one = binarize_input, zero_is_one

    @classmethod
    def from_float(cls, module: nn.Conv2d, **settings: Any) -> "BinaryConv2d":  # noqa: ANN401 - those of the method
        """The binary layer whose latent weights are the weights of a convolution, which both then share."""
        layer = cls(
            module.in_channels,
            module.out_channels,
            module.kernel_size,
            stride=module.stride,
            padding=module.padding,
            dilation=module.dilation,
            groups=module.groups,
            bias=module.bias is not None,
            padding_mode=module.padding_mode,
            device=module.weight.device,
            dtype=module.weight.dtype,
            **settings,
        )
        layer.weight, layer.bias = module.weight, module.bias
        return layer.train(module.training)

    def combine(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        return self._conv_forward(x, weight, self.bias)

    def per_output(self, scale: Float[Tensor, "outputs"]) -> Tensor:
        """One number for each channel, over its pixels."""
        return scale.view(-1, 1, 1)


class BinaryLinear(BinaryLayer, nn.Linear):
    """A linear map with binary weights; its arguments are those of `nn.Linear`, and how inputs are treated."""

    n_sample_axes = 1
    bias: Tensor | None  # type: ignore[assignment] # which nn.Linear does not annotate

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - those of nn.Linear
        binarize_input: bool = True,
        zero_is_one: bool = True,
        **settings: Any,  # noqa: ANN401 - those of nn.Linear
    ) -> None:
        nn.Linear.__init__(self, *arguments, **settings)
        self.binarize_input, self.zero_is_one = binarize_input, zero_is_one

    @classmethod
    def from_float(cls, module: nn.Linear, **settings: Any) -> "BinaryLinear":  # noqa: ANN401 - those of the method
        """The binary layer whose latent weights are the weights of a linear map, which both then share."""
        layer = cls(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            device=module.weight.device,
            dtype=module.weight.dtype,
            **settings,
        )
        layer.weight, layer.bias = module.weight, module.bias
        return layer.train(module.training)

    def combine(self, x: Tensor, weight: Tensor) -> Tensor:
        """The linear map."""
        return F.linear(x, weight, self.bias)

    def per_output(self, scale: Float[Tensor, "outputs"]) -> Tensor:
        """One number for each feature."""
        return scale


class LearnedScale(BinaryLayer):
    """A layer whose scales alpha are learned, and whose inputs are scaled in training: BiPer's and ReCU's."""

    alpha: nn.Parameter

    def make_alpha(self) -> None:
        """Draw the scales from [0, 1), as the official code does."""
        self.alpha = nn.Parameter(torch.rand(self.weight.shape[0], device=self.weight.device, dtype=self.weight.dtype))

    def scale(self) -> Float[Tensor, "outputs"]:
        """The learned scales."""
        return self.alpha

    def binary_input(self, x: Tensor) -> Tensor:
        """sgn(x); in training, the gradient's window is as wide as the sample's standard deviation."""
        a = scale_by_deviation(x, self.n_sample_axes) if self.training else x
        return sign_activation(a, zero_is_one=self.zero_is_one)


class PeriodicLayer(LearnedScale):
    """A layer whose weights are sin(ωw) in the first stage, and sgn(sin(ωw)) in the second.

    Its state has two entries besides its parameters: `omega`, and the `stage`. A state of another frequency is refused,
    since the same latent weights would stand for other signs; so is one of the second stage by a layer in the first.
    """

    method = "biper"
    omega: float
    stage: int

    def _set(self, omega: float, stage: int) -> None:
        self.omega = check_omega(omega)
        self.set_stage(stage)
        self.make_alpha()

    def set_stage(self, stage: int) -> None:
        """Go over to real-valued sine weights (1) or to binary ones (2).

        Raises:
            ValueError: if it is neither.
        """
        if stage not in STAGES:
            raise ValueError(f"the stage must be 1 (sine) or 2 (square wave), not {stage}")
        self.stage = int(stage)

    @property
    def has_binary_weights(self) -> bool:
        """Whether the layer is in the second stage."""
        return self.stage == SQUARE

    def effective_weight(self) -> Tensor:
        """sin(ωw), or sgn(sin(ωw)) with the gradient of the sine."""
        if self.stage == SINE:
            return sine(self.weight, self.omega)
        return square_wave(self.weight, self.omega, zero_is_one=self.zero_is_one)

    def regularizer(self) -> Float[Tensor, ""]:
        """Mean of sin²(ωw) over the weights; see `biper.regularizer`."""
        return sine(exact(self.weight), self.omega).square().mean()

    def extra_repr(self) -> str:
        """The settings of the layer, for `print`."""
        return f"{super().extra_repr()}, omega={self.omega:g}, stage={self.stage}"

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: ANN401 - PyTorch's
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}omega"] = torch.tensor(self.omega, dtype=torch.float64)
        destination[f"{prefix}stage"] = torch.tensor(self.stage, dtype=torch.uint8)

    def _load_from_state_dict(
        self,
        state_dict: Any,  # noqa: ANN401 - PyTorch's
        prefix: str,
        local_metadata: Any,  # noqa: ANN401 - PyTorch's
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        own = (f"{prefix}omega", f"{prefix}stage")
        self._check_state(prefix.removesuffix("."), *(state_dict.get(key) for key in own))
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        unexpected_keys[:] = [key for key in unexpected_keys if key not in own]
        missing_keys += [key for key in own if key not in state_dict] if strict else []

    def _check_state(self, name: str, omega: Tensor | None, stage: Tensor | None) -> None:
        where = name or "this layer"
        if any(one is not None and one.numel() != 1 for one in (omega, stage)):
            raise ValueError(f"the state of {where} is damaged: its omega and its stage must be single numbers")
        # A state that was converted to single precision is the same one.
        if omega is not None and not math.isclose(float(omega), self.omega, rel_tol=SINGLE):
            raise ValueError(
                f"{where} was trained with omega {float(omega):.9g}, but has omega {self.omega:.9g} here; make the "
                f"network with omega={float(omega):.9g}"
            )
        if stage is not None and int(stage) > self.stage:
            raise ValueError(
                f"{where} was trained to the second stage, but is in the first here; call to_stage2(model) before "
                "load_state_dict"
            )


class BiPerConv2d(PeriodicLayer, BinaryConv2d):
    """A convolution whose weights are a square wave of latent weights (stage 2), or a sine of them (stage 1).

    y = alpha · (sgn(x) * b + bias), b = sgn(sin(ωw)), with the geometry of `nn.Conv2d` and alpha learned. Inputs are
    binary, too, unless `binarize_input` is false (1w32a).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel.
        omega: Angular frequency ω of the square wave. With another one than 20, scale the learning rate by (20/ω)².
        stage: 1 for sine weights, 2 for binary ones.
        binarize_input: Convolve the signs of the input, with the gradient of Bi-Real.
        zero_is_one: Let sgn(0) be +1; the official code has 0.
        conv: What else `nn.Conv2d` takes.

    Raises:
        ValueError: if omega is not positive and finite, or the stage is not 1 or 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        *,
        omega: float = 20.0,
        stage: int = SINE,
        binarize_input: bool = True,
        zero_is_one: bool = True,
        **conv: Any,  # noqa: ANN401 - those of nn.Conv2d
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, binarize_input=binarize_input, zero_is_one=zero_is_one, **conv
        )
        self._set(omega, stage)


class BiPerLinear(PeriodicLayer, BinaryLinear):
    """A linear map whose weights are a square wave of latent weights (stage 2), or a sine of them (stage 1).

    Args:
        in_features: Features of the input.
        out_features: Features of the output.
        omega: Angular frequency ω of the square wave.
        stage: 1 for sine weights, 2 for binary ones.
        binarize_input: Take the signs of the input, with the gradient of Bi-Real.
        zero_is_one: Let sgn(0) be +1; the official code has 0.
        linear: What else `nn.Linear` takes.

    Raises:
        ValueError: if omega is not positive and finite, or the stage is not 1 or 2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        omega: float = 20.0,
        stage: int = SINE,
        binarize_input: bool = True,
        zero_is_one: bool = True,
        **linear: Any,  # noqa: ANN401 - those of nn.Linear
    ) -> None:
        super().__init__(in_features, out_features, binarize_input=binarize_input, zero_is_one=zero_is_one, **linear)
        self._set(omega, stage)


def binary_layers(model: nn.Module) -> Iterator[tuple[str, BinaryLayer]]:
    """The layers with binary weights in a network, each with its name; a shared one once."""
    return ((name, module) for name, module in model.named_modules() if isinstance(module, BinaryLayer))


def begin_epoch(model: nn.Module, progress: float) -> None:
    """Tell every binary layer how far the training is, from 0 to 1: ReCU's clamps tighten with it."""
    for _, layer in binary_layers(model):
        layer.begin_epoch(progress)


def after_update(model: nn.Module) -> None:
    """Call after `optimizer.step()`: BNN, XNOR-Net and Bi-Real clip their latent weights to [-1, 1]."""
    for _, layer in binary_layers(model):
        layer.after_update()
