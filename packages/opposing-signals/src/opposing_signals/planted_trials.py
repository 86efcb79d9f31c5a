"""Trainings with a planted signal that experiments repeat, and what is measured in them."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .attribution import curvature_shares
from .planted import plant_signal
from .probe import constant_probe, probe_response, step_correlation
from .samples import Samples
from .training import Trainer
from .trials import TUNING_SEEDS, Trial, follow


@dataclass(frozen=True)
class PlantedTrial:
    """A training on images with a planted signal.

    Args:
        trial: The training; its seed does not count.
        amplitude: A, in standard deviations.
        leave_out: Leave out no images, the planted ones, or as many random ones.
        with_valley: Measure the balance of the planted groups in steps 20 to 100, too.
        seed: Chooses the images and those planted, and draws the weights.
    """

    trial: Trial
    amplitude: float = 5.0
    leave_out: str = "none"
    with_valley: bool = False
    seed: int = 0

    def seeded(self) -> Trial:
        """The training with this seed."""
        return replace(self.trial, seed=self.seed)

    def samples(self) -> tuple[Samples, dict[int, Tensor]]:
        """The images, and the planted ones of each class; none if they are left out."""
        whole = self.seeded().samples()
        planted = plant_signal(whole.x, whole.y, self.amplitude, generator=torch.Generator().manual_seed(self.seed))
        data = replace(whole, x=planted.x)
        if self.leave_out == "none":
            return data, planted.groups
        out = planted.planted
        if self.leave_out == "random":
            out = torch.tensor(self.seeded().random(len(whole), len(out)))
        kept = torch.ones(len(whole), dtype=torch.bool)
        kept[out] = False
        return replace(data, x=data.x[kept], y=data.y[kept]), {}


def run_planted(planted: PlantedTrial, device: str) -> dict[str, Any]:
    """Train, and see who takes part in the spikes.

    Returns:
        `sharpness` as pairs of step and value; where the planted images are all there also their `share` among the
        groups by change, `svd_share`, `loss_share` among those of highest loss, the `probe`'s outputs for the planted
        classes at every step, mean losses of the planted classes, of the `rest` and of all at every step, and the
        `balance` at some: slopes of both planted groups along the sharpest direction, and of two random groups of
        their sizes.
    """
    data, groups = planted.samples()
    trial = planted.seeded()
    network = trial.network(data).to(device)
    trainer = Trainer(network, data, trial.train)
    probe = constant_probe(planted.amplitude, data.x.shape[1:]).to(device)
    outputs, balance = [], []
    named = {f"{label}": some for label, some in groups.items()}
    random = _unplanted(len(data), groups, planted.seed)

    def look(step: int) -> None:
        outputs.append(probe_response(network, probe)[0].tolist())
        if planted.with_valley and 20 <= step <= 100 and step % 10 == 0 and step < trial.train.n_steps:
            vector = trainer.tracker.measure().eigenvectors[0]
            of_all = named | random
            shares = curvature_shares(network, trainer.data.x, trainer.data.y, vector, of_all, trial.train.loss)
            slopes = {name: shares[name].size * shares[name].slope for name in of_all}
            balance.append(
                {
                    "step": step,
                    "planted": [slopes[name] for name in named],
                    "random": [slopes[name] for name in random],
                    "share": sum(shares[name].share for name in named),
                }
            )

    follow(trainer, trial.train.n_steps, look if groups else None)
    trainer.recorder.note(trial.train.n_steps, sharpness=trainer.tracker.measure().value)
    found: dict[str, Any] = {"sharpness": sorted(trainer.recorder.values["sharpness"].items())}
    return found | (_of_planted(trainer, groups, outputs, balance, trial) if groups else {})


def _unplanted(n: int, groups: dict[int, Tensor], seed: int) -> dict[str, Tensor]:
    """As many random groups as planted ones, of their sizes and of examples that have no signal."""
    generator = torch.Generator().manual_seed(seed + TUNING_SEEDS)
    members = torch.cat([torch.zeros(0, dtype=torch.long), *groups.values()])
    order = torch.randperm(n, generator=generator)
    others = order[~torch.isin(order, members)]
    sizes = [len(some) for some in groups.values()]
    return {f"random {i}": some for i, some in enumerate(others[: sum(sizes)].split(sizes))} if sizes else {}


def _of_planted(
    trainer: Trainer, groups: dict[int, Tensor], outputs: list[Any], balance: list[Any], trial: Trial
) -> dict[str, Any]:
    record, members = trainer.recorder, torch.cat(list(groups.values()))
    losses = record.losses
    others = torch.ones(record.n_examples, dtype=torch.bool)
    others[members] = False
    by_delta, by_svd = (record.groups(after=trial.spike_after, m=trial.m, method=method) for method in ("delta", "svd"))
    probes = torch.tensor(outputs)[:, list(groups)]
    highest = losses[by_delta.step].topk(2 * trial.m).indices
    late = min(trial.spike_after, len(probes) // 2)
    return {
        "share": by_delta.share_of(members),
        "svd_share": by_svd.share_of(members),
        "loss_share": float(torch.isin(highest, members).float().mean()),
        "step": by_delta.step,
        "probe": probes.tolist(),
        "probe_correlation": step_correlation(probes[late:, 0] - probes[late:, -1]),
        "classes": {f"{label}": losses[:, some].mean(1).tolist() for label, some in groups.items()},
        "rest": losses[:, others].mean(1).tolist(),
        "loss": record.mean_loss.tolist(),
        "balance": balance,
    }
