from dataclasses import replace

import numpy as np
import pytest
import torch

from separata.configs import replaced
from snn_continual import HebbianSubspace, NetworkConfig, TrainConfig
from snn_continual.trials import Trial, explained_energy, share_of_principal_energy, train_and_test

BRIEF = {"network": NetworkConfig(timesteps=2), "train": TrainConfig(epochs=1)}
TINY = Trial("digits", 2, (64, 20, 10), ((6, 5), (4, 3)), **BRIEF)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_energy_is_measured_against_that_of_as_many_principal_components(k):
    samples = torch.randn(50, 8) * torch.arange(1.0, 9.0) + 1
    _, values, rows = np.linalg.svd(samples.numpy(), full_matrices=False)
    principal, coordinates = HebbianSubspace(8), HebbianSubspace(8)
    principal.extend(torch.from_numpy(rows[:k]))
    coordinates.extend(torch.eye(8)[:k])
    assert share_of_principal_energy(principal, samples) == pytest.approx(1, abs=1e-5)
    expected = samples[:, :k].square().sum().item() / (values[:k] ** 2).sum()
    assert share_of_principal_energy(coordinates, samples) == pytest.approx(expected, rel=1e-4)


def test_what_a_network_s_subspaces_learn_explains_more_than_what_they_begin_with():
    found = explained_energy(
        replaced(Trial("digits", 1, (64, 20, 20, 10), ((6, 5, 5),)), timesteps=2, train=TrainConfig(2)), "cpu"
    )
    assert found["untrained_explained"] < 0.7 < found["explained"] <= 1 + 1e-6


def test_a_trial_depends_on_its_settings_alone():
    first = train_and_test(TINY, "cpu")
    torch.manual_seed(5)
    assert train_and_test(TINY, "cpu") == first
    assert train_and_test(replace(TINY, seed=1), "cpu") != first


def test_a_trial_that_diverges_has_no_accuracy():
    assert train_and_test(replaced(TINY, n_tasks=1, train=TrainConfig(lr=1e38)), "cpu") is None
