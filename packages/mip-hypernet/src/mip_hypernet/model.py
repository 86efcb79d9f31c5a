"""Any module as a hypernetwork's primary network: predicted weights in, plain PyTorch out."""

import copy
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils import _pytree as pytree

from .encoding import Encoding
from .hypernetwork import HyperNetwork, Input, Shapes
from .selection import Patterns, find_parameters, tied_names

Parametrization = Literal["mip", "default", "encoding", "residual", "l1"]
PARAMETRIZATIONS: dict[Parametrization, tuple[Encoding | None, bool]] = {
    "mip": ("l2", True),
    "default": (None, False),
    "encoding": ("l2", False),
    "residual": (None, True),
    "l1": ("l1", True),
}
"""Encoding of the input, and whether there are independent weights."""


class HyperModel(nn.Module):
    """A network whose weights, or some of them, depend on inputs of their own.

    `hypernetize` makes one. Its parameters are those of the hypernetwork and what of the network is not predicted;
    buffers are the network's. Train it like any module.

    Args:
        hypernet: Predicts tensors by the names of the network's parameters.
        module: The network; copied, so that it stays as it is.

    Raises:
        ValueError: if the network cannot be copied, lacks a parameter that is predicted, or has it in another shape;
            or if the inputs have names that its `forward` takes.
    """

    def __init__(self, hypernet: HyperNetwork, module: nn.Module) -> None:
        super().__init__()
        if taken := [name for name in hypernet.input_shapes if name in inspect.signature(module.forward).parameters]:
            raise ValueError(f"the network itself takes {taken[0]}; give the hypernetwork's input another name")
        self.hypernet = hypernet
        try:
            self.module = copy.deepcopy(module)
        except RuntimeError as error:
            raise ValueError(f"the network cannot be copied: {error}") from None
        aliases = tied_names(self.module)
        self._aliases: dict[str, tuple[str, ...]] = {}
        own = dict(self.module.named_parameters())
        for name, shape in hypernet.output_shapes.items():
            if name not in own:
                raise ValueError(f"the network has no parameter {name}")
            if tuple(own[name].shape) != shape:
                raise ValueError(f"the parameter {name} has the shape {tuple(own[name].shape)}, not {shape}")
            self._aliases[name] = aliases[name]
        for names in self._aliases.values():
            _replace_by_placeholder(self.module, names)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the hypernetwork's inputs."""
        return tuple(self.hypernet.input_shapes)

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the network's own
        """The network's output, with the weights for one input that all samples share.

        Args:
            args: What the network takes.
            kwargs: The hypernetwork's inputs by name, numbers or tensors, and what else the network takes.

        Raises:
            ValueError: if an input is missing or wrong, or there are several of them, for which `batched` is.
        """
        conditions = {name: kwargs.pop(name) for name in self.inputs if name in kwargs}
        weights = self.predicted(**conditions)
        return self.call(weights, *args, **kwargs)

    def predicted(self, **inputs: Input) -> dict[str, Float[Tensor, "..."]]:
        """The predicted weights by name, in the network's precision; gradients flow to the hypernetwork.

        Raises:
            ValueError: if an input is missing or wrong.
        """
        weights = self.hypernet(**inputs)
        own = dict(self.module.named_buffers())
        return {name: value.to(own[name].dtype) for name, value in weights.items()}

    def call(self, weights: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """The network's output with weights that `predicted` gave.

        Raises:
            ValueError: if they are the weights of several networks.
        """
        for name, value in weights.items():
            if value.ndim != len(self.hypernet.output_shapes[name]):
                raise ValueError(
                    f"there are {len(value)} inputs of the hypernetwork; one is for all samples, and `batched` takes "
                    f"one for each"
                )
            break
        return functional_call(self.module, self._named(weights), args, kwargs, tie_weights=False)

    def batched(self, x: Float[Tensor, "batch *sample"], **inputs: Input) -> Any:  # noqa: ANN401
        """The network's output for samples that have an input of the hypernetwork each.

        All are computed at once, by `torch.vmap`. In training mode, dropout draws a mask for each sample.

        Args:
            x: The samples.
            inputs: The hypernetwork's inputs by name, with a first dimension of as many.

        Raises:
            ValueError: if there are not as many inputs as samples, or the network has BatchNorm in training mode, which
                normalizes over samples that have the same weights.
        """
        _refuse_batch_statistics(self.module)
        weights = self.predicted(**inputs)
        n = {
            len(value) if value.ndim > len(self.hypernet.output_shapes[name]) else 0 for name, value in weights.items()
        }
        if n != {len(x)}:
            raise ValueError(f"each of the {len(x)} samples needs an input of its own, but there are {n.pop() or 1}")

        def call(own: dict[str, Tensor], sample: Tensor) -> Any:  # noqa: ANN401
            output = functional_call(self.module, self._named(own), (sample[None],), tie_weights=False)
            return pytree.tree_map(lambda value: value[0], output)

        return vmap(call, randomness="different")(weights, x)

    def instantiate(self, **inputs: Input) -> nn.Module:
        """The network for one input: a plain module of its own, without the hypernetwork.

        It is of the network's class, in the mode that the network is in, and can be trained further, saved and
        exported. Tied parameters stay tied.

        Raises:
            ValueError: if an input is missing or wrong, or there are several.
        """
        with torch.no_grad():
            weights = self.predicted(**inputs)
        plain = copy.deepcopy(self.module)
        for name, value in weights.items():
            if value.shape != self.hypernet.output_shapes[name]:
                raise ValueError(f"a network is made for one input, not for {len(value)}")
            parameter = nn.Parameter(value.detach().clone())
            for alias in self._aliases[name]:
                owner, last = _owner(plain, alias)
                del owner._buffers[last]
                owner._non_persistent_buffers_set.discard(last)
                owner.register_parameter(last, parameter)
        return plain

    def _named(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Under every name of a tied parameter."""
        return {alias: value for name, value in weights.items() for alias in self._aliases[name]}


def hypernetize(
    model: nn.Module,
    patterns: Patterns = "*",
    inputs: Shapes | None = None,
    parametrization: Parametrization = "mip",
    *,
    types: type[nn.Module] | Sequence[type[nn.Module]] | None = None,
    **settings: Any,  # noqa: ANN401 - those of `HyperNetwork`
) -> HyperModel:
    """Make a network depend on inputs of its own, by a hypernetwork that predicts its parameters.

        model = hypernetize(ResNet(8), "stages.*", inputs={"gamma": (1,)})
        logits = model(images, gamma=0.3)

    With independent weights (MIP), training begins at the network's own: initial ones, or pretrained ones, which
    `delta=0` leaves exactly as they are.

    Args:
        model: The network; copied, so that it stays as it is.
        patterns: Parameters to predict: globs, or regular expressions as `"re:..."`, over their names. All by default.
        inputs: Shapes of the inputs by name; one number called gamma by default.
        parametrization: `mip`, `default` (neither encoding nor independent weights), `encoding` or `residual` (one of
            the two), or `l1` (MIP with the encoding [γ, 1 − γ]).
        types: Predict only parameters of modules of these types.
        settings: Further ones of the `HyperNetwork`: hidden_sizes, activation, normalization, heads, delta, ...

    Raises:
        ValueError: if a pattern matches nothing, a parameter cannot be predicted, or a setting is wrong.
    """
    if parametrization not in PARAMETRIZATIONS:
        raise ValueError(f"the parametrization must be {', '.join(PARAMETRIZATIONS)}, not {parametrization!r}")
    encoding, residual = PARAMETRIZATIONS[parametrization]
    found = find_parameters(model, patterns, types)
    if not found:
        raise ValueError("the network has no parameters to predict")
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    base = {name: value.detach() for name, value in found.items()}
    hypernet = HyperNetwork(
        {"gamma": (1,)} if inputs is None else inputs,
        shapes,
        encoding=encoding,
        residual=residual,
        base=base,
        **settings,
    )
    first = next(iter(found.values()))
    # At least single precision, whatever the network's: the weights of half a precision are too coarse to be trained.
    dtype = max((value.dtype for value in (*found.values(), torch.empty(0))), key=lambda one: one.itemsize)
    hypernet.to(first.device, dtype)
    if residual:
        hypernet.load_base(base)
    _warn_of_running_statistics(model)
    return HyperModel(hypernet, model).train(model.training)


def _replace_by_placeholder(module: nn.Module, names: Sequence[str]) -> None:
    """Take a parameter out of the network; what stands in its place makes every output NaN if it is ever used."""
    owner, last = _owner(module, names[0])
    placeholder = torch.full_like(owner.get_parameter(last).detach(), torch.nan)
    for name in names:
        owner, last = _owner(module, name)
        del owner._parameters[last]
        owner.register_buffer(last, placeholder, persistent=False)


def _owner(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    path, _, last = name.rpartition(".")
    return module.get_submodule(path), last


_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def _refuse_batch_statistics(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, _BATCH_NORMS) and part.training:
            raise ValueError(
                f"{name or 'the network'} is BatchNorm in training mode, which needs several samples of the same "
                f"weights; train with one input for all samples, or use LayerNorm or GroupNorm"
            )


def _warn_of_running_statistics(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, _BATCH_NORMS) and part.track_running_stats:
            warnings.warn(
                f"{name or 'the network'} is BatchNorm, whose running statistics mix those of all inputs of the "
                f"hypernetwork; LayerNorm, GroupNorm or track_running_stats=False is safer",
                stacklevel=3,
            )
            return
