"""Training: what it minimizes, what it keeps, and that it goes on exactly."""

from dataclasses import replace

import pytest
import torch
from known_functions import generator
from torch import nn

from deeponet import DeepONet, TrainConfig, Trainer, TripleDataset, evaluate, make_problem
from separata.training import seeded

CONFIG = TrainConfig(steps=40, lr=1e-2, check_every=10)


@pytest.fixture(scope="module")
def data():
    return make_problem("antiderivative").sample(30, generator()).to(dtype=torch.float32)


def network(seed=0):
    with seeded(seed):
        return DeepONet([100, 8, 8], [1, 8, 8])


def test_a_step_is_adam_on_the_mean_squared_error_of_all_rows(data):
    one, other = network(), network()
    Trainer(one, data, TrainConfig(steps=3, lr=1e-2)).fit()
    u, y, s = data.rows()
    optimizer = torch.optim.Adam(other.parameters(), 1e-2)
    losses = []
    for _ in range(3):
        loss = ((other(u, y) - s) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def test_a_grid_is_trained_as_its_rows(data):
    problem = make_problem("antiderivative").sample(8, generator(), n_points=0).to(dtype=torch.float32)
    grid = TripleDataset(problem.u, problem.y[::25], problem.s[:, ::25])
    rows = TripleDataset(grid.u.repeat_interleave(5, 0), grid.y.repeat(8, 1)[:, None], grid.s.reshape(40, 1, 1))
    one, other = network(), network()
    for model, part in ((one, grid), (other, rows)):
        Trainer(model, part, TrainConfig(steps=5, lr=1e-2)).fit()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-3)


def test_the_weights_of_the_lowest_training_loss_are_kept(data):
    rows = []
    model = network()
    # So large a rate goes up and down.
    trainer = Trainer(model, data, TrainConfig(steps=60, lr=0.3, check_every=5), log=rows.append)
    trainer.fit()
    losses = [row["loss"] for row in rows]
    assert min(losses) < losses[-1]
    assert trainer.best == min(losses)
    assert evaluate(model, data).mse == pytest.approx(trainer.best, rel=1e-4)


def test_it_learns_and_a_shuffled_control_does_not(data):
    test = make_problem("antiderivative").sample(200, generator(1))
    train = make_problem("antiderivative").sample(300, generator(2))
    errors = []
    for part in (train, train.shuffled(generator())):
        model = network()
        Trainer(model, part, TrainConfig(steps=300, lr=5e-3, check_every=50)).fit()
        errors.append(evaluate(model, test).relative_l2)
    assert errors[0] < 0.25
    assert errors[1] > 0.6


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_training_that_was_stopped_goes_on_exactly(data, batch_size, tmp_path):
    config = replace(CONFIG, batch_size=batch_size)
    whole, first, second = network(), network(), network(5)
    Trainer(whole, data, config).fit()
    place = tmp_path / "checkpoint.safetensors"

    class Stop(Exception):
        pass

    def stop(row):
        if row["step"] == 30:
            raise Stop

    with pytest.raises(Stop):
        Trainer(first, data, config, checkpoint=place, log=stop).fit()
    trainer = Trainer(second, data, config, checkpoint=place)
    assert trainer.done == 20
    trainer.fit()
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_batches_take_every_function_once_in_a_pass(data):
    trainer = Trainer(network(), data, replace(CONFIG, batch_size=10))
    for start in (0, 3):
        seen = torch.cat([trainer._batch(start + place)[0] for place in range(3)])
        assert torch.equal(seen.sum(1).sort().values, data.u.sum(1).sort().values)
    assert not torch.equal(trainer._batch(0)[0], trainer._batch(3)[0])


def test_a_model_of_one_s_own_is_trained_in_its_precision():
    class Own(nn.Module):
        """Affine in u and y, a row for each."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, 1)

        def forward(self, u, y):
            return self.layer(torch.cat([u, y], 1))

    g = generator()
    data = TripleDataset(*(torch.randn(40, *shape, generator=g).double() for shape in ((4,), (1, 1), (1, 1))))
    model = Own().double()
    trainer = Trainer(model, data, TrainConfig(steps=1000, lr=1e-2, check_every=100))
    trainer.fit()
    x = torch.cat([data.u, data.y[:, 0], torch.ones(40, 1).double()], 1)
    solution = torch.linalg.lstsq(x, data.s[:, 0]).solution
    least = float((x @ solution - data.s[:, 0]).square().mean())
    assert trainer.best == pytest.approx(least, rel=1e-6)


def test_a_training_that_diverges_says_so(data):
    huge = replace_values(data, 1e30)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(network(), huge, CONFIG).fit()


def replace_values(data, factor):
    return TripleDataset(data.u, data.y, data.s * factor)


def test_the_checkpoint_of_another_network_is_refused(data, tmp_path):
    place = tmp_path / "checkpoint.safetensors"
    Trainer(network(), data, replace(CONFIG, steps=1), checkpoint=place).fit()
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        Trainer(DeepONet([100, 4], [1, 4]), data, CONFIG, checkpoint=place)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"lr": 0.0}, "learning rate"),
        ({"batch_size": 0}, "batch size"),
        ({"check_every": 0}, "check every"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**settings)
