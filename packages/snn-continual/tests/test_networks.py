import math

import numpy as np
import pytest
import torch
from torch import nn

from house import peer
from snn_continual import (
    BPTT,
    DSR,
    OTTT,
    ForTask,
    HLOPConfig,
    HLOPConv2d,
    HLOPLinear,
    NetworkConfig,
    SpikingCNN,
    SpikingLateral,
    SpikingMLP,
    SpikingNetwork,
    SpikingResNet18,
)
from snn_continual.layers import HLOPLayer
from snn_continual.networks import Heads, make_network

RULES = [DSR(3), BPTT(2), OTTT(2)]
NAMES = ["dsr", "bptt", "ottt"]


def hlop_layers(model):
    return [module for module in model.modules() if isinstance(module, HLOPLayer)]


def train_a_step(model, x, y, task=None):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model(x, task).detach()
    loss = model.loss(x, y, task)
    loss.backward()
    optimizer.step()
    assert math.isfinite(loss.item())
    return before, model(x, task).detach()


def test_perceptron_is_the_paper_s_without_biases():
    model = SpikingMLP()
    shapes = {tuple(layer.weight.shape) for layer in hlop_layers(model)}
    assert shapes == {(800, 784), (800, 800), (10, 800)}
    thresholds = [p for p in model.parameters() if p.ndim == 0]
    assert len(thresholds) == 2
    assert sum(p.numel() for p in model.parameters()) == 784 * 800 + 800 * 800 + 800 * 10 + 2
    assert [layer.subspace.lr for layer in hlop_layers(model)] == [0.001, 0.01, 0.01]


def test_perceptron_computes_what_its_neurons_do_one_step_after_the_other():
    model, x = SpikingMLP((6, 8, 7, 3), BPTT(5)), 3 * torch.randn(4, 6)
    w1, w2, w3 = (layer.weight for layer in hlop_layers(model))
    u, v, total = torch.zeros(4, 8), torch.zeros(4, 7), torch.zeros(4, 3)
    with torch.no_grad():
        for _ in range(5):
            u = u / 2 + x @ w1.T
            s = (u >= 1).float()
            u -= s
            v = v / 2 + s @ w2.T
            z = (v >= 1).float()
            v -= z
            total += z @ w3.T
    torch.testing.assert_close(model(x), total / 5)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_gradients_and_no_gradients_give_the_same_logits_and_images_are_flattened(rule):
    model, x = SpikingMLP((6, 8, 3), rule), torch.randn(4, 1, 2, 3)
    with torch.no_grad():
        plain = model(x)
    assert plain.shape == (4, 3)
    torch.testing.assert_close(model(x), plain)
    torch.testing.assert_close(model(x.flatten(1)), plain)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_convolutional_network_with_a_head_for_each_task_trains_a_step(rule):
    model = SpikingCNN(4, rule, widths=(4, 6), image_size=8, n_heads=3)
    heads = [head.weight.clone() for head in model.classifier.heads]
    before, after = train_a_step(model, torch.randn(5, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0]), task=1)
    assert before.shape == (5, 4)
    assert not torch.equal(before, after)
    changed = [not torch.equal(old, new.weight) for old, new in zip(heads, model.classifier.heads, strict=True)]
    assert changed == [False, True, False]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_residual_network_trains_a_step(rule):
    model = SpikingResNet18(3, rule, width=4)
    before, after = train_a_step(model, torch.randn(2, 3, 16, 16), torch.tensor([0, 2]))
    assert before.shape == (2, 3)
    assert not torch.equal(before, after)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_residual_network_has_the_layers_to_which_the_paper_gives_dimensions():
    layers = hlop_layers(SpikingResNet18(10, DSR(1)))
    assert all(isinstance(layer, HLOPConv2d) for layer in layers[:-1])
    widths = [layer.subspace.n_features for layer in layers]
    assert widths == [27, *[180] * 5, 360, 20, *[360] * 3, 720, 40, *[720] * 3, 1440, 80, *[1440] * 2, 160]
    strided = SpikingResNet18(5, DSR(1), strided_stem=True, n_heads=2)
    assert len(hlop_layers(strided)) == 20
    assert hlop_layers(strided)[0].subspace.n_features == 75


def test_options_reach_every_layer():
    spiking = SpikingLateral(5.0, 10)
    model = SpikingCNN(2, BPTT(2), widths=(2, 2), image_size=4, hlop=HLOPConfig("fa", lr=0.03, spiking=spiking))
    for layer in hlop_layers(model):
        assert (layer.feedback, layer.project, layer.subspace.lr) == ("fa", "input", 0.03)
        assert layer.subspace.spiking == spiking
        assert layer.rate is None


def test_traces_begin_above_the_input():
    assert [layer.trace is not None for layer in hlop_layers(SpikingMLP((4, 4, 4, 2), OTTT()))] == [False, True, True]
    assert all(layer.trace is None for layer in hlop_layers(SpikingMLP((4, 4, 2), BPTT())))


@pytest.mark.parametrize("task", [None, -1, 2])
def test_a_task_without_a_head_is_refused(task):
    model = SpikingMLP((4, 3, 2), DSR(2), n_heads=2)
    with pytest.raises(ValueError, match=f"tasks 0 to 1, .*not {task}"):
        model(torch.randn(1, 4), task)


def test_for_task_takes_nothing_but_images():
    model, x = SpikingMLP((4, 3, 2), DSR(2), n_heads=2), torch.randn(5, 4)
    torch.testing.assert_close(ForTask(model, 1)(x), model(x, 1))
    shared = SpikingMLP((4, 3, 2), DSR(2))
    torch.testing.assert_close(ForTask(shared, None)(x), shared(x))


def test_seeded_networks_depend_on_the_seed_and_leave_the_random_state_alone():
    def build(rule, hlop):
        return SpikingMLP((4, 3, 2), rule, hlop=hlop)

    state = torch.random.get_rng_state()
    config = NetworkConfig(timesteps=2, feedback="fa")
    one, other, third = (make_network(build, config, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], other[key]) for key in one)
    key = next(key for key in one if key.endswith("feedback_weight"))
    assert not torch.equal(one[key], third[key])


BATCH = ({0: torch.export.Dim("batch")},)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
@pytest.mark.usefixtures("unchecked")
def test_a_network_exports_to_onnx_for_batches_of_any_size(rule, tmp_path):
    for needed in ("onnx", "onnxscript"):
        peer(needed)
    runtime = peer("onnxruntime", "InferenceSession")
    model, x = ForTask(SpikingMLP((6, 8, 3), rule, n_heads=2), 1).eval(), 3 * torch.randn(5, 6)
    torch.onnx.export(model, (x[:2],), tmp_path / "net.onnx", dynamo=True, verbose=False, dynamic_shapes=BATCH)
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, model(x).detach(), atol=1e-5)


@pytest.mark.usefixtures("unchecked")
@torch.no_grad()
def test_neurons_of_every_rule_export_for_batches_of_any_size():
    """What the export to ONNX begins with, for all rules at once."""
    layers = [nn.Flatten(2)]
    for n_in, rule in zip((6, 40, 40), RULES, strict=True):
        layers += [HLOPLinear(n_in, 40), rule.neuron()]
    model = ForTask(SpikingNetwork(nn.Sequential(*layers), Heads(40, 3, 2), DSR(2)), 1).eval()
    x = 20 * torch.randn(50, 6)
    expected = model(x)
    assert len(expected.unique(dim=0)) > 5
    torch.testing.assert_close(torch.export.export(model, (x[:2],), dynamic_shapes=BATCH).module()(x), expected)


def test_layers_are_linear_and_convolutional_ones():
    model = SpikingCNN(2, widths=(2, 2), image_size=4)
    assert [type(layer) for layer in hlop_layers(model)] == [HLOPConv2d, HLOPConv2d, HLOPLinear]
    assert isinstance(hlop_layers(model)[0], nn.Conv2d)


@pytest.mark.parametrize("sizes", [(), (3,), (4, 0), (-1, 3)])
def test_perceptrons_without_an_input_or_an_output_are_refused(sizes):
    with pytest.raises(ValueError, match="each at least 1"):
        SpikingMLP(sizes)


@pytest.mark.parametrize("image_size", [0, 6, 9])
def test_images_that_cannot_be_halved_for_each_block_are_refused(image_size):
    with pytest.raises(ValueError, match=f"a multiple of 4 pixels, not {image_size}"):
        SpikingCNN(2, widths=(2, 2), image_size=image_size)


def test_a_network_with_heads_for_no_task_is_refused():
    with pytest.raises(ValueError, match="at least 1 task, not 0"):
        SpikingMLP((4, 2), n_heads=0)
