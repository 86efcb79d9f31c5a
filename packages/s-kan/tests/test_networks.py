"""Networks, their compact forms, reports, pictures and files for other programs."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from s_kan import (
    CNN,
    KAN,
    SKAN,
    ConvKAN,
    Scaled,
    SConvKAN,
    SKANConv2d,
    SKANLinear,
    StageConfig,
    StageSchedule,
    draw_functions,
    draw_selection,
    edge_functions,
    save_onnx,
    selectable_layers,
    selection_report,
    to_compact,
)
from s_kan.compact import Compact
from separata.models import count_parameters

POOL = ("bspline", "rbf", "fourier")


def decided(model):
    """The network with random logits."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in selectable_layers(model):
            layer.select.logits.copy_(torch.randn(layer.select.logits.shape, generator=generator))
    return model


def pruned(model, top_k=1):
    decided(model).prune(top_k)
    return model.eval()


def dense(**settings):
    return SKAN([3, 5, 2], POOL, 6, **settings)


def images(**settings):
    return SConvKAN(2, 4, (3, 5), POOL, 6, **settings)


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("unit", ["node", "edge", "layer"])
@pytest.mark.parametrize("make", [dense, images])
def test_compact_networks_compute_the_same_without_pools(make, unit, top_k):
    model = pruned(make(unit=unit), top_k)
    x = torch.randn(4, 3) if make is dense else torch.randn(4, 2, 8, 8)
    compact = to_compact(model)
    torch.testing.assert_close(compact(x), model(x), atol=1e-5, rtol=0)
    assert not selectable_layers(compact)
    assert selectable_layers(model), "the network itself stays"
    if unit != "edge" and top_k == 1:
        assert count_parameters(compact) == count_parameters(model)
    for layer in compact.modules():
        if isinstance(layer, Compact):
            names = [group.basis.name for group in layer.groups]
            assert len(set(names)) == len(names), "each family once a layer"


def test_a_layer_by_itself_becomes_compact():
    layer = SKANLinear(3, 4, POOL, 6, base="none", normalization="tanh")
    with pytest.raises(ValueError, match="prune it first"):
        to_compact(layer)
    pruned_layer = decided(nn.Sequential(layer))[0]
    pruned_layer.prune()
    x = torch.randn(4, 3)
    torch.testing.assert_close(to_compact(pruned_layer)(x), pruned_layer(x), atol=1e-6, rtol=0)


def test_a_compact_layer_takes_any_batch():
    """Nodes are the last dimension, whatever comes before; (3, 4, ...) has as many rows as a group has nodes."""
    layer = SKANLinear(3, 4, ("rbf", "fourier"), 6)
    with torch.no_grad():
        layer.select.logits[0, ::2] = 1.0
        layer.select.logits[1, 1::2] = 1.0
    layer.prune()
    compact = to_compact(layer)
    for shape in ((3,), (2, 3), (3, 4, 3), (2, 2, 5, 3)):
        x = torch.randn(shape)
        torch.testing.assert_close(compact(x), layer(x), atol=1e-6, rtol=0)


def test_a_pruned_network_has_as_many_parameters_as_one_of_a_single_family():
    assert count_parameters(pruned(dense())) == count_parameters(KAN([3, 5, 2], "rbf", 6))
    assert count_parameters(pruned(images())) == count_parameters(ConvKAN(2, 4, (3, 5), "rbf", 6))


def test_all_layers_are_pruned_or_none():
    model = SKAN([3, 5, 2], [POOL, ("rbf", "fourier")], 6)
    with pytest.raises(ValueError, match="keep 1 to 2 members of its pool, not 3"):
        model.prune(3)
    with pytest.raises(ValueError, match="keep 1 to 2 members"):
        StageSchedule(StageConfig(top_k=3)).step(model, 1.0)
    assert not any(layer.is_pruned for layer in selectable_layers(model))
    decided(model).layers[1].prune()
    with pytest.raises(ValueError, match="already been pruned"):
        model.prune()
    assert not model.layers[0].is_pruned


def test_a_pool_for_each_layer():
    model = SKAN([3, 5, 2], [("rbf", "fourier"), POOL], 6)
    assert [layer.names for layer in selectable_layers(model)] == [("rbf", "fourier"), POOL]


def test_image_networks_take_images_of_any_size():
    for model in (images(), ConvKAN(2, 4, (3, 5), "rbf", 6), CNN(2, 4, (3, 5))):
        for size in (1, 3, 8):
            assert model(torch.rand(2, 2, size, size)).shape == (2, 4)
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        images(dropout=1.0)
    with pytest.raises(ValueError, match="positive number of channels"):
        CNN(1, 2, ())


def test_reports_say_what_was_chosen():
    model = decided(dense())
    before = selection_report(model)
    assert not before.layers[0].is_pruned
    assert "not pruned yet" in before.text()
    assert sum(before.layers[0].weights[0].values()) == pytest.approx(1)
    model.prune()
    after = selection_report(model)
    assert [layer.chosen for layer in after.layers] == [layer.chosen for layer in before.layers]
    assert sum(after.layers[0].counts().values()) == 5
    assert after.layers[0].n_parameters == 3 * 5 * 7
    assert after.layers[0].weights[0][after.layers[0].chosen[0]] == 1
    assert after.to_json()["layers"][1]["n_out"] == 2
    with pytest.raises(ValueError, match="no layer that chooses"):
        selection_report(nn.Linear(2, 2))


@pytest.mark.parametrize("unit", ["node", "edge", "layer"])
def test_functions_on_edges_add_up_to_the_layer(unit):
    layer = decided(nn.Sequential(SKANLinear(2, 3, POOL, 6, unit)))[0]
    x = torch.linspace(-1, 1, 7)
    for prune in (False, True):
        if prune:
            layer.prune()
        found = edge_functions(layer, x)
        assert found.shape == (3, 2, 7)
        both = torch.stack([x, x.flip(0)], 1)
        torch.testing.assert_close(layer(both), (found[:, 0] + found[:, 1].flip(1)).T, atol=1e-5, rtol=0)


def test_pictures(tmp_path):
    model = Scaled(decided(dense()), 3, 2)
    x = torch.randn(50, 3)
    model.calibrate(x)
    for one in (model, nn.Sequential(pruned(dense(unit="edge")))):
        figure = draw_functions(one, x, ("a", "b", "c"))
        assert isinstance(figure, Figure)
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert {"a to 1:0", "c to 1:4", "h4 to 2:1"} <= set(titles)
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_functions(images(), torch.rand(2, 2, 4, 4))
    rows = [{"step": i, "layer1_rbf": 0.5, "layer1_fourier": 0.5, "layer2_rbf": 1.0} for i in range(3)]
    assert [axes.get_title(loc="left") for axes in draw_selection(rows).axes] == ["layer 1", "layer 2"]
    with pytest.raises(ValueError, match="nothing to choose"):
        draw_selection([{"step": 1, "loss": 0.0}])


def test_a_large_layer_is_drawn_in_part():
    figure = draw_functions(pruned(SKAN([30, 1], POOL, 6)), torch.randn(20, 30))
    assert len([axes for axes in figure.axes if axes.lines]) == 24


def test_inputs_and_outputs_are_scaled_inside():
    network = nn.Linear(2, 1)
    x = torch.tensor([[0.0, 5.0], [10.0, 5.0]])
    model = Scaled(network, 2, 1).calibrate(x, torch.tensor([[1000.0], [3000.0]]))
    expected = 2000 + 1000 * network(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(model(x), expected)


MODELS = {
    "unpruned": lambda: decided(dense(unit="edge")),
    "convolutional": lambda: pruned(images()),
}


@pytest.mark.parametrize("kind", MODELS)
def test_other_programs_compute_the_same(kind, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    model = MODELS[kind]().eval()
    shape = (3,) if isinstance(model, SKAN) else (2, 6, 6)
    save_onnx(model, tmp_path / "net.onnx", shape)
    x = torch.rand(7, *shape)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    with torch.no_grad():
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], model(x), atol=1e-5)


def test_mixed_precision_and_movement_are_pytorch_s():
    model = pruned(SKAN([3, 5, 2], POOL, 6, base="none"))
    x = torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(x)
    torch.testing.assert_close(low.float(), model(x), atol=0.1, rtol=0.1)
    torch.testing.assert_close(model.double()(x.double()).float(), SKAN.forward(model, x.double()).float())
    convolution = SKANConv2d(2, 3, 3, pool=POOL, n_basis=6).double()
    assert convolution(torch.rand(1, 2, 4, 4).double()).dtype == torch.float64


def test_bounds_of_a_pruned_network_hold(tmp_path):
    """A node of each family, as ONNX in bab-verify."""
    bab_verify = pytest.importorskip("bab_verify", reason="bab-verify is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pool = ("bspline", "rbf", "chebyshev", "fourier", "wavelet")
    model = SKAN([2, 5, 1], pool, 4)
    with torch.no_grad():
        model.layers[0].select.logits[:, :, 0] += torch.eye(5)
        model.layers[1].select.logits[1] += 1
    model.prune()
    assert model.chosen() == [list(pool), ["rbf"]]
    save_onnx(model.eval(), tmp_path / "net.onnx", (2,))
    center = torch.tensor([[0.1, -0.3]])
    lower, upper = bab_verify.compute_bounds(tmp_path / "net.onnx", center - 0.05, center + 0.05, method="crown")
    x = center + 0.1 * torch.rand(2000, 2) - 0.05
    with torch.no_grad():
        y = model(x)
    assert lower.item() <= y.min()
    assert y.max() <= upper.item()
    assert upper.item() - lower.item() < 4 * (y.max() - y.min())
