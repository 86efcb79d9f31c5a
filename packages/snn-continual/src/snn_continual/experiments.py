"""How the claims of Xiao et al. (2024) are measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from separata import Run, data, experiment, plots

from .accuracy import AccuracyMatrix
from .benchmarks import HeldOut, TaskSequence, permuted_mnist
from .methods import pmnist_dims
from .networks import SpikingMLP, Synaptic, seeded
from .rules import training_rule
from .subspace import HebbianSubspace, SpikingLateral
from .training import Rehearsal, Training, run_benchmark

NAMES = {
    "hlop": "HLOP",
    "finetune": "fine-tuning",
    "ewc": "EWC",
    "gpm": "GPM",
    "replay": "replay",
    "joint": "joint training",
    "dsr": "DSR",
    "bptt": "BPTT",
    "ottt": "OTTT",
    "bp": "back-propagation",
    "fa": "feedback alignment",
    "sign": "sign-symmetric",
}
"""What figures call things."""

TUNING_SEED = 1000
"""Settings are chosen with another seed than those that are measured."""


@dataclass(frozen=True)
class Trial:
    """One network, trained on permuted images in sequence by one method: everything that its accuracy depends on."""

    dataset: str = "mnist5k"
    n_tasks: int = 5
    widths: tuple[int, ...] = (784, 300, 300, 10)
    dims: tuple[tuple[int, ...], ...] = ((60, 80, 50), (40, 30, 20))
    """Dimensions of the layers' subspaces for the first task and for later ones; empty for the paper's schedule."""
    epochs: int = 3
    rule: str = "dsr"
    timesteps: int | None = None
    method: str = "hlop"
    feedback: str = "bp"
    spiking: bool = False
    lr: float = 0.1
    hebbian_lr: float = 0.01
    strength: float = 10.0
    threshold: float = 0.97
    rehearsal_epochs: int = 1
    rehearsal_lr: float = 0.01
    seed: int = 0
    held_out: bool = False
    """Test on a fifth of the training images instead of the test images, and train on the rest."""

    def dims_of(self, index: int) -> list[int]:
        """Dimensions to add for a task."""
        return list(self.dims[min(index, 1)]) if self.dims else pmnist_dims(index)


def train_and_test(trial: Trial, device: str) -> list[list[float | None]] | None:
    """The accuracy matrix of a trial, as JSON has it; None if training diverged."""
    sequence: TaskSequence = permuted_mnist(trial.dataset, trial.n_tasks, trial.seed)
    synaptic = Synaptic(
        feedback=trial.feedback,  # type: ignore[arg-type]
        lr=trial.hebbian_lr,
        input_lr=trial.hebbian_lr / 10,
        spiking=SpikingLateral() if trial.spiking else None,
    )
    rule = training_rule(trial.rule, trial.timesteps)
    model = seeded(lambda rule, synaptic: SpikingMLP(trial.widths, rule, synaptic=synaptic), rule, synaptic, trial.seed)
    try:
        matrix = run_benchmark(
            HeldOut(sequence) if trial.held_out else sequence,
            model.to(device),
            trial.method,
            Training(trial.epochs, lr=trial.lr),
            dims=trial.dims_of,
            rehearsal=Rehearsal(epochs=trial.rehearsal_epochs, lr=trial.rehearsal_lr)
            if trial.method == "replay"
            else None,
            seed=trial.seed,
            strength=trial.strength,
            threshold=trial.threshold,
        )
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        return None
    return matrix.to_json()


def measure(run: Run, trials: Sequence[Trial], description: str) -> dict[Trial, AccuracyMatrix]:
    """The accuracy matrix of each trial."""
    rows = run.map(train_and_test, trials, description)
    for trial, row in zip(trials, rows, strict=True):
        if row is None:
            raise ValueError(f"training diverged in {trial}")
    return {trial: AccuracyMatrix.from_json(row) for trial, row in zip(trials, rows, strict=True) if row is not None}


@dataclass(frozen=True)
class Gaussian:
    """Activity with a few strong directions, in random orientation."""

    n_features: int = 50
    n_strong: int = 5
    strong: float = 2.0
    """Standard deviation in the strong directions."""
    weak: float = 0.1
    """Standard deviation in all others."""
    n_samples: int = 4000
    passes: int = 5


@experiment("principal-subspace", smoke=Gaussian(), quick=Gaussian(), gpu=Gaussian(), paper=Gaussian())
def principal_subspace(config: Gaussian, run: Run) -> None:
    """Learn the principal subspace online, beside an exact singular value decomposition."""
    for seed in run.seeds:
        x = _activity(config, run.generator(seed))
        exact = torch.linalg.svd(x, full_matrices=False).Vh[: config.n_strong]
        projection = exact.T @ exact
        subspace = HebbianSubspace(config.n_features)
        subspace.grow(config.n_strong, run.generator(seed, "lateral weights"))
        for step in run.track(range(config.passes), "passes"):
            for i, batch in enumerate(data.batches(x, 64, run.generator(seed, step))):
                subspace.learn(batch)
                distance = torch.dist(subspace.weight.T @ subspace.weight, projection) / torch.linalg.norm(projection)
                run.log(step * len(x) + 64 * i, distance=distance, orthonormality=subspace.orthonormality_error())
        run.measure("principal-subspace", distance=distance, orthonormality=subspace.orthonormality_error())
    run.figure(
        "principal-subspace",
        plots.curves(
            run.history,
            "distance",
            xlabel="samples seen",
            ylabel="relative distance to the exact projection",
        ),
    )


def _activity(config: Gaussian, generator: torch.Generator) -> Float[Tensor, "samples features"]:
    scale = torch.full((config.n_features,), config.weak)
    scale[: config.n_strong] = config.strong
    orientation = torch.linalg.qr(torch.randn(config.n_features, config.n_features, generator=generator)).Q
    return torch.randn(config.n_samples, config.n_features, generator=generator) * scale @ orientation.T


SMOKE = Trial("digits", 2, (64, 50, 50, 10), ((10, 10, 10), (5, 5, 5)), epochs=1, timesteps=4)
QUICK = Trial()
GPU = Trial("mnist", 5, (784, 800, 800, 10), (), epochs=1)
FULL = Trial("mnist", 10, (784, 800, 800, 10), (), epochs=1)


def _per_seed(trial: Trial, run: Run, **changes: Iterable[object]) -> list[Trial]:
    """The trial with each seed and each value of one setting."""
    ((name, values),) = changes.items()
    options = [{name: value} for value in values]
    return [replace(trial, seed=seed, **option) for seed in run.seeds for option in options]  # type: ignore[arg-type]


def _dsr_steps(trial: Trial) -> Trial:
    """Half of the paper's 20 steps of DSR at the small scales, which only shortens the simulation."""
    return trial if trial.timesteps or trial.dataset == "mnist" else replace(trial, timesteps=10)


@experiment("nearly-zero-forgetting", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def forgetting(config: Trial, run: Run) -> None:
    """HLOP and fine-tuning, with equal networks, steps and learning rates."""
    results = measure(run, _per_seed(_dsr_steps(config), run, method=("hlop", "finetune")), "networks")
    means: dict[str, Tensor] = {}
    for seed in run.seeds:
        of_seed = {trial.method: matrix for trial, matrix in results.items() if trial.seed == seed}
        values = {f"{method}_{key}": getattr(of_seed[method], key) for method in of_seed for key in ("acc", "bwt")}
        run.measure("nearly-zero-forgetting", **values)
        for method, matrix in of_seed.items():
            means[method] = means.get(method, 0) + torch.from_numpy(matrix.matrix) / len(run.seeds)
    seen = torch.cat([mean[mean.isfinite()] for mean in means.values()])
    limits = (seen.min().item(), seen.max().item())
    for method, mean in means.items():
        figure = plots.heatmap(
            mean.numpy(),
            xlabel="accuracy on task",
            ylabel="after learning task",
            title=NAMES[method],
            limits=limits,
        )
        run.figure(f"accuracy-matrix-{method}", figure)


def _compare(config: Trial, run: Run, claim: str, setting: str, values: Sequence[str]) -> None:
    """Backward transfer of HLOP and fine-tuning under each value of a setting."""
    trials = [
        _dsr_steps(t) if t.rule == "dsr" else t
        for value in values
        for t in _per_seed(replace(config, **{setting: value}), run, method=("hlop", "finetune"))  # type: ignore[arg-type]
    ]
    results = measure(run, trials, "networks")
    forgotten: dict[str, dict[str, list[float]]] = {}
    for seed in run.seeds:
        found = {
            f"{getattr(trial, setting)}_{trial.method}": matrix.bwt
            for trial, matrix in results.items()
            if trial.seed == seed
        }
        run.measure(claim, **found)
        for key, bwt in found.items():
            value, method = key.split("_")
            forgotten.setdefault(NAMES[value], {}).setdefault(NAMES[method], []).append(-100 * bwt)
    means = {value: {m: float(torch.tensor(x).mean()) for m, x in by.items()} for value, by in forgotten.items()}
    spread = {
        value: {m: float(torch.tensor(x).std(correction=min(1, len(x) - 1))) for m, x in by.items()}
        for value, by in forgotten.items()
    }
    run.figure(claim, plots.bars(means, errors=spread, ylabel="forgetting, -BWT in % accuracy"))


@experiment("training-rules", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def training_rules(config: Trial, run: Run) -> None:
    """The three ways to train a spiking network, with the paper's number of time steps for BPTT and OTTT."""
    _compare(config, run, "training-rules", "rule", ("dsr", "bptt", "ottt"))


@experiment("error-propagation", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def error_propagation(config: Trial, run: Run) -> None:
    """The three ways for errors to reach lower layers, under DSR."""
    _compare(config, run, "error-propagation", "feedback", ("bp", "fa", "sign"))


@experiment("spiking-lateral", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def spiking_lateral(config: Trial, run: Run) -> None:
    """Real-valued and spiking lateral neurons."""
    results = measure(run, _per_seed(_dsr_steps(config), run, spiking=(False, True)), "networks")
    for seed in run.seeds:
        acc = {trial.spiking: matrix.acc for trial, matrix in results.items() if trial.seed == seed}
        run.measure("spiking-lateral", real=acc[False], spiking=acc[True])


@dataclass(frozen=True)
class Comparison:
    """Methods of continual learning, each with settings to choose from; as many for each."""

    trial: Trial = QUICK
    lrs: tuple[float, ...] = (0.1, 0.2)
    finetune_lrs: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    hebbian_lrs: tuple[float, ...] = (0.01, 0.03)
    strengths: tuple[float, ...] = (30.0, 100.0)
    thresholds: tuple[float, ...] = (0.95, 0.99)
    rehearsals: tuple[int, ...] = (1, 5)
    """Passes over the memory after each task."""

    def candidates(self, method: str) -> list[Trial]:
        """The trials from which the settings of a method are chosen."""
        base = replace(_dsr_steps(self.trial), method=method, seed=TUNING_SEED, held_out=True)
        options: dict[str, tuple[str, tuple[float, ...]]] = {
            "hlop": ("hebbian_lr", self.hebbian_lrs),
            "ewc": ("strength", self.strengths),
            "gpm": ("threshold", self.thresholds),
            "replay": ("rehearsal_epochs", self.rehearsals),
        }
        if method not in options:
            return [replace(base, lr=lr) for lr in self.finetune_lrs]
        name, values = options[method]
        return [replace(base, lr=lr, **{name: value}) for lr in self.lrs for value in values]  # type: ignore[arg-type]


COMPARED = ("hlop", "finetune", "ewc", "gpm", "replay", "joint")


@experiment(
    "outperforms",
    "neural-projection",
    smoke=Comparison(SMOKE, (0.1,), (0.1,), (0.01,), (10.0,), (0.97,), (1,)),
    quick=Comparison(),
    gpu=Comparison(GPU),
    paper=Comparison(FULL),
)
def comparison(config: Comparison, run: Run) -> None:
    """Every method on the test set, with the settings that are best for it on held-out training images."""
    chosen = _choose(config, run)
    trials = [replace(chosen[method], seed=seed, held_out=False) for seed in run.seeds for method in COMPARED]
    results = measure(run, trials, "networks")
    for seed in run.seeds:
        acc = {trial.method: matrix.acc for trial, matrix in results.items() if trial.seed == seed}
        run.measure("outperforms", **{method: acc[method] for method in COMPARED if method != "gpm"})
        run.measure("neural-projection", hlop=acc["hlop"], gpm=acc["gpm"])
    for trial, matrix in results.items():
        if trial.method != "joint":
            for index in range(trial.n_tasks):
                run.log(index + 1, method=NAMES[trial.method], accuracy=matrix.matrix[index, : index + 1].mean())
    figure = plots.curves(run.history, "accuracy", by="method", xlabel="tasks learned", ylabel="mean accuracy on them")
    run.figure("comparison", figure)


def _choose(config: Comparison, run: Run) -> dict[str, Trial]:
    """For each method, the candidate with the highest accuracy on held-out images."""
    candidates = [trial for method in COMPARED for trial in config.candidates(method)]
    rows = run.map(train_and_test, candidates, "choosing settings")
    chosen: dict[str, tuple[float, Trial]] = {}
    for trial, row in zip(candidates, rows, strict=True):
        acc = AccuracyMatrix.from_json(row).acc if row is not None else 0.0
        if trial.method not in chosen or acc > chosen[trial.method][0]:
            chosen[trial.method] = (acc, trial)
    told = "; ".join(f"{method} {_settings(trial)}" for method, (_, trial) in chosen.items())
    run.note("outperforms", f"Chosen on held-out images: {told}.")
    return {method: trial for method, (_, trial) in chosen.items()}


def _settings(trial: Trial) -> str:
    """The chosen settings of a method, in words."""
    own = {
        "hlop": f", Hebbian lr {trial.hebbian_lr:g}",
        "ewc": f", strength {trial.strength:g}",
        "gpm": f", threshold {trial.threshold:g}",
        "replay": f", {trial.rehearsal_epochs} rehearsal epochs",
    }
    return f"lr {trial.lr:g}{own.get(trial.method, '')}"
