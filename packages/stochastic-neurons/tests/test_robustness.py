"""Where things go wrong: inputs that are not numbers, wide layers, and functions of the user's that fail."""

import pytest
import torch

from stochastic_neurons import (
    UnbiasedBernoulli,
    available_neurons,
    exact_gradient,
    function_from,
    make_neuron,
    score_function_loss,
)


@pytest.mark.parametrize("name", available_neurons())
@pytest.mark.parametrize("inference", ["sample", "mean", "threshold"])
def test_what_is_not_a_number_does_not_pass_as_a_unit_that_is_off(name, inference):
    neuron = make_neuron(name, 3, inference=inference).eval()
    h = neuron(torch.tensor([[float("nan"), -50.0, 50.0]]))
    assert h[0, 0].isnan()
    assert h[0, 1:].isfinite().all()


def test_what_is_not_a_number_is_seen_in_training_too():
    a = torch.tensor([[float("nan"), 50.0]], requires_grad=True)
    h = UnbiasedBernoulli(2).train()(a)
    assert h[0, 0].isnan()
    assert h[0, 1] == 1


@pytest.mark.parametrize("n_units", [1, 20, 2000])
def test_a_learned_baseline_settles_at_any_number_of_units(n_units):
    generator = torch.Generator().manual_seed(0)
    neuron = UnbiasedBernoulli(n_units, baseline="learned", generator=generator).train()
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.1)
    for _ in range(200):
        a = torch.randn(32, n_units, generator=generator) - 2.2
        neuron(a.requires_grad_())
        losses = torch.full((32,), 1.5)
        optimizer.zero_grad()
        score_function_loss(losses, neuron).backward()
        optimizer.step()
    # At the least variance the estimate vanishes for a loss that is the same for all: (h − p)(L − b) with b = L.
    a = (torch.randn(500, n_units, generator=generator) - 2.2).requires_grad_()
    h = neuron(a)
    gradient = torch.autograd.grad(score_function_loss(torch.full((500,), 1.5), neuron), a)[0] * 500
    rest = gradient / (h - a.detach().sigmoid())
    # Without a baseline this is 1.5. Weights alone, without the bias, would leave 1.5 / (2.2 sqrt(20)) = 0.15.
    assert rest.square().mean().sqrt() < 0.3


def test_the_sum_of_all_units_stands_in_a_formula():
    f = function_from("2*sum(h) - h1*h2 + sum( h )*h3", 4, torch.Generator())
    h = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 0]], dtype=torch.float64)
    assert f(h).tolist() == [2 * 3 - 1 + 0, 2 * 2 - 0 + 2]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(h): return (", "cannot be imported .*SyntaxError"),
        ("1 / 0", "cannot be imported .*ZeroDivisionError"),
        ("def f(h): return h.nothing()", "AttributeError|no attribute"),
        ("f = 1", "is not a function"),
    ],
)
def test_what_is_wrong_with_a_function_of_the_users_is_told_in_one_sentence(source, message, tmp_path, monkeypatch):
    name = f"theirs{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        exact_gradient(function_from(f"{name}:f", 3, torch.Generator()), torch.zeros(3))
