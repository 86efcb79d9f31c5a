import numpy as np
import pytest
import torch

from snn_continual import DSR, HLOP, ContinualLearner, HLOPConfig
from snn_continual.benchmarks import BENCHMARKS
from snn_continual.protocols import make_protocol

TASKS = {
    "pmnist": 10,
    "pmnist5k": 5,
    "cifar10": 5,
    "cifar100": 10,
    "mini-imagenet": 20,
    "five-datasets": 5,
    "five-datasets-domain": 5,
}


class Classes:
    """Tells how many classes a data set has, which only its files know."""

    def __init__(self, n_classes):
        self.n_classes = n_classes


def learn_all(plan):
    """Begin and end every task of HLOP, as a run does."""
    method = HLOP(plan.build(DSR(1), HLOPConfig()), plan.dims)
    for index in range(len(plan.sequence)):
        method.begin_task(index)
        method.end_task(index, torch.empty(0), torch.empty(0), None)
    return method.learner


@pytest.fixture
def known_classes(monkeypatch):
    monkeypatch.setattr("separata.data.load", lambda name, **_: Classes(100 if name != "cifar10" else 10))


def test_every_benchmark_has_a_make_protocol():
    assert set(BENCHMARKS) == set(TASKS)
    assert {name: len(make_protocol(name).sequence) for name in BENCHMARKS} == TASKS


@pytest.mark.usefixtures("known_classes")
@pytest.mark.parametrize("name", TASKS)
def test_dimensions_fit_the_layers_through_all_tasks(name):
    learner = learn_all(make_protocol(name))
    assert all(0 < layer.subspace.dim <= layer.subspace.n_features for layer in learner.layers)


@pytest.mark.parametrize("hidden", [4, 10, 100, 400])
def test_dimensions_fit_perceptrons_of_other_widths(hidden):
    learner = learn_all(make_protocol("pmnist", hidden))
    assert learner.layers[1].subspace.n_features == hidden


@pytest.mark.parametrize("n_tasks", [1, 2, 4, 6])
@pytest.mark.parametrize("n_features", [1, 2, 3, 5])
def test_dimensions_fit_one_s_own_files_however_narrow(n_features, n_tasks, tmp_path):
    x, y = np.zeros((4, n_features)), np.array([0, 1, 1, 0])
    for task in range(n_tasks):
        np.savez(tmp_path / f"{task}.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    learn_all(make_protocol(str(tmp_path), hidden=3))


def test_permuted_mnist_is_learned_in_one_pass_as_in_the_paper():
    plan = make_protocol("pmnist")
    assert (plan.train.epochs, plan.train.lr, plan.train.momentum, plan.train.batch_size) == (1, 0.1, 0, 64)
    assert plan.dims(0) == [80, 200, 100]
    assert plan.dims(9) == [10, 10, 10]


def test_cifar100_is_learned_with_the_paper_s_schedule():
    config = make_protocol("cifar100").train
    assert (config.epochs, config.lr, config.momentum) == (200, 0.01, 0.9)
    factors = [config.factor(epoch) for epoch in (0, 4, 5, 102, 199)]
    cosine = [0.5 * (1 + np.cos(np.pi * (epoch - 5) / 195)) for epoch in (5, 102, 199)]
    np.testing.assert_allclose(factors, [0.2, 1.0, *cosine], atol=1e-9)


def test_one_s_own_files_set_the_widths(tmp_path):
    x, y = np.zeros((4, 2, 3)), np.array([0, 3, 1, 0])
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    plan = make_protocol(str(tmp_path), hidden=7)
    shapes = [tuple(layer.weight.shape) for layer in ContinualLearner(plan.build(DSR(1), HLOPConfig())).layers]
    assert shapes == [(7, 6), (7, 7), (4, 7)]


def test_the_seed_is_that_of_the_permutations():
    assert make_protocol("pmnist", seed=3).sequence.seed == 3


@pytest.mark.parametrize(
    ("name", "hidden", "reason"), [("imagenet", 8, "one of pmnist, .*'imagenet'"), ("pmnist", 0, "at least 1")]
)
def test_what_has_no_protocol_is_refused(name, hidden, reason):
    with pytest.raises(ValueError, match=reason):
        make_protocol(name, hidden)
