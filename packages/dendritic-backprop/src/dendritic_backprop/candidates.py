"""The dendrite phase: all layers' candidates learn to correlate with the remaining errors of their neurons."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .correlation import patterns
from .scores import Layer, Recording, unused
from .wrapping import dendritic_modules

Batch = Sequence[Any]
"""What a loader gives: the arguments of the network, and last the target."""
Loss = Callable[[Any, Any], Tensor]
OptimizerFactory = Callable[[list[Any]], torch.optim.Optimizer]

MEMORY = 2 * 2**30
"""Bytes of inputs and errors that are kept at most, so that the network runs only once."""


class CorrelationTrainer:
    """Trains candidates of all wrapped modules at once, while the rest of the network is frozen.

    The network runs in evaluation mode, so that nothing of it moves, and its errors are a fixed function of the data.
    A first pass measures their mean and deviation and the signs of the covariances; each epoch then raises
    sign · covariance on batches. For each neuron, the weights of the epoch with the best score are kept.

        CorrelationTrainer(model, loss_fn, lambda groups: torch.optim.Adam(groups, 1e-3)).run(loader, 20)

    accepts them as new dendrites, and leaves the network trainable as it was. In a loop of one's own, `begin`, then for
    each batch `model(x)`, `loss.backward()` and `observe()`, after each pass `end_epoch()`, and `accept()` do the same.

    Args:
        model: A network from `add_dendrites`.
        loss_fn: Maps the network's output and the target to the mean loss; only `run` needs it.
        optimizer_factory: Makes the optimizer of the candidates, of a list of one parameter group.
        generator: Draws candidates and the order of batches; on the CPU.

    Attributes:
        history: After each pass the mean score of each layer, by name; that of the first pass is before training.
        correlations: After `accept`, the Pearson correlation of each new dendrite with the error of its neuron.
        initial_correlations: That of the first candidates before training.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss | None,
        optimizer_factory: OptimizerFactory,
        generator: torch.Generator | None = None,
    ) -> None:
        self.model, self.loss_fn, self.optimizer_factory = model, loss_fn, optimizer_factory
        self.generator = generator
        self.layers: list[Layer] = []
        self.history: list[dict[str, float]] = []
        self.correlations: dict[str, Tensor] = {}
        self.initial_correlations: dict[str, Tensor] = {}
        self._trainable: list[nn.Parameter] = []
        self._optimizer: torch.optim.Optimizer | None = None
        self._frozen = FrozenForward()
        self._hook: Any = None
        self._modes: dict[nn.Module, bool] = {}

    @property
    def is_measuring(self) -> bool:
        """Whether the pass that goes on is the first one, in which nothing is trained."""
        return not self.history

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the candidates.

        Raises:
            ValueError: outside of a dendrite phase.
        """
        if self._optimizer is None:
            raise ValueError("there are no candidates to train; call begin first")
        return self._optimizer

    def begin_at_forward(self) -> None:
        """Begin as soon as the network runs with gradients, if not before."""
        self._hook = self.model.register_forward_pre_hook(_Start(self), with_kwargs=True)

    def begin(self) -> None:
        """Freeze the network, and start candidates in every wrapped module."""
        if self._hook is not None:
            self._hook.remove()
        modules = dendritic_modules(self.model)
        self._modes = {module: module.training for module in self.model.modules()}
        self._trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        for parameter in self._trainable:
            parameter.requires_grad_(False)  # noqa: FBT003 - PyTorch's name for it
        self.layers, self.history = [], []
        self.correlations, self.initial_correlations = {}, {}
        for name, module in modules.items():
            module.start_candidates(generator=self.generator)
            self.layers.append(Layer(name or module.name, module))
        self._hook = self.model.register_forward_pre_hook(self._frozen, with_kwargs=True)
        parameters = [one for layer in self.layers for one in layer.module.candidate_parameters()]
        self._optimizer = self.optimizer_factory([{"params": parameters}])

    def observe(self, scale: float | None = None) -> None:
        """After the backward pass of a batch: count it and, except in the first pass, train the candidates on it.

        Args:
            scale: Factor on the errors, which makes them those of single samples. If not given, the length of the first
                tensor that the network took, as is right for the mean loss of a batch.

        Raises:
            ValueError: if no error reached a module.
        """
        factor = self._frozen.n_samples if scale is None else scale
        self._train_on([(layer, self._live(layer, factor)) for layer in self.layers], is_counted=True)

    def _live(self, layer: Layer, scale: float) -> list[tuple[Tensor, Tensor]]:
        """Candidates' outputs and errors of what was recorded since the last batch; several uses are more patterns."""
        found = []
        for trace in layer.module.traces:
            if trace.probe.grad is not None:
                error = patterns(trace.probe.grad * scale, layer.module.node_axis)
                found.append((layer.module.in_patterns(trace.values), error))
        layer.module.traces = []
        if not found:
            raise ValueError(unused(layer.name))
        return found

    def _train_on(self, seen: Sequence[tuple[Layer, list[tuple[Tensor, Tensor]]]], *, is_counted: bool) -> None:
        if is_counted:
            for layer, pairs in seen:
                for values, error in pairs:
                    layer.add(values, error)
        if self.is_measuring:
            return
        total = torch.stack([layer.objective(values, error) for layer, pairs in seen for values, error in pairs]).sum()
        self.optimizer.zero_grad()
        (-total).backward()
        self.optimizer.step()

    def end_epoch(self) -> float:
        """After a pass over the data: keep what became better, and give the mean score of all layers."""
        self.history.append({layer.name: layer.end_pass() for layer in self.layers})
        return sum(self.history[-1].values()) / len(self.layers)

    def accept(self) -> None:
        """End the phase: each neuron's best candidate becomes its newest dendrite, and the network can learn again."""
        for layer in self.layers:
            choice, pearson, regression = layer.choose()
            config = layer.module.config
            gain = config.gain_scale * regression if config.init_gain == "regression" else None
            layer.module.accept(choice, gain)
            self.correlations[layer.name] = pearson
            if layer.reference is not None:
                self.initial_correlations[layer.name] = layer.reference.pearson[0]
        self._end()

    def abandon(self) -> None:
        """End the phase without new dendrites."""
        for layer in self.layers:
            layer.module.discard()
        self._end()

    def _end(self) -> None:
        for parameter in self._trainable:
            parameter.requires_grad_(True)  # noqa: FBT003
        if self._hook is not None:
            self._hook.remove()
        for module, mode in self._modes.items():
            module.training = mode
        for layer in self.layers:
            layer.module.keeps_values = True
        self._hook, self._optimizer, self._modes, self._trainable, self.layers = None, None, {}, [], []

    # ---- over a loader

    def run(
        self,
        batches: Iterable[Batch],
        epochs: int,
        *,
        patience: int = 2,
        threshold: float = 1e-4,
        memory: int = MEMORY,
    ) -> list[dict[str, float]]:
        """A whole dendrite phase; afterwards each module has one dendrite more.

        A data set whose inputs and errors of all layers fit into `memory` goes through the network only once. With a
        single batch, this is the full-batch training of cascade correlation.

        Args:
            batches: A loader, or a list of batches; each has the arguments of the network, and last the target.
            epochs: Passes, at most.
            patience: Passes without a better score after which the phase ends; 0 for all of them.
            threshold: Relative improvement that counts.
            memory: Bytes.

        Returns:
            The scores by layer, before training and after each pass.

        Raises:
            ValueError: if there is no batch, no loss, or no error reached a module.
            FloatingPointError: if the errors are not finite; the network is then as it was before.
        """
        if self.loss_fn is None:
            raise ValueError("running over a loader needs a loss function")
        if not self.layers:
            self.begin()
        for layer in self.layers:
            layer.module.keeps_values = False
        try:
            kept = self._first_pass(batches, memory)
            best, waited = self.end_epoch(), 0
            for _ in range(epochs):
                self._pass(batches, kept, is_training=True)
                self._pass(batches, kept, is_training=False)
                score = self.end_epoch()
                best, waited = (score, 0) if score > best * (1 + threshold) else (best, waited + 1)
                if patience and waited >= patience:
                    break
        except BaseException:
            self.abandon()
            raise
        self.accept()
        return self.history

    def _first_pass(self, batches: Iterable[Batch], memory: int) -> list[list[list[Recording]]] | None:
        """Measure the errors; for each batch and layer what was recorded, unless that is too much."""
        self._set_mode(is_training=False)
        kept: list[list[list[Recording]]] | None = []
        size, n_batches = 0, 0
        for batch in batches:
            n_batches += 1
            recorded = self._through_network(batch)
            size += sum(one.n_bytes for of_layer in recorded for one in of_layer)
            kept = [*kept, recorded] if kept is not None and size <= memory else None
            with torch.no_grad():
                for layer, values, error in self._replay(recorded):
                    layer.add(values, error)
        if not n_batches:
            raise ValueError("there is no batch to train dendrites on")
        return kept

    def _pass(self, batches: Iterable[Batch], kept: list[list[list[Recording]]] | None, *, is_training: bool) -> None:
        self._set_mode(is_training=is_training)
        for recorded in self._recorded(batches, kept, shuffled=is_training):
            if is_training:
                by_layer = [(layer, [(values, error)]) for layer, values, error in self._replay(recorded)]
                self._train_on(by_layer, is_counted=False)
                continue
            with torch.no_grad():
                for layer, values, error in self._replay(recorded):
                    layer.add(values, error)

    def _recorded(
        self, batches: Iterable[Batch], kept: list[list[list[Recording]]] | None, *, shuffled: bool
    ) -> Iterator[list[list[Recording]]]:
        if kept is None:
            yield from (self._through_network(batch) for batch in batches)
            return
        order = torch.randperm(len(kept), generator=self.generator).tolist() if shuffled else range(len(kept))
        yield from (kept[index] for index in order)

    def _through_network(self, batch: Batch) -> list[list[Recording]]:
        """The errors of a batch, one for each use of each layer."""
        assert self.loss_fn is not None  # noqa: S101 - for the type checker
        *inputs, target = batch
        for layer in self.layers:
            layer.module.traces = []
        with torch.enable_grad():
            loss = self.loss_fn(self.model(*inputs), target)
        if not loss.requires_grad:
            raise ValueError(unused(self.layers[0].name))
        loss.backward()
        found = []
        for layer in self.layers:
            recorded = [
                Recording(trace.inputs, trace.older, patterns(trace.probe.grad * len(target), layer.module.node_axis))
                for trace in layer.module.traces
                if trace.probe.grad is not None
            ]
            layer.module.traces = []
            if not recorded:
                raise ValueError(unused(layer.name))
            found.append(recorded)
        return found

    def _replay(self, recorded: Sequence[Sequence[Recording]]) -> Iterator[tuple[Layer, Tensor, Tensor]]:
        """The candidates' outputs as they are now, and the errors."""
        for layer, uses in zip(self.layers, recorded, strict=True):
            for use in uses:
                yield layer, layer.module.in_patterns(layer.module.candidate_values(use.inputs, use.older)), use.error

    def _set_mode(self, *, is_training: bool) -> None:
        for layer in self.layers:
            if layer.module.candidates is not None:
                layer.module.candidates.train(is_training)


class CandidateOptimizer:
    """What `controller.optimizer` is in a dendrite phase: its step trains candidates by the errors of the batch.

    It has what a plain loop needs, `zero_grad`, `step` and `param_groups`, and takes neither closures nor gradient
    scalers.
    """

    def __init__(self, trainer: CorrelationTrainer) -> None:
        self.trainer = trainer

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimizer of the candidates."""
        return self.trainer.optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: ARG002 - as PyTorch's
        """Forget the errors of earlier batches, and keep what still waits for its backward pass."""
        for layer in self.trainer.layers:
            layer.module.traces = [trace for trace in layer.module.traces if trace.probe.grad is None]

    def step(self) -> None:
        """Take the errors of the last backward pass."""
        self.trainer.observe()


class _Start:
    """Before a forward pass: begins the phase, where the network runs before the optimizer is first asked for."""

    trainer: Any = None

    def __init__(self, trainer: CorrelationTrainer) -> None:
        self.trainer = weakref.ref(trainer)

    def __getstate__(self) -> dict[str, Any]:
        """A copy of the network begins nothing."""
        return {}

    def __call__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called with what the network is called with."""
        trainer = self.trainer and self.trainer()
        if trainer is not None and torch.is_grad_enabled() and not trainer.layers:
            trainer.begin()
            trainer._frozen(model, args, kwargs)


class FrozenForward:
    """Before each forward pass of a dendrite phase: freezes the network's modes, and counts the samples of the batch.

    Attributes:
        n_samples: Length of the first tensor among the arguments; one if there is none.
    """

    n_samples = 1

    def __call__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called with what the network is called with."""
        freeze_modes(model)
        tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.ndim)
        self.n_samples = len(next(tensors, torch.empty(1)))


def freeze_modes(model: nn.Module) -> None:
    """Put a network into evaluation mode, so that the statistics of normalization do not move.

    Recurrent modules without dropout stay in training mode, which changes nothing, but without which cuDNN does not
    compute gradients. Candidates are in a mode of their own.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.RNNBase) and not module.dropout:
            module.training = True
