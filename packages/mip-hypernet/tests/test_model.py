"""Networks with hypernetworks: against plain networks, loops, and PyTorch's own layers."""

import copy
import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from mip_hypernet import HyperModel, HyperNetwork, hypernetize
from separata.models import MLP, ResNet

PARAMETRIZATIONS = ["mip", "default", "encoding", "residual", "l1"]


class Stranger(nn.Module):
    """A language model with a tied weight, buffers, and an input besides the first."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 6)
        self.rnn = nn.LSTM(6, 6, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 9)
        self.head.weight = self.embed.weight
        self.register_buffer("shift", torch.linspace(0, 1, 6))

    def forward(self, tokens, *, scale=1.0):
        x, _ = self.rnn(self.embed(tokens))
        return {"logits": self.head(self.norm(x) + scale * self.shift), "x": x}


class Bottleneck(nn.Module):
    """The residual block of torchvision's ResNets, with a projection."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.downsample(x))


def vision():
    return nn.Sequential(
        nn.Conv2d(3, 4, 7, 2, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        Bottleneck(4, 8, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_a_plain_network_computes_the_same(parametrization):
    net = MLP((3, 5, 2))
    model = hypernetize(net, parametrization=parametrization, hidden_sizes=(4, 6))
    x = torch.randn(7, 3)
    for gamma in (0.0, 0.3, 1.0):
        plain = model.instantiate(gamma=gamma)
        assert type(plain) is MLP
        torch.testing.assert_close(plain(x), model(x, gamma=gamma))
        # By hand, from what is predicted.
        w = model.predicted(gamma=gamma)
        hidden = torch.relu(x @ w["layers.0.weight"].T + w["layers.0.bias"])
        torch.testing.assert_close(plain(x), hidden @ w["layers.2.weight"].T + w["layers.2.bias"])
    assert not torch.allclose(model(x, gamma=0.2), model(x, gamma=0.9))
    has_base = parametrization in ("mip", "residual", "l1")
    assert (model.hypernet.base is not None) == has_base


def test_the_network_that_was_given_stays_as_it_is():
    net = MLP((3, 5, 2))
    before = copy.deepcopy(net.state_dict())
    model = hypernetize(net)
    model(torch.randn(4, 3), gamma=0.5).sum().backward()
    torch.optim.SGD(model.parameters(), 1.0).step()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("make", [lambda: MLP((3, 5, 2)), vision, Stranger])
def test_a_pretrained_network_is_kept_exactly(make):
    net = make().eval()
    x = torch.randn(4, 3) if isinstance(net, MLP) else torch.randn(2, 3, 32, 32)
    x = torch.randint(9, (2, 5)) if isinstance(net, Stranger) else x
    with pytest.warns(UserWarning, match="BatchNorm") if make is vision else _nothing():
        model = hypernetize(net, delta=0)
    for gamma in (0.0, 0.7):
        found, expected = model(x, gamma=gamma), net(x)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_gradients_of_the_base_are_those_of_the_plain_network():
    net, x, y = MLP((3, 5, 2)), torch.randn(8, 3), torch.randint(2, (8,))
    model = hypernetize(net, delta=0)
    functional.cross_entropy(model(x, gamma=0.4), y).backward()
    functional.cross_entropy(net(x), y).backward()
    expected = torch.cat([value.grad.flatten() for value in net.parameters()])
    torch.testing.assert_close(model.hypernet.base.grad, expected)


def test_each_sample_with_an_input_of_its_own():
    for net, x in (
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)), torch.randn(6, 2, 4, 4)),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU()), torch.randn(6, 5, 3)),
    ):
        model = hypernetize(net, inputs={"a": (1,), "b": (2,)}, hidden_sizes=(4, 8))
        a, b = torch.rand(6, 1), torch.rand(6, 2)
        one_by_one = torch.cat([model(x[i : i + 1], a=a[i], b=b[i]) for i in range(6)])
        torch.testing.assert_close(model.batched(x, a=a, b=b), one_by_one, rtol=1e-5, atol=1e-6)


def test_gradients_through_the_batch():
    model = hypernetize(MLP((3, 4, 2)), hidden_sizes=(4, 8))
    x, gamma = torch.randn(5, 3), torch.rand(5, 1)
    model.batched(x, gamma=gamma).square().sum().backward()
    found = {name: value.grad.clone() for name, value in model.named_parameters()}
    model.zero_grad()
    sum(model(x[i : i + 1], gamma=gamma[i]).square().sum() for i in range(5)).backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(found[name], value.grad, rtol=1e-4, atol=1e-5)


def test_dropout_draws_for_each_sample():
    model = hypernetize(nn.Sequential(nn.Linear(2, 200), nn.Dropout(0.5))).train()
    out = model.batched(torch.ones(2, 2), gamma=torch.full((2, 1), 0.3))
    assert not torch.equal(out[0] == 0, out[1] == 0)


def test_tied_parameters_are_predicted_once_and_stay_tied():
    net = Stranger()
    model = hypernetize(net, hidden_sizes=(4, 8))
    assert "head.weight" not in model.hypernet.output_shapes
    n = sum(value.numel() for value in net.parameters())
    assert len(model.hypernet.base) == n
    tokens = torch.randint(9, (3, 4))
    plain = model.instantiate(gamma=0.3)
    assert plain.head.weight is plain.embed.weight
    for scale in (0.0, 2.0):
        torch.testing.assert_close(model(tokens, gamma=0.3, scale=scale), plain(tokens, scale=scale))
    # The weights of an LSTM are those that are predicted, whatever it keeps for itself.
    one, other = model(tokens, gamma=0.3)["x"], model(tokens, gamma=0.9)["x"]
    assert not torch.allclose(one, other)


def test_a_part_of_the_network():
    net = Stranger()
    model = hypernetize(net, ["rnn.*_hh_*", "head.bias"], hidden_sizes=(4,))
    assert set(model.hypernet.output_shapes) == {"rnn.weight_hh_l0", "rnn.bias_hh_l0", "head.bias"}
    names = {name for name, _ in model.named_parameters() if name.startswith("module.")}
    assert names == {
        "module.embed.weight",
        "module.rnn.weight_ih_l0",
        "module.rnn.bias_ih_l0",
        "module.norm.weight",
        "module.norm.bias",
    }
    tokens = torch.randint(9, (3, 4))
    model(tokens, gamma=0.3)["logits"].sum().backward()
    assert all(value.grad is not None for value in model.parameters())
    by_type = hypernetize(net, types=nn.LayerNorm)
    assert set(by_type.hypernet.output_shapes) == {"norm.weight", "norm.bias"}
    torch.testing.assert_close(model.instantiate(gamma=0.3)(tokens), model(tokens, gamma=0.3))


def test_buffers_are_carried():
    with pytest.warns(UserWarning, match="running statistics"):
        model = hypernetize(vision(), hidden_sizes=(4, 8)).train()
    x = torch.randn(4, 3, 32, 32)
    model(x, gamma=0.2)
    model(x, gamma=0.9)
    norm = model.module[1]
    assert int(norm.num_batches_tracked) == 2
    assert norm.running_mean.abs().sum() > 0
    plain = model.eval().instantiate(gamma=0.2)
    assert torch.equal(plain[1].running_mean, norm.running_mean)
    torch.testing.assert_close(plain(x), model(x, gamma=0.2))
    torch.testing.assert_close(
        model.batched(x, gamma=torch.full((4, 1), 0.2)), model(x, gamma=0.2), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match="BatchNorm in training mode"):
        model.train().batched(x, gamma=torch.rand(4, 1))


def test_residual_networks_learn_a_function_of_their_input():
    """γ says which of two labelings is wanted, which no single network can do."""
    x = torch.randn(24, 3, 8, 8)
    y = torch.arange(24) % 2
    with pytest.warns(UserWarning, match="BatchNorm"):
        model = hypernetize(ResNet(8, n_classes=2, width=4), hidden_sizes=(8, 16))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        losses = [functional.cross_entropy(model(x, gamma=gamma), (y + int(gamma)) % 2) for gamma in (0.0, 1.0)]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
    assert all(float(loss.detach()) < 0.2 for loss in losses)


def test_state_dict_is_strict(tmp_path):
    model = hypernetize(Stranger(), "norm.*", hidden_sizes=(4,))
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = hypernetize(Stranger(), "norm.*", hidden_sizes=(4,))
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    tokens = torch.randint(9, (3, 4))
    torch.testing.assert_close(other(tokens, gamma=0.3), model(tokens, gamma=0.3), rtol=0, atol=0)
    assert not any("norm" in name for name in model.state_dict() if name.startswith("module."))
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})
    again = copy.deepcopy(model)
    torch.testing.assert_close(again(tokens, gamma=0.3), model(tokens, gamma=0.3), rtol=0, atol=0)


def test_an_instance_is_saved_and_trained_by_itself(tmp_path):
    model = hypernetize(MLP((3, 5, 2)))
    plain = model.instantiate(gamma=0.3)
    x, before = torch.randn(4, 3), model(torch.zeros(1, 3), gamma=0.3)
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    other = MLP((3, 5, 2))
    other.load_state_dict(torch.load(tmp_path / "plain.pt", weights_only=True))
    assert torch.equal(other(x), plain(x))
    plain(x).sum().backward()
    torch.optim.SGD(plain.parameters(), 1.0).step()
    assert all(value.is_leaf and value.grad is not None for value in plain.parameters())
    assert all(value.grad is None for value in model.parameters())
    assert torch.equal(model(torch.zeros(1, 3), gamma=0.3), before)


def test_an_exception_leaves_the_model_usable():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            out = self.layer(x)
            if x.isnan().any():
                raise ArithmeticError("no NaN, please")
            return out

    model, x = hypernetize(Picky()), torch.randn(3, 2)
    before = model(x, gamma=0.5)
    for call in (lambda: model(x / 0 * 0, gamma=0.1), lambda: model(torch.full((1, 2), torch.nan), gamma=0.2)):
        with pytest.raises(ArithmeticError):
            call()
    assert torch.equal(model(x, gamma=0.5), before)
    assert all(value.isnan().all() for value in model.module.layer.buffers()), "nothing is left behind"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precisions(dtype):
    net = MLP((3, 5, 2)).to(dtype)
    model, x = hypernetize(net, delta=0), torch.randn(4, 3, dtype=dtype)
    assert model.hypernet.base.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(model(x, gamma=0.3), net(x))
    assert model.instantiate(gamma=0.3)(x).dtype == dtype


def test_autocast():
    model, x = hypernetize(MLP((3, 5, 2))), torch.randn(4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x, gamma=0.3)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), model(x, gamma=0.3), rtol=0.05, atol=0.05)


def test_moves_and_modes():
    model = hypernetize(nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)))
    assert model.to("meta").hypernet.base.device.type == "meta"
    assert all(value.device.type == "meta" for value in model.module.buffers())
    assert not hypernetize(nn.Linear(2, 3).eval()).module.training


def test_compiled(unchecked):
    model, x = hypernetize(MLP((3, 5, 2)), hidden_sizes=(4,)), torch.randn(4, 3)
    compiled = torch.compile(model, backend="aot_eager")
    gamma = torch.tensor([0.3])
    torch.testing.assert_close(compiled(x, gamma=gamma), model(x, gamma=gamma))
    compiled(x, gamma=gamma).sum().backward()
    assert model.hypernet.base.grad is not None


def test_one_hypernetwork_made_by_hand():
    net = MLP((3, 5, 2))
    hypernet = HyperNetwork({"a": (1,)}, {"layers.2.weight": (2, 5)}, (4,))
    model, x = HyperModel(hypernet, net), torch.randn(4, 3)
    weight = hypernet(a=0.2)["layers.2.weight"]
    hidden = torch.relu(net.layers[0](x))
    torch.testing.assert_close(model(x, a=0.2), hidden @ weight.T + net.layers[2].bias)
    for shapes, word in (({"layers.9.weight": (2, 5)}, "no parameter"), ({"layers.2.weight": (5, 2)}, "the shape")):
        with pytest.raises(ValueError, match=word):
            HyperModel(HyperNetwork({"a": (1,)}, shapes, (4,)), net)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda m, x: m(x), "needs the input gamma"),
        (lambda m, x: m(x, gamma=torch.rand(4, 1)), "`batched`"),
        (lambda m, x: m(x, gamma=torch.rand(3)), "must have the shape (1,)"),
        (lambda m, x: m(x, gamma=2.0), "InputScaler"),
        (lambda m, x: m(x, gamma=float("nan")), "NaN"),
        (lambda m, x: m.batched(x, gamma=torch.rand(3, 1)), "each of the 4 samples"),
        (lambda m, x: m.batched(x, gamma=0.3), "needs an input of its own, but there are 1"),
        (lambda m, x: m.instantiate(gamma=torch.rand(3, 1)), "for one input"),
        (lambda m, x: m.instantiate(), "its inputs are gamma"),
        (lambda m, x: m.predicted(gamma=0.2, delta=0.1), "no input delta"),
    ],
)
def test_wrong_calls(call, word):
    with pytest.raises(ValueError, match=re.escape(word)):
        call(hypernetize(MLP((3, 5, 2))), torch.randn(4, 3))


def test_wrong_conversions(unchecked):
    net = MLP((3, 5, 2))
    with pytest.raises(ValueError, match="parametrization"):
        hypernetize(net, parametrization="magic")
    with pytest.raises(ValueError, match=re.escape("near are layers.0.weight")):
        hypernetize(net, "layers.0.wheight")
    with pytest.raises(ValueError, match="needs one input or more"):
        hypernetize(net, inputs={})
    with pytest.raises(ValueError, match="the network itself takes x"):
        hypernetize(net, inputs={"x": (1,)})
    net.cache = net.layers[0].weight * 2
    with pytest.raises(ValueError, match="cannot be copied"):
        hypernetize(net)


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
