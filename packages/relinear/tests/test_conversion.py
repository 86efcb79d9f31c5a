"""Networks of users, converted: their outputs, states and names."""

import copy

import pytest
import torch
from torch import nn

from relinear import (
    QuadraticConv2d,
    QuadraticLinear,
    conventional_state,
    load_conventional,
    param_groups,
    quadratic_layers,
    quadratic_state,
    quadratize,
)


class Custom(nn.Module):
    """A network of a user: convolutions, normalization, attention, an embedding, a layer at two places."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.conv = nn.Conv1d(8, 6, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm1d(6)
        self.shared = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, tokens):
        x = self.encoder(self.embed(tokens)).transpose(1, 2)
        x = torch.relu(self.norm(self.conv(x))).mean(2)
        return self.head(self.shared(torch.relu(self.shared(x))))


@pytest.fixture
def tokens():
    return torch.randint(5, (7, 4))


@pytest.mark.parametrize("form", ["full", "compact"])
def test_a_user_s_network_computes_the_same(tokens, form):
    model = Custom()
    model(tokens)
    model.eval()
    expected = model(tokens)
    found = quadratize(model, form)
    assert found.model is model
    torch.testing.assert_close(model(tokens), expected, atol=1e-5, rtol=1e-5)
    assert found.converted == ("encoder.linear1", "encoder.linear2", "conv", "shared", "head")
    assert "Embedding" in found.left["embed"]
    assert "MultiheadAttention" in found.left["encoder.self_attn"]
    assert "embed" in str(found)


def test_all_parts_of_a_converted_network_learn(tokens):
    model = quadratize(Custom(), skip="last").model
    assert isinstance(model.head, nn.Linear)
    model(tokens).square().sum().backward()
    for name, layer in quadratic_layers(model).items():
        for key, parameter in layer.quadratic_parameters():
            assert parameter.grad.abs().sum() > 0, f"{name}.{key}"


def test_a_layer_at_two_places_stays_one():
    shared = nn.Linear(4, 4)
    model = quadratize(nn.Sequential(shared, nn.ReLU(), shared)).model
    assert model[0] is model[2]
    assert len(quadratic_layers(model)) == 1


def test_names_and_patterns_choose():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.Linear(4, 2))
    found = quadratize(copy.deepcopy(model), targets="[23]")
    assert found.converted == ("2", "3")
    assert quadratize(copy.deepcopy(model), skip=("first", "last")).converted == ("2",)
    assert quadratize(copy.deepcopy(model), targets=lambda _, one: isinstance(one, nn.Conv2d)).converted == ("0",)
    single = quadratize(nn.Linear(3, 2))
    assert isinstance(single.model, QuadraticLinear)


def test_random_conversion_changes_the_outputs(tokens):
    model = Custom().eval()
    expected = model(tokens)
    quadratize(model, init="random", targets="head")
    assert not torch.allclose(model(tokens), expected, atol=1e-2)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (nn.Sequential(nn.ReLU()), {}, "no Linear"),
        (nn.Sequential(QuadraticLinear(2, 2)), {}, "converted before"),
        (nn.Sequential(nn.LazyLinear(2)), {}, "LazyLinear"),
        (nn.Sequential(nn.Linear(2, 2)), {"targets": "head"}, "'head' matches no"),
        (nn.Sequential(nn.Linear(2, 2)), {"form": "short"}, "full or compact"),
    ],
)
def test_what_cannot_be_converted_is_told(model, options, said, unchecked):
    before = str(model)
    with pytest.raises(ValueError, match=said):
        quadratize(model, **options)
    assert str(model) == before


class Reads(nn.Module):
    """Reads the type of its layer's weight, as T5 and the patches of ViT do in transformers."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.outer(self.inner(x.to(self.outer.weight.dtype)))


def test_what_reads_the_weight_of_a_layer_is_told_to_skip_it():
    model, x = quadratize(Reads()).model, torch.randn(2, 3)
    assert not hasattr(model.outer, "weight")
    with pytest.raises(AttributeError, match="no weight, but weight_r, weight_g and weight_b; .* skip of quadratize"):
        model(x)
    with pytest.raises(AttributeError, match="no attribute 'weights_r'"):
        model.outer.weights_r  # noqa: B018 - what is read is the test
    model = Reads()
    expected = model(x)
    torch.testing.assert_close(quadratize(model, skip="outer").model(x), expected)


class Block(nn.Module):
    """Of a residual network as torchvision has them."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def test_a_residual_network_with_shortcuts_and_a_masked_encoder():
    stem = [nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    model = nn.Sequential(*stem, Block(4, 4, 1), Block(4, 8, 2), *tail)
    images = torch.randn(6, 3, 32, 32)
    model(images)
    model.eval()
    expected = model(images)
    found = quadratize(model, skip=("first", "last"))
    assert found.converted == ("4.conv1", "4.conv2", "5.conv1", "5.conv2", "5.downsample.0")
    torch.testing.assert_close(copy.deepcopy(model)(images), expected, atol=1e-5, rtol=1e-5)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    x, mask = torch.randn(3, 5, 8), torch.arange(5) >= torch.tensor([[3], [5], [4]])
    with torch.no_grad():
        expected = encoder(x, src_key_padding_mask=mask)
        quadratize(encoder)
        found = encoder(x, src_key_padding_mask=mask)
    torch.testing.assert_close(found[~mask], expected[~mask], atol=1e-5, rtol=1e-5)


def test_tied_weights_are_left_alone():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 5))
    model[2].weight = model[0].weight
    found = quadratize(model)
    assert found.converted == ("1",)
    assert "shares a parameter with 0" in found.left["2"]


def test_several_processes_train_every_parameter(tokens, tmp_path):
    """DistributedDataParallel refuses a second step where a parameter has had no gradient in the first."""
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(quadratize(Custom()).model)
        optimizer = torch.optim.SGD(param_groups(model, 0.01), momentum=0.9)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(tokens).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        torch.distributed.destroy_process_group()
    assert losses[2] < losses[0]


# ---- states


def pair(tokens):
    """A conventional network that has seen data, and its quadratic counterpart with other weights."""
    model = Custom()
    model(tokens)
    return model.eval(), quadratize(Custom()).model.eval()


def test_the_state_of_a_conventional_network_is_refused_with_the_remedy(tokens):
    conventional, model = pair(tokens)
    for strict in (True, False):
        with pytest.raises(RuntimeError) as error:
            model.load_state_dict(conventional.state_dict(), strict=strict)
        assert "conv is quadratic" in str(error.value)
        assert "lacks conv.weight_r, conv.weight_g, conv.weight_b, conv.bias_g" in str(error.value)
        assert "before quadratize, or with load_conventional" in str(error.value)


def test_it_is_loaded_by_name_and_given_back(tokens):
    conventional, model = pair(tokens)
    with torch.no_grad():
        model.head.weight_b.fill_(3.0)
    load_conventional(model, conventional.state_dict())
    torch.testing.assert_close(model(tokens), conventional(tokens), atol=1e-5, rtol=1e-5)
    state = conventional_state(model)
    assert list(state) == list(conventional.state_dict())
    again = Custom()
    again.load_state_dict(state)
    torch.testing.assert_close(again.eval()(tokens), conventional(tokens))


class Counts(nn.Linear):
    """Has a state of its own that is no tensor."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.calls = 0

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_states_that_are_no_tensors_are_loaded_too():
    conventional = nn.Sequential(nn.Linear(3, 4), Counts(4, 2))
    model = quadratize(copy.deepcopy(conventional)).model
    conventional[1].calls = 7
    load_conventional(model, conventional.state_dict())
    assert model[1].calls == 7


def test_biases_that_the_conversion_added_are_0():
    conventional = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False))
    model = quadratize(nn.Sequential(nn.Conv2d(1, 2, 3, bias=False)), bias=True).model
    with torch.no_grad():
        model[0].bias_r.fill_(1.0)
    load_conventional(model, conventional.state_dict())
    x = torch.randn(1, 1, 4, 4)
    torch.testing.assert_close(model(x), conventional(x))


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_another_network_s_state_changes_nothing(tokens, change):
    conventional, model = pair(tokens)
    state = conventional.state_dict()
    if change == "missing":
        del state["conv.weight"]
    elif change == "unknown":
        state["tail.weight"] = torch.zeros(1)
    else:
        state["head.bias"] = torch.zeros(9)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match={"missing": "conv.weight", "unknown": "tail", "shape": "head.bias"}[change]):
        load_conventional(model, state)
    torch.testing.assert_close(model.state_dict(), before)


@pytest.mark.parametrize("bias", [None, True, False])
@pytest.mark.parametrize("form", ["full", "compact"])
def test_a_state_is_converted_as_its_network_is(tokens, form, bias):
    if bias is False:
        conventional = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Conv1d(3, 2, 1, bias=False))
        skip = ()
    else:
        conventional, _ = pair(tokens)
        skip = ("embed",)
    found = quadratic_state(conventional.state_dict(), form, skip=skip, bias=bias)
    model = quadratize(copy.deepcopy(conventional), form, bias=bias).model
    torch.testing.assert_close(found.state, dict(model.state_dict()))
    model.load_state_dict(found.state)


def test_a_quadratic_state_is_strict():
    model = quadratize(nn.Sequential(nn.Linear(4, 3))).model
    state = model.state_dict()
    del state["0.weight_g"]
    with pytest.raises(RuntimeError, match="Missing key.*0.weight_g"):
        model.load_state_dict(state)
    compact = quadratize(nn.Sequential(nn.Linear(4, 3)), "compact").model
    with pytest.raises(RuntimeError, match="Unexpected key.*0.weight_g"):
        compact.load_state_dict(model.state_dict())


def test_convolutions_of_a_user_s_cnn_train_on(tokens):
    cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    x, y = torch.randn(16, 1, 8, 8), torch.randint(2, (16,))
    model = quadratize(cnn).model
    assert isinstance(model[0], QuadraticConv2d)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
