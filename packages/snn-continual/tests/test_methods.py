import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snn_continual import BPTT, DSR, EWC, GPM, HLOP, DivergenceError, HLOPLinear, SpikingCNN, SpikingMLP, SpikingNetwork
from snn_continual.methods import Memory, Method, pmnist_dims, principal_directions


def softmax_regression(n_features=3, n_classes=3):
    """The smallest network of all: one step of a linear layer, without neurons."""
    return SpikingNetwork(nn.Flatten(2), HLOPLinear(n_features, n_classes, bias=False), BPTT(1)).double()


# ---- GPM


def energies(samples, known):
    """Singular values squared, of what the known rows leave, and the energy that they hold."""
    projection = known.T @ known
    left = samples - samples @ projection
    values, rows = np.linalg.svd(left, full_matrices=False)[1:]
    return values**2, rows, (samples**2).sum() - (left**2).sum()


@pytest.mark.parametrize("n_samples", [5, 8, 60])
@pytest.mark.parametrize("n_known", [0, 2])
@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
def test_kept_directions_are_the_fewest_singular_vectors_that_explain_enough(n_samples, n_known, threshold):
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(n_samples, 8)) * 0.6 ** np.arange(8)
    known = np.linalg.qr(rng.normal(size=(8, n_known)))[0].T
    found = principal_directions(torch.from_numpy(samples), torch.from_numpy(known), threshold).numpy()
    values, rows, held = energies(samples, known)
    total = (samples**2).sum()
    k = next(k for k in range(9) if held + values[:k].sum() >= threshold * total)
    assert len(found) == k
    np.testing.assert_allclose(found.T @ found, rows[:k].T @ rows[:k], atol=1e-8)
    np.testing.assert_allclose(found @ known.T, 0, atol=1e-8)


def test_nothing_is_kept_of_activity_that_is_known_well_enough():
    samples = torch.randn(20, 2, dtype=torch.float64) @ torch.eye(5, dtype=torch.float64)[:2]
    known = torch.eye(5, dtype=torch.float64)[:3]
    assert principal_directions(samples, known, 0.99).shape == (0, 5)


def test_no_more_directions_are_kept_than_the_space_has():
    samples = torch.randn(20, 4, dtype=torch.float64)
    known = torch.eye(4, dtype=torch.float64)[:3]
    found = principal_directions(samples, known, 1 - 1e-12)
    assert found.shape == (1, 4)
    torch.testing.assert_close(found.abs(), torch.eye(4, dtype=torch.float64)[3:])


def test_gpm_keeps_the_directions_of_each_layer_s_input_and_projects_from_the_second_task_on():
    model = SpikingMLP((6, 5, 3), BPTT(3))
    x = 3 * torch.randn(20, 2) @ torch.randn(2, 6)
    method = GPM(model, 0.999)
    layers = method.learner.layers
    method.begin_task(0)
    assert not any(layer.is_projecting for layer in layers)
    method.end_task(0, x, torch.zeros(20, dtype=torch.long), None)
    basis = np.linalg.svd(x.numpy(), full_matrices=False)[2][:2]
    fixed = layers[0].subspace.fixed
    np.testing.assert_allclose(fixed.T @ fixed, basis.T @ basis, atol=1e-4)
    method.begin_task(1)
    assert all(layer.is_projecting for layer in layers)
    model.loss(3 * torch.randn(9, 6), torch.randint(3, (9,))).backward()
    for layer in layers:
        assert (layer.weight.grad @ layer.subspace.fixed.T).abs().max() < 1e-5


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_outside_of_zero_and_one_is_refused(threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        GPM(softmax_regression(), threshold)


# ---- EWC


def test_fisher_information_of_softmax_regression_is_the_squared_error_times_the_squared_input():
    """d log p(y|x) / dW_ki = (1[k = y] - p_k) x_i, with y drawn from p."""
    model = softmax_regression()
    x = torch.randn(4, 3, dtype=torch.float64)
    method = EWC(model, n_images=4, seed=5)
    method.end_task(0, x, torch.zeros(4, dtype=torch.long), None)
    p = (x @ model.classifier.weight.T).softmax(1).detach()
    drawn = torch.multinomial(p, 1, generator=torch.Generator().manual_seed(5))[:, 0]
    errors = F.one_hot(drawn, 3) - p
    expected = (errors.square()[:, :, None] * x.square()[:, None, :]).mean(0)
    torch.testing.assert_close(method.importance["classifier.weight"], expected)


def test_fisher_information_is_an_expectation_over_the_network_s_own_labels():
    """With many copies of one image, the mean over drawn labels nears E_y (1[k = y] - p_k)² = p_k (1 - p_k)."""
    model = softmax_regression()
    x = torch.randn(1, 3, dtype=torch.float64)
    method = EWC(model, n_images=800)
    method.end_task(0, x.expand(800, 3), torch.zeros(800, dtype=torch.long), None)
    p = (x @ model.classifier.weight.T).softmax(1).detach()[0]
    expected = (p * (1 - p))[:, None] * x.square()
    torch.testing.assert_close(method.importance["classifier.weight"], expected, rtol=0.15, atol=0)


def test_steps_descend_the_loss_and_the_summed_penalties_of_two_tasks_where_they_arrive():
    """Implicit: (θ - θ') / lr = g + λ Σ F (θ' - θ*), with the penalties' gradient, by autograd, at the new weights."""
    strength, lr = 7.0, 0.1
    model = SpikingMLP((4, 5, 3), DSR(3)).double()
    method, x = EWC(model, strength, n_images=8), 3 * torch.randn(8, 4, dtype=torch.float64)
    parameters, penalties = dict(model.named_parameters()), []
    previous = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for task in range(2):
        for p in parameters.values():
            p.data += 0.1 * torch.randn_like(p).abs()
        method.end_task(task, x, torch.zeros(8, dtype=torch.long), None)
        stars = {name: p.detach().clone() for name, p in parameters.items()}
        penalties.append(({name: method.importance[name] - previous[name] for name in stars}, stars))
        previous = {name: value.clone() for name, value in method.importance.items()}
    assert all(fisher["features.1.weight"].max() > 0 for fisher, _ in penalties)

    optimizer = torch.optim.SGD(parameters.values(), lr=lr)
    method.guard(optimizer)
    before, errors = {}, {}
    for name, p in parameters.items():
        p.data += 0.1 * torch.randn_like(p)
        before[name], errors[name] = p.detach().clone(), torch.randn_like(p)
        p.grad = errors[name].clone()
    method.adjust_gradients()
    optimizer.step()
    penalty = sum(
        strength / 2 * (fisher[name] * (p - stars[name]).square()).sum()
        for fisher, stars in penalties
        for name, p in parameters.items()
    )
    pulls = torch.autograd.grad(penalty, list(parameters.values()))
    for (name, p), pull in zip(parameters.items(), pulls, strict=True):
        torch.testing.assert_close((before[name] - p.detach()) / lr, errors[name] + pull)


def test_estimating_importance_leaves_model_gradients_and_mode_alone():
    model = SpikingCNN(3, BPTT(2), widths=(2, 2), image_size=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    EWC(model, n_images=3).end_task(0, torch.randn(3, 3, 4, 4), torch.zeros(3, dtype=torch.long), None)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_penalty_that_is_no_positive_number_is_refused(strength):
    with pytest.raises(ValueError, match="negative"):
        EWC(softmax_regression(), strength)


@pytest.mark.parametrize("kind", [EWC, GPM])
def test_learning_a_task_s_importance_from_no_image_is_refused(kind):
    with pytest.raises(ValueError, match="at least 1 image of each task is needed, not 0"):
        kind(softmax_regression(), n_images=0)


@pytest.mark.parametrize("kind", [EWC, GPM])
def test_a_network_whose_weights_are_lost_is_told_and_not_decomposed(kind):
    model = softmax_regression()
    model.classifier.weight.data.fill_(float("nan"))
    images = torch.full((4, 3), float("nan"), dtype=torch.float64)
    with pytest.raises(DivergenceError, match="NaN or infinite"):
        kind(model).end_task(0, images, torch.zeros(4, dtype=torch.long), None)


# ---- HLOP and fine-tuning


def test_hlop_grows_by_what_the_task_gets_and_repeats_with_its_seed():
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        method = HLOP(SpikingMLP((6, 5, 3), BPTT(2)), lambda index: [3, 2] if index == 0 else 1, seed)
        for index in range(2):
            method.begin_task(index)
            method.end_task(index, torch.empty(0), torch.empty(0), None)
        assert [layer.subspace.dim for layer in method.learner.layers] == [4, 3]
        weights.append(method.learner.layers[0].subspace.fixed)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_hlop_grows_as_far_as_layers_have_room():
    method = HLOP(SpikingMLP((6, 5, 3), BPTT(2)), lambda _: [4, 2])
    dims = []
    for index in range(3):
        method.begin_task(index)
        method.end_task(index, torch.empty(0), torch.empty(0), None)
        dims.append([layer.subspace.dim for layer in method.learner.layers])
    assert dims == [[4, 2], [6, 4], [6, 5]]


def test_fine_tuning_freezes_thresholds_after_the_first_task():
    model = SpikingMLP((4, 5, 3))
    method = Method(model)
    method.begin_task(0)
    assert all(p.requires_grad for p in model.parameters())
    method.begin_task(1)
    assert [p.ndim for p in model.parameters() if not p.requires_grad] == [0]


def test_going_on_after_two_tasks_freezes_too():
    for make in (Method, EWC, GPM, lambda m: HLOP(m, lambda _: 1)):
        model = SpikingMLP((4, 5, 3))
        make(model).resume(2)
        assert [p.ndim for p in model.parameters() if not p.requires_grad] == [0]


@pytest.mark.parametrize("make", [GPM, lambda m: HLOP(m, lambda _: 1)])
def test_methods_that_project_refuse_weight_decay(make):
    model = SpikingMLP((4, 5, 3))
    with pytest.raises(ValueError, match="weight decay"):
        make(model).guard(torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1))


def test_the_paper_s_dimensions_for_permuted_mnist_fit_its_widths():
    schedule = [pmnist_dims(index) for index in range(10)]
    assert schedule[0] == [80, 200, 100]
    assert [dims[0] for dims in schedule[1:]] == [70, 70, 50, 50, 50, 30, 30, 30, 10]
    assert all(sum(dims) < width for dims, width in zip(zip(*schedule, strict=True), (784, 800, 800), strict=True))


# ---- memory


def test_memory_keeps_the_first_images_of_each_class():
    memory = Memory(2)
    memory.add(torch.arange(7.0)[:, None], torch.tensor([1, 0, 1, 1, 0, 0, 1]))
    assert memory.images[0].flatten().tolist() == [1, 4, 0, 2]
    assert memory.labels[0].tolist() == [0, 0, 1, 1]


def test_memory_larger_than_a_class_is_refused_and_nothing_kept():
    memory = Memory(3)
    with pytest.raises(ValueError, match="3 images of each class.* only 2"):
        memory.add(torch.zeros(5, 1), torch.tensor([0, 0, 0, 1, 1]))
    assert not memory.images
    with pytest.raises(ValueError, match="at least 1"):
        Memory(0)


@pytest.mark.parametrize("n_tasks", [0, 1, 12])
def test_memory_comes_back_from_its_state_in_order(n_tasks):
    memory, other = Memory(1), Memory(1)
    for task in range(n_tasks):
        memory.add(torch.full((2, 3), float(task)), torch.tensor([0, 1]))
    other.restore(memory.state(), "cpu")
    assert [x.unique().tolist() for x in other.images] == [[float(task)] for task in range(n_tasks)]
    assert all(torch.equal(a, b) for a, b in zip(memory.labels, other.labels, strict=True))
