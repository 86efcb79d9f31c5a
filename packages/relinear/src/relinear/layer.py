"""What quadratic layers have in common: their parameters, how these begin, and what is loaded into them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from .configs import Form, Init
from .neuron import Weights

REFERENCE = {"weight_g": 0.0, "bias_g": 1.0, "weight_b": 0.0, "bias_b": 0.0}
"""Values of the quadratic parameters at which a layer is the conventional one of weight_r and bias_r."""
GATING, POWER = ("weight_g", "bias_g"), ("weight_b", "bias_b")


class QuadraticLayer(nn.Module):
    """Parameters of quadratic neurons, all of one form; `QuadraticLinear` and `QuadraticConv2d` are what to use.

    Args:
        shape: Shape of each of the weights, outputs first.
        bias: Whether the regular map and the power term have biases. The gating map always has one, since its
            reference is 1.
        form: `compact` neurons lack the gating map.
        init: `relinear` begins with a conventional layer as `nn.Linear` does, `random` draws all parameters.
        device: Where the parameters are.
        dtype: Their type.

    Raises:
        ValueError: if form or init are others than these.
    """

    weight_r: nn.Parameter
    weight_g: nn.Parameter | None
    weight_b: nn.Parameter
    bias_r: nn.Parameter | None
    bias_g: nn.Parameter | None
    bias_b: nn.Parameter | None

    def __init__(
        self,
        shape: Sequence[int],
        *,
        bias: bool,
        form: Form,
        init: Init,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        for name, value, known in (("form", form, get_args(Form)), ("init", init, get_args(Init))):
            if value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, not {value!r}")
        self.form, self.init = form, init
        sizes = {"weight": tuple(shape), "bias": (shape[0],)}
        absent = {"weight_g", "bias_g"} if form == "compact" else set()
        absent |= set() if bias else {"bias_r", "bias_b"}
        for name in Weights._fields:
            empty = torch.empty(sizes[name.partition("_")[0]], device=device, dtype=dtype)
            self.register_parameter(name, None if name in absent else nn.Parameter(empty))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin anew: with `relinear` as `nn.Linear` does, with `random` as He et al. (2015) for all three maps."""
        if self.init == "random":
            self._draw("r")
        else:
            nn.init.kaiming_uniform_(self.weight_r, a=math.sqrt(5))
            self._draw_bias(self.bias_r)
        self.reset_quadratic(self.init)

    def reset_quadratic(self, init: Init = "relinear") -> None:
        """Begin anew with the quadratic parameters alone, so that with `relinear` the layer is conventional."""
        if init == "random":
            self._draw("g")
            self._draw("b")
            return
        with torch.no_grad():
            for name, parameter in self.quadratic_parameters():
                parameter.fill_(REFERENCE[name])

    def _draw(self, kind: str) -> None:
        weight = getattr(self, f"weight_{kind}")
        if weight is not None:
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            self._draw_bias(getattr(self, f"bias_{kind}"))

    def _draw_bias(self, bias: Tensor | None) -> None:
        if bias is not None:
            bound = 1 / math.sqrt(self.weight_r[0].numel())
            nn.init.uniform_(bias, -bound, bound)

    @property
    def weights(self) -> Weights:
        """The parameters as `relinear.neuron` takes them."""
        return Weights(*(getattr(self, name) for name in Weights._fields))

    def quadratic_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of the gating map and the power term."""
        yield from ((name, one) for name, one in self._parameters.items() if name in REFERENCE and one is not None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as of nn.Module
        """Tell what reads the weight of a conventional layer that there is none."""
        if name in ("weight", "bias") and "_parameters" in self.__dict__:
            raise AttributeError(
                f"a quadratic layer has no {name}, but {name}_r, {name}_g and {name}_b; where a network reads the "
                f"{name} of this layer itself, name the layer in the skip of quadratize"
            )
        return super().__getattr__(name)

    @torch.no_grad()
    def copy_conventional(self, weight: Tensor, bias: Tensor | None) -> None:
        """Become the conventional layer of these parameters."""
        self.weight_r.copy_(weight)
        if self.bias_r is not None:
            self.bias_r.copy_(torch.zeros_like(self.bias_r) if bias is None else bias)
        self.reset_quadratic()

    def _take_over(self, layer: nn.Module, init: Init) -> None:
        """Begin as a conventional layer, frozen if that is, and in its mode."""
        weight, bias = layer.get_parameter("weight"), layer._parameters["bias"]
        self.copy_conventional(weight, bias)
        if init == "random":
            self.reset_quadratic(init)
        for parameter in self.parameters():
            parameter.requires_grad_(weight.requires_grad)
        if bias is not None and self.bias_r is not None:
            self.bias_r.requires_grad_(bias.requires_grad)
        self.train(layer.training)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """Refuse the state of a conventional layer, of which nothing would be loaded, in a sentence that says so."""
        if prefix + "weight" in state_dict and prefix + "weight_r" not in state_dict:
            held = [prefix + name for name in ("weight", "bias") if prefix + name in state_dict]
            missing = [prefix + name for name, one in self._parameters.items() if one is not None]
            errors: list[str] = rest[-1]
            errors.append(
                f"the layer {prefix.rstrip('.') or 'itself'} is quadratic, but the state holds a conventional one "
                f"({', '.join(held)}) and lacks {', '.join(missing)}; load it into the conventional network before "
                "quadratize, or with load_conventional"
            )
            return
        super()._load_from_state_dict(state_dict, prefix, *rest)


def quadratic_layers(model: nn.Module) -> dict[str, QuadraticLayer]:
    """The quadratic layers of a network by their names, each once."""
    return {name: module for name, module in model.named_modules() if isinstance(module, QuadraticLayer)}


def required_layers(model: nn.Module) -> dict[str, QuadraticLayer]:
    """The same of a network that must have some.

    Raises:
        ValueError: if it has none.
    """
    found = quadratic_layers(model)
    if not found:
        raise ValueError("the network has no quadratic layer; convert its layers with quadratize first")
    return found
