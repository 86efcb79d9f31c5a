import math
from dataclasses import replace

import pytest
import torch

from udc_solver import ConquerorConfig, DividerConfig, SolverConfig, TrainConfig, Trainer, get_problem, make_solver
from udc_solver.training import reinforce

SMALL = SolverConfig("tsp", 8, DividerConfig(8, 1, 2, 6), ConquerorConfig(dim=16, layers=1, hidden=16, clip=10.0))
SHORT = TrainConfig(n_steps=4, sizes=(16, 24), n_samples=3, n_starts=4, lr=1e-3)


def weights(solver):
    return {name: value.clone() for name, value in solver.state_dict().items()}


def changed(before, after):
    """The networks of which weights changed."""
    return {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}


def test_the_loss_estimates_the_gradient_of_the_expected_cost():
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    costs = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
    expected = torch.autograd.grad((logits.softmax(0) * costs).sum(), logits)[0]
    # The mean over all groups of two draws; a baseline of the group's own mean shrinks it by (P - 1) / P.
    estimate = torch.zeros(3, dtype=torch.float64)
    probabilities = logits.softmax(0).detach()
    for i in range(3):
        for j in range(3):
            pair = torch.tensor([i, j])
            loss = reinforce(costs[pair][None], logits.log_softmax(0)[pair][None])
            estimate += probabilities[i] * probabilities[j] * torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(estimate, expected / 2)


def test_an_infinite_cost_counts_as_the_worst_finite_one():
    log_probs = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -1.0, -2.0]])
    costs = torch.tensor([[1.0, math.inf, 4.0], [math.inf, math.inf, math.inf]])
    expected = reinforce(torch.tensor([[1.0, 4.0, 4.0], [0.0, 0.0, 0.0]]), log_probs)
    torch.testing.assert_close(reinforce(costs, log_probs), expected)


@pytest.mark.parametrize(
    ("freeze", "networks"),
    [("nothing", {"divider", "conqueror"}), ("divider", {"conqueror"}), ("conqueror", {"divider"})],
)
@pytest.mark.parametrize("problem", ["tsp", "mis"])
def test_what_is_frozen_stays_and_the_rest_is_trained(problem, freeze, networks):
    # The conqueror of MIS has a batch normalization, whose statistics must not change, either.
    solver = make_solver(replace(SMALL, problem=problem))
    before = weights(solver)
    Trainer(solver, TrainConfig(2, (16, 16), n_samples=3, n_starts=4, freeze=freeze)).fit()
    assert changed(before, weights(solver)) == networks


def test_rounds_are_logged_and_never_make_tours_longer():
    rows = []
    Trainer(make_solver(SMALL), SHORT, log=rows.append, log_every=1).fit()
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(row["constructed"] >= row["round_1"] >= row["round_2"] for row in rows)


def test_without_reunion_there_is_one_round():
    rows = []
    config = TrainConfig(1, (16, 16), n_samples=3, n_starts=4, rounds=1)
    Trainer(make_solver(SMALL), config, log=rows.append, log_every=1).fit()
    assert "round_1" in rows[0]
    assert "round_2" not in rows[0]


@pytest.mark.parametrize("number", [1, 2])
def test_a_training_that_was_interrupted_ends_where_it_would_have(tmp_path, monkeypatch, number):
    whole = make_solver(SMALL)
    Trainer(whole, SHORT).fit()
    solver = make_solver(SMALL)
    trainer = Trainer(solver, SHORT, checkpoint=tmp_path / "it.safetensors")
    split, calls = trainer.problem.split, []

    def stop(*arguments):
        # In the middle of the third step, before or after the conqueror's first update.
        calls.append(1)
        if len(calls) == 4 + number:
            raise KeyboardInterrupt
        return split(*arguments)

    monkeypatch.setattr(trainer.problem, "split", stop)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    monkeypatch.undo()
    again = make_solver(SMALL, seed=9)
    resumed = Trainer(again, SHORT, checkpoint=tmp_path / "it.safetensors")
    assert resumed.loop.done == 2
    resumed.fit()
    assert not changed(weights(whole), weights(again))


def test_the_gradient_of_all_sub_problems_does_not_depend_on_chunks(monkeypatch):
    grads = []
    for most in (2**25, 20_000):
        monkeypatch.setattr("udc_solver.conquering.MAX_ELEMENTS", most)
        solver = make_solver(SMALL)
        trainer = Trainer(solver, TrainConfig(1, (16, 16), n_samples=3, n_starts=4))
        generator = torch.Generator().manual_seed(0)
        instance = trainer.problem.generate(16, 1, generator)
        tours = torch.stack([torch.randperm(16, generator=generator) for _ in range(3)])
        sub = trainer.problem.split(instance, tours, 8, 4, generator).sub
        rollout = solver.conqueror.rollout(sub, 4, generator, record=True)
        trainer._conqueror_gradients(sub, [(slice(0, len(sub)), rollout)])
        grads.append(torch.cat([value.grad.flatten() for value in solver.conqueror.parameters()]))
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-6)
    assert grads[0].abs().max() > 0


def test_a_short_training_shortens_tours():
    config = SolverConfig("tsp", 10, DividerConfig(16, 2, 2, 10), ConquerorConfig(dim=16, layers=1, hidden=16))
    instances = get_problem("tsp").generate(40, 16, torch.Generator().manual_seed(7))
    solver = make_solver(config)
    before = solver.solve(instances, 4, 2)
    Trainer(solver, TrainConfig(60, (40, 40), n_samples=6, n_starts=6, lr=3e-3)).fit()
    after = solver.solve(instances, 4, 2)
    assert after.trace[0].cost < 0.95 * before.trace[0].cost
    assert after.trace[-1].cost < 0.95 * before.trace[-1].cost


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (10, 5)}, "in order"),
        ({"n_steps": 0}, "positive"),
        ({"n_starts": 1}, "n_starts must be at least 2"),
        ({"n_samples": 1}, "n_samples must be at least 2"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**arguments)
