"""CKA against its definition and invariances, weights, features, and operations counted and in closed form."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from counter_current import (
    CounterCurrentConv2d,
    CounterCurrentNetwork,
    DataShape,
    LossConfig,
    NetworkConfig,
    RunConfig,
    alignment_map,
    bp_flops,
    ccl_flops,
    cka_matrix,
    count_training_flops,
    embed,
    linear_cka,
    make_mlp,
    make_network,
    penultimate_features,
    top_alignment,
    weight_alignment,
)
from counter_current.diagnostics.drawing import draw_alignment, draw_features, draw_reconstructions
from counter_current.paper import PAPER

MNIST = [784, 256, 256, 256, 256, 256, 10]


def definition(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


@given(st.integers(2, 12), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=30)
def test_cka_is_its_definition_in_feature_space(n, d, e, seed):
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(n, k, generator=generator, dtype=torch.double) for k in (d, e))
    found = linear_cka(x, y)
    torch.testing.assert_close(found, definition(x, y))
    assert -1e-12 <= found <= 1 + 1e-12


def test_cka_changes_neither_with_rotation_nor_with_scale():
    x, y = torch.randn(20, 6, dtype=torch.double), torch.randn(20, 4, dtype=torch.double)
    q = torch.linalg.qr(torch.randn(6, 6, dtype=torch.double)).Q
    torch.testing.assert_close(linear_cka(x, 3 * x @ q), torch.tensor(1.0).double())
    torch.testing.assert_close(linear_cka(5 * x @ q + 7, y), linear_cka(x, y))
    assert linear_cka(torch.ones(20, 3), y) == 0
    with pytest.raises(ValueError, match="same two or more samples"):
        linear_cka(x[:1], y[:1])


def test_all_pairs_at_once_are_the_pairs_one_by_one():
    xs = [torch.randn(9, 3), torch.randn(9, 2, 4, 4)]
    ys = [torch.randn(9, 5), torch.randn(9, 1), torch.randn(9, 7)]
    found = cka_matrix(xs, ys)
    for i, x in enumerate(xs):
        for j, y in enumerate(ys):
            expected = definition(x.flatten(1).double(), y.double())
            torch.testing.assert_close(found[i, j], expected, atol=1e-6, rtol=1e-6)


def test_the_alignment_compares_samples_with_the_signals_of_their_classes():
    network, x = make_mlp([8, 7, 6, 4]), torch.randn(15, 8)
    labels = torch.arange(15) % 4
    found = alignment_map(network, x, labels)
    signals = network.class_signals()[1][labels].detach().double()
    torch.testing.assert_close(found[2, 1], definition(network.activations(x)[2].detach().double(), signals))
    assert found.shape == (4, 4)
    assert top_alignment(found, 1) == pytest.approx(found[2, 2].item())
    assert top_alignment(found) == pytest.approx(found[1:3, 1:3].mean().item())
    with pytest.raises(ValueError, match="needs labels"):
        alignment_map(network, x)


def test_an_autoencoder_is_compared_sample_by_sample():
    network = make_network(
        NetworkConfig("autoencoder", "3,4", "relu", "after", standardize=False), DataShape((1, 8, 8), None)
    )
    found = alignment_map(network, torch.rand(6, 1, 8, 8))
    assert found[0, -1] == pytest.approx(1), "the sample is the first signal of both directions"
    assert network.training


def test_weights_are_aligned_where_one_is_the_transpose_of_the_other():
    network = make_mlp([8, 7, 4])
    first, last = network.dual_layers()
    u, v = first.forward_module[0].weight, first.feedback_module[0].weight
    expected = torch.nn.functional.cosine_similarity(u.T.flatten(), v.flatten(), 0).item()
    assert weight_alignment(network)[0] == pytest.approx(expected)
    last.feedback_module[0].weight.data = -2 * last.forward_module[0].weight.data.T
    assert weight_alignment(network)[1] == pytest.approx(-1)
    image = CounterCurrentNetwork([CounterCurrentConv2d(1, 1)], None, (1, 5, 5))
    kernel = next(image.dual_layers())
    kernel.feedback_module[0].weight.data = kernel.forward_module[0].weight.data.flip(2, 3)
    assert weight_alignment(image) == [pytest.approx(1)]


def test_features_are_those_in_front_of_the_output():
    network, x = make_mlp([8, 7, 6, 4]), torch.randn(30, 8)
    features = penultimate_features(network, x, batch_size=7)
    torch.testing.assert_close(features @ network.forward_parameters()[-1].T, network(x))


def test_features_of_classes_stay_apart_in_the_plane():
    labels = torch.arange(40) % 2
    points = torch.from_numpy(embed(torch.randn(40, 5) + 30 * labels[:, None]))
    centers = torch.stack([points[labels == k].mean(0) for k in (0, 1)])
    assert ((points[:, None] - centers).norm(dim=2).argmin(1) == labels).all()
    with pytest.raises(ValueError, match="at least 5"):
        embed(torch.randn(4, 3))


# ---- cost


def test_operations_for_mnist_are_those_published():
    assert bp_flops(MNIST) == 2 * 1_195_520
    assert ccl_flops(MNIST, 32) == 2 * 1_275_776
    assert ccl_flops([3072, 1024, 1024, 1024, 10], 32) == 2 * 13_943_040


@pytest.mark.parametrize(("sizes", "n"), [(MNIST, 32), ([20, 9, 5], 7), ([11, 8, 8, 3], 1)])
def test_counted_operations_are_those_of_the_closed_form(sizes, n):
    with torch.device("meta"):
        network = make_mlp(sizes)
    assert count_training_flops(network, n) == pytest.approx(ccl_flops(sizes, n))
    assert count_training_flops(network, n, RunConfig(rule="bp")) == bp_flops(sizes)
    assert count_training_flops(network, n, RunConfig(rule="fa")) == bp_flops(sizes)


def test_target_propagation_costs_what_its_equations_ask_for():
    products = [below * above for below, above in itertools.pairwise(MNIST)]
    forward, upper = sum(products), sum(products[1:])
    with torch.device("meta"):
        network = make_mlp(MNIST, "tanh")
    fixed, learned = (count_training_flops(network, 32, RunConfig(rule=rule)) for rule in ("fw-dtp", "dtp"))
    assert fixed == 2 * (2 * forward + 2 * upper), "forward, weights, and two evaluations of each feedback layer"
    assert learned == fixed + 2 * 3 * upper, "forward, backward, and the feedback's own gradient"


def test_the_paper_s_cost_of_target_propagation_is_that_of_the_published_code():
    """It multiplies by identities, repeats the forward pass, and sends each layer's loss through all layers below."""
    weights = [below * above for below, above in itertools.pairwise(MNIST)]
    identities = [width**2 for width in MNIST[:-1]]
    forward, upper = sum(weights) + sum(identities), sum(weights[1:])
    into_inputs = [w + i for w, i in zip(weights[1:], identities[1:], strict=True)]
    backwards = [sum(weights[: k + 1]) + sum(into_inputs[:k]) for k in range(len(weights))]
    targets = 2 * upper + sum(into_inputs)
    fixed = 2 * (2 * forward + backwards[-1] + targets + sum(backwards)) / 1e6
    feedback = 2 * (forward + 5 * upper + sum(identities[1:])) / 1e6
    paper = PAPER.claim("training-cost").paper
    assert fixed == pytest.approx(paper["fw_dtp"], rel=2e-3)
    assert fixed + 5 * feedback == pytest.approx(paper["dtp"], rel=2e-3)


def test_the_feedback_on_classes_is_what_makes_it_cheap():
    network = make_mlp([30, 20, 20, 5])
    on_classes = count_training_flops(network, 64)
    on_labels = count_training_flops(network, 64, RunConfig(loss=LossConfig(targets="batch")))
    assert on_labels > 1.5 * on_classes


def test_counting_leaves_a_network_as_it_is():
    network = make_network(NetworkConfig("cnn", "3,4", norm="before"), DataShape((1, 8, 8), 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert count_training_flops(network, 4) > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    with pytest.raises(ValueError, match="at least 1"):
        count_training_flops(network, 0)


# ---- pictures


def test_pictures_show_what_they_are_given(tmp_path):
    maps = {"before": torch.rand(4, 4), "after": torch.rand(4, 4)}
    figure = draw_alignment(maps)
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["before", "after"]
    assert figure.axes[1].images[0].get_array().max() == pytest.approx(maps["after"].max().item())
    figure.savefig(tmp_path / "alignment.png")
    points = torch.randn(12, 2).numpy()
    figure = draw_features(points, torch.arange(12) % 3, ["a", "b", "c"])
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b", "c"]
    images = torch.rand(3, 1, 4, 4)
    figure = draw_reconstructions({"sample": images, "reconstruction": images.expand(-1, 3, -1, -1)})
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == ["sample", "reconstruction"]
    with pytest.raises(ValueError, match="no alignment"):
        draw_alignment({})
