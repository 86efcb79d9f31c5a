"""AF-KAN layers in place of the linear ones of any model."""

from collections.abc import Callable
from typing import Any

from torch import nn

from af_kan.configs import LayerConfig
from af_kan.layers.linear import AFKANLinear

ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardswish,
)
"""Modules that an AF-KAN layer makes superfluous behind it."""


def replace_linear(
    module: nn.Module,
    config: LayerConfig | None = None,
    *,
    predicate: Callable[[str, nn.Linear], bool] | None = None,
    drop_activations: bool = False,
    fused: bool = True,
    **settings: Any,  # noqa: ANN401 - of several types
) -> nn.Module:
    """Put a new AF-KAN layer in the place of each `nn.Linear`, in place.

    The new layers have the widths, the device and the type of the old ones, weights drawn anew, and no bias: train the
    model afterwards. What stands around them stays. An activation function behind a replaced layer still acts on its
    output, which the next AF-KAN layer does not need; `drop_activations` replaces those that directly follow in an
    `nn.Sequential` by the identity, unless nothing comes after them: a sigmoid at the end gives outputs their range.
    Subclasses of `nn.Linear`, such as the output of `nn.MultiheadAttention`, whose weights PyTorch uses without calling
    them, are left alone.

    Args:
        module: A model, whose modules are replaced; or a linear layer, which stays as it is.
        config: The layers' settings.
        predicate: Whether to replace a layer, by its qualified name, such as `classifier.1`, and the layer; all if not
            given.
        drop_activations: Replace activation functions between the new layers and what comes after them, in an
            `nn.Sequential`, by the identity.
        fused: As for `AFKANLinear`.
        settings: Fields of `LayerConfig`, in place of those of `config`.

    Returns:
        The model itself; for a single linear layer, the new one.

    Raises:
        ValueError: if there is nothing to replace, a setting is out of its range, or a layer of one feature would be
            normalized to a constant.
    """
    found = [(name, one) for name, one in module.named_modules() if type(one) is nn.Linear]
    wanted = {name: one for name, one in found if predicate is None or predicate(name, one)}
    if not wanted:
        told = ", ".join(name for name, _ in found[:5])
        raise ValueError(
            f"the predicate is true of none of the linear layers {told}"
            if found
            else "there is no nn.Linear to replace"
        )
    # One layer that occurs at several places stays one.
    made = {id(one): _like(one, config, fused=fused, **settings) for one in wanted.values()}
    if "" in wanted:
        return made[id(module)]
    followed = _followed(module)
    for parent in list(module.modules()):
        _replace_in(parent, made)
        if drop_activations and isinstance(parent, nn.Sequential):
            _drop_activations(parent, set(map(id, made.values())), is_followed=id(parent) in followed)
    return module


def _like(old: nn.Linear, config: LayerConfig | None, *, fused: bool, **settings: Any) -> AFKANLinear:  # noqa: ANN401
    new = AFKANLinear(old.in_features, old.out_features, config, fused=fused, **settings)
    return new.to(old.weight.device, old.weight.dtype).train(old.training)


def _followed(module: nn.Module) -> set[int]:
    """The `nn.Sequential`s in others after which another module comes."""
    followed: set[int] = set()
    for parent in module.modules():  # from the outside to the inside
        if isinstance(parent, nn.Sequential):
            children = list(parent)
            followed |= {id(one) for one in (children if id(parent) in followed else children[:-1])}
    return followed


def _replace_in(parent: nn.Module, made: dict[int, AFKANLinear]) -> None:
    for name, child in list(parent._modules.items()):
        if id(child) in made:
            setattr(parent, name, made[id(child)])


def _drop_activations(parent: nn.Sequential, new: set[int], *, is_followed: bool) -> None:
    """Put the identity in place of activation functions behind new layers, if something comes after them."""
    children = list(parent)
    for i in range(1, len(children) if is_followed else len(children) - 1):
        if id(children[i - 1]) in new and isinstance(children[i], ACTIVATIONS):
            parent[i] = nn.Identity()
