"""The baselines, against independent computations."""

from dataclasses import replace

import pytest
import torch
from noprop_own import Attentive, bars, blobs

from noprop import (
    AdjointClassifier,
    BackpropUnrolled,
    CosineSchedule,
    ForwardForward,
    ModelConfig,
    NoPropCT,
    NoPropDT,
    SamplerConfig,
    SampleShape,
    TrainConfig,
    Trainer,
    accuracy_by_steps,
    chain_accuracy,
    evaluate,
    held_for_backward,
    make_model,
    probability_flow,
)

SHAPE = SampleShape((6,), ("a", "b", "c"))


def make(variant, **settings):
    torch.manual_seed(0)
    return make_model(ModelConfig(variant, width=8, n_steps=3, **settings), SHAPE, train=TrainConfig(steps=6))


def test_unrolled_back_propagation_has_gradients_in_every_block():
    model, data = make("backprop"), blobs(30)
    model.loss(data.x, data.y, torch.Generator().manual_seed(0)).backward()
    for block in model.model.blocks:
        assert any(parameter.grad.abs().max() > 0 for parameter in block.parameters())


def test_unrolled_back_propagation_is_the_model_s_own_chain():
    model, data = make("backprop"), blobs(30)
    model.eval()
    assert torch.equal(model(data.x), model.model(data.x))
    found = model.loss(data.x, data.y, torch.Generator().manual_seed(3))
    z = model.model.sample(data.x, torch.Generator().manual_seed(3))
    expected = torch.nn.functional.cross_entropy(model.model.head.f_out(z), data.y)
    torch.testing.assert_close(found, expected)
    quiet = BackpropUnrolled(model.model, noise=False)
    assert quiet.loss(data.x, data.y, torch.Generator().manual_seed(3)) != found


def test_the_adjoint_s_gradient_is_that_of_the_solution():
    """Against plain automatic differentiation through the same steps, as both become fine."""
    torch.manual_seed(0)
    model = make("adjoint", gamma=2.0).double().model
    data = blobs(12)
    x, z = data.x.double(), torch.randn(12, 3).double()
    fine = AdjointClassifier(model, n_steps=40, method="rk4")

    output = model.at_time(x, 12)

    def denoise(state, t):
        return model.embedding.mean(output(state, t))

    *_, by_autograd = probability_flow(denoise, model.schedule, z, 150, heun=True)
    names = [name for name, value in model.named_parameters() if "head" not in name and value.requires_grad]
    parameters = [model.get_parameter(name) for name in names]
    weights = torch.randn(12, 3).double()
    expected = torch.autograd.grad((by_autograd * weights).sum(), parameters)
    found = torch.autograd.grad((fine.solve(x, z) * weights).sum(), parameters)
    # Both are approximate where an activation has a kink; what hardly matters at all is compared with all the rest.
    least = 1e-3 * torch.cat([one.flatten() for one in expected]).norm()
    distances = {
        name: (torch.dist(a, b) / b.norm().clamp(min=least)).item() for name, a, b in zip(names, found, expected)
    }
    assert max(distances.values()) < 0.05, distances


def test_a_neural_ode_is_solved_and_never_sampled():
    """Whatever asks for ancestral sampling, which is everybody's default, gets the solution that was trained."""
    model, data = make("adjoint"), blobs(12)
    solved, sampled = SamplerConfig("ode-euler", steps=6), SamplerConfig("ancestral", steps=6)
    assert torch.equal(model.model.predict_proba(data.x, sampled), model.model.predict_proba(data.x, solved))
    from_zero = model.model.predict_proba(data.x, replace(sampled, deterministic=True))
    torch.testing.assert_close(from_zero, model(data.x).softmax(1))  # by torchdiffeq, in as many steps
    assert evaluate(model, data, steps=6) == model.model.accuracy(data.x, data.y, replace(solved, n_runs=1))


def test_the_adjoint_wants_a_block_in_two_parts():
    with pytest.raises(ValueError, match="encode"):
        AdjointClassifier(NoPropCT(3, Attentive))
    with pytest.raises(ValueError, match="at least 1 step"):
        AdjointClassifier(make("ct"), n_steps=0)


def test_a_layer_of_forward_forward_knows_no_other():
    torch.manual_seed(0)
    model, data = ForwardForward(6, 3, (8, 7, 5)), blobs(20)
    losses = model.layer_losses(data.x, data.y, torch.Generator().manual_seed(0))
    losses[1].backward()
    touched = [layer.weight.grad is not None for layer in model.layers]
    assert touched == [False, True, False]


def test_forward_forward_s_first_loss_is_its_definition():
    torch.manual_seed(0)
    model, data = ForwardForward(6, 3, (8,), threshold=1.5), blobs(20)
    found = model.loss(data.x, data.y, torch.Generator().manual_seed(4))
    shift = torch.randint(1, 3, (20,), generator=torch.Generator().manual_seed(4))
    expected = []
    for label, sign in ((data.y, 1), ((data.y + shift) % 3, -1)):
        inputs = torch.cat([data.x, torch.eye(3)[label]], 1)
        inputs = inputs / inputs.square().mean(1, keepdim=True).sqrt()
        goodness = torch.relu(model.layers[0](inputs)).square().mean(1)
        expected.append(torch.log1p(torch.exp(sign * (1.5 - goodness))))
    torch.testing.assert_close(found, torch.cat(expected).mean(), rtol=1e-4, atol=1e-5)
    # All labels at once give what each label gives alone.
    logits = model(data.x)
    for label in range(3):
        inputs = torch.cat([data.x, torch.eye(3)[torch.full((20,), label)]], 1)
        inputs = inputs / inputs.square().mean(1, keepdim=True).sqrt()
        alone = torch.relu(model.layers[0](inputs)).square().mean(1)
        torch.testing.assert_close(logits[:, label], alone, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="at least 1 layer"):
        ForwardForward(6, 3, ())


def test_forward_forward_learns():
    data = blobs(300)
    torch.manual_seed(0)
    model = ForwardForward(6, 3, (32, 32))
    Trainer(model, data, TrainConfig(epochs=25, batch_size=32, lr=1e-2)).fit()
    assert evaluate(model, blobs(90, seed=1)) > 0.9


# ---- memory


def test_bytes_held_are_those_of_the_tensors_that_are_saved():
    x, weight = torch.randn(10, 20), torch.randn(30, 20, requires_grad=True)
    with held_for_backward(inputs=(x, weight)) as held:
        h = torch.tanh(x @ weight.T)  # saves its output
        (h * h).sum()  # saves it again
    assert held.bytes == 10 * 30 * 4
    with held_for_backward() as all_held:
        torch.tanh(x @ weight.T).sum()
    assert all_held.bytes == 10 * 30 * 4 + 10 * 20 * 4 + 0 * weight.numel()


def test_a_block_s_step_holds_at_most_a_third_of_back_propagation():
    data = bars(64)
    torch.manual_seed(0)
    shape = SampleShape(data.sample_shape, data.classes)
    model = make_model(ModelConfig(channels="4,8", width=16), shape)
    with held_for_backward(model, inputs=(data.x,)) as alone:
        model.block_loss(4, data.x, data.y)
    with held_for_backward(model, inputs=(data.x,)) as unrolled:
        BackpropUnrolled(model).loss(data.x, data.y)
    assert 0 < alone.bytes <= unrolled.bytes / 3
    assert unrolled.bytes == pytest.approx(10 * alone.bytes, rel=0.1)


# ---- along the chain


class Telling(torch.nn.Module):
    """A block that tells the class only if it is the last one."""

    def __init__(self, tells):
        super().__init__()
        self.tells = tells

    def forward(self, x, z):
        return 100 * torch.eye(3)[x[:, 0].long()] * self.tells


def test_accuracy_along_the_chain():
    tells = iter([0.0, 0.0, 1.0])
    model = NoPropDT(3, lambda dim, n: Telling(next(tells)), schedule=CosineSchedule(3, end=0.05))
    y = torch.arange(900) % 3
    found = chain_accuracy(model, y[:, None].float(), y, torch.Generator().manual_seed(0))
    assert len(found) == 4
    assert found[:3] == pytest.approx([1 / 3] * 3, abs=0.06)
    assert found[3] > 0.98
    quiet = [chain_accuracy(model, y[:, None].float(), y, deterministic=True) for _ in range(2)]
    assert quiet[0] == quiet[1]
    with pytest.raises(ValueError, match="at least one sample"):
        chain_accuracy(model, torch.zeros(0, 1), y[:0])


def test_accuracy_by_the_number_of_steps():
    model, data = make("ct"), blobs(60)
    found = accuracy_by_steps(model, data.x, data.y, [1, 4], n_runs=2)
    assert found == {n: model.accuracy(data.x, data.y, replace(model.sampler, steps=n, n_runs=2)) for n in (1, 4)}
    with pytest.raises(ValueError, match="steps must be at least 1"):
        accuracy_by_steps(model, data.x, data.y, [0])
