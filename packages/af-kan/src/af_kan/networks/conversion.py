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
    `nn.Sequential` by the identity. Subclasses of `nn.Linear`, such as the output of `nn.MultiheadAttention`, whose
    weights PyTorch uses without calling them, are left alone.

    Args:
        module: A model, whose modules are replaced; or a linear layer, which stays as it is.
        config: The layers' settings.
        predicate: Whether to replace a layer, by its qualified name, such as `classifier.1`, and the layer; all if not
            given.
        drop_activations: Replace activation functions behind the new layers by the identity.
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
    for parent in list(module.modules()):
        _replace_in(parent, made, drop_activations=drop_activations)
    return module


def _like(old: nn.Linear, config: LayerConfig | None, *, fused: bool, **settings: Any) -> AFKANLinear:  # noqa: ANN401
    new = AFKANLinear(old.in_features, old.out_features, config, fused=fused, **settings)
    return new.to(old.weight.device, old.weight.dtype).train(old.training)


def _replace_in(parent: nn.Module, made: dict[int, AFKANLinear], *, drop_activations: bool) -> None:
    children = list(parent._modules.items())
    for i, (name, child) in enumerate(children):
        if id(child) not in made:
            continue
        setattr(parent, name, made[id(child)])
        follower = children[i + 1] if i + 1 < len(children) else None
        if drop_activations and isinstance(parent, nn.Sequential) and follower and isinstance(follower[1], ACTIVATIONS):
            setattr(parent, follower[0], nn.Identity())
