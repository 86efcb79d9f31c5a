"""The recorder: the losses of all examples over a training, from one call in the user's own loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from separata import files
from separata.arrays import load_npz

from .configs import Method
from .groups import OpposingGroups, find_groups, largest_spike, spikes
from .losses import LossFunction, one_each, per_example_loss
from .storage import LossStore


class Recorder:
    """Keeps the loss of every example at every step, finds the examples behind a spike, and writes both to a file.

    In full-batch training the losses are those of the forward pass that the step needs anyway:

        recorder = Recorder(len(x))
        for step in range(300):
            losses = criterion(model(x), y)  # one for each example: reduction="none"
            recorder.log(step, losses)  # before the update
            losses.mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        groups = recorder.groups()

    With gradients accumulated over chunks, log each chunk under the same step with its `indices`. With minibatches,
    `watch` evaluates all examples every few steps.

    Args:
        n_examples: Examples of the training set.
        keep: `fp16`, with which losses are kept to three digits and up to 65,504, or `fp32`.
        window: Steps that are kept, the latest; all by default. Needs 2 or 4 bytes a step and example.
        path: File (.npy) that holds the losses instead of memory; needs `window`.

    Raises:
        ValueError: if a setting cannot be.
    """

    def __init__(
        self, n_examples: int, *, keep: str = "fp16", window: int | None = None, path: Path | str | None = None
    ) -> None:
        self._store = LossStore(n_examples, keep, window, None if path is None else Path(path))
        self.values: dict[str, dict[int, float]] = {}

    @property
    def n_examples(self) -> int:
        """Examples of the training set."""
        return self._store.n_examples

    def log(
        self, step: int, losses: Shaped[Tensor, "..."], indices: Int[Tensor, "k"] | None = None, **values: float
    ) -> None:
        """Keep the losses of a step, with the parameters before its update.

        Args:
            step: Number of the step; not below the last. What is logged again of the same step replaces what was.
            losses: One for each example, or for each of `indices`; several of one example are averaged.
            indices: Which examples they are of, where they are not of all; on the CPU, or each call waits for the GPU.
            values: Other numbers of the step, such as `sharpness`.

        Raises:
            ValueError: if there is not one loss for each example, or the step is before the last.
            FloatingPointError: if a loss is not finite; those on a GPU are seen some steps later.
        """
        n = self.n_examples if indices is None else len(indices)
        if indices is None and losses.ndim and 0 < len(losses) != n:
            raise ValueError(
                f"got losses of {len(losses)} examples of {n}: say which with indices, or evaluate all with watch"
            )
        if indices is not None and len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.n_examples:
            raise ValueError(f"indices must lie between 0 and {self.n_examples - 1}")
        self._store.put(step, one_each(losses, n), indices)
        self.note(step, **values)

    def note(self, step: int, **values: float) -> None:
        """Keep other numbers of a step, such as its sharpness."""
        for name, value in values.items():
            self.values.setdefault(name, {})[step] = float(value)

    def watch(
        self,
        step: int,
        model: nn.Module,
        x: Shaped[Tensor, "n *sample"],
        y: Shaped[Tensor, "n *target"],
        loss: str | LossFunction = "cross-entropy",
        *,
        every: int = 1,
        batch_size: int | None = None,
    ) -> bool:
        """Evaluate and keep the losses of all examples if the step is a multiple of `every`, for minibatch training.

        Returns:
            Whether it was.

        Raises:
            ValueError: if `every` is not positive, or the loss gives one number for a batch.
        """
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        if step % every:
            return False
        self.log(step, per_example_loss(model, x, y, loss, batch_size))
        return True

    @property
    def steps(self) -> list[int]:
        """The steps at which the losses of all examples are kept."""
        return [step for step in self._store.kept() if self._store.complete(step)]

    @property
    def losses(self) -> Float[Tensor, "steps n"]:
        """The losses at `steps`."""
        return torch.from_numpy(self._store.matrix(self.steps))

    @property
    def mean_loss(self) -> Float[Tensor, "steps"]:
        """The mean loss at `steps`."""
        return self.losses.double().mean(1)

    def delta(self, step: int) -> Float[Tensor, "n"]:
        """How the losses change from this step to the next that is kept: delta_i(t) = l_i(t + 1) - l_i(t).

        Raises:
            ValueError: if the step or its successor is not kept.
        """
        row = self._row(step)
        before, after = torch.from_numpy(self._store.matrix(self.steps[row : row + 2]))
        return after - before

    def _row(self, step: int) -> int:
        steps = self.steps
        if step not in steps:
            told = f"steps {steps[0]} to {steps[-1]} are" if steps else "none is"
            raise ValueError(f"the losses of all examples at step {step} are not kept; {told}")
        if step == steps[-1]:
            raise ValueError(f"step {step} is the last that is kept: there is no change to the next")
        return steps.index(step)

    def spikes(self, threshold: float = 0.0) -> list[int]:
        """Steps from which the mean loss rises to the next by more than `threshold`."""
        steps = self.steps
        return [steps[row] for row in spikes(self.mean_loss, threshold)]

    def groups(
        self,
        step: int | str = "auto",
        *,
        m: int = 20,
        method: Method = "delta",
        after: int = 0,
        window: int = 10,
    ) -> OpposingGroups:
        """The m examples whose losses rise most and the m whose losses fall most.

        Args:
            step: The step; or `auto`, the one from which the mean loss rises most.
            m: Examples of a group; at most half of all.
            method: `delta` ranks by the change at the step; `svd` by the leading singular vector of all changes from
                `after` on, in which a group's sign is that at the step.
            after: First step that `auto` and `svd` look at.
            window: Steps before and after the step over which the groups' losses are compared.

        Raises:
            ValueError: if the step has no successor, or m is too large.
        """
        steps = self.steps
        first = next((row for row, one in enumerate(steps) if one >= after), len(steps))
        if len(steps) - first < 3:
            raise ValueError(
                f"groups need the losses of all examples at 3 steps or more, not {max(len(steps) - first, 0)}"
            )
        losses = self.losses
        if isinstance(step, str):
            if step != "auto":
                raise ValueError(f"the step is a number or auto, not '{step}'")
            row = largest_spike(losses, first)
        else:
            row = self._row(int(step))
        return find_groups(losses, row, m=m, method=method, first=min(first, row), window=window, steps=steps)

    def state_dict(self) -> dict[str, Any]:
        """All that is kept, as `separata.states` can hold it."""
        kept = self._store.kept()
        values = {name: {"steps": list(one), "values": list(one.values())} for name, one in self.values.items()}
        return {"steps": list(kept), "losses": torch.from_numpy(self._store.matrix(list(kept))), "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what was kept before; for a recorder that has kept nothing yet."""
        self._store.restore([int(step) for step in state["steps"]], state["losses"].numpy())
        self.values = {
            name: dict(zip(map(int, one["steps"]), one["values"], strict=True)) for name, one in state["values"].items()
        }

    def save(self, path: Path | str) -> None:
        """Write all that is kept as an .npz file: `steps`, `losses` (half precision), and other numbers by name.

        Raises:
            ValueError: if the name does not end with .npz.
        """
        if Path(path).suffix != ".npz":
            raise ValueError(f"losses are written as .npz, not as {Path(path).name}")
        arrays: dict[str, np.ndarray] = {"steps": np.array(self.steps, np.int64)}
        arrays["losses"] = self._store.matrix(self.steps).astype(
            np.float16 if self._store.keep == "fp16" else np.float32
        )
        for name, one in self.values.items():
            arrays[f"{name}_steps"] = np.array(list(one), np.int64)
            arrays[f"{name}_values"] = np.array(list(one.values()), np.float64)
        with files.replacing(Path(path)) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> "Recorder":
        """A recorder from a file that `save` wrote, or another program: `steps` (steps,), `losses` (steps, examples).

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds no such arrays.
        """
        arrays = load_npz(Path(path))
        losses = arrays.get("losses", np.zeros(0))
        if losses.ndim != 2 or losses.dtype.kind != "f" or not losses.size:
            raise ValueError(f"{path} holds no losses: it needs an array losses of numbers, (steps, examples)")
        if not np.isfinite(losses).all():
            raise ValueError(f"{path}: its array losses has numbers that are not finite")
        steps = arrays.get("steps", np.arange(len(losses)))
        if steps.shape != losses.shape[:1] or steps.dtype.kind not in "iu" or (np.diff(steps) <= 0).any():
            raise ValueError(f"{path}: its array steps must hold a rising whole number for each row of losses")
        recorder = cls(losses.shape[1], keep="fp16" if losses.dtype == np.float16 else "fp32")
        recorder._store.restore([int(step) for step in steps], losses)
        for name in (key.removesuffix("_steps") for key in arrays if key.endswith("_steps")):
            at, values = arrays[f"{name}_steps"], arrays.get(f"{name}_values", np.zeros(0))
            if at.ndim == 1 and at.shape == values.shape and at.dtype.kind in "iu" and values.dtype.kind == "f":
                recorder.values[name] = dict(zip(at.tolist(), values.tolist(), strict=True))
        return recorder
