"""PyTorch modules, directly and by way of ONNX."""

import copy

import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from bab_verify.frontends.loading import load_network
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.onnx_registry import NetworkError, UnsupportedOperatorError
from bab_verify.frontends.torch_layers import is_fixed
from bab_verify.frontends.torch_modules import graph_from_module, model_from_module
from bab_verify.graph import Graph


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.query, self.out = nn.LayerNorm(6), nn.Linear(6, 6), nn.Linear(18, 2)

    def forward(self, x):
        h = self.query(self.norm(x))
        scores = torch.softmax(h @ h.transpose(-1, -2) / 6**0.5, -1)
        return self.out(torch.nn.functional.gelu(scores @ x + h.sin()).flatten(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 3)
        for t in range(2):
            h, c = self.cell(x[:, t], (h, c))
        return self.out(h)


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(4, 3, batch_first=True, bidirectional=True), nn.Linear(6, 2)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


class RecurrentAttention(nn.Module):
    """Attention to the states of a cell."""

    def __init__(self):
        super().__init__()
        self.cell, self.attention = nn.LSTMCell(4, 6), Attention()

    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 6)
        states = []
        for t in range(3):
            h, c = self.cell(x[:, t], (h, c))
            states.append(h)
        return self.attention(torch.stack(states, 1))


CASES = {
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten(),
            nn.Dropout(), nn.Linear(3, 2),
        ),
        (1, 4, 4),
    ),
    "recurrent attention": (RecurrentAttention, (3, 4)),
    "attention": (Attention, (3, 6)),
    "recurrent": (Recurrent, (2, 4)),
    "sequences": (Sequences, (3, 4)),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [*list(CASES)[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in list(CASES)[2:])],
)
def test_forward(name):
    build, shape = CASES[name]
    torch.manual_seed(0)
    module = build().train()
    graph = graph_from_module(module, torch.rand(1, *shape), torch.float32)
    assert module.training
    x = torch.rand(5, *shape)
    torch.testing.assert_close(graph(x), module.eval()(x), rtol=1e-5, atol=1e-5)
    assert graph.input_shape == (1, *shape)


@pytest.mark.slow
def test_what_is_recorded_is_what_is_read_from_the_code():
    build, shape = CASES["convolutions"]
    module, x = build(), torch.rand(5, *shape)
    recorded, read = (
        graph_from_model(model_from_module(module, x[:1], fixed=fixed), "network", torch.float64)
        for fixed in (True, False)
    )
    assert [type(node.operator) for node in recorded.nodes] == [type(node.operator) for node in read.nodes]
    torch.testing.assert_close(recorded(x.double()), read(x.double()))


class Choosing(nn.Sequential):
    """What it does depends on its input."""

    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else x


def test_only_what_does_the_same_for_every_input_is_recorded():
    assert is_fixed(nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(3, 2), nn.Tanh())))
    assert not is_fixed(Choosing(nn.Linear(3, 3)))
    assert not is_fixed(nn.Sequential(Choosing(nn.Linear(3, 3))))
    hooked, replaced = nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.Linear(3, 3))
    hooked[0].register_forward_hook(lambda module, inputs, output: output.abs())
    assert not is_fixed(hooked)
    replaced[0].forward = lambda x: x.abs()
    assert not is_fixed(replaced)
    assert not is_fixed(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))


def test_double_precision():
    module = nn.Linear(3, 2).double()
    x = torch.rand(4, 3, dtype=torch.float64)
    torch.testing.assert_close(load_network(module, x[:1]).graph(x), module(x))


def test_a_network_is_a_graph_whatever_it_is_given_as(tmp_path):
    module = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    graph = load_network(module, torch.rand(1, 3)).graph
    assert isinstance(graph, Graph)
    x = torch.rand(4, 3, dtype=torch.float64)
    own = load_network(graph).graph
    assert own is not graph
    torch.testing.assert_close(own(x), graph(x))
    with pytest.raises(NetworkError, match=r"a module needs an example .* \(example=...\)$"):
        load_network(module)
    with pytest.raises(NetworkError, match="batch of 1"):
        load_network(module, torch.rand(2, 3))
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "net.onnx")


class Bad(nn.Module):
    def forward(self, x):
        raise RuntimeError("no")


def test_what_does_not_run():
    with pytest.raises(NetworkError, match="Bad does not take an input|Bad does not take 3 numbers"):
        load_network(Bad(), torch.rand(1, 3))


@pytest.mark.parametrize("fixed", [True, False])
def test_what_no_exporter_takes(fixed, monkeypatch):
    tried = []

    def export(*args, dynamo, **options):
        tried.append(dynamo)
        raise RuntimeError("no\nmore")

    monkeypatch.setattr(torch.onnx, "export", export)
    module = Bad().train()
    with pytest.raises(NetworkError, match="cannot export Bad to ONNX: no$"):
        model_from_module(module, torch.rand(1, 3), fixed=fixed)
    assert tried == [not fixed, fixed]
    assert module.training


def test_what_is_not_supported():
    model = model_from_module(nn.Softplus(), torch.rand(1, 3), fixed=True)
    with pytest.raises(UnsupportedOperatorError, match="Softplus"):
        graph_from_model(model, "network")


def test_a_graph_without_constants_has_the_type_that_was_asked_for():
    graph = load_network(nn.Tanh(), torch.rand(1, 3)).graph
    assert graph.example().dtype == torch.float64


class Own(nn.Module):
    """A layer in a module with a forward method of its own."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.shift = layer, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.layer(x) + self.shift


def with_statistics(layer):
    layer.running_var.fill_(1e-6)
    layer.running_mean.fill_(0.3)
    return layer


LAYERS = {
    "LeakyReLU": lambda: nn.LeakyReLU(0.01),
    "BatchNorm1d": lambda: with_statistics(nn.BatchNorm1d(3, eps=1e-3)),
    "ELU": lambda: nn.ELU(0.1),
    "SELU": nn.SELU,
    "CELU": lambda: nn.CELU(0.7),
    "Hardsigmoid": nn.Hardsigmoid,
    "Hardswish": nn.Hardswish,
    "LayerNorm": lambda: nn.LayerNorm(3, eps=1e-3),
    "GELU": nn.GELU,
}


@pytest.mark.parametrize(
    "name",
    [name if name in {"LeakyReLU", "BatchNorm1d"} else pytest.param(name, marks=pytest.mark.slow) for name in LAYERS],
)
def test_numbers_of_layers_in_double_precision_are_not_rounded(name):
    torch.manual_seed(0)
    module = Own(LAYERS[name]()).double().eval()
    x = torch.tensor([[-3.1, 0.2, 1.7], [-0.4, 0.1, -0.2]], dtype=torch.float64)
    graph = graph_from_module(module, x[:1])
    with torch.no_grad():
        # Single precision would be 1e-8 away.
        torch.testing.assert_close(graph(x), module(x), rtol=1e-13, atol=1e-13)
    assert all("forward" not in vars(one) for one in module.modules())


class Leaking(Own):
    def forward(self, x):
        return torch.nn.functional.leaky_relu(self.layer(x), 0.01)


class Scaled(Own):
    def forward(self, x):
        return self.layer(x) * 0.1


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Leaking, "its alpha, 0.01, passes through ONNX in single"), (Scaled, "was made in single precision")],
)
def test_modules_in_double_precision_with_numbers_in_single_are_refused(kind, message):
    module, x = kind(nn.Linear(3, 3)), torch.rand(4, 3)
    with pytest.raises(NetworkError, match=message):
        graph_from_module(copy.deepcopy(module).double(), x[:1])
    with torch.no_grad():
        torch.testing.assert_close(
            graph_from_module(module, x[:1])(x.double()), module(x).double(), rtol=1e-5, atol=1e-5
        )


def test_an_attribute_that_is_left_out_has_the_default_of_single_precision():
    x = -torch.ones(1, 3, dtype=torch.float64)
    for operator, name, default in (("LeakyRelu", "alpha", 0.01), ("HardSigmoid", "alpha", 0.2)):
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
        values = []
        for attributes in ({}, {name: default}):
            graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], "g", ends[:1], ends[1:])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
            values.append(graph_from_model(model)(x))
        assert torch.equal(*values)
