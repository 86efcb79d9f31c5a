"""The two-layer linear network, against autograd, Monte Carlo, closed forms and numbers that were measured before."""

import numpy as np
import pytest
import torch

from opposing_signals import LinearOpposingModel, LinearState

MODEL = LinearOpposingModel(d1=2, d2=1, alpha=20.0)


@pytest.mark.parametrize(("eta", "lowest", "at"), [(0.05, 0.143, 8), (0.099, 0.138, 4)])
def test_below_the_edge_the_loss_falls_and_the_network_sharpens_after_a_dip(eta, lowest, at):
    found = MODEL.run_gd(eta, 2000)
    assert found.n_increases == 0
    assert found.curvature[0] == pytest.approx(0.2)
    assert found.curvature.min() == pytest.approx(lowest, abs=1e-3)
    assert abs(int(found.curvature.argmin()) - at) <= 1
    assert found.curvature[-1] == pytest.approx(19.09, abs=0.02)
    assert found.curvature[-1] == pytest.approx(MODEL.predicted_sharpness(MODEL.start()), rel=0.06)


def test_past_the_edge_it_oscillates_spikes_and_settles_below():
    found = MODEL.run_gd(0.12, 2000)
    assert found.curvature.min() == pytest.approx(0.136, abs=1e-3)
    assert found.curvature[70] == pytest.approx(19.10, abs=0.01)
    assert abs(found.o[40]) == pytest.approx(6e-8, rel=0.1)
    assert abs(found.o[100]) == pytest.approx(0.114, abs=1e-3)
    assert found.loss[95:106].max() == pytest.approx(0.1077, abs=1e-3)
    assert abs(found.n_increases - 31) <= 1
    assert found.curvature[-1] == pytest.approx(16.03, abs=0.01)
    assert found.curvature[-1] < 2 / 0.12
    assert found.loss[-1] < 1e-30
    signs = np.sign(found.o[80:100])
    assert (signs[1:] != signs[:-1]).all(), "the weight of the outliers changes its sign in every step"
    steeper = MODEL.run_gd(0.2, 2000)
    assert steeper.curvature[-1] == pytest.approx(9.76, abs=0.01)
    assert abs(steeper.n_increases - 54) <= 1


def test_gradients_and_the_hessian_are_those_of_the_monte_carlo_loss():
    model = LinearOpposingModel(d1=3, d2=2, alpha=5.0, p=0.2, beta=np.array([0.5, -1.0, 0.3]))
    x, y = model.sample(1_000_000, np.random.default_rng(0))
    state = LinearState(np.array([0.4, -0.2, 0.7]), np.array([0.3, 0.6]), 0.8)
    weights = torch.tensor(state.vector(), requires_grad=True)
    # The loss is quadratic in the products of weights, so that moments of the samples are all it needs.
    second, cross = torch.tensor(x.T @ x / len(x)), torch.tensor(x.T @ y / len(x))

    def loss(w):
        b = w[-1] * w[:-1]
        return 0.5 * b @ second @ b - b @ cross

    loss(weights).backward()
    expected = model.gradient(state).vector()
    np.testing.assert_allclose(weights.grad.numpy(), expected, atol=0.02 * np.abs(expected).max())
    hessian = torch.autograd.functional.hessian(loss, weights.detach()).numpy()
    np.testing.assert_allclose(hessian, model.hessian(state), atol=0.02 * np.abs(hessian).max())
    assert (x[:, 3:] ** 2).sum(1).mean() == pytest.approx(5.0, rel=0.02)
    assert model.sample(10, np.random.default_rng(1))[0].shape == (10, 5)


def test_small_steps_follow_the_gradient_flow_which_keeps_its_invariant():
    slow = MODEL.run_gd(0.001, 8000)
    flow = MODEL.gradient_flow(0.001 * slow.times)
    np.testing.assert_allclose(slow.curvature, flow.curvature, rtol=0.02)
    first = MODEL.start()
    kept = first.c**2 - first.b_k @ first.b_k - first.b_o @ first.b_o
    # At the end c b = beta and o = 0.
    assert flow.c[-1] ** 2 - 1 / flow.c[-1] ** 2 == pytest.approx(kept, abs=1e-3)


def test_the_sharpness_at_the_end_of_gradient_flow_is_predicted_from_any_first_state():
    model = LinearOpposingModel(d1=2, d2=3, alpha=5.0)
    state = LinearState(np.array([0.1, 0.05]), np.array([0.5, -0.4, 0.1]), 0.1)
    flow = model.gradient_flow(np.array([0.0, 200.0]), state)
    assert flow.curvature[-1] == pytest.approx(model.predicted_sharpness(state), rel=1e-4)


def test_sampled_data_sharpen_as_the_population_does():
    model = LinearOpposingModel(d1=5, d2=4, alpha=20.0)
    x, y = model.sample(20_000, np.random.default_rng(0))
    assert model.run_gd_on(x, y, 0.05, 1500).curvature[-1] == pytest.approx(20, rel=0.15)


def test_with_one_layer_nothing_sharpens():
    found = MODEL.run_gd(0.05, 500, is_one_layer=True)
    assert np.ptp(found.curvature) == 0


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"alpha": -1.0}, {"p": 0.0}, {"p": 1.5}, {"d1": 0}, {"beta": np.ones(3)}]
)
def test_a_model_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="alpha|p must|inputs|beta"):
        LinearOpposingModel(**wrong)


def test_steps_that_are_too_large_are_told():
    with pytest.raises(ValueError, match="smaller step size"):
        MODEL.run_gd(5.0, 500)


def test_the_sharpness_of_a_training_is_the_largest_curvature_of_the_loss_in_any_direction():
    found = MODEL.run_gd(0.12, 80)
    first = MODEL.start()
    weights = torch.tensor(first.vector())
    beta = torch.tensor(MODEL.beta)

    def loss(w):
        miss = w[-1] * w[:2] - beta
        return 0.5 * (miss @ miss + MODEL.alpha * (w[-1] * w[2]) ** 2)

    eigenvalues = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, weights))
    assert found.sharpness[0] == pytest.approx(float(eigenvalues.max()), rel=1e-9)
    assert (found.sharpness >= found.curvature - 1e-9).all(), "alpha c^2 is the curvature in one direction"


def test_steps_on_samples_are_those_of_autograd():
    model = LinearOpposingModel(d1=3, d2=2, alpha=5.0, p=0.2, beta=np.array([0.5, -1.0, 0.3]))
    x, y = model.sample(50, np.random.default_rng(0))
    first = LinearState(np.array([0.4, -0.2, 0.7]), np.array([0.3, 0.6]), 0.8)
    found = model.run_gd_on(x, y, 0.03, 4, first)
    weights, rows, targets = torch.tensor(first.vector()), torch.tensor(x), torch.tensor(y)
    for step in range(5):
        assert found.c[step] == pytest.approx(float(weights[-1]), rel=1e-10)
        assert found.o[step] == pytest.approx(float(weights[3:5].sum()) / 2**0.5, rel=1e-10)
        w = weights.clone().requires_grad_()
        loss = 0.5 * (w[-1] * rows @ w[:-1] - targets).square().mean()
        weights = weights - 0.03 * torch.autograd.grad(loss, w)[0]
