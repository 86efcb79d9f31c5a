"""What experiments repeat, the networks that they compare, and the controls."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dendritic_backprop import DendriteConfig, NetworkConfig, count_parameters, make_network
from dendritic_backprop.experiments import BRIEF, after
from dendritic_backprop.spirals import load
from dendritic_backprop.trials import (
    Trial,
    compare_features,
    correlations,
    error_correlation,
    redrawn,
    run_trial,
    switch_change,
)
from dendritic_backprop.variants import VARIANTS, grown_parameters, make_variant, of_variant
from dendritic_backprop.wrapping import add_dendrites, dendritic_modules

TINY = Trial(network=NetworkConfig(hidden=4), cycle=replace(BRIEF, max_dendrites=1))


def test_every_variant_has_the_same_epochs_and_controls_have_no_dendrites():
    found = {name: run_trial(replace(TINY, variant=name), "cpu") for name in VARIANTS}
    assert {row["epochs"] for row in found.values()} == {BRIEF.first_epochs + 2}
    assert [found[name]["dendrites"] for name in ("continued", "wider")] == [0, 0]
    firsts = {found[name]["curve"][0] for name in VARIANTS if name != "wider"}
    assert len(firsts) == 1, "the same network, trained alike, before there are dendrites"
    assert all(len(row["curve"]) == 2 for row in found.values())
    assert all(row["curve"][-1] == pytest.approx(row["error"]) for row in found.values())
    assert 0 < found["dendrites"]["untrained_correlation"] < found["dendrites"]["correlation"] < 1
    assert "correlation" not in found["random"]
    assert run_trial(TINY, "cpu") == found["dendrites"]
    held = run_trial(replace(TINY, held_out=True), "cpu")
    assert held["error"] == pytest.approx(1 - held["validation"])


def test_a_trial_that_diverges_has_no_error():
    trial = replace(TINY, train=replace(TINY.train, lr=1e38, optimizer="sgd"))
    assert run_trial(trial, "cpu")["error"] is None


def test_the_wider_network_is_the_narrowest_with_the_parameters_of_the_grown_one():
    splits = TINY.splits()
    model = add_dendrites(make_network(TINY.network, splits.train.sample_shape, 10))
    for n in range(3):
        expected = grown_parameters(add_dendrites(make_network(TINY.network, splits.train.sample_shape, 10)), n)
        assert count_parameters(model) == expected
        for module in dendritic_modules(model).values():
            module.start_candidates(1)
            module.accept()
    wider = make_variant(TINY.network, DendriteConfig(), "wider", splits.train, 2)
    width = wider.layers[0].n_nodes
    narrower = make_network(NetworkConfig(hidden=width - 1), splits.train.sample_shape, 10)
    assert count_parameters(narrower) < expected <= count_parameters(wider)


def test_variants_differ_from_the_method_in_one_thing():
    base = DendriteConfig(n_candidates=3, activation="tanh")
    assert of_variant(base, "dendrites") == base
    assert of_variant(base, "unperforated") == replace(base, perforated=False)
    assert of_variant(base, "gradient") == replace(base, learning="gradient", n_candidates=1)
    assert of_variant(base, "wider").learning == "none"


@pytest.mark.usefixtures("unchecked")
def test_a_variant_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="unperforated, continued, wider, not 'best'"):
        of_variant(DendriteConfig(), "best")
    with pytest.raises(ValueError, match="must be one of mlp, cnn, resnet, gru"):
        NetworkConfig("vit")


def test_features_of_a_network_are_its_own_and_errors_are_those_of_its_neurons():
    found = compare_features(TINY, "cpu")
    seen = compare_features(replace(TINY, variant="unperforated"), "cpu")
    assert found["gap"] < 1e-6
    assert seen["gap"] > 1e-3
    assert found["similarity"] > found["similarity_other"]
    assert found["dendrites"] in {0, 1}
    assert (found["before"] == found["after"]) or found["dendrites"]


def test_the_correlation_with_errors_is_that_of_numpy():
    torch.manual_seed(0)
    model = add_dendrites(make_network(NetworkConfig(hidden=3), (5,), 2))
    x, y = torch.randn(30, 5), torch.randint(2, (30,))
    for module in dendritic_modules(model).values():
        module.start_candidates(1)
        module.candidates.initialize(1.0)
        module.accept()  # with a gain of zero
    first, _, second = model.layers
    with torch.no_grad():
        hidden = first.module(x)
        logits = second.module(hidden.relu())
        errors = logits.softmax(1) - torch.nn.functional.one_hot(y, 2)
        below = (errors @ second.module.weight) * (hidden > 0)
        pairs = [(first.values(x)[0], below), (second.values(hidden.relu())[0], errors)]
    expected = np.mean(
        [np.mean([abs(np.corrcoef(v[:, j], e[:, j])[0, 1]) for j in range(v.shape[1])]) for v, e in pairs]
    )
    assert error_correlation(model, x, y) == pytest.approx(expected, rel=1e-4)
    other = redrawn(model, 1)
    assert dendritic_modules(other)["layers.0"].dendrites.weight.std() < 0.02
    assert torch.equal(other(x), model(x))
    assert first.dendrites.weight.std() > 0.5, "the network itself stays"


def test_correlations_are_those_of_numpy():
    a, b = torch.randn(20, 3), torch.randn(20, 2)
    expected = np.corrcoef(a.T.numpy(), b.T.numpy())[:3, 3:]
    np.testing.assert_allclose(correlations(a, b).numpy(), expected, atol=1e-6)
    assert correlations(torch.ones(5, 1), b[:5]).tolist() == [[0, 0]]


@pytest.mark.parametrize("arch", ["mlp", "cnn", "resnet", "gru"])
def test_dendrites_change_no_output_when_they_are_added(arch):
    assert switch_change(replace(TINY, network=NetworkConfig(arch, hidden=2)), "cpu") == 0


def test_a_curve_goes_on_where_it_ended():
    assert [after({"curve": [0.3, 0.2]}, n) for n in (0, 1, 3)] == [0.3, 0.2, 0.2]


def test_networks_fit_their_samples():
    for arch, shape, n in (("mlp", (5,), 1), ("gru", (5,), 1), ("gru", (3, 6, 4), 12), ("resnet", (3, 8, 6), 3)):
        model = make_network(NetworkConfig(arch, hidden=4), shape, 7)
        assert model(torch.randn(2, *shape)).shape == (2, 7)
        if arch == "gru":
            assert model.recurrent.input_size == n
    rows = torch.randn(1, 3, 6, 4)
    gru = make_network(NetworkConfig("gru", hidden=4), (3, 6, 4), 2)
    _, final = gru.recurrent(torch.stack([rows[0, :, i].flatten() for i in range(6)])[None])
    torch.testing.assert_close(gru(rows), gru.classifier(final[-1]))
    assert NetworkConfig("mlp", width=0.5).n_units == 16
    with pytest.raises(ValueError, match="takes images"):
        make_network(NetworkConfig("cnn"), (5,), 2)
    with pytest.raises(ValueError, match="square images, not 8 x 6"):
        make_network(NetworkConfig("cnn"), (1, 8, 6), 2)


def test_data_have_three_parts():
    for name, shape, n in (("spirals", (2,), 2000), ("breast_cancer", (30,), 569)):
        splits = load(name, seed=3)
        assert sum(len(part) for part in splits) == n
        assert splits.train.sample_shape == shape
        assert torch.equal(splits.test.y, load(name, seed=4).test.y)
    assert splits.train.x.mean(0).abs().max() < 1e-5
    assert splits.train.x.std(0).sub(1).abs().max() < 1e-5
    with pytest.raises(ValueError, match="unknown data set"):
        load("nothing")
