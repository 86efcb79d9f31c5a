"""Embeddings of classes, and heads."""

import pytest
import torch

from noprop import (
    ClassEmbedding,
    LinearHead,
    ModelConfig,
    RadialHead,
    SampleShape,
    make_model,
    prototype_indices,
)
from noprop.heads import make_head


def test_the_kinds():
    assert torch.equal(ClassEmbedding(4).weight, torch.eye(4))
    assert not ClassEmbedding(4).is_learned
    wide = ClassEmbedding(4, "learned", 20)
    torch.testing.assert_close(wide.weight @ wide.weight.T, torch.eye(4), atol=1e-5, rtol=0)
    assert wide.is_learned
    assert not ClassEmbedding(4, "learned", 20, frozen=True).is_learned
    assert ClassEmbedding(9, "learned", 5).weight.shape == (9, 5)


def test_prototypes_are_the_medoids_by_median_distance():
    """By brute force over all samples of a class."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(41, 1, 3, 3, generator=generator), torch.arange(41) % 3
    members = [[i for i in range(41) if y[i] == label] for label in range(3)]

    def median(i):
        others = sorted((x[i] - x[j]).norm().item() for j in members[y[i]] if j != i)
        return others[(len(others) - 1) // 2]

    expected = [min(of_class, key=median) for of_class in members]
    assert prototype_indices(x, y).tolist() == expected
    embedding = ClassEmbedding.from_prototypes(x, y, 3)
    assert torch.equal(embedding.weight, x[expected].flatten(1))
    assert embedding.is_learned


def test_a_prediction_is_a_convex_combination():
    embedding = ClassEmbedding(3, "learned", 5)
    logits = torch.randn(7, 3)
    expected = sum(logits.softmax(1)[:, [c]] * embedding.weight[c] for c in range(3))
    torch.testing.assert_close(embedding.mean(logits), expected)
    z = torch.randn(7, 5)
    torch.testing.assert_close(embedding.distances(z), torch.cdist(z, embedding.weight) ** 2, atol=1e-4, rtol=1e-4)
    assert torch.equal(embedding.nearest(z), torch.cdist(z, embedding.weight).argmin(1))


def test_the_radial_head_is_a_softmax_of_distances():
    embedding, z = ClassEmbedding(3, "learned", 4), torch.randn(6, 4)
    head = RadialHead(embedding, sigma=0.5)
    mixed = head.f_out(z).softmax(1) @ embedding.weight
    weights = torch.exp(-((mixed[:, None] - embedding.weight) ** 2).sum(2) / (2 * 0.25))
    torch.testing.assert_close(head(z, embedding).softmax(1), weights / weights.sum(1, keepdim=True))
    assert type(make_head("linear", embedding)) is LinearHead


def test_a_head_that_begins_at_the_nearest_embedding():
    embedding, z = ClassEmbedding(3, "learned", 4), torch.randn(50, 4)
    head = LinearHead(embedding)
    head.begin_at_nearest(embedding, 5.0)
    expected = torch.softmax(-2.5 * torch.cdist(z, embedding.weight) ** 2, 1)
    torch.testing.assert_close(head(z, embedding).softmax(1), expected, atol=1e-5, rtol=1e-4)
    model = make_model(ModelConfig("adjoint", width=8), SampleShape((6,), ("a", "b", "c")))
    torch.testing.assert_close(model.model.head.f_out.weight, 5 * torch.eye(3))
    with pytest.raises(ValueError, match="the radial one has none"):
        ModelConfig(head="radial", head_start=5.0)


def test_what_is_no_embedding_is_refused(unchecked):
    with pytest.raises(ValueError, match="one-hot, learned, prototype"):
        ClassEmbedding(3, "random")
    with pytest.raises(ValueError, match="at least 2 classes"):
        ClassEmbedding(1)
    with pytest.raises(ValueError, match="at least 1 dimension"):
        ClassEmbedding(3, "learned", 0)
    with pytest.raises(ValueError, match="prototypes are images"):
        ClassEmbedding.from_prototypes(torch.zeros(4, 3), torch.arange(4) % 2, 2)
    with pytest.raises(ValueError, match="class 2 has no sample"):
        prototype_indices(torch.zeros(4, 1, 2, 2), torch.arange(4) % 2, 3)
    with pytest.raises(ValueError, match="classes 0 and 1 have the same embedding"):
        ClassEmbedding.from_prototypes(torch.zeros(4, 1, 2, 2), torch.arange(4) % 2, 2)
    with pytest.raises(ValueError, match="sigma"):
        RadialHead(ClassEmbedding(3), 0.0)
    with pytest.raises(ValueError, match="linear or radial"):
        make_head("square", ClassEmbedding(3))
