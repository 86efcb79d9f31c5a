"""Local losses, against closed forms and autograd."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from counter_current import (
    LossConfig,
    classification_loss,
    cosine_loss,
    dot_loss,
    make_mlp,
    pairwise_loss,
    reconstruction_loss,
)
from counter_current.losses.pairs import gram_deviation, not_flooded, unit_rows
from counter_current.losses.reconstruction import unit_maps

N, C, D = 12, 4, 6


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(N, D, generator=generator, dtype=torch.double, requires_grad=True)
    b = torch.randn(C, D, generator=generator, dtype=torch.double, requires_grad=True)
    return a, b, torch.arange(N) % C


def test_the_dot_loss_of_nothing_is_the_mean_square_of_the_matches(pair):
    _, b, labels = pair
    loss, _ = pairwise_loss([torch.zeros(N, D).double()], [b], labels, scale=0.5)
    assert loss.item() == pytest.approx(256 * 0.5 / (C * D))


def test_the_gradient_of_the_dot_loss(pair):
    a, b, labels = pair
    matches = one_hot(labels, C).double()
    of_a, of_b = torch.autograd.grad(dot_loss(a, b, matches, 0.7), (a, b))
    residual = a @ b.T - matches
    torch.testing.assert_close(of_a, 512 * 0.7 / (N * C * D) * residual @ b)
    torch.testing.assert_close(of_b, 512 * 0.7 / (N * C * D) * residual.T @ a)


def test_the_cosine_loss_of_orthogonal_classes_is_zero_and_stays(pair):
    labels = pair[2]
    b = torch.linalg.qr(torch.randn(D, C, dtype=torch.double)).Q.T.requires_grad_()
    # Equation 2 looks at directions alone: rows of any length will do.
    a = (b.detach()[labels] * torch.linspace(1, 9, N)[:, None]).requires_grad_()
    loss, _ = pairwise_loss([a], [b], labels, similarity="cosine", scale=1.0)
    assert loss.item() == pytest.approx(0, abs=1e-14)
    assert all(gradient.abs().max() < 1e-7 for gradient in torch.autograd.grad(loss, (a, b)))


def test_the_cosine_loss_entry_by_entry(pair):
    a, b, labels = (tensor.detach() for tensor in pair)
    loss = cosine_loss(a, b, one_hot(labels, C).double(), 0.8, 0.3)
    cosine = torch.nn.functional.cosine_similarity
    of_pair = [(cosine(a[n], b[k], 0) - float(labels[n] == k)) ** 2 for n in range(N) for k in range(C)]
    apart = [
        sum((cosine(rows[i], rows[j], 0) - float(i == j)) ** 2 for i in range(len(rows)) for j in range(len(rows)))
        / len(rows) ** 2
        for rows in (a, b)
    ]
    torch.testing.assert_close(loss, 0.8 * sum(of_pair) / (N * C) + 0.3 * (apart[0] + apart[1]))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_the_cheaper_way_to_the_deviation_of_a_gram_matrix(n, d, seed):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    torch.testing.assert_close(gram_deviation(x), (x @ x.T - torch.eye(n).double()).square().mean())


def test_repeated_labels_match_each_other_where_the_feedback_runs_on_the_batch(pair):
    a, b, labels = pair
    loss, _ = pairwise_loss([a], [b[labels]], labels, is_batch=True)
    matches = one_hot(labels, C).double() @ one_hot(labels, C).double().T
    assert matches.max() == 1
    torch.testing.assert_close(loss, dot_loss(a, b[labels], matches))
    with pytest.raises(ValueError, match="12 rows, one for each label, not 4"):
        pairwise_loss([a], [b], labels, is_batch=True)


def test_maps_are_compared_as_rows():
    a, b, labels = torch.randn(5, 2, 3, 3), torch.randn(4, 2, 3, 3), torch.randint(4, (5,))
    maps, _ = pairwise_loss([a], [b], labels)
    rows, _ = pairwise_loss([a.flatten(1)], [b.flatten(1)], labels)
    assert maps == rows


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_samples_that_are_known_well_enough_leave_the_pairs(pair, similarity):
    a, b, labels = pair
    keep = torch.arange(N) > 3
    loss, _ = pairwise_loss([a], [b], labels, similarity=similarity, keep=keep)
    of_a = torch.autograd.grad(loss, a)[0]
    assert not of_a[:4].any()
    assert of_a[4:].any(1).all()
    logits = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    probability = logits.softmax(1)[0, 0].item()
    assert not_flooded(logits, torch.tensor([0, 0, 0]), 1 - probability + 1e-4).tolist() == [False, True, True]


def test_the_whole_loss_is_the_sum_of_the_pairs_and_the_cross_entropy():
    network = make_mlp([8, 7, 6, 4])
    x, labels = torch.randn(9, 8), torch.randint(4, (9,))
    activations, signals = network.activations(x), network.class_signals()
    total, parts = classification_loss(activations, signals, labels, LossConfig())
    assert list(parts) == ["pair 0", "pair 1", "pair 2", "output"]
    torch.testing.assert_close(parts["output"], cross_entropy(activations[-1], labels))
    torch.testing.assert_close(total, sum(parts.values()))
    torch.testing.assert_close(
        parts["pair 1"], 128 * (activations[1] @ signals[1].T - one_hot(labels, 4)).square().mean() / 7
    )


def test_lengths_are_computed_in_single_precision():
    rows = unit_rows(torch.full((1, 4096), 300.0, dtype=torch.bfloat16))
    assert rows.dtype == torch.float32
    assert rows.norm().item() == pytest.approx(1, rel=1e-5)
    assert not unit_rows(torch.zeros(2, 3)).any()


def test_reconstruction_losses_by_hand():
    generator = torch.Generator().manual_seed(0)
    a = [torch.rand(2, 3, size, size, generator=generator) for size in (4, 2, 4)]
    b = [torch.rand(2, 3, size, size, generator=generator) for size in (4, 2, 4)]
    total, parts = reconstruction_loss(a, b, scale=0.5, normalized=2.0)
    ends = [4 * 0.5 * (a[k] - b[k]).square().mean() for k in (0, 2)]
    whitened = [torch.stack([(m - m.mean()) / (m - m.mean()).norm() for m in maps[1].flatten(0, 1)]) for maps in (a, b)]
    inner = 2 * 0.5 * (a[1] - b[1]).square().mean() + 2 * 2.0 * (whitened[0] - whitened[1]).square().mean()
    torch.testing.assert_close(parts["pair 0"], ends[0])
    torch.testing.assert_close(parts["output"], ends[1])
    torch.testing.assert_close(parts["pair 1"], inner)
    torch.testing.assert_close(total, ends[0] + ends[1] + inner)
    assert not unit_maps(torch.ones(1, 2, 3, 3)).any(), "a constant map has no shape"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.tensor([0, 1, 12]), r"label 12 outside 0\.\.3"),
        (torch.tensor([0, -1, 2]), r"label -1 outside"),
        (torch.tensor([0.0, 1.0, 2.0]), "whole numbers"),
        (torch.tensor([], dtype=torch.long), "no samples"),
    ],
)
@pytest.mark.parametrize("flood_threshold", [0.0, 0.1])
def test_labels_of_a_loop_of_one_s_own_are_classes(labels, words, flood_threshold):
    network = make_mlp([8, 7, 4])
    activations, signals = network.activations(torch.randn(len(labels), 8)), network.class_signals()
    config = LossConfig("cosine", flood_threshold=flood_threshold)
    with pytest.raises(ValueError, match=words):
        classification_loss(activations, signals, labels, config)
    with pytest.raises(ValueError, match=words):
        pairwise_loss(activations[:-1], signals[:-1], labels)


def test_labels_may_have_fewer_bits():
    network, labels = make_mlp([8, 7, 4]), torch.tensor([0, 3, 1])
    activations, signals = network.activations(torch.randn(3, 8)), network.class_signals()
    assert classification_loss(activations, signals, labels.int()) == classification_loss(activations, signals, labels)


def test_signals_must_be_as_many_as_activations():
    with pytest.raises(ValueError, match="2 activations, but 1 feedback"):
        pairwise_loss([torch.zeros(2, 3)] * 2, [torch.zeros(2, 3)], torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="0 activations"):
        reconstruction_loss([], [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0.0},
        {"decorrelation": -1.0, "similarity": "cosine"},
        {"decorrelation": 0.5},
        {"flood_threshold": 1.0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must|needs"):
        LossConfig(**wrong)
