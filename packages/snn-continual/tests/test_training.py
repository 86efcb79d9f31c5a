import math

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from separata import states
from separata.training import seeded
from snn_continual import (
    BPTT,
    DSR,
    OTTT,
    DivergenceError,
    HLOPConfig,
    HLOPLinear,
    MethodConfig,
    PermutedImages,
    RehearsalConfig,
    SpikingCNN,
    SpikingMLP,
    Task,
    TaskSequence,
    TrainConfig,
    train,
)
from snn_continual.paper import METHODS

FEW_STEPS = DSR(3)


class Blobs(TaskSequence):
    """Clouds of points in other directions for each task."""

    n_classes = 3
    shares_head = True

    def __init__(self, n_tasks=3, *, shares_head=True, shape=(24,), n=48, scale=1.0):
        self.n_tasks, self.shares_head, self.shape, self.n, self.scale = n_tasks, shares_head, shape, n, scale

    def __len__(self):
        return self.n_tasks

    def make(self, index):
        generator = torch.Generator().manual_seed(100 + index)
        centres = 1.5 * torch.randn(3, math.prod(self.shape), generator=generator)
        labels = torch.arange(2 * self.n) % 3
        points = centres[labels] + 0.5 * torch.randn(2 * self.n, centres.shape[1], generator=generator)
        points = self.scale * points.unflatten(1, self.shape)
        return Task(points[: self.n], labels[: self.n], points[self.n :], labels[self.n :])


def network(rule=FEW_STEPS, n_heads=None, seed=0, **hlop):
    with seeded(seed):
        return SpikingMLP((24, 16, 3), rule, hlop=HLOPConfig(**hlop), n_heads=n_heads)


SHORT = TrainConfig(epochs=3, batch_size=12)
FINETUNE = MethodConfig("finetune")
FEW = RehearsalConfig(per_class=4, lr=0.05)


def run(model, method, sequence=None, config=SHORT, **options):
    if method == "replay":
        options.setdefault("rehearsal", FEW)
    learner = MethodConfig(method, strength=1.0)
    return train(model, sequence or Blobs(), config, learner=learner, dims=lambda _: 2, **options)


def same(one, other):
    return all(torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize("method", [name for name in METHODS if name != "joint"])
def test_every_method_learns_each_task_and_tests_on_those_before(method):
    matrix = run(network(), method).matrix
    assert np.isnan(matrix[np.triu_indices(3, 1)]).all()
    assert (matrix[np.tril_indices(3)] >= 0).all()
    assert (matrix.diagonal() > 0.5).all()


def test_joint_training_measures_its_last_row_alone():
    for sequence, heads in ((Blobs(), None), (Blobs(shares_head=False), 3)):
        matrix = run(network(n_heads=heads), "joint", sequence)
        assert np.isnan(matrix.matrix[:-1]).all()
        assert matrix.acc > 0.7
        assert math.isnan(matrix.bwt)


@pytest.mark.parametrize("rule", [BPTT(3), OTTT(3)], ids=["bptt", "ottt"])
@pytest.mark.parametrize("feedback", ["bp", "fa", "sign"])
def test_hlop_learns_under_each_rule_and_feedback(rule, feedback):
    matrix = run(network(rule, feedback=feedback), "hlop", Blobs(2))
    assert matrix.acc > 0.5
    assert matrix.matrix[1, 1] > 0.6


def test_permuted_digits_are_learned_in_sequence():
    with seeded(0):
        model = SpikingMLP((64, 30, 10), DSR(3))
    matrix = train(model, PermutedImages("digits", 2), TrainConfig(epochs=1, batch_size=32), dims=lambda _: 8)
    assert matrix.matrix.diagonal().min() > 0.5


def test_each_task_has_a_head_of_its_own_where_tasks_have_classes_of_their_own():
    model = network(n_heads=3)
    before = [head.weight.clone() for head in model.classifier.heads]
    matrix = run(model, "hlop", Blobs(shares_head=False))
    assert matrix.acc > 0.7
    assert not any(torch.equal(a, b.weight) for a, b in zip(before, model.classifier.heads, strict=True))


def test_convolutional_networks_are_trained_on_tasks_with_heads():
    torch.manual_seed(0)
    model = SpikingCNN(3, DSR(2), widths=(3, 4), in_channels=1, image_size=4, n_heads=2)
    matrix = run(model, "hlop", Blobs(2, shares_head=False, shape=(1, 4, 4)))
    assert np.isfinite(matrix.matrix[np.tril_indices(2)]).all()
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_run_bit_by_bit(method):
    models = [network(), network()]
    matrices = []
    for noise, model in enumerate(models):
        torch.manual_seed(noise)
        matrices.append(run(model, method, Blobs(2, n=24)).matrix)
    np.testing.assert_array_equal(*matrices)
    assert same(*models)


def test_another_seed_gives_another_run():
    one, other = network(), network()
    run(one, "hlop", Blobs(2, n=24))
    run(other, "hlop", Blobs(2, n=24), seed=1)
    assert not same(one, other)


class Killed(Exception):
    pass


@pytest.mark.parametrize(
    ("method", "after"), [("hlop", 1), ("hlop", 2), ("ewc", 2), ("gpm", 1), ("replay", 2), ("finetune", 1)]
)
def test_a_run_killed_in_the_middle_goes_on_as_if_nothing_had_happened(method, after, tmp_path):
    def kill(row):
        if row["task"] == after and row["epoch"] == 1:
            raise Killed

    heads = 3 if after == 2 else None
    sequence, training = Blobs(shares_head=heads is None, n=24), TrainConfig(epochs=2, batch_size=8)
    undisturbed = network(n_heads=heads)
    expected = run(undisturbed, method, sequence, training)
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(network(n_heads=heads), method, sequence, training, checkpoint=checkpoint, log=kill)
    resumed, logged = network(n_heads=heads, seed=1), []
    found = run(resumed, method, sequence, training, checkpoint=checkpoint, log=logged.append)
    assert {row["task"] for row in logged} == set(range(after, 3))
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert same(resumed, undisturbed)
    again = run(network(n_heads=heads, seed=2), method, sequence, training, checkpoint=checkpoint)
    np.testing.assert_array_equal(again.matrix, expected.matrix)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    run(network(), "finetune", Blobs(1), checkpoint=checkpoint)
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        run(SpikingMLP((24, 9, 3), DSR(3)), "finetune", Blobs(1), checkpoint=checkpoint)


def test_a_checkpoint_is_only_data(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    run(network(), "finetune", Blobs(2), checkpoint=checkpoint)
    state = states.load(checkpoint)
    assert state["n_done"] == 2
    assert state["matrix"].shape == (2, 2)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        run(network(), "finetune", Blobs(2), checkpoint=checkpoint)


def test_projection_is_off_while_a_memory_is_rehearsed_and_on_again_after():
    """Without it, rehearsing changes what the weights give for the directions that are known."""
    kept = []
    for epochs in (0, 3):
        model = network()
        run(model, "gpm", Blobs(2), rehearsal=RehearsalConfig(4, epochs=epochs, lr=0.1))
        layer = next(module for module in model.modules() if isinstance(module, HLOPLinear))
        assert layer.is_projecting
        kept.append(layer.weight.detach() @ layer.subspace.fixed.T)
    assert torch.dist(*kept) > 1e-3


def test_a_network_in_evaluation_mode_is_trained_all_the_same():
    one, other = network(), network().eval()
    for model in (one, other):
        run(model, "hlop", Blobs(2, n=24))
    assert same(one, other)


def test_more_images_to_rehearse_than_a_class_has_are_refused():
    with pytest.raises(ValueError, match="17 images of each class"):
        run(network(), "replay", rehearsal=RehearsalConfig(17))


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="one of hlop, finetune, ewc, gpm, replay, joint, not 'si'"):
        MethodConfig("si")


def test_divergence_is_told_with_its_remedy():
    with pytest.raises(DivergenceError, match="diverged in epoch 1 of task 1: .*; lower the learning rate"):
        train(network(BPTT(2)), Blobs(1), TrainConfig(lr=1e38, batch_size=8), learner=FINETUNE)


@pytest.mark.parametrize("method", ["hlop", "joint"])
def test_weights_that_are_lost_after_a_finite_loss_are_told_too(method):
    model = network()

    def lose(*_):
        model.classifier.weight.data[0, 0] = math.nan

    hook = register_optimizer_step_post_hook(lose)
    try:
        with pytest.raises(DivergenceError, match="diverged in epoch 1 of task 1: the loss or a weight is NaN"):
            run(model, method, Blobs(1), TrainConfig(epochs=3, batch_size=48))
    finally:
        hook.remove()


def test_a_loss_that_exploded_is_warned_of_once():
    with pytest.warns(UserWarning, match="the loss exploded") as caught:
        train(network(), Blobs(2), TrainConfig(epochs=2, lr=1e9, batch_size=12), learner=FINETUNE)
    (message,) = [str(one.message) for one in caught]
    assert message.endswith(" in epoch 1 of task 1, where guessing has 1.10; lower the learning rate")


def test_a_loss_that_is_usual_is_not_warned_of(recwarn):
    train(network(), Blobs(2), TrainConfig(epochs=2, lr=1.0, batch_size=12), learner=FINETUNE)
    assert not recwarn.list


def test_no_task_at_all_is_refused():
    with pytest.raises(ValueError, match="no task to learn"):
        train(network(), Blobs(0))


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"lr": 0.0},
        {"lr": math.nan},
        {"later_lr": -0.1},
        {"momentum": 1.0},
        {"momentum": math.nan},
        {"warmup": -1},
        {"hebbian_start": -1},
    ],
    ids=str,
)
def test_schedules_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        TrainConfig(**options)


@pytest.mark.parametrize("options", [{"per_class": 0}, {"epochs": -1}, {"batch_size": 0}, {"lr": math.nan}], ids=str)
def test_rehearsals_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="rehearsal"):
        RehearsalConfig(**options)


@pytest.mark.parametrize("shares_head", [True, False])
def test_a_memory_is_rehearsed_in_batches_with_as_many_images_of_each_task(shares_head):
    model, calls = network(n_heads=None if shares_head else 2), []
    loss = model.loss

    def noted(x, y, head=None):
        calls.append((x, head))
        return loss(x, y, head)

    model.loss = noted
    sequence = Blobs(2, shares_head=shares_head)
    run(model, "replay", sequence, rehearsal=RehearsalConfig(4, batch_size=6, lr=0.05))
    rehearsed = calls[2 * 3 * 4 :]
    known = [{tuple(x) for x in task.train_images.tolist()} for task in sequence]
    found = [[sum(tuple(x) in one for x in images.tolist()) for one in known] for images, _ in rehearsed]
    if shares_head:
        assert (found, [head for _, head in rehearsed]) == ([[6, 6]] * 2, [None] * 2)
    else:
        assert (found, [head for _, head in rehearsed]) == ([[6, 0], [0, 6]] * 2, [0, 1] * 2)


@pytest.mark.parametrize(
    ("config", "factors"),
    [
        (TrainConfig(epochs=4), [1, 1, 1, 1]),
        (TrainConfig(epochs=4, warmup=2), [0.5, 1, 1, 1]),
        (TrainConfig(epochs=4, cosine=True), [0.5 * (1 + math.cos(math.pi * e / 4)) for e in range(4)]),
        (TrainConfig(epochs=4, cosine=True, warmup=2), [0.5, 1, 1, 0.5]),
        (TrainConfig(epochs=2, cosine=True, warmup=2), [0.5, 1]),
    ],
)
def test_learning_rates_warm_up_and_fall_along_a_cosine(config, factors):
    assert [config.factor(epoch) for epoch in range(config.epochs)] == pytest.approx(factors)


def test_subspaces_can_begin_to_learn_later():
    grown = []
    for start in (0, 4):
        model = network()
        train(model, Blobs(1), TrainConfig(epochs=4, batch_size=8, hebbian_start=start), dims=lambda _: 3)
        rows = model.features[1].subspace.fixed
        task = Blobs(1)[0]
        grown.append(model.features[1].subspace.explained(task.train_images))
        assert rows.shape == (3, 24)
    assert grown[0] > grown[1] + 0.05


def test_later_tasks_can_have_a_learning_rate_of_their_own():
    model, weights = network(), []
    train(
        model,
        Blobs(2),
        TrainConfig(epochs=1, batch_size=8, later_lr=1e-12),
        learner=FINETUNE,
        log=lambda _: weights.append(model.features[1].weight.detach().clone()),
    )
    torch.testing.assert_close(weights[0], weights[1], atol=1e-8, rtol=0)
