import pytest
import torch
from bipartite import observation, permuted
from torch_geometric.nn import MessagePassing

from revibranch.network import encoder
from revibranch.network.encoder import BipartiteGCN, HalfConvolution, message_sum
from revibranch.network.graphs import collate


class PyGHalfConvolution(MessagePassing):
    """The same as PyTorch Geometric would do it: a linear map for each edge, all messages held at once."""

    def __init__(self, ours):
        super().__init__(aggr="add")
        self.ours = ours

    def forward(self, source, target, edge_attr, i, j):
        received = self.propagate(
            torch.stack((i, j)), x=(source, target), edge_attr=edge_attr, size=(len(source), len(target))
        )
        return self.ours.update(torch.cat((received, target), 1))

    def message(self, x_i, x_j, edge_attr):
        ours = self.ours
        return ours.message((ours.target(x_i) + ours.edge(edge_attr) + ours.source(x_j)).relu())


@pytest.fixture
def gcn():
    torch.manual_seed(0)
    return BipartiteGCN(8)


def test_a_half_convolution_is_that_of_pytorch_geometric_and_so_are_its_gradients(monkeypatch):
    monkeypatch.setattr(encoder, "CHUNK", 8 * 5)
    torch.manual_seed(0)
    ours = HalfConvolution(8)
    one = observation(3)
    results = []
    for layer in (ours, PyGHalfConvolution(ours)):
        ours.zero_grad()
        source, target = (torch.randn(k, 8, generator=torch.Generator().manual_seed(k)) for k in (12, 7))
        source.requires_grad_(), target.requires_grad_()
        out = layer(source, target, one.edge_attr, *one.edge_index)
        out.square().sum().backward()
        results.append([out, source.grad, target.grad, *(p.grad.clone() for p in ours.parameters())])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


def test_the_sum_of_messages_has_the_gradients_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    source, target, weight = (
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((4, 3), (2, 3), (3,))
    )
    edge_attr = torch.randn(5, 1, generator=generator, dtype=torch.float64)
    i, j = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([0, 0, 1, 1, 1])
    assert torch.autograd.gradcheck(lambda a, b, c: message_sum(a, b, c, edge_attr, i, j), (source, target, weight))


def test_embeddings_follow_the_order_of_variables_and_ignore_that_of_rows(gcn):
    one = observation()
    columns, rows = torch.randperm(12), torch.randperm(7)
    other = permuted(one, columns, rows)
    torch.testing.assert_close(gcn(collate([other])), gcn(collate([one]))[columns], rtol=1e-4, atol=1e-5)


def test_graphs_of_a_batch_do_not_meet(gcn):
    ones = [observation(0), observation(1, 9, 4), observation(2, 15, 8)]
    alone = torch.cat([gcn(collate([one])) for one in ones])
    torch.testing.assert_close(gcn(collate(ones)), alone, rtol=1e-4, atol=1e-5)


def test_every_normalization_is_fitted_to_what_reaches_it(gcn):
    graphs = collate([observation(seed) for seed in range(20)])
    before = gcn(graphs)
    gcn.fit_normalization(graphs)
    assert not torch.allclose(before, gcn(graphs))
    seen = {}
    norms = [gcn.variables[0], gcn.rows[0], gcn.coefficients, gcn.to_rows.norm, gcn.to_variables.norm]
    for norm in norms:
        norm.register_forward_hook(lambda module, _, out: seen.update({module: out}))
    gcn(graphs)
    for norm in norms:
        is_constant = norm.std == 1.0
        torch.testing.assert_close(seen[norm].mean(0), torch.zeros_like(norm.mean), rtol=0, atol=1e-4)
        torch.testing.assert_close(
            seen[norm].std(0, correction=0)[~is_constant], norm.std[~is_constant] ** 0, rtol=1e-3, atol=0
        )
