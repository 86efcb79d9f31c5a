"""Triples: forms, groups, parts, and refusals."""

import pytest
import torch
from known_functions import generator

from deeponet import DeepONet, TripleDataset, group_rows, predict, predict_all


def scattered(n=6, m=4, points=3, d=2, outputs=1):
    g = generator()
    return TripleDataset(
        torch.rand(n, m, generator=g),
        torch.rand(n, points, d, generator=g),
        torch.rand(n, points, outputs, generator=g),
    )


def test_rows_are_grouped_by_their_function_and_come_back():
    data = scattered()
    rows = data.rows()
    assert [part.shape for part in rows] == [(18, 4), (18, 2), (18, 1)]
    again = group_rows(*rows)
    for name in ("u", "y", "s"):
        assert torch.equal(getattr(again, name), getattr(data, name))


def test_rows_of_a_grid_are_those_of_every_pair():
    data = TripleDataset(torch.rand(2, 4), torch.rand(3, 1), torch.arange(6.0).view(2, 3))
    u, y, s = data.rows()
    assert torch.equal(s[:, 0], torch.arange(6.0))
    assert torch.equal(y, data.y.repeat(2, 1))
    assert torch.equal(u[2], data.u[0])


def test_unequal_groups_are_functions_with_one_point():
    u = torch.tensor([[1.0], [1.0], [2.0]])
    data = group_rows(u, torch.rand(3, 1), torch.rand(3, 1))
    assert (len(data), data.n_points) == (3, 1)
    with pytest.raises(ValueError, match="equally many rows, not 3, 2 and 3"):
        group_rows(u, torch.rand(2, 1), torch.rand(3, 1))


def test_parts_keep_functions_with_their_values():
    data = scattered()
    train, held_out = data.split(2, generator())
    assert (len(train), len(held_out)) == (4, 2)
    pairs = {(tuple(u.tolist()), tuple(s.flatten().tolist())) for u, s in zip(data.u, data.s)}
    for part in (train, held_out):
        assert {(tuple(u.tolist()), tuple(s.flatten().tolist())) for u, s in zip(part.u, part.s)} <= pairs
    with pytest.raises(ValueError, match="1 to 5 can be held out, not 6"):
        data.split(6, generator())


def test_shuffled_data_has_the_same_values_at_other_functions():
    data = TripleDataset(torch.arange(100.0)[:, None], torch.rand(1, 1), torch.arange(100.0)[:, None])
    other = data.shuffled(generator())
    assert torch.equal(other.u, data.u)
    assert torch.equal(other.s.flatten().sort().values, data.s.flatten())
    assert (other.s != data.s).float().mean() > 0.9


def test_predictions_are_the_same_in_parts(monkeypatch):
    data, network = scattered(outputs=2), DeepONet([4, 5], [2, 5], n_outputs=2)
    whole = predict_all(network, data)
    monkeypatch.setattr("deeponet.triples.CHUNK", 6)
    torch.testing.assert_close(predict_all(network, data), whole)
    grid = TripleDataset(data.u, data.y[0], data.s)
    torch.testing.assert_close(predict_all(network, grid)[0], whole[0])
    assert predict(network, data.u, data.y[0]).shape == (6, 3, 2)


def test_a_model_without_a_grid_form_is_given_the_points_of_each_function():
    class Product(torch.nn.Module):
        def forward(self, u, y):
            return (u[:, None, :2] * y).sum(-1)

    u, y = torch.rand(6, 4), torch.rand(3, 2)
    torch.testing.assert_close(predict(Product(), u, y)[..., 0], u[:, :2] @ y.T)


@pytest.mark.parametrize(
    ("u", "y", "s", "words"),
    [
        ((6, 4), (6, 3, 2), (6, 2, 1), "do not belong together"),
        ((6, 4), (5, 3, 2), (6, 3, 1), "do not belong together"),
        ((6, 4), (3, 2), (5, 3, 1), "do not belong together"),
        ((0, 4), (3, 2), (0, 3, 1), "empty"),
        ((6,), (3, 2), (6, 3, 1), r"u is \(functions"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(u, y, s, words):
    with pytest.raises(ValueError, match=words):
        TripleDataset(torch.zeros(u), torch.zeros(y), torch.zeros(s))


@pytest.mark.parametrize("name", ["u", "y", "s"])
def test_numbers_that_are_not_finite_are_refused_with_their_row(name):
    parts = {"u": torch.zeros(6, 4), "y": torch.zeros(6, 3, 2), "s": torch.zeros(6, 3, 1)}
    parts[name][4].flatten()[1] = float("nan")
    with pytest.raises(ValueError, match=f"{name} has a number that is not finite in row 4"):
        TripleDataset(**parts)
