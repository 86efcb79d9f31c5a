"""The network against its definition with one-hot vectors, and gradients against autograd."""

import pytest
import torch

from modular_addition import (
    Batch,
    ModularAdditionNet,
    PairData,
    all_pairs,
    label_table,
    logit_table,
    loss_and_gradients,
    pair_logits,
    single_frequency_weights,
    spectrum,
    split,
)

ACTS = {"relu": torch.relu, "quad": lambda z: z**2, "gelu": torch.nn.functional.gelu, "identity": lambda z: z}


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("activation", ACTS)
def test_logits_are_those_of_one_hot_vectors(activation):
    net = ModularAdditionNet(7, 20, activation, init_scale=2.0, generator=gen())
    pairs = all_pairs(7)
    u = torch.nn.functional.one_hot(pairs, 7).sum(1).float()
    expected = ACTS[activation](u @ net.w_in.T) @ net.w_out.T
    torch.testing.assert_close(net(pairs), expected)
    torch.testing.assert_close(net.logit_table().reshape(49, 7), expected)
    assert torch.equal(net(pairs), net(pairs.flip(1)))
    assert pairs.tolist() == [[x, y] for x in range(7) for y in range(7)]


def test_an_embedding_is_a_product_of_two_layers():
    net = ModularAdditionNet(7, 20, embedding=5, generator=gen())
    assert net.w_embed.shape == (5, 7)
    torch.testing.assert_close(
        net(all_pairs(7)).reshape(7, 7, 7), logit_table(net.w_in @ net.w_embed, net.w_out), atol=1e-6, rtol=1e-5
    )


def test_labels_and_splits():
    x = torch.arange(7)
    table = label_table(7)
    assert torch.equal(table.roll((-1, 1), (0, 1)), table)
    assert torch.equal(label_table(7, "subtraction")[3], (3 - x) % 7)
    random = label_table(7, "random", 1)
    assert torch.equal(random, random.T)
    assert not torch.equal(random, label_table(7, "random", 2))
    assert int(split(7, 0.75, 0).sum()) == int(0.75 * 49)
    assert split(7, 1.0, 0).all()
    data = PairData.from_table(label_table(7, "subtraction"), split(7, 0.6, 3))
    assert float(data.train.sum() + data.test.sum()) == 49
    both = split(7, 0.6, 3) & split(7, 0.6, 3).T
    assert int(data.is_symmetric.sum()) == int(both.triu(1).sum())
    with pytest.raises(ValueError, match="0 .. 6"):
        PairData.from_table(table + 1, split(7, 1.0, 0))


@pytest.mark.parametrize("activation", ACTS)
@pytest.mark.parametrize(("n_members", "width"), [(1, 9), (3, 2000)])
def test_gradients_are_autograds_over_ordered_pairs(activation, n_members, width, monkeypatch):
    monkeypatch.setattr("modular_addition.gradients.CACHED", 20_000)
    chosen = [split(7, 0.6, seed) for seed in range(n_members)]
    table = label_table(7, "subtraction")
    batch = Batch.stack([PairData.from_table(table, one) for one in chosen])
    w_in = (torch.randn(n_members, width, 7, generator=gen(1)) / width**0.5).double().requires_grad_()
    w_out = torch.randn(n_members, 7, width, generator=gen(2)).double().requires_grad_()
    found = loss_and_gradients(w_in.detach(), w_out.detach(), batch, activation)
    losses = []
    for number, one in enumerate(chosen):
        x, y = all_pairs(7)[one.flatten()].T
        logits = pair_logits(w_in[number], w_out[number], x, y, activation)
        losses.append(torch.nn.functional.cross_entropy(logits, table[one]))
    torch.testing.assert_close(found[0], torch.stack(losses), atol=1e-12, rtol=1e-12)
    for ours, theirs in zip(found[1:], torch.autograd.grad(sum(losses), (w_in, w_out)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


def test_single_frequency_neurons_have_one_cosine_of_the_scale():
    w_in, w_out = single_frequency_weights(23, 60, 0.02, gen())
    for rows in (w_in, w_out.T):
        found = spectrum(rows)
        torch.testing.assert_close(
            found.magnitude.amax(1), torch.full((60,), 0.02, dtype=torch.double), rtol=1e-5, atol=0
        )
        assert found.magnitude.sort(dim=1).values[:, -2].max() < 1e-7
    assert torch.equal(spectrum(w_in).dominant, spectrum(w_out.T).dominant)
    counts = torch.bincount(spectrum(w_in).dominant - 1)
    assert len(counts) == 11
    assert counts.max() - counts.min() <= 1


@pytest.mark.usefixtures("unchecked")
def test_a_network_on_no_odd_group_is_refused():
    with pytest.raises(ValueError, match="no phase"):
        ModularAdditionNet(12)
    with pytest.raises(ValueError, match=r"\(M, p\)"):
        ModularAdditionNet.from_weights(torch.zeros(4, 7), torch.zeros(4, 7))
