"""How the claims are measured."""

from dataclasses import dataclass

import torch

from separata import Run, data, experiment, plots

from .configs import TrainConfig
from .rules import hebb_step, oja_step, train


# TODO: an experiment for each group of claims; all sides get the same data and the same budget.
@dataclass(frozen=True)
class Images:
    """The leading direction of a set of images."""

    dataset: str
    train: TrainConfig


@experiment(
    "first-component",
    "bounded",
    smoke=Images("digits", TrainConfig(n_passes=60, lr=0.04)),
    quick=Images("mnist5k", TrainConfig()),
    gpu=Images("mnist", TrainConfig()),
)
def leading_direction(config: Images, run: Run) -> None:
    x = data.load(config.dataset, device=run.device).images.flatten(1)
    x = x - x.mean(0)
    leading = torch.linalg.eigh(x.T @ x).eigenvectors[:, -1]
    for seed in run.track(run.seeds, "seeds"):
        oja = train(x, config.train, run.generator(seed), oja_step)
        hebb = train(x, config.train, run.generator(seed), hebb_step)
        control = torch.randn(x.shape[1], generator=run.generator(seed, "control")).to(x)
        found, by_chance = (abs(torch.cosine_similarity(weight, leading, dim=0)) for weight in (oja, control))
        run.measure("first-component", oja=found, random=by_chance)
        run.measure("bounded", oja=oja.norm(), hebb=hebb.norm())
    caption = "Oja's rule finds the leading eigenvector; a random direction is almost orthogonal to it."
    run.figure("alignment", plots.claim(run, "first-component"), ["first-component"], caption=caption)
