"""Training: against a loop by hand; resumed; evaluated; saved and loaded."""

import math

import pytest
import torch

from mip_hypernet import (
    HyperConfig,
    RunConfig,
    TaskConfig,
    TrainConfig,
    Trainer,
    compare,
    evaluate,
    experiments,
    load,
    load_task,
    make_model,
    save,
    train,
    train_run,
)
from mip_hypernet.comparison import output
from mip_hypernet.configs import gammas_of, widths_of
from mip_hypernet.trials import Trial, ray_report, run_trial, steps_to
from separata.loop import step_generator
from separata.testing import contents, interrupted_after

TINY = TaskConfig(width=2, n_train=100)
HYPER = HyperConfig(hidden="4,8")


@pytest.fixture(scope="module")
def task():
    return load_task("bayes", TINY)


def weights(model):
    return torch.cat([value.detach().flatten() for value in model.parameters()])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_are_those_of_a_loop_by_hand(task, optimizer):
    config = TrainConfig(5, 0.01, optimizer, batch_size=8, seed=3)
    model, own = make_model(task, HYPER, 3), make_model(task, HYPER, 3)
    Trainer(model, task, config).fit()
    by_hand = (
        torch.optim.Adam(own.parameters(), 0.01)
        if optimizer == "adam"
        else torch.optim.SGD(own.parameters(), 0.01, momentum=0.9)
    )
    x, y = task.samples("train")
    for step in range(5):
        generator = step_generator(3, step)
        index = torch.randint(len(y), (8,), generator=generator)
        gamma = torch.rand(1, generator=generator)
        by_hand.zero_grad()
        torch.nn.functional.cross_entropy(own(x[index], gamma=gamma), y[index]).backward()
        by_hand.step()
    torch.testing.assert_close(weights(model), weights(own), rtol=1e-5, atol=1e-6)


def test_mip_learns_where_its_initialization_alone_does_not():
    task, losses = load_task("bayes", TaskConfig(width=4, n_train=300)), {}
    for name in ("mip", "default"):
        model = make_model(task, HyperConfig(name, initialization="slices"))
        Trainer(model, task, TrainConfig(150, 0.01, "sgd", batch_size=16)).fit()
        losses[name] = evaluate(model, task, (0.0, 0.5, 1.0), "train").mean()
    assert losses["mip"] < 1
    assert losses["default"] > 2


def test_a_network_alone(task):
    network = task.make_network()
    before = evaluate(network, task, (0.5,), "train").mean()
    Trainer(network, task, TrainConfig(40, 0.01, batch_size=16)).fit()
    assert evaluate(network, task, (0.5,), "train").mean() < 0.9 * before


def test_a_single_gamma_is_trained_for():
    task = load_task("regularization", TaskConfig(width=0, n_train=100))
    at = torch.tensor([1.0])
    one, other = (make_model(task, HYPER, 0) for _ in range(2))
    Trainer(one, task, TrainConfig(60, 0.01, batch_size=16), gamma=at).fit()
    Trainer(other, task, TrainConfig(60, 0.01, batch_size=16), gamma=torch.tensor([0.0])).fit()
    norms = [evaluate(model, task, (1.0,)).rows[0]["norm"] for model in (one, other)]
    assert norms[0] < 0.5 * norms[1]


def test_evaluation_is_of_plain_networks(task):
    model = make_model(task, HYPER)
    for part in ("train", "validation", "test"):
        report = evaluate(model, task, (0.0, 0.3), part)
        x, y = task.samples(part)
        with torch.no_grad():
            expected = float(torch.nn.functional.cross_entropy(model(x, gamma=0.3), y))
        assert report.rows[1]["loss"] == pytest.approx(expected, rel=1e-5)
    assert report.mean() == pytest.approx((report.rows[0]["loss"] + expected) / 2, rel=1e-5)
    assert report.output().value["rows"][1]["gamma"] == 0.3
    with pytest.raises(ValueError, match="one γ or more"):
        evaluate(model, task, ())
    with pytest.raises(ValueError, match="InputScaler"):
        evaluate(model, task, (1.2,))


def test_in_memory(task):
    config = RunConfig("bayes", TINY, HYPER, TrainConfig(3, batch_size=4, seed=1))
    assert torch.equal(weights(train(task, config)), weights(train(task, config)))


def test_folders(tmp_path):
    config = RunConfig("bayes", TINY, HYPER, TrainConfig(6, batch_size=4))
    saved = train_run(tmp_path / "run", config, device="cpu")
    model = load(tmp_path / "run", device="cpu")
    assert torch.equal(weights(model), weights(saved.model))
    with interrupted_after(4), pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "part", config, device="cpu")
    resumed = train_run(tmp_path / "part", config, device="cpu", resume=True)
    assert torch.equal(weights(resumed.model), weights(saved.model))
    save(saved.model, tmp_path / "own", config)
    assert torch.equal(weights(load(tmp_path / "own", device="cpu")), weights(saved.model))
    assert contents(tmp_path / "own")["model.safetensors"] == contents(tmp_path / "run")["model.safetensors"]


def test_a_training_that_diverges_says_so(tmp_path):
    config = RunConfig("bayes", TINY, HYPER, TrainConfig(60, 1e30, "sgd", batch_size=4))
    with pytest.raises(ValueError, match="lower the learning rate"):
        train_run(tmp_path / "run", config, device="cpu")
    assert not (tmp_path / "run").exists()


def test_what_is_told_of_a_trial():
    train_config = TrainConfig(120, 3e-3, batch_size=16)
    found = run_trial(Trial("bayes", TINY, HYPER, train_config), "cpu")
    assert [step for step, _ in found["curve"]] == list(range(10, 121, 10))
    losses = dict(found["curve"])
    assert found["last"] == pytest.approx(sum(losses[step] for step in range(30, 121, 10)) / 10)
    assert found["failed"] == int(min(losses.values()) >= 2.2)
    task = load_task("bayes", TINY)
    model = make_model(task, HYPER)
    Trainer(model, task, train_config).fit()
    # Midpoints, since the mean over uniform inputs gives their ends no weight.
    middles = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
    assert found["validation"] == pytest.approx(evaluate(model, task, middles, "validation").mean(), rel=1e-5)
    assert found["test"]["loss"] == pytest.approx(evaluate(model, task, middles, "test").mean(), rel=1e-5)
    assert 0 <= found["test"]["accuracy"] <= 1
    failed = run_trial(Trial("bayes", TINY, HYPER, TrainConfig(60, 1e30, "sgd")), "cpu")
    assert (failed["failed"], failed["last"], failed["steps"]) == (1, None, 60)
    nothing = run_trial(Trial("bayes", TINY, HYPER, TrainConfig(40, 1e-9)), "cpu")
    assert nothing["failed"] == 1
    assert nothing["steps"] == 40


def test_inputs_are_drawn_each_by_itself_and_anew():
    task = load_task("bayes", TaskConfig(dim=3, width=2, n_train=50))
    model, seen = make_model(task, HYPER), []
    model.hypernet.hidden.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    Trainer(model, task, TrainConfig(60, 1e-9, batch_size=2)).fit()
    # The encoding is cos and sin of pi / 2 times the inputs.
    gammas = torch.stack([torch.atan2(one[3:], one[:3]) * 2 / torch.pi for one in seen])
    assert gammas.shape == (60, 3)
    correlations = torch.corrcoef(gammas.T)
    assert float((correlations - torch.eye(3)).abs().max()) < 0.5
    assert gammas.mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.15)
    assert 0 <= float(gammas.min()) < 0.1
    assert 0.9 < float(gammas.max()) <= 1


def test_the_lowest_held_out_loss_is_chosen_and_a_failure_never():
    results = {name: {"validation": loss} for name, loss in (("a", 0.5), ("b", 0.1), ("c", None))}
    scores = {name: experiments._score(result) for name, result in results.items()}
    assert scores["b"] > scores["a"]
    assert math.isnan(scores["c"])


def test_steps_to_a_target():
    curve = [(20, 2.0), (40, 0.9), (60, 1.2), (80, 0.1)]
    assert steps_to(curve, 1.0, 80) == 40
    assert steps_to(curve, 0.05, 80) == 80


def test_rays_have_one_direction(task):
    model = make_model(load_task("bayes", TaskConfig(width=2, n_train=100, dim=5)), HYPER)
    report = ray_report(model, 5)
    assert report.norms[-1] == pytest.approx(20 * report.norms[0], rel=1e-5)


def test_parametrizations_are_compared(task):
    config = RunConfig("bayes", TINY, HYPER, TrainConfig(20, batch_size=4))
    found = compare(config, n_seeds=2, device="cpu")
    assert {name: len(results) for name, results in found.items()} == dict.fromkeys(
        ("mip", "encoding", "residual", "default"), 2
    )
    value = output(found).value
    best = min(value["rows"], key=lambda row: row["loss"])
    assert value["best"] == best["parametrization"]
    with pytest.raises(ValueError, match="a seed or more"):
        compare(config, n_seeds=0)
    diverged = {"curve": [], "steps": 5, "failed": 1, "last": None, "validation": None, "test": {}}
    assert output({"mip": [diverged]}).value["best"] is None


def test_settings():
    assert gammas_of("0:1:3") == (0, 0.5, 1)
    assert gammas_of("0.25") == (0.25,)
    assert widths_of("16,64") == (16, 64)
    assert TrainConfig().rate == 1e-3
    assert TrainConfig(optimizer="sgd").rate == 1e-2
    for call in (lambda: gammas_of("0:2:3"), lambda: gammas_of("a"), lambda: gammas_of("0:1:0"), lambda: gammas_of("")):
        with pytest.raises(ValueError, match="0:1:11"):
            call()
    for make, word in (
        (lambda: HyperConfig(hidden="16,x"), "16,64,128"),
        (lambda: HyperConfig(hidden="0"), "16,64,128"),
        (lambda: HyperConfig(rank=0), "rank"),
        (lambda: TrainConfig(0), "steps"),
        (lambda: TrainConfig(lr=-1.0), "lr"),
        (lambda: TrainConfig(lr=math.nan), "lr"),
        (lambda: TrainConfig(momentum=1.0), "momentum"),
        (lambda: TaskConfig(dim=0), "dim"),
        (lambda: TaskConfig(width=-1), "width"),
        (lambda: TaskConfig(n_train=0), "n_train"),
    ):
        with pytest.raises(ValueError, match=word):
            make()
