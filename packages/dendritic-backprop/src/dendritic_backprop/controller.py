"""The cycle: train neurons, add and train dendrites, train neurons again, and undo dendrites that did not help."""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import step_generator

from .candidates import Batch, CandidateOptimizer, CorrelationTrainer, Loss, OptimizerFactory
from .configs import CycleConfig
from .module import DendriticModule
from .wrapping import dendritic_modules, gains, num_dendrites, parameter_groups

State = dict[str, Tensor]
SchedulerFactory = Callable[[torch.optim.Optimizer], Any]
NEURON, DENDRITE, FINISHED = "neuron", "dendrite", "finished"
CYCLE = CycleConfig()
N_FALLING = 5
"""Scores that fall in a row, after which the first phase warns that the mode may be wrong."""
COUNTERS = ("phase", "cycle", "failures", "epochs", "waited", "n_phases", "best", "reference", "accepted")


@dataclass(frozen=True)
class StepResult:
    """What a step of the cycle did.

    Attributes:
        phase: What is trained in the next epoch: neuron, dendrite or finished.
        phase_changed: Whether that is something else than before; `controller.optimizer` is then another one.
        improved: Whether the score is the best of its neuron phase.
        finished: Whether the training has ended, with the best network loaded.
        rolled_back: Whether dendrites that did not help were undone.
        num_dendrites: Dendrites that the network has now.
    """

    phase: str
    phase_changed: bool
    improved: bool
    finished: bool
    rolled_back: bool
    num_dendrites: int


class DendriteController:
    """Decides after each epoch what is trained next. It owns the optimizer, which is a new one in each phase.

        controller = DendriteController(model, lambda groups: torch.optim.Adam(groups, 1e-3))
        while not controller.is_finished:
            for x, y in loader:
                controller.optimizer.zero_grad()
                loss_fn(model(x), y).backward()
                controller.optimizer.step()
            controller.step(score_on_validation_data(model))

    The same loop serves both phases. In the dendrite phase, the network is frozen and in evaluation mode, whatever the
    loop sets; the first pass measures the errors, and the score is not looked at. A phase of neurons ends with its best
    weights. Dendrites whose phase did not beat the best score before are undone, and tried again from other weights.

    Args:
        model: A network from `add_dendrites`.
        optimizer_factory: Makes an optimizer of parameter groups; that of the gains has no weight decay.
        scheduler_factory: Makes a learning-rate scheduler of an optimizer; it is stepped in each epoch of a neuron
            phase, `ReduceLROnPlateau` with the score.
        cycle: When phases end.
        mode: Whether larger scores are better, `max`, or smaller ones, `min`.
        dendrite_optimizer_factory: Makes the optimizer of the candidates; as that of the neurons if not given.
        seed: Seed of the candidates.

    Attributes:
        phase: neuron, dendrite or finished.
        best_score: The best score of an accepted network.
        correlations: For each dendrite phase, undone ones included, |Pearson correlation| of the new dendrites with the
            error by layer, mean over neurons.
        initial_correlations: The same of the candidates before training.
        on_trained: Called with the number of the cycle when a neuron phase has ended, with its best weights loaded and
            before dendrites are undone; for measurements.

    Raises:
        ValueError: if the network has no wrapped module, or the mode is neither max nor min.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer_factory: OptimizerFactory,
        scheduler_factory: SchedulerFactory | None = None,
        *,
        cycle: CycleConfig = CYCLE,
        mode: str = "max",
        dendrite_optimizer_factory: OptimizerFactory | None = None,
        seed: int = 0,
    ) -> None:
        if mode not in {"max", "min"}:
            raise ValueError(f"the mode is max or min, not '{mode}'")
        self.modules: list[DendriticModule] = list(dendritic_modules(model).values())
        self.model, self.cycle_config, self.seed = model, cycle, seed
        self.factory, self.scheduler_factory = optimizer_factory, scheduler_factory
        self.dendrite_factory = dendrite_optimizer_factory or optimizer_factory
        self.sign = 1.0 if mode == "max" else -1.0
        self.phase = NEURON
        self.cycle = self.failures = self.epochs = self.waited = self.n_phases = 0
        self.best = self.reference = self.accepted = -math.inf
        self.correlations: list[dict[str, float]] = []
        self.initial_correlations: list[dict[str, float]] = []
        self.on_trained: Callable[[int], None] | None = None
        self.trainer: CorrelationTrainer | None = None
        self._best_state: State = {}
        self._accepted_state: State = {}
        self._before: dict[str, Any] | None = None
        self._falling, self._last = 0, -math.inf
        self._dendrite_best, self._dendrite_waited = -math.inf, 0
        self._optimizer: Any = None
        self.scheduler: Any = None
        self._begin_neurons()

    @property
    def optimizer(self) -> Any:  # noqa: ANN401 - as the factory makes it, or one for candidates
        """What trains at present: the optimizer of the neurons, or what trains candidates.

        Raises:
            ValueError: if the training has ended.
        """
        if self.phase == DENDRITE:
            return CandidateOptimizer(self._begin_candidates())
        if self._optimizer is None:
            raise ValueError("the training has ended; there is nothing left to optimize")
        return self._optimizer

    @property
    def is_finished(self) -> bool:
        """Whether the training has ended."""
        return self.phase == FINISHED

    @property
    def best_score(self) -> float | None:
        """The best score of an accepted network, in the user's sign; None before the first neuron phase has ended."""
        return self.sign * self.accepted if self._accepted_state else None

    @property
    def learning(self) -> str:
        """How dendrites learn, of all wrapped modules alike."""
        return self.modules[0].config.learning

    def step(self, score: float) -> StepResult:
        """End an epoch.

        Args:
            score: Of the network on validation data; not looked at in a dendrite phase.

        Raises:
            ValueError: if the score is not finite, or the training has ended.

        Warns:
            UserWarning: if the score gets worse from the start, epoch after epoch: a loss, with mode max?
        """
        before = self.phase, self.n_phases
        if self.is_finished:
            raise ValueError("the training has ended; nothing is left to step")
        improved = rolled_back = False
        if self.phase == NEURON:
            improved = self._count(float(score))
            if self._is_phase_over():
                rolled_back = self._end_neurons()
        else:
            self._step_dendrites()
        changed = (self.phase, self.n_phases) != before
        n = num_dendrites(self.model)
        return StepResult(self.phase, changed, improved, self.is_finished, rolled_back, n)

    # ---- neurons

    def _begin_neurons(self) -> None:
        self.phase, self.n_phases = NEURON, self.n_phases + 1
        self.epochs = self.waited = 0
        self.best = self.reference = -math.inf
        self._best_state = {}
        self._optimizer = self.factory(parameter_groups(self.model))
        self.scheduler = self.scheduler_factory(self._optimizer) if self.scheduler_factory else None
        self._warn_of_decay()

    def _warn_of_decay(self) -> None:
        own = {id(parameter) for parameter in gains(self.model)}
        for group in self._optimizer.param_groups:
            if group.get("weight_decay") and any(id(parameter) in own for parameter in group["params"]):
                warnings.warn(
                    "the optimizer has weight decay on the gains of dendrites, which pulls them back to zero; "
                    "pass it the groups as they are given",
                    stacklevel=3,
                )

    def _count(self, given: float) -> bool:
        """Count an epoch; whether its score is the best of the phase."""
        if not math.isfinite(given):
            raise ValueError(f"the score must be a finite number, not {given}; lower the learning rate")
        score = self.sign * given
        self._warn_of_fall(score)
        self.epochs += 1
        threshold = self.cycle_config.threshold(self.cycle)
        scale = abs(self.reference) if math.isfinite(self.reference) else 0.0
        if score > self.reference + max(self.cycle_config.min_improvement, threshold * scale):
            self.reference, self.waited = score, 0
        else:
            self.waited += 1
        improved = score > self.best
        if improved:
            self.best, self._best_state = score, _copied(self.model)
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(given)
        elif self.scheduler is not None:
            self.scheduler.step()
        return improved

    def _warn_of_fall(self, score: float) -> None:
        self._falling = self._falling + 1 if score < self._last else 0
        self._last = score
        if self._falling == N_FALLING and self.epochs == N_FALLING and self.cycle == 0:
            warnings.warn(
                f"the score got worse in each of the first {N_FALLING} epochs; if it is a loss, give mode='min'",
                stacklevel=4,
            )

    def _is_phase_over(self) -> bool:
        config = self.cycle_config
        if not config.neuron_epochs:
            return self.waited >= config.patience
        fixed = config.neuron_epochs
        if self.cycle == 0:
            fixed = config.first_epochs or fixed
        elif self.learning != "correlation":
            # The epochs that correlation-trained dendrites take for their own phase.
            fixed += config.dendrite_epochs
        return self.epochs >= fixed

    def _end_neurons(self) -> bool:
        """Accept or undo the dendrites of this phase, and begin the next one; whether they were undone."""
        self.model.load_state_dict(self._best_state)
        if self.on_trained is not None:
            self.on_trained(self.cycle)
        is_better = self.best > self.accepted
        if is_better:
            self.accepted, self._accepted_state = self.best, self._best_state
        self.failures = 0 if is_better else self.failures + 1
        undone = not is_better and self.cycle_config.rollback
        if undone:
            self.model.load_state_dict(self._accepted_state)
            self.cycle -= 1
        if self.cycle >= self.cycle_config.max_dendrites or (undone and self.failures >= self.cycle_config.tries):
            self.finish()
        else:
            self._begin_dendrites()
        return undone

    def finish(self) -> None:
        """End the training, with the best network so far."""
        if self.phase == DENDRITE and self.trainer is not None:
            self.trainer.abandon()
        if self.phase == NEURON and self.best > self.accepted:
            self.accepted, self._accepted_state = self.best, self._best_state
        if self._accepted_state:
            self.model.load_state_dict(self._accepted_state)
        self.phase, self.trainer, self._optimizer, self.scheduler = FINISHED, None, None, None

    # ---- dendrites

    def _begin_dendrites(self) -> None:
        self.cycle += 1
        generator = step_generator(self.seed, self.n_phases)
        if self.learning != "correlation" or not self.cycle_config.dendrite_epochs:
            for module in self.modules if self.learning != "none" else ():
                module.start_candidates(1, generator)
                module.accept()
            self._begin_neurons()
            return
        self.phase = DENDRITE
        self._before = self._state()
        self.trainer = CorrelationTrainer(self.model, None, self.dendrite_factory, generator)
        self.trainer.begin_at_forward()
        self._dendrite_best, self._dendrite_waited = -math.inf, 0

    def _begin_candidates(self) -> CorrelationTrainer:
        assert self.trainer is not None  # noqa: S101 - for the type checker
        if not self.trainer.layers:
            self.trainer.begin()
        return self.trainer

    def _step_dendrites(self) -> None:
        """End an epoch of a dendrite phase in the user's own loop."""
        trainer = self._begin_candidates()
        score = trainer.end_epoch()
        is_better = score > self._dendrite_best * (1 + self.cycle_config.dendrite_threshold)
        if len(trainer.history) == 1 or is_better:
            self._dendrite_best, self._dendrite_waited = score, 0
        else:
            self._dendrite_waited += 1
        patience = self.cycle_config.dendrite_patience
        n_trained = len(trainer.history) - 1
        if n_trained >= self.cycle_config.dendrite_epochs or (patience and self._dendrite_waited >= patience):
            trainer.accept()
            self._end_dendrites()

    def train_dendrites(self, batches: Iterable[Batch], loss_fn: Loss) -> list[dict[str, float]]:
        """The whole dendrite phase over a loader, which may run the network only once; then neurons are trained.

        Returns:
            The scores by layer, before training and after each pass.

        Raises:
            ValueError: if it is not the time of dendrites.
        """
        if self.phase != DENDRITE or self.trainer is None:
            raise ValueError(f"dendrites are trained in the dendrite phase, but this is: {self.phase}")
        config = self.cycle_config
        self.trainer.loss_fn = loss_fn
        history = self.trainer.run(
            batches, config.dendrite_epochs, patience=config.dendrite_patience, threshold=config.dendrite_threshold
        )
        self._end_dendrites()
        return history

    def _end_dendrites(self) -> None:
        assert self.trainer is not None  # noqa: S101 - for the type checker
        for own, found in (
            (self.correlations, self.trainer.correlations),
            (self.initial_correlations, self.trainer.initial_correlations),
        ):
            own.append({name: float(value.abs().mean()) for name, value in found.items()})
        self.trainer = self._before = None
        self._begin_neurons()

    # ---- states

    def _state(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in COUNTERS},
            "model": _copied(self.model),
            "best_model": self._best_state,
            "accepted_model": self._accepted_state,
            "correlations": list(self.correlations),
            "initial_correlations": list(self.initial_correlations),
        }

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from, network included; in a dendrite phase, from the phase's beginning."""
        if self._before is not None:
            return self._before
        state = self._state()
        for name, part in (("optimizer", self._optimizer), ("scheduler", self.scheduler)):
            if part is not None:
                state[name] = part.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, ValueError, RuntimeError: if it is the state of another training.
        """
        if self.trainer is not None:
            self.trainer.abandon()
        device = next(self.model.parameters()).device
        self.model.load_state_dict(state["model"])
        self.trainer = self._before = None
        if state["phase"] == NEURON:
            self._begin_neurons()
            self._optimizer.load_state_dict(state["optimizer"])
            if self.scheduler is not None:
                self.scheduler.load_state_dict(state["scheduler"])
        for name in COUNTERS:
            setattr(self, name, state[name])
        self.correlations = list(state["correlations"])
        self.initial_correlations = list(state["initial_correlations"])
        for name in ("best", "accepted"):
            on_device = {key: value.to(device) for key, value in state[f"{name}_model"].items()}
            setattr(self, f"_{name}_state", on_device)
        if self.phase == DENDRITE:
            # Its beginning counts the cycle again.
            self.cycle -= 1
            self._begin_dendrites()
        elif self.phase == FINISHED:
            self._optimizer = self.scheduler = None


def _copied(model: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
