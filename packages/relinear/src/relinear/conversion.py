"""Conventional networks made quadratic, and what is conventional of quadratic ones."""

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from separata.conversion import Conversion, Targets, convert

from .configs import Form, Init
from .convolution import QuadraticConv1d, QuadraticConv2d, QuadraticConv3d
from .layer import QuadraticLayer, required_layers
from .linear import QuadraticLinear

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
CONVOLUTIONS: dict[
    type[nn.Conv1d | nn.Conv2d | nn.Conv3d], type[QuadraticConv1d | QuadraticConv2d | QuadraticConv3d]
] = {nn.Conv1d: QuadraticConv1d, nn.Conv2d: QuadraticConv2d, nn.Conv3d: QuadraticConv3d}


def quadratize(
    model: nn.Module,
    form: Form = "full",
    init: Init = "relinear",
    *,
    targets: Targets = "*",
    skip: str | tuple[str, ...] = (),
    bias: bool | None = None,
) -> Conversion:
    """Put quadratic layers in the place of a network's dense layers and convolutions.

    With `init="relinear"`, the network computes the same as before, whether it was trained or not: all that is new is
    at its reference. Parameters of frozen layers stay frozen. Make the optimizer afterwards, with `param_groups`.

    Args:
        model: Any network; changed in place. Where it is itself a layer, the new one is `model` of the result.
        form: `full`, or `compact` without the gating map.
        init: `random` draws the quadratic parameters, and so changes what the network computes.
        targets: Globs over the dotted names of layers, or a function of name and module.
        skip: Globs of those that stay conventional; `("first", "last")`, as in the paper's residual networks, are the
            first and the last layer.
        bias: Give b_r and b_b to all layers, or to none; by default to those that have a bias.

    Returns:
        The network, what was converted, and what was left alone and why.

    Raises:
        ValueError: if there is nothing to convert, a glob matches nothing, or form or init are unknown.
    """

    def make(name: str, module: nn.Module) -> QuadraticLayer:
        del name
        for kind, quadratic in CONVOLUTIONS.items():
            if isinstance(module, kind):
                return quadratic.from_conv(module, form, init, bias)
        assert isinstance(module, nn.Linear)  # noqa: S101 - the last of the kinds
        return QuadraticLinear.from_linear(module, form, init, bias)

    return convert(model, make, KINDS, targets=targets, skip=skip, opaque=(QuadraticLayer,))


def conventional_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of the conventional network that a quadratic one is around: W_r and b_r, and all that is not quadratic.

    It is what the network was converted from, until it is trained; the quadratic terms are left out of it. The network
    of this state computes the same only where these are at their reference (`quadratic_energy` is 0).

    Args:
        model: A network with quadratic layers.

    Raises:
        ValueError: if it has none.
    """
    required_layers(model)
    names, state = _all_names(model), dict[str, Tensor]()
    for key, value in model.state_dict().items():
        name, _, last = key.rpartition(".")
        if name not in names:
            state[key] = value
        elif last in ("weight_r", "bias_r"):
            state[_key(name, last.removesuffix("_r"))] = value
    return state


def load_conventional(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Give a quadratic network the state of the conventional one of its structure, whose outputs it then has.

    Args:
        model: A network with quadratic layers, as `quadratize` makes it of the conventional one.
        state: The `state_dict` of the latter.

    Raises:
        ValueError: if the network has no quadratic layer, or the state is not that of its structure; then nothing is
            changed.
    """
    layers = required_layers(model)
    names = _all_names(model)
    found = copy.deepcopy(model.state_dict())
    expected = {key: key for key in found if key.rpartition(".")[0] not in names}
    for name, layer in names.items():
        expected |= {_key(name, "weight"): _key(name, "weight_r")}
        if layer.bias_r is not None:
            expected[_key(name, "bias")] = _key(name, "bias_r")
    # A layer that was given biases in the conversion had none before.
    optional = {_key(name, "bias") for name in names}
    missing = [key for key in expected if key not in state and key not in optional]
    unknown = [key for key in state if key not in expected]
    if missing or unknown:
        told = [f"{what} {', '.join(keys[:3])}" for what, keys in (("lacks", missing), ("also has", unknown)) if keys]
        raise ValueError(
            f"the state is not that of the conventional network of this structure: it {' and '.join(told)}"
        )
    for key, target in expected.items():
        value = state.get(key)
        if isinstance(value, Tensor) and value.shape != found[target].shape:
            shapes = f"{tuple(value.shape)} instead of {tuple(found[target].shape)}"
            raise ValueError(f"the state is not that of the conventional network of this structure: {key} is {shapes}")
        found[target] = found[target].zero_() if value is None else value
    model.load_state_dict(found)
    for layer in layers.values():
        layer.reset_quadratic()


def _all_names(model: nn.Module) -> dict[str, QuadraticLayer]:
    """The layers by each of their names: one that stands at several places has several."""
    return {name: one for name, one in model.named_modules(remove_duplicate=False) if isinstance(one, QuadraticLayer)}


def _key(name: str, last: str) -> str:
    return f"{name}.{last}" if name else last
