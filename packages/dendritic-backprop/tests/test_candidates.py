"""The dendrite phase against known optima, and what it must leave as it was."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from dendritic_backprop import CorrelationTrainer, DendriteConfig, add_dendrites, num_dendrites
from dendritic_backprop.scores import Layer
from dendritic_backprop.wrapping import dendritic_modules
from separata.training import fingerprint


def adam(lr=1e-2):
    return lambda parameters: torch.optim.Adam(parameters, lr)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def half_squares(out, target):
    return (out - target).square().sum() / 2 / len(out)


def single_neuron(score="normalized", **settings):
    """One linear neuron that gives 0, so that the error of a sample is minus its target."""
    model = add_dendrites(nn.Linear(3, 1), config=DendriteConfig(score=score, **settings))
    nn.init.zeros_(model.module.weight)
    nn.init.zeros_(model.module.bias)
    return model


def correlation(model, x, error):
    return torch.corrcoef(torch.stack([model.values(x)[0][:, 0], error])).abs()[0, 1].item()


@pytest.mark.parametrize("score", ["covariance", "normalized", "pearson"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_dendrite_finds_an_error_that_it_can_compute(score, sign):
    """Oracle 4: E = s sigmoid(w x) + c."""
    x = torch.randn(400, 3, generator=generator())
    y = sign * torch.sigmoid(x @ torch.tensor([3.0, -2, 1]))[:, None] + 0.7
    model = single_neuron(score)
    # At small weights, the correlation is nearly that of a linear dendrite, and hardly depends on their scale.
    trainer = CorrelationTrainer(model, half_squares, adam(0.2 if score == "pearson" else 5e-2), generator())
    trainer.run([(x, y)], 400 if score == "pearson" else 200, patience=0)
    found = correlation(model, x, y[:, 0])
    assert found > (0.99 if score == "pearson" else 0.95)
    assert found == pytest.approx(abs(trainer.correlations["Linear"].item()), abs=1e-4)
    assert trainer.correlations["Linear"].sign().item() == -sign


def test_a_dendrite_does_not_find_what_does_not_depend_on_its_input():
    """Oracle 4: the correlation on other samples is of the order of 1 / sqrt(N)."""
    x, y = torch.randn(2000, 3, generator=generator()), torch.randn(2000, 1, generator=generator(1))
    model = single_neuron()
    CorrelationTrainer(model, half_squares, adam(), generator()).run([(x[:1000], y[:1000])], 50, patience=0)
    assert correlation(model, x[1000:], y[1000:, 0]) < 4 / 1000**0.5


def test_refitting_the_gain_removes_the_share_of_the_squared_error_that_the_correlation_says():
    """Oracle 5: SSE (1 - rho²), for a single linear neuron with its bias."""
    x = torch.randn(300, 3, generator=generator(), dtype=torch.float64)
    y = (x[:, :1] * x[:, 1:2]).tanh() + x[:, 2:]
    model = add_dendrites(nn.Linear(3, 1)).double()
    design = torch.cat([x, torch.ones(300, 1, dtype=torch.float64)], 1)
    solution = torch.linalg.lstsq(design, y).solution
    model.module.weight.data, model.module.bias.data = solution[:3].T.contiguous(), solution[3]
    before = (model(x) - y).square().sum().item()
    trainer = CorrelationTrainer(model, half_squares, adam(5e-2), generator())
    trainer.run([(x, y)], 60, patience=0)
    rho = trainer.correlations["Linear"].item()
    with torch.no_grad():
        residual, v = (model(x) - y)[:, 0], model.values(x)[0][:, 0]
        fitted = torch.linalg.lstsq(torch.stack([v, torch.ones_like(v)], 1), residual[:, None])
        after = (residual - (torch.stack([v, torch.ones_like(v)], 1) @ fitted.solution)[:, 0]).square().sum().item()
    assert 0.1 < abs(rho) < 1
    assert after == pytest.approx(before * (1 - rho**2), rel=1e-6)


def test_the_gain_by_regression_is_that_of_least_squares():
    x = torch.randn(200, 3, generator=generator())
    y = torch.sigmoid(2 * x[:, :1])
    model = single_neuron(init_gain="regression", gain_scale=1.0)
    CorrelationTrainer(model, half_squares, adam(5e-2), generator()).run([(x, y)], 20)
    with torch.no_grad():
        v = model.values(x)[0][:, 0]
        slope = ((v - v.mean()) * (y[:, 0] - y.mean())).sum() / (v - v.mean()).square().sum()
    assert model.gain.item() == pytest.approx(slope.item(), rel=1e-3)


def hashes(model):
    return {name: fingerprint(value) for name, value in model.state_dict().items()}


class Residual(nn.Module):
    """A stranger's network: normalization, dropout, an in-place nonlinearity, and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu_(self.twice(x)) + x
        x = self.drop(torch.relu_(self.twice(x)))
        return self.head(x.mean((2, 3)))


def images(n=24):
    return torch.randn(n, 1, 6, 6, generator=generator()), torch.arange(n) % 3


def test_a_dendrite_phase_changes_nothing_of_the_network():
    """Oracle 7, with everything that moves by itself: statistics, dropout, modes and the freezing of layers."""
    torch.manual_seed(0)
    model = add_dendrites(Residual())
    model.head.module.bias.requires_grad_(False)  # noqa: FBT003
    x, y = images()
    batches = list(zip(x.split(8), y.split(8)))
    for n in range(2):
        model.train()
        before = hashes(model)
        trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
        with torch.no_grad():
            outputs = model.eval()(x)
        model.train()
        CorrelationTrainer(model, cross_entropy, adam(), generator(n)).run(batches, 3)
        after = hashes(model)
        same = [name for name in before if ".dendrites." not in name and name.split(".")[-1] not in {"gain", "lateral"}]
        assert len(same) > 8
        assert all(after[name] == before[name] for name in same)
        assert model.training
        assert model.drop.training
        assert num_dendrites(model) == n + 1
        for name, parameter in model.named_parameters():
            if name in trainable:
                assert parameter.requires_grad == trainable[name], name
        with torch.no_grad():
            torch.testing.assert_close(model.eval()(x), outputs, rtol=1e-5, atol=1e-6)
    frozen = {name for name in hashes(model) if ".dendrites." in name or name.endswith("lateral")}
    before = hashes(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    model.train()
    for a, b in batches:
        optimizer.zero_grad()
        cross_entropy(model(a), b).backward()
        optimizer.step()
    after = hashes(model)
    assert all(after[name] == before[name] for name in frozen)
    assert all(after[f"{name}.gain"] != before[f"{name}.gain"] for name in dendritic_modules(model))


def test_errors_are_those_of_back_propagation_and_uses_of_a_layer_are_patterns():
    torch.manual_seed(0)
    model = add_dendrites(Residual()).eval()
    x, y = images(6)
    outs, plain = [], copy.deepcopy(model)

    def seen(module, args, output):
        output.retain_grad()
        outs.append(output)
        return output * 1  # what follows works in place

    plain.twice.register_forward_hook(seen)
    (cross_entropy(plain(x), y) * 6).backward()
    expected = torch.cat([out.grad.movedim(1, -1).flatten(0, -2) for out in outs])
    trainer = CorrelationTrainer(model, cross_entropy, adam(), generator())
    trainer.begin()
    recorded = trainer._through_network((x, y))
    names = [layer.name for layer in trainer.layers]
    errors = torch.cat([one.error for one in recorded[names.index("twice")]])
    torch.testing.assert_close(errors, expected)
    trainer.abandon()
    assert num_dendrites(model) == 0


def test_running_the_network_once_or_every_time_is_the_same():
    found = []
    for memory in (10**9, 0):
        torch.manual_seed(0)
        model = add_dendrites(Residual())
        x, y = images()
        CorrelationTrainer(model, cross_entropy, adam(), generator()).run([(x, y)], 4, memory=memory)
        found.append(model.state_dict())
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name])


def test_of_several_candidates_each_neuron_keeps_the_best():
    torch.manual_seed(0)
    x, y = torch.randn(100, 3), torch.randn(100, 5)
    model = add_dendrites(nn.Linear(3, 5), config=DendriteConfig(n_candidates=6, init_scale=1.0))
    trainer = CorrelationTrainer(model, mse_loss, adam(), generator())
    trainer.begin()
    pool = copy.deepcopy(model.candidates)
    with torch.no_grad():
        values = torch.stack(model.candidate_values(((x,), {}), []))
        error = model(x) - y
    trainer.abandon()
    centered = error - error.mean(0)
    scores = ((values - values.mean(1, keepdim=True)) * centered).mean(1).abs()
    CorrelationTrainer(model, mse_loss, adam(), generator()).run([(x, y)], 0)
    best = scores.argmax(0)
    assert len(best.unique()) > 1
    torch.testing.assert_close(model.dendrites.weight[0], pool.weight[best, torch.arange(5)])


def test_the_best_epoch_of_each_neuron_is_kept():
    """With steps far too long, later epochs are worse for some neurons."""
    torch.manual_seed(0)
    x, y = torch.randn(60, 3), torch.randn(60, 8)
    model = add_dendrites(nn.Linear(3, 8), config=DendriteConfig(init_scale=1.0))
    trainer = CorrelationTrainer(model, mse_loss, lambda p: torch.optim.SGD(p, 300.0), generator())
    trainer.run([(x, y)], 5, patience=0)
    kept = torch.stack(model.values(x))[0]
    with torch.no_grad():
        error = model(x) - y
    centered = (error - error.mean(0)) / error.std(0, correction=0)
    score = ((kept - kept.mean(0)) * centered).mean(0).abs()
    assert score.mean() >= max(row["Linear"] for row in trainer.history) - 1e-4


def test_a_loop_of_one_s_own_trains_candidates_as_well():
    x = torch.randn(400, 3, generator=generator())
    y = torch.sigmoid(x @ torch.tensor([3.0, -2, 1]))[:, None]
    model = single_neuron()
    trainer = CorrelationTrainer(model, None, adam(5e-2), generator())
    trainer.begin()
    for _ in range(40):
        for a, b in zip(x.split(100), y.split(100)):
            model.train()
            half_squares(model(a), b).backward()
            trainer.observe(scale=100)
        trainer.end_epoch()
    trainer.accept()
    assert correlation(model, x, y[:, 0]) > 0.95


def test_a_loop_of_one_s_own_measures_what_a_loader_does():
    """The errors of single samples, whatever the batches: gains by regression are in their units."""
    x, found = torch.randn(50, 3, generator=generator()), []
    y = torch.sigmoid(2 * x[:, :1])
    batches = list(zip(x.split(20), y.split(20)))  # the last one is shorter
    for is_own in (False, True):
        model = single_neuron(init_gain="regression", gain_scale=1.0, init_scale=1.0)
        trainer = CorrelationTrainer(model, half_squares, adam(), generator())
        if is_own:
            trainer.begin()
            for a, b in batches:
                half_squares(model(input=a), b).backward()
                trainer.observe()
            trainer.end_epoch()
            trainer.accept()
        else:
            trainer.run(batches, 0)
        found.append((model.gain.item(), trainer.correlations["Linear"].item()))
    assert abs(found[0][0]) > 0.1
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_the_sign_of_a_small_covariance_is_not_lost_in_the_errors_of_batches():
    """Outputs near one half times the mean error of a batch are larger than the covariance by far."""
    x = torch.randn(2000, 3, generator=generator())
    error = x[:, :1] + 3 * torch.randn(2000, 1, generator=generator(1))
    model = single_neuron()
    layer = Layer("Linear", model)
    model.start_candidates(1)
    nn.init.constant_(model.candidates.weight, 0.0)
    model.candidates.weight.data[..., 0] = 0.004  # V = 1/2 + 0.001 x
    with torch.no_grad():
        values = model.in_patterns(model.candidate_values(((x,), {}), []))
        layer.add(values, error)
        layer.end_pass()
        for n in range(100):
            rows = slice(20 * n, 20 * n + 20)
            layer.objective(values[:, rows], error[rows])
            assert layer.running.item() > 0, n


def test_modes_that_a_user_has_set_stay():
    """Normalization that is frozen by its mode, as for fine-tuning, inside a block and beside one."""
    torch.manual_seed(0)
    model = Residual()
    model.stem[1].eval()
    modes = {id(module): module.training for module in model.modules()}
    model = add_dendrites(model)

    def as_before():
        return all(module.training is modes[id(module)] for module in model.modules() if id(module) in modes)

    assert as_before()
    x, y = images()
    CorrelationTrainer(model, cross_entropy, adam(), generator()).run([(x, y)], 1)
    assert as_before()
    assert not any(m.training for one in dendritic_modules(model).values() for m in one.dendrites.modules())


def test_what_no_error_reaches_is_named():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x):
            return self.used(x)

    model, batch = add_dendrites(Idle()), (torch.randn(4, 3), torch.randn(4, 2))
    with pytest.raises(ValueError, match="no error reached idle in this phase"):
        CorrelationTrainer(model, mse_loss, adam(), generator()).run([batch], 1)
    assert all(parameter.requires_grad for name, parameter in model.named_parameters() if "module" in name)
    model = add_dendrites(Idle(), names=["idle"])
    with pytest.raises(ValueError, match="no error reached idle in this phase"):
        CorrelationTrainer(model, mse_loss, adam(), generator()).run([batch], 1)
    model = add_dendrites(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="no batch"):
        CorrelationTrainer(model, mse_loss, adam()).run([], 1)
    with pytest.raises(FloatingPointError, match="not finite"):
        CorrelationTrainer(model, mse_loss, adam()).run([(torch.randn(4, 3), torch.full((4, 2), torch.nan))], 1)
    with pytest.raises(ValueError, match="needs a loss"):
        CorrelationTrainer(model, None, adam()).run([batch], 1)
    with pytest.raises(ValueError, match="call begin first"):
        _ = CorrelationTrainer(model, None, adam()).optimizer
    assert model.candidates is None
