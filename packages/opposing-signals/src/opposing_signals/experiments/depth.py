"""The two-layer linear network, and what becomes of the sharpness without depth."""

from dataclasses import dataclass, field, replace

from opposing_signals.charts import draw_depth, draw_linear
from opposing_signals.configs import TrainConfig
from opposing_signals.trials import LinearTrial, Trial, rise, run_linear, run_trial
from separata import Run, experiment

from .natural import SMALL


@dataclass(frozen=True)
class Depth:
    """The linear network, and perceptrons of several depths at a small learning rate.

    Args:
        linear: The linear network.
        trial: The perceptrons' training.
        width: Units of a hidden layer.
    """

    linear: LinearTrial = field(default_factory=LinearTrial)
    trial: Trial = field(default_factory=lambda: Trial(train=TrainConfig(2000, lr=0.02, sharpness_every=50)))
    width: int = 64

    def perceptrons(self) -> dict[str, Trial]:
        """The trainings by key."""
        return {
            f"mlp_{n}": replace(self.trial, model=replace(self.trial.model, hidden=",".join([str(self.width)] * n)))
            for n in (0, 1, 3)
        }


@experiment(
    "linear-analysis",
    "depth",
    smoke=Depth(LinearTrial(steps=400, n=5000), replace(SMALL, train=TrainConfig(30, lr=0.02, sharpness_every=10)), 16),
    quick=Depth(),
    paper=Depth(LinearTrial(d1=50, d2=20, n=200_000)),
)
def depth(config: Depth, run: Run) -> None:
    """The two-layer linear network, and what becomes of sharpness without depth."""
    linear = run.over_seeds(run_linear, {"linear": config.linear}, "linear networks")["linear"]
    mlps = run.over_seeds(run_trial, config.perceptrons(), "perceptrons")
    for i in range(len(run.seeds)):
        keys = run.paper.claim("linear-analysis").paper
        run.measure("linear-analysis", **{key: linear[i][key] for key in keys})
        rises = {key: rise([value for _, value in mlps[key][i]["sharpness"]]) for key in mlps}
        run.measure("depth", one_layer=linear[i]["one_layer"], two_layers=linear[i]["two_layers"], **rises)
    curves = linear[0]["curves"]
    run.figure(
        "linear",
        draw_linear(
            {config.linear.eta_stable: curves["stable"], config.linear.eta: curves["edge"]}, config.linear.alpha
        ),
        ("linear-analysis",),
        caption=(
            "The two-layer linear network: below the edge of stability its curvature rises to alpha |beta|; above it "
            "the outliers' weight oscillates and grows until the loss spikes, which brings the curvature down again."
        ),
    )
    named = {"no hidden layer": "mlp_0", "1 hidden layer": "mlp_1", "3 hidden layers": "mlp_3"}
    run.figure(
        "depth",
        draw_depth({label: [one["sharpness"] for one in mlps[key]] for label, key in named.items()}),
        ("depth",),
        caption="Sharpness of perceptrons relative to its lowest so far: without a hidden layer it does not change.",
    )
