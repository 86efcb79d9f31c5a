"""Training: the schedule, the best epoch, resumption, and whatever module or loss a user brings."""

import math

import pytest
import torch
from torch import nn

from mgno import GridDataset, MgNO, TrainConfig, Trainer, evaluate, one_cycle
from separata.testing import interrupted_after

TWO = ((1, 0), (2, 0))
CONFIG = TrainConfig(epochs=4, batch_size=4, lr=1e-2, loss="l2")


def data(n=10):
    x = torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return GridDataset(x, 2 * x + x.roll(1, 2))


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MgNO(1, 1, 3, 1, TWO)


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(epochs=50),
        TrainConfig(epochs=37, lr=1e-3, pct_start=0.1, final_div_factor=50),
        TrainConfig(epochs=3),
    ],
)
def test_the_schedule_is_that_of_pytorch_stepped_once_an_epoch(config):
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        config.lr,
        total_steps=config.epochs,
        pct_start=config.pct_start,
        div_factor=config.div_factor,
        final_div_factor=config.final_div_factor,
    )
    for epoch in range(config.epochs):
        group = optimizer.param_groups[0]
        assert one_cycle(epoch, config) == pytest.approx((group["lr"], group["betas"][0]))
        optimizer.step()
        if epoch < config.epochs - 1:
            schedule.step()


@pytest.mark.parametrize("epochs", [1, 2, 5, 10])
def test_short_schedules_are_positive_and_no_larger_than_the_largest(epochs):
    config = TrainConfig(epochs=epochs)
    rates = [one_cycle(epoch, config)[0] for epoch in range(epochs)]
    assert all(0 < rate <= config.lr for rate in rates)
    assert rates[-1] == pytest.approx(config.lr / 200)


def test_weight_decay_is_part_of_the_gradient():
    """Two steps of Adam on a gradient that is the weight decay alone are those of Adam on that gradient."""
    model = nn.Conv2d(1, 1, 1, bias=False)
    weight = model.weight.detach().clone()
    pairs = GridDataset(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    config = TrainConfig(epochs=1, weight_decay=0.5, lr=1e-3)
    Trainer(model, pairs, config, loss=lambda pred, true: 0 * (pred - true).flatten(1).sum(1)).fit()
    lr = one_cycle(0, config)[0]
    torch.testing.assert_close(model.weight, weight - lr * weight.sign(), atol=1e-7, rtol=1e-4)


def test_the_best_epoch_is_kept_and_the_error_falls():
    rows = []
    model = network()
    trainer = Trainer(model, data(), TrainConfig(epochs=30, batch_size=5, lr=2e-2), validation=data(3), log=rows.append)
    trainer.fit()
    errors = [row["validation_l2"] for row in rows]
    assert len(rows) == 30
    assert trainer.best == min(errors) < errors[0] / 2
    assert errors[trainer.best_epoch - 1] == trainer.best
    with torch.no_grad():
        again = trainer._error(trainer.validation)
    assert again == pytest.approx(trainer.best)


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path):
    whole, part = network(), network()
    Trainer(whole, data(), CONFIG, validation=data(3)).fit()
    with interrupted_after(7), pytest.raises(KeyboardInterrupt):
        Trainer(part, data(), CONFIG, validation=data(3), checkpoint=tmp_path / "c.safetensors").fit()
    again = network(seed=1)
    trainer = Trainer(again, data(), CONFIG, validation=data(3), checkpoint=tmp_path / "c.safetensors")
    assert trainer.done == 2
    trainer.fit()
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_module_and_a_loss_of_one_s_own_are_trained():
    model = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False)

    def loss(pred, true):
        return (pred - true).square().flatten(1).mean(1)

    Trainer(model, data(40), TrainConfig(epochs=40, lr=0.1, weight_decay=0.0), loss=loss).fit()
    expected = torch.zeros(1, 1, 3, 3)
    expected[0, 0, 1, 1], expected[0, 0, 0, 1] = 2, 1
    torch.testing.assert_close(model.weight.detach(), expected, atol=0.05, rtol=0)


class Spectral(nn.Module):
    """A user's own layer with complex weights, as other libraries' Fourier operators have them."""

    def __init__(self):
        super().__init__()
        self.modes = nn.Parameter(torch.ones(8, 5, dtype=torch.complex64))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * torch.fft.irfft2(self.modes * torch.fft.rfft2(x), s=x.shape[2:])


def test_networks_with_complex_weights_are_trained_and_evaluated():
    """The wanted map is a convolution on the torus, which one complex number a mode is."""
    model = Spectral()
    before = evaluate(model, data()).relative_l2
    config = TrainConfig(epochs=30, batch_size=5, lr=0.1, loss="l2", weight_decay=0.0)
    Trainer(model, data(), config, validation=data(3)).fit()
    assert evaluate(model, data()).relative_l2 < 0.1 * before


def test_the_loss_of_a_batch_is_the_sum_over_samples_and_for_helmholtz_their_mean():
    gradients = {}
    for loss, n in ((name, n) for name in ("l2", "helmholtz") for n in (1, 3)):
        model = network()
        same = GridDataset(data(1).x.expand(n, -1, -1, -1), data(1).y.expand(n, -1, -1, -1))
        Trainer(model, same, TrainConfig(loss=loss)).gradients(0)
        gradients[loss, n] = model.head.weight.grad.clone()
    torch.testing.assert_close(gradients["l2", 3], 3 * gradients["l2", 1])
    torch.testing.assert_close(gradients["helmholtz", 3], gradients["helmholtz", 1])


def test_what_cannot_be_trained_on_is_refused():
    zero = GridDataset(torch.ones(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="sample 0"):
        Trainer(network(), zero, CONFIG)
    Trainer(network(), zero, TrainConfig(epochs=1, loss="helmholtz")).fit()
    with pytest.raises(FloatingPointError, match="diverged"):
        Trainer(network(), data(), CONFIG, loss=lambda pred, true: (pred - true).flatten(1).sum(1) * math.nan).fit()
    for wrong in ({"epochs": 0}, {"lr": 0.0}, {"weight_decay": -1.0}, {"pct_start": 1.0}, {"div_factor": 0.5}):
        with pytest.raises(ValueError, match=r"must|learning rate"):
            TrainConfig(**wrong)
