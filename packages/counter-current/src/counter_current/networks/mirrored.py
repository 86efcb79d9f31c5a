"""A dual network from a user's own `nn.Sequential`: the feedback mirrors each of its layers."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .dual import CounterCurrentNetwork, flattened
from .layers import CounterCurrentLayer

WEIGHTED = (nn.Linear, nn.Conv2d)
"""Modules that begin a layer of the dual network."""
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
DROPOUTS = (nn.modules.dropout._DropoutNd,)

Shape = tuple[int, ...]


@dataclass
class _Part:
    """A module of the model, with the shapes that it takes and gives."""

    module: nn.Module
    below: Shape
    above: Shape


@dataclass
class _Group:
    """The modules that become one layer: what reshapes before the weights, the weights, and what follows them."""

    parts: list[_Part] = field(default_factory=list)

    @property
    def elementwise(self) -> list[nn.Module]:
        """Fresh copies of the normalization and activation functions, for the feedback that arrives above."""
        first = next(i for i, part in enumerate(self.parts) if isinstance(part.module, WEIGHTED))
        return [_fresh(part.module) for part in self.parts[first:] if _is_elementwise(part)]


def counter_current(
    model: nn.Sequential, n_classes: int | None, sample_shape: Sequence[int] | None = None, *, standardize: bool = False
) -> CounterCurrentNetwork:
    """A dual network whose forward network is a model of your own.

    Each `nn.Linear` and `nn.Conv2d` begins a layer. Its feedback is a linear map or convolution of the opposite shape,
    with a bias if it has one, after an enlargement to the size of its input where the map has become smaller, and
    followed by the normalization and the activation function that produced the signal below. Dropout has no feedback.
    The modules of the model are taken over, not copied: training the network trains the model.

    Args:
        model: Made of linear maps, convolutions, pooling, flattening, normalization, dropout, and modules without
            weights that keep the shape, such as activation functions.
        n_classes: Number of classes; None for an autoencoder.
        sample_shape: Shape of a sample; needed where the model does not begin with a linear map.
        standardize: Begin with a `Standardize`, which a trainer fits to the training samples.

    Raises:
        ValueError: if the model has no weights, or a module that has no mirror; pair that one with a
            `CounterCurrentLayer` of your own.
    """
    modules = list(flattened(model))
    if sample_shape is None:
        if not modules or not isinstance(modules[0], nn.Linear):
            raise ValueError("give the shape of a sample: it cannot be seen from the first layer")
        sample_shape = (modules[0].in_features,)
    groups = _groups(_traced(modules, tuple(sample_shape)))
    layers = [
        CounterCurrentLayer(
            nn.Sequential(*(part.module for part in group.parts)),
            nn.Sequential(*_feedback(group), *(below.elementwise if below else [])),
        )
        for below, group in zip([None, *groups], groups, strict=False)
    ]
    return CounterCurrentNetwork(layers, n_classes, sample_shape, standardize=standardize)


@torch.no_grad()
def _traced(modules: Sequence[nn.Module], shape: Shape) -> list[_Part]:
    """Each module with its shapes, by a trial."""
    parts = []
    weight = next((p for m in modules for p in m.parameters() if not nn.parameter.is_lazy(p)), torch.zeros(1))
    x: Tensor = torch.zeros(2, *shape, device=weight.device, dtype=weight.dtype)
    for number, module in enumerate(modules):
        was_training = module.training
        try:
            y = module.eval()(x)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(
                f"module {number} ({type(module).__name__}) does not take samples {tuple(x.shape[1:])}: {reason}"
            ) from None
        finally:
            module.train(was_training)
        if not isinstance(y, Tensor):
            raise ValueError(
                f"module {number} ({type(module).__name__}) gives no tensor; pair it with a CounterCurrentLayer"
            )
        parts.append(_Part(module, tuple(x.shape[1:]), tuple(y.shape[1:])))
        x = y
    return parts


def _groups(parts: Sequence[_Part]) -> list[_Group]:
    """The modules layer by layer; flattening belongs to the linear map that needs it."""
    groups: list[_Group] = []
    waiting: list[_Part] = []
    for part in parts:
        if isinstance(part.module, WEIGHTED):
            groups.append(_Group([*waiting, part]))
            waiting = []
        elif (
            not groups
            or isinstance(part.module, (nn.Flatten, nn.Unflatten))
            or (waiting and isinstance(part.module, DROPOUTS))
        ):
            waiting.append(part)
        elif waiting:
            groups[-1].parts += [*waiting, part]
            waiting = []
        else:
            groups[-1].parts.append(part)
    if not groups:
        names = ", ".join(dict.fromkeys(type(part.module).__name__ for part in parts)) or "nothing"
        raise ValueError(f"the model has no linear map and no convolution in an nn.Sequential, only {names}")
    groups[-1].parts += waiting
    return groups


def _feedback(group: _Group) -> list[nn.Module]:
    """The mirrors of what changes the shape, from above to below."""
    return [mirror for part in reversed(group.parts) for mirror in _mirror(part)]


def _mirror(part: _Part) -> list[nn.Module]:
    module, below = part.module, part.below
    if isinstance(module, nn.Linear):
        return [nn.Linear(module.out_features, module.in_features, bias=module.bias is not None).to(module.weight)]
    if isinstance(module, nn.Conv2d):
        if any(size % 2 == 0 for size in module.kernel_size):
            raise ValueError(f"the convolution {module} has an even kernel; pair it with a CounterCurrentLayer")
        back = nn.Conv2d(
            module.out_channels,
            module.in_channels,
            module.kernel_size,  # type: ignore[arg-type] # of two sizes
            padding="same",
            dilation=module.dilation,  # type: ignore[arg-type] # of two sizes
            groups=module.groups,
            bias=module.bias is not None,
        ).to(module.weight)
        return [*_resized(part), back]
    if isinstance(module, (*POOLS, nn.Upsample)):
        return _resized(part)
    if isinstance(module, (nn.Flatten, nn.Unflatten)):
        return [_reshaped(below, part.above)]
    if isinstance(module, (*NORMS, *DROPOUTS)) or _is_elementwise(part):
        return []
    raise ValueError(f"{type(module).__name__} has no mirror; pair it with a CounterCurrentLayer of your own")


def _resized(part: _Part) -> list[nn.Module]:
    """From the map above to the size of the one below: repeated, or averaged where the module has enlarged it."""
    (height, width), (old_height, old_width) = part.below[-2:], part.above[-2:]
    if (height, width) == (old_height, old_width):
        return []
    if isinstance(part.module, nn.Upsample):
        return [nn.AdaptiveAvgPool2d((height, width))]
    return [nn.Upsample(size=(height, width))]


def _reshaped(below: Shape, above: Shape) -> nn.Module:
    if len(above) == 1:
        return nn.Unflatten(1, below)
    return nn.Sequential(nn.Flatten(), nn.Unflatten(1, below)) if len(below) > 1 else nn.Flatten()


def _is_elementwise(part: _Part) -> bool:
    """Whether a module keeps the shape, and mixes the features of a sample with no weights of its own."""
    module = part.module
    if isinstance(module, (*WEIGHTED, *DROPOUTS, *POOLS, nn.Flatten, nn.Unflatten, nn.Upsample)):
        return False
    keeps = part.below == part.above
    return keeps and (isinstance(module, NORMS) or not any(True for _ in module.parameters()))


def _fresh(module: nn.Module) -> nn.Module:
    """A copy as it was made."""
    copy = deepcopy(module)
    reset = getattr(copy, "reset_parameters", None)
    if callable(reset):
        reset()
    return copy
