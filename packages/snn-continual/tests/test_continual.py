import copy

import pytest
import torch
from torch import nn

from house import peer
from separata import files
from snn_continual import (
    DSRLIF,
    ContinualLearner,
    HLOPConv2d,
    HLOPLinear,
    LeakyTrace,
    SpikingLateral,
    SpikingMLP,
    SurrogateLIF,
    WeightedRate,
    wrap,
)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)),
    )


def images(n=6):
    return torch.randn(n, 1, 4, 4)


def train(model, x, y, *, steps=5):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


# ---- wrap


def test_wrapping_keeps_parameters_outputs_modes_and_names():
    model, x = network().eval(), images()
    before, parameters = model(x), dict(model.named_parameters())
    assert wrap(model) is model
    torch.testing.assert_close(model(x), before)
    assert {name: id(p) for name, p in model.named_parameters()} == {name: id(p) for name, p in parameters.items()}
    assert not any(module.training for module in model.modules())
    kinds = {name: type(module) for name, module in model.named_modules() if "subspace" not in name}
    assert kinds["0"] is HLOPConv2d
    assert kinds["4.0"] is kinds["4.2"] is HLOPLinear


def test_wrapping_some_layers_leaves_the_others():
    model = wrap(network(), ["4.0"])
    assert type(model[4][0]) is HLOPLinear
    assert type(model[0]) is nn.Conv2d
    assert type(model[4][2]) is nn.Linear


def test_wrapping_passes_options_on():
    model = wrap(
        network(), feedback="sign", rate=WeightedRate(), trace=LeakyTrace, timesteps=2, lr=0.5, spiking=SpikingLateral()
    )
    for layer in ContinualLearner(model).layers:
        assert (layer.feedback, layer.rate, layer.timesteps, layer.project) == ("sign", WeightedRate(), 2, "input")
        assert layer.subspace.lr == 0.5
    assert len({id(layer.trace) for layer in ContinualLearner(model).layers}) == 3


def test_wrapping_twice_changes_nothing_more():
    model = wrap(network())
    layers = ContinualLearner(model).layers
    assert ContinualLearner(wrap(model)).layers == layers


@pytest.mark.parametrize("kind", [nn.Linear(4, 2), nn.Conv2d(1, 2, 3)])
def test_wrapping_a_layer_by_itself_gives_its_replacement(kind):
    wrapped = wrap(kind)
    assert isinstance(wrapped, (HLOPLinear, HLOPConv2d))
    assert wrapped.weight is kind.weight


@pytest.mark.parametrize("timesteps", [None, 2])
def test_activations_may_work_in_place_on_what_wrapped_layers_give(timesteps):
    model, x = (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 2), nn.ReLU(inplace=True)),
        images(),
    )
    plain = copy.deepcopy(model)
    wrap(model, timesteps=timesteps)
    for one in (model, plain):
        one(x).square().sum().backward()
    for found, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


def test_a_layer_in_two_places_stays_one_layer():
    layer = nn.Linear(4, 4)
    model = wrap(nn.Sequential(layer, nn.ReLU(), layer))
    assert type(model[0]) is HLOPLinear
    assert model[2] is model[0]
    assert len(ContinualLearner(model).layers) == 1


def test_weights_that_are_read_without_a_call_of_their_layer_are_left_alone():
    model = wrap(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    kinds = {name: type(module) for name, module in model.named_modules()}
    assert kinds["linear1"] is kinds["linear2"] is HLOPLinear
    assert kinds["self_attn.out_proj"] is not HLOPLinear


def test_parametrized_layers_are_refused():
    with pytest.raises(ValueError, match="'0' has a parametrized weight"):
        wrap(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))))


@pytest.mark.parametrize("name", ["1", "nowhere"])
def test_names_that_are_no_layers_are_refused_with_those_that_are(name):
    model = network()
    with pytest.raises(ValueError, match=f"'{name}' is not a linear .*0, 4.0, 4.2"):
        wrap(model, ["0", name])
    assert type(model[0]) is nn.Conv2d


@pytest.mark.parametrize("options", [{"groups": 2}, {"padding": 1, "padding_mode": "circular"}])
def test_convolutions_without_a_projection_are_refused_and_nothing_replaced(options):
    model = nn.Sequential(nn.Linear(2, 2), nn.Conv2d(2, 2, 3, **options))
    with pytest.raises(ValueError, match="orthogonal projection is defined for"):
        wrap(model)
    assert type(model[0]) is nn.Linear


def test_wrapped_layers_keep_dtype_and_follow_the_model():
    model = wrap(network().double())
    learner = ContinualLearner(model)
    learner.begin_task(2)
    train(model, images().double(), torch.tensor([0, 1, 2, 0, 1, 2]))
    learner.end_task()
    assert all(layer.subspace.fixed.dtype == torch.float64 for layer in learner.layers)
    model.float()
    assert all(layer.subspace.fixed.dtype == torch.float32 for layer in learner.layers)
    learner.begin_task(1)
    train(model, images(), torch.tensor([0, 1, 2, 0, 1, 2]))


@pytest.mark.gpu
def test_wrapped_layers_follow_the_model_to_a_gpu():
    model = wrap(network(), feedback="fa").cuda()
    learner = ContinualLearner(model)
    for _ in range(2):
        learner.begin_task(2)
        train(model, images().cuda(), torch.tensor([0, 1, 2, 0, 1, 2]).cuda())
        learner.end_task()
    assert all(tensor.is_cuda for tensor in model.state_dict().values())


@pytest.mark.parametrize("project", ["input", "weight"])
def test_autocast_trains_learns_and_projects(project):
    model = wrap(network(), feedback="sign")
    learner = ContinualLearner(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for layer in learner.layers:
        layer.project = project
    for _ in range(2):
        learner.begin_task(2)
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(images()), torch.tensor([0, 1, 2, 0, 1, 2]))
        loss.backward()
        optimizer.step()
        learner.end_task()
    for tensor in model.state_dict().values():
        assert torch.isfinite(tensor).all()
        assert tensor.dtype in {torch.float32, torch.int64}


def test_autocast_keeps_the_projection_exact():
    layer = HLOPLinear(64, 32, bias=False, project="weight")
    layer.subspace.extend(torch.linalg.qr(torch.randn(64, 8)).Q.T)
    layer.is_projecting = True
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(torch.randn(50, 64))
    y.backward(torch.randn_like(y))
    assert (layer.weight.grad @ layer.subspace.fixed.T).norm() < 1e-5 * layer.weight.grad.norm()


def test_a_model_in_half_precision_goes_through_tasks():
    model = wrap(network()).bfloat16()
    learner = ContinualLearner(model)
    for _ in range(2):
        learner.begin_task(2)
        train(model, images().bfloat16(), torch.tensor([0, 1, 2, 0, 1, 2]))
        learner.end_task(orthonormalize=True)
    assert all(layer.subspace.orthonormality_error() < 0.1 for layer in learner.layers)
    assert all(layer.subspace.fixed.dtype == torch.bfloat16 for layer in learner.layers)


def test_a_copy_learns_by_itself():
    model = wrap(network())
    learner = ContinualLearner(model)
    learner.begin_task(2)
    other = copy.deepcopy(learner)
    train(other.model, images(), torch.tensor([0, 1, 2, 0, 1, 2]))
    other.end_task()
    assert all(len(layer.subspace.fixed) == 0 for layer in learner.layers)
    assert all(len(layer.subspace.fixed) == 2 for layer in other.layers)
    assert not torch.equal(other.layers[0].weight, learner.layers[0].weight)


def test_state_survives_a_file_after_the_subspaces_have_grown(tmp_path):
    model, x = wrap(network(), feedback="fa"), images()
    learner = ContinualLearner(model)
    for dims in ([2, 3, 1], [1, 0, 2]):
        learner.begin_task(dims)
        train(model, x, torch.tensor([0, 1, 2, 0, 1, 2]))
        learner.end_task()
    files.save_tensors(tmp_path / "model.safetensors", model.state_dict())
    other = wrap(network(), feedback="fa")
    other.load_state_dict(files.load_tensors(tmp_path / "model.safetensors")[0])
    assert [layer.subspace.dim for layer in ContinualLearner(other).layers] == [3, 3, 3]
    torch.testing.assert_close(other.eval()(x), model.eval()(x))


def test_a_plain_training_loop_on_a_plain_model_learns_a_second_task_and_keeps_the_first():
    model = wrap(nn.Sequential(nn.Linear(30, 20, bias=False), nn.ReLU(), nn.Linear(20, 4, bias=False)), lr=0.05)
    learner = ContinualLearner(model)
    old = torch.randn(40, 4) @ torch.randn(4, 30) / 4
    learner.begin_task([4, 14])
    train(model, old, torch.randint(4, (40,)), steps=80)
    learner.end_task()
    before = model(old).detach()
    learner.begin_task(1)
    x, y = torch.randn(40, 30), torch.randint(4, (40,))
    loss, forgotten = nn.functional.cross_entropy(model(x), y).item(), []
    for projects in (True, False):
        one = copy.deepcopy(learner)
        for layer in one.layers:
            layer.is_projecting = projects
        train(one.model, x, y, steps=60)
        assert nn.functional.cross_entropy(one.model(x), y).item() < 0.9 * loss
        forgotten.append(torch.dist(one.model(old), before).item())
    assert forgotten[0] < 0.2 * forgotten[1]


@pytest.mark.parametrize("kind", ["plain", "multi-step"])
def test_spikingjelly_s_layers_and_neurons_work_as_before_when_wrapped(kind):
    base, functional, layer, neuron = (
        peer(f"spikingjelly.activation_based.{name}") for name in ("base", "functional", "layer", "neuron")
    )
    linear = (lambda n, m: layer.Linear(n, m, step_mode="m")) if kind == "multi-step" else nn.Linear
    model, x = nn.Sequential(linear(6, 5), neuron.LIFNode(step_mode="m"), linear(5, 3)), 5 * torch.randn(4, 2, 6)
    expected = model(x)
    learner = ContinualLearner(wrap(model))
    assert len(learner.layers) == 2
    for _ in range(2):
        functional.reset_net(model)
        learner.begin_task(2)
        out = model(x)
        torch.testing.assert_close(out, expected)
        out.mean(0).sum().backward()
        learner.end_task()
    assert not any(isinstance(one, base.StepModule) for one in learner.layers)


# ---- ContinualLearner


def test_a_model_without_layers_is_refused():
    with pytest.raises(ValueError, match="wrap"):
        ContinualLearner(network())


def test_tasks_begin_and_end_in_turn():
    learner = ContinualLearner(HLOPLinear(4, 2))
    with pytest.raises(ValueError, match="begin_task"):
        learner.end_task()
    learner.begin_task(1)
    with pytest.raises(ValueError, match="end_task"):
        learner.begin_task(1)
    learner.end_task()
    with pytest.raises(ValueError, match="begin_task"):
        learner.end_task()
    assert learner.n_tasks == 1


@pytest.mark.parametrize(
    ("dims", "reason"),
    [
        ([1, 2], "3 HLOP layers.* 2 numbers"),
        ([1, 2, 99], "99"),
        ([1, 2, -1], "-1"),
        (99, "99"),
        (0.0, "0.0"),
        (1.5, "1.5"),
    ],
)
def test_dimensions_that_do_not_fit_are_refused_and_nothing_changes(dims, reason):
    model = wrap(network())
    learner = ContinualLearner(model)
    with pytest.raises(ValueError, match=reason):
        learner.begin_task(dims)
    assert all(layer.subspace.dim == 0 and not layer.is_learning for layer in learner.layers)
    learner.begin_task(1)


def test_a_width_is_filled_but_not_exceeded_over_tasks():
    learner = ContinualLearner(HLOPLinear(4, 2))
    for dims in (3, 1):
        learner.begin_task(dims)
        learner.end_task()
    with pytest.raises(ValueError, match="4 dimensions"):
        learner.begin_task(1)
    learner.begin_task(0)


def test_a_share_is_of_each_layer_s_width():
    learner = ContinualLearner(wrap(network()))
    learner.begin_task(0.25)
    assert [layer.subspace.dim for layer in learner.layers] == [2, 4, 2]


def test_new_rows_repeat_with_their_generator():
    rows = []
    for _ in range(2):
        learner = ContinualLearner(wrap(network()))
        learner.begin_task(2, torch.Generator().manual_seed(3))
        rows.append([layer.subspace.weight for layer in learner.layers])
    assert all(torch.equal(a, b) for a, b in zip(*rows, strict=True))


def test_projection_begins_with_the_second_task_and_learning_ends_with_each():
    learner = ContinualLearner(HLOPLinear(4, 2))
    states = []
    for _ in range(2):
        learner.begin_task(1)
        states.append((learner.layers[0].is_learning, learner.layers[0].is_projecting))
        learner.end_task()
        states.append((learner.layers[0].is_learning, learner.layers[0].is_projecting))
    assert states[0] == (True, False)
    assert states[2] == (True, True)
    assert not states[1][0]
    assert not states[3][0]


def test_normalisation_and_parameters_without_rows_stay_after_the_first_task():
    model = nn.Sequential(network(), DSRLIF(), nn.BatchNorm1d(3))
    learner = ContinualLearner(wrap(model))
    y = torch.tensor([0, 1, 2, 0, 1, 2])

    def held():
        tensors = dict(model.named_parameters()) | dict(model.named_buffers())
        return {name: t.clone() for name, t in tensors.items() if t.ndim <= 1 and "subspace" not in name}

    def learn_task():
        learner.begin_task(1)
        model.train()
        before = held()
        train(model, images() + 1, y)
        learner.end_task()
        return [name for name, tensor in held().items() if not torch.equal(tensor, before[name])]

    assert {"0.1.running_mean", "0.1.weight", "0.4.0.bias", "2.running_var"} <= set(learn_task())
    assert learn_task() == []
    model.train()
    assert learn_task() == []
    assert all(parameter.ndim > 1 for parameter in learner.trainable_parameters())
    assert len(learner.trainable_parameters()) == 3


def test_a_loaded_model_goes_on_where_it_was():
    learner = ContinualLearner(wrap(network()))
    for _ in range(2):
        learner.begin_task(1)
        learner.end_task()
    other = ContinualLearner(wrap(network()))
    other.model.load_state_dict(learner.model.state_dict())
    other.resume(2)
    assert not other.layers[1].bias.requires_grad
    other.begin_task(1)
    assert all(layer.is_projecting and layer.subspace.dim == 3 for layer in other.layers)


def test_learning_pauses_inside_the_block_and_goes_on_after_it():
    learner = ContinualLearner(HLOPLinear(4, 2))
    learner.begin_task(2)
    start = learner.layers[0].subspace.learning
    with learner.not_learning():
        learner.model(torch.randn(3, 4))
        assert torch.equal(learner.layers[0].subspace.learning, start)
    learner.model(torch.randn(3, 4))
    assert not torch.equal(learner.layers[0].subspace.learning, start)
    with pytest.raises(KeyError), learner.not_learning():
        raise KeyError
    assert learner.layers[0].is_learning


def test_spiking_networks_are_learners_too():
    model = SpikingMLP((6, 5, 3))
    assert [layer.subspace.n_features for layer in ContinualLearner(model).layers] == [6, 5]
    assert not any(isinstance(module, SurrogateLIF) for module in model.modules())
