"""Learning tasks in sequence with HLOP layers, in a training loop of your own."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import index
from typing import Any

import torch
from torch import Tensor, nn

from .configs import Feedback
from .layers import HLOPConv2d, HLOPLayer, HLOPLinear
from .subspace import HebbianSubspace

Dims = int | float | Sequence[int]
"""Dimensions to add for a task: a number per layer, one number for all layers, or a share of each layer's width."""


def wrap(
    model: nn.Module,
    layers: Sequence[str] | None = None,
    *,
    feedback: Feedback = "bp",
    rate: Callable[[Tensor], Tensor] | None = None,
    trace: Callable[[], nn.Module] | None = None,
    timesteps: int | None = None,
    **subspace: Any,  # noqa: ANN401 - options of HebbianSubspace
) -> nn.Module:
    """Replace the `nn.Linear` and `nn.Conv2d` inside a model by HLOP layers, in place, keeping their parameters.

    Args:
        model: Any model; it is changed.
        layers: Names of the modules to replace, as in `model.named_modules()`; all linear and convolutional ones if not
            given.
        feedback: How errors reach the layer below: `bp`, `fa` or `sign`.
        rate: What subspaces learn from activity over time.
        trace: What makes the trace that stands for the activity in gradients.
        timesteps: Steps in activity that the model keeps flattened over time.
        subspace: Options of `HebbianSubspace`: `lr`, `iterations`, `spiking`, ...

    Returns:
        The model; if it is itself such a layer, what replaces it.

    Raises:
        ValueError: if a name is not a linear or convolutional module of the model, or a convolution is grouped.
    """
    candidates = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, (nn.Linear, nn.Conv2d))
        # nn.MultiheadAttention reads the weight of this one without calling it.
        and not isinstance(module, (HLOPLayer, nn.modules.linear.NonDynamicallyQuantizableLinear))
    }
    names = list(candidates) if layers is None else list(layers)
    for name in names:
        if name not in candidates:
            known = ", ".join(candidates)
            raise ValueError(f"'{name}' is not a linear or convolutional module of the model; these are: {known}")
        if _is_parametrized(candidates[name]):
            raise ValueError(
                f"'{name}' has a parametrized weight, which cannot be projected; remove the parametrization"
            )
    options = {"feedback": feedback, "rate": rate, "timesteps": timesteps}
    swapped = {
        old: _swap(old, subspace, trace=trace() if trace else None, **options)
        for old in dict.fromkeys(candidates[name] for name in names)
    }
    for name in names:
        if not name:
            return swapped[candidates[name]]
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, swapped[candidates[name]])
    return model


def _is_parametrized(module: nn.Module) -> bool:
    return nn.utils.parametrize.is_parametrized(module, "weight")


def _swap(module: nn.Module, subspace: dict[str, Any], **options: Any) -> nn.Module:  # noqa: ANN401 - of the layers
    """The HLOP layer with a layer's parameters."""
    has_bias = module.bias is not None
    hebbian = HebbianSubspace(module.weight[0].numel(), **subspace)  # type: ignore[index]
    if isinstance(module, nn.Linear):
        layer: nn.Module = HLOPLinear(module.in_features, module.out_features, has_bias, subspace=hebbian, **options)
    else:
        assert isinstance(module, nn.Conv2d)  # noqa: S101 - for the type checker
        options["project"] = "weight" if hebbian.spiking is None else "input"
        layer = HLOPConv2d(
            module.in_channels,
            module.out_channels,
            module.kernel_size,  # type: ignore[arg-type]
            module.stride,  # type: ignore[arg-type]
            module.padding,  # type: ignore[arg-type]
            module.dilation,  # type: ignore[arg-type]
            module.groups,
            has_bias,
            padding_mode=module.padding_mode,
            subspace=hebbian,
            **options,
        )
    layer.register_parameter("weight", module.weight)  # type: ignore[arg-type]
    layer.register_parameter("bias", module.bias)  # type: ignore[arg-type]
    return layer.to(module.weight.device, module.weight.dtype).train(module.training)


def freeze_all_but_matrices(model: nn.Module) -> None:
    """Freeze everything but weight matrices: other parameters, and the statistics of normalisation layers."""
    for parameter in model.parameters():
        if parameter.ndim <= 1:
            parameter.requires_grad = False
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            # model.train() would wake it up again
            module.register_forward_pre_hook(_sleep)


def _sleep(module: nn.Module, _: Any) -> None:  # noqa: ANN401 - the inputs
    module.eval()


class ContinualLearner:
    """Prepares a model's HLOP layers for each task, and fixes what they learned after it.

    `begin_task` adds dimensions to the subspaces and lets them learn; from the second task on, it also projects
    gradients and freezes what is not a weight matrix (biases, thresholds, normalisation), as the paper does. `end_task`
    fixes what was learned.

    Args:
        model: A model with HLOP layers, taken in the order of `model.modules()`.

    Raises:
        ValueError: if the model has no HLOP layer.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.layers = [module for module in model.modules() if isinstance(module, HLOPLayer)]
        if not self.layers:
            raise ValueError("the model has no HLOP layer; build it of HLOPLinear and HLOPConv2d, or wrap() it")
        self.n_tasks = 0
        self._in_task = False

    def begin_task(self, dims: Dims, generator: torch.Generator | None = None) -> None:
        """Begin a task with new dimensions for each layer's subspace.

        Raises:
            ValueError: if the last task was not ended, the list does not have one number per layer, or a subspace would
                have more dimensions than its layer has inputs; nothing is changed then.
        """
        if self._in_task:
            raise ValueError("a task is going on; call end_task() before the next begin_task()")
        wanted = self.dims_of(dims)
        for layer, k in zip(self.layers, wanted, strict=True):
            if not 0 <= k <= layer.subspace.n_features - layer.subspace.dim:
                layer.subspace.grow(k)  # says what is wrong
        for layer, k in zip(self.layers, wanted, strict=True):
            layer.subspace.grow(k, generator)
            layer.is_learning, layer.is_projecting = True, self.n_tasks > 0
        if self.n_tasks == 1:
            freeze_all_but_matrices(self.model)
        self._in_task = True

    def dims_of(self, dims: Dims) -> list[int]:
        """The dimensions for each layer, from a list, one number, or a share.

        Raises:
            ValueError: if a list does not have one number per layer, or a share is not between 0 and 1.
        """
        if isinstance(dims, float):
            if not 0 < dims <= 1:
                raise ValueError(f"a share of each layer's width must be above 0 and at most 1, not {dims}")
            return [round(dims * layer.subspace.n_features) for layer in self.layers]
        try:
            wanted = [index(dims)] * len(self.layers) if not isinstance(dims, Sequence) else [index(k) for k in dims]
        except TypeError:
            raise ValueError(f"dimensions are a whole number, one for each layer, or a share, not {dims}") from None
        if len(wanted) != len(self.layers):
            raise ValueError(
                f"the model has {len(self.layers)} HLOP layers, but {len(wanted)} numbers of dimensions were given"
            )
        return wanted

    def end_task(self, *, orthonormalize: bool = False) -> None:
        """End the task: the subspaces stop learning and are fixed.

        Args:
            orthonormalize: Make their rows exactly orthonormal.

        Raises:
            ValueError: if no task was begun.
        """
        if not self._in_task:
            raise ValueError("no task is going on; call begin_task() before end_task()")
        for layer in self.layers:
            layer.subspace.merge(orthonormalize=orthonormalize)
            layer.is_learning = False
        self.n_tasks += 1
        self._in_task = False

    def resume(self, n_tasks: int) -> None:
        """Continue after this many tasks, with a model whose state was loaded."""
        self.n_tasks = n_tasks
        if n_tasks > 1:
            freeze_all_but_matrices(self.model)

    @contextmanager
    def not_learning(self) -> Iterator[None]:
        """Pause the learning of the subspaces, as in the first epochs of a task."""
        before = [layer.is_learning for layer in self.layers]
        for layer in self.layers:
            layer.is_learning = False
        try:
            yield
        finally:
            for layer, was in zip(self.layers, before, strict=True):
                layer.is_learning = was

    def trainable_parameters(self) -> list[nn.Parameter]:
        """The parameters to optimise in the present task."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def guard(self, optimizer: torch.optim.Optimizer, *, project_update: bool = False) -> None:
        """See that an optimiser's steps stay orthogonal to earlier tasks.

        Those of SGD do, with or without momentum, if there is a new optimiser for each task. Others rescale each entry
        of the gradient, and weight decay shrinks what earlier tasks need: both leave the orthogonal space.

        Args:
            optimizer: The optimiser of the present task.
            project_update: Project the change of the weights after every step, which allows any optimiser.

        Raises:
            ValueError: for weight decay without `project_update`.

        Warns:
            UserWarning: for an optimiser other than SGD without `project_update`.
        """
        if project_update:
            optimizer.register_step_pre_hook(lambda *_: self._remember())
            optimizer.register_step_post_hook(lambda *_: self._project_change())
            return
        if any(group.get("weight_decay", 0) for group in optimizer.param_groups):
            raise ValueError(
                "weight decay shrinks the weights that earlier tasks need; set it to 0, or project_update=True"
            )
        if not isinstance(optimizer, torch.optim.SGD):
            name = type(optimizer).__name__
            warnings.warn(
                f"{name} rescales gradients by entry, which undoes their projection; use SGD, or project_update=True",
                stacklevel=2,
            )

    def _remember(self) -> None:
        self._before = [layer.weight.detach().clone() for layer in self.layers]

    @torch.no_grad()
    def _project_change(self) -> None:
        for layer, before in zip(self.layers, self._before, strict=True):
            if layer.is_projecting:
                basis = layer.subspace.fixed
                change = (layer.weight - before).flatten(1)
                layer.weight.copy_(before + (change - change @ basis.T @ basis).reshape(before.shape))
