"""The published settings."""

from .configs import ModelConfig, RunConfig, TrainConfig

DARCY = ModelConfig(cycles="10,10,10,10,10,20")
PUBLISHED: dict[str, RunConfig] = {
    "darcy-smooth": RunConfig(
        ModelConfig(cycles="10,10,10,10,10,20", num_layers=5, x_normalizer="pointwise", y_normalizer="pointwise"),
        TrainConfig(),
    ),
    "darcy-rough": RunConfig(ModelConfig(cycles="10,10,10,10,10,20", x_normalizer="none"), TrainConfig()),
    "darcy-multiscale": RunConfig(DARCY, TrainConfig()),
    "navier-stokes": RunConfig(
        ModelConfig(
            width=32,
            num_layers=5,
            cycles="10,10,10,20,20",
            padding_mode="circular",
            pointwise_skip=False,
            residual=True,
            norm="cycle",
            bias="none",
            operator_bias=True,
            x_normalizer="none",
            y_normalizer="none",
        ),
        TrainConfig(
            lr=1e-3, batch_size=500, weight_decay=1e-5, loss="l2", pct_start=0.1, final_div_factor=50, h1_weight=2.0
        ),
    ),
    "helmholtz": RunConfig(
        ModelConfig(
            width=20,
            cycles="10,10,10,10,20",
            padding_mode="reflect",
            pointwise_skip=False,
            norm="layer",
            bias="none",
            head="operator",
            operator_bias=True,
            growth=True,
            transfer="vertex",
        ),
        TrainConfig(epochs=100, lr=3e-4, batch_size=10, weight_decay=1e-5, loss="helmholtz"),
    ),
    "pipe": RunConfig(
        ModelConfig(num_layers=5, cycles="10,10,10,10,11,20"), TrainConfig(lr=3e-4, batch_size=4, loss="l2")
    ),
}
"""The published settings, by the names of the paper's table."""
