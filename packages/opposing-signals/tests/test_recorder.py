"""The recorder: what goes in comes out, in the user's own loop, whatever the storage."""

import numpy as np
import pytest
import torch
from torch import nn

from opposing_signals import OpposingGroups, Recorder, per_example_loss


def descend(recorder, n_steps=30, chunk=None, lr=0.5, momentum=0.0):
    """A user's own loop on PyTorch's own module, loss and optimizer; the losses of every step."""
    torch.manual_seed(0)
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(2))
    y = (x[:, 0] * x[:, 1] > 0).long()
    model, criterion = (
        nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2)),
        nn.CrossEntropyLoss(reduction="none"),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    seen = []
    for step in range(n_steps):
        optimizer.zero_grad()
        rows = torch.arange(60).split(chunk or 60)
        found = []
        for part in rows:
            losses = criterion(model(x[part]), y[part])
            recorder.log(step, losses, None if chunk is None else part)
            (losses.sum() / 60).backward()
            found.append(losses.detach())
        seen.append(torch.cat(found))
        optimizer.step()
    return torch.stack(seen), model, x, y


def test_losses_of_a_user_s_own_loop_are_kept_and_average_to_the_batch_loss():
    recorder = Recorder(60, keep="fp32")
    seen, *_ = descend(recorder)
    assert recorder.steps == list(range(30))
    torch.testing.assert_close(recorder.losses, seen)
    torch.testing.assert_close(recorder.mean_loss, seen.double().mean(1), atol=1e-7, rtol=1e-6)
    deltas = torch.stack([recorder.delta(step) for step in range(29)])
    torch.testing.assert_close(deltas.sum(0), seen[-1] - seen[0], atol=1e-5, rtol=1e-5)


def test_half_precision_keeps_three_digits_and_clips_what_is_too_large():
    recorder = Recorder(60)
    seen, *_ = descend(recorder)
    torch.testing.assert_close(recorder.losses, seen, rtol=1e-3, atol=1e-6)
    recorder.log(30, torch.full((60,), 1e6))
    assert recorder.losses[-1].max() == 65504
    recorder.log(31, torch.full((60,), -1e6))
    assert recorder.losses[-1].min() == -65504


def test_a_window_keeps_the_latest_steps_and_a_file_the_same(tmp_path):
    whole, ring = Recorder(60), Recorder(60, window=7)
    on_disk = Recorder(60, window=7, path=tmp_path / "rows.npy")
    for one in (whole, ring, on_disk):
        descend(one)
    assert ring.steps == on_disk.steps == list(range(23, 30))
    assert torch.equal(ring.losses, whole.losses[23:])
    assert torch.equal(on_disk.losses, ring.losses)
    assert np.load(tmp_path / "rows.npy", mmap_mode="r").dtype == np.float16


def test_chunks_of_a_step_become_one_row():
    whole, chunked = Recorder(60, keep="fp32"), Recorder(60, keep="fp32")
    descend(whole)
    descend(chunked, chunk=16)
    torch.testing.assert_close(chunked.losses, whole.losses, atol=1e-6, rtol=1e-4)
    chunked.log(30, torch.ones(16), torch.arange(16))
    assert chunked.steps[-1] == 29, "a step of which some examples are missing does not count"


def test_an_example_that_comes_twice_does_not_stand_for_one_that_is_missing():
    recorder = Recorder(4, keep="fp32")
    recorder.log(0, torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0, 0, 1, 1]))
    assert recorder.steps == []
    recorder.log(0, torch.tensor([5.0, 6.0]), torch.tensor([3, 2]))
    assert recorder.losses.tolist() == [[2.0, 4.0, 6.0, 5.0]]
    recorder.log(1, torch.ones(4))
    recorder.log(1, 2 * torch.ones(4))
    assert recorder.steps == [0, 1], "a step that is logged twice, as with a second pass, is not lost"
    assert recorder.losses[1].tolist() == [2.0] * 4
    again = Recorder(4, keep="fp32")
    recorder.log(2, torch.ones(2), torch.tensor([0, 3]))
    again.load_state_dict(recorder.state_dict())
    again.log(2, torch.ones(2), torch.tensor([1, 2]))
    assert again.steps == [0, 1, 2]


def test_targets_fit_outputs_or_are_refused():
    net = nn.Linear(2, 1)
    x, y = torch.randn(7, 2), torch.randn(7)
    expected = 0.5 * (net(x)[:, 0] - y).square()
    torch.testing.assert_close(per_example_loss(net, x, y, "mse"), expected.detach())
    torch.testing.assert_close(per_example_loss(net, x, y[:, None], "mse"), expected.detach())
    with pytest.raises(ValueError, match="do not fit"):
        per_example_loss(nn.Linear(2, 3), x, y, "mse")
    with pytest.raises(ValueError, match="batch_size must"):
        per_example_loss(net, x, y, "mse", batch_size=-2)


def test_minibatches_are_watched_every_few_steps():
    recorder = Recorder(60, keep="fp32")
    _, model, x, y = descend(Recorder(60))
    for step in range(10):
        was = recorder.watch(step, model, x, y, every=4, batch_size=7)
        assert was == (step % 4 == 0)
    assert recorder.steps == [0, 4, 8]
    torch.testing.assert_close(recorder.losses[0], nn.functional.cross_entropy(model(x), y, reduction="none").detach())


def test_what_is_saved_is_loaded(tmp_path):
    recorder = Recorder(60)
    descend(recorder)
    recorder.note(10, sharpness=4.5)
    recorder.save(tmp_path / "run.npz")
    again = Recorder.load(tmp_path / "run.npz")
    assert torch.equal(again.losses, recorder.losses)
    assert again.steps == recorder.steps
    assert again.values == {"sharpness": {10: 4.5}}
    other = Recorder(60)
    other.load_state_dict(recorder.state_dict())
    assert torch.equal(other.losses, recorder.losses)
    np.savez(tmp_path / "stranger.npz", losses=recorder.losses.numpy())
    assert torch.equal(Recorder.load(tmp_path / "stranger.npz").losses, recorder.losses)
    assert isinstance(again.groups(m=5), OpposingGroups)


def test_batch_normalization_is_evaluated_as_it_trains_and_left_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).train()
    x, y = torch.randn(50, 4), torch.randint(2, (50,))
    before = {name: one.clone() for name, one in model.named_buffers()}
    found = per_example_loss(model, x, y)
    assert all(torch.equal(one, before[name]) for name, one in model.named_buffers())
    assert model.training
    torch.testing.assert_close(found, nn.functional.cross_entropy(model(x), y, reduction="none").detach())
    assert not torch.equal(model[1].running_mean, before["1.running_mean"])


@pytest.mark.parametrize("loss", ["mse", "cross-entropy", nn.MultiMarginLoss(reduction="none")])
def test_the_mean_over_examples_is_the_loss_of_the_batch(loss, small):
    net, x, y = small
    found = per_example_loss(net, x, y, loss, batch_size=7)
    output = net(x)
    expected = {
        "mse": lambda: (
            0.5 * nn.functional.mse_loss(output, nn.functional.one_hot(y).double(), reduction="sum") / len(x)
        ),
        "cross-entropy": lambda: nn.functional.cross_entropy(output, y),
    }.get(loss if isinstance(loss, str) else "", lambda: nn.MultiMarginLoss()(output, y))()
    torch.testing.assert_close(found.mean(), expected.detach())


def test_several_losses_of_an_example_are_averaged():
    recorder = Recorder(6, keep="fp32")
    losses = torch.arange(24.0).view(6, 2, 2)
    recorder.log(0, losses)
    torch.testing.assert_close(recorder.losses[0], losses.mean((1, 2)))


@pytest.mark.gpu
def test_losses_on_a_gpu_arrive_whole_and_without_waiting():
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    whole, ring = Recorder(5000), Recorder(5000, window=40)
    rows = torch.rand(200, 5000, device="cuda")
    for step, losses in enumerate(rows):
        whole.log(step, losses)
        ring.log(step, losses[:2500], torch.arange(2500))
        ring.log(step, losses[2500:], torch.arange(2500, 5000))
    torch.testing.assert_close(whole.losses, rows.cpu(), atol=1e-3, rtol=1e-3)
    assert torch.equal(ring.losses, whole.losses[160:])

    def diverge():
        whole.log(200, torch.full((5000,), float("nan"), device="cuda"))
        return whole.losses

    with pytest.raises(FloatingPointError, match="step 200"):
        diverge()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda r: r.log(0, torch.tensor(1.0)), "reduction='none'"),
        (lambda r: r.log(0, torch.ones(3)), "indices"),
        (lambda r: r.log(0, torch.ones(3), torch.tensor([0, 1, 10])), "between 0 and 9"),
        (lambda r: r.log(0, torch.tensor([1.0] * 9 + [float("nan")])), "step 0"),
        (lambda r: (r.log(5, torch.ones(10)), r.log(4, torch.ones(10))), "in order"),
        (lambda r: r.groups(), "3 steps"),
        (lambda r: r.delta(3), "not kept"),
        (lambda r: (r.log(0, torch.ones(10)), r.delta(0)), "no change to the next"),
        (lambda r: ([r.log(i, torch.rand(10)) for i in range(4)], r.groups(m=6)), "half"),
        (lambda r: ([r.log(i, torch.rand(10)) for i in range(4)], r.groups(3, m=2)), "step 3 is the last"),
        (lambda r: ([r.log(i, torch.rand(10)) for i in range(4)], r.groups("first", m=2)), "auto"),
        (lambda r: r.watch(0, nn.Linear(2, 2), torch.ones(10, 2), torch.zeros(10).long(), every=0), "at least 1"),
        (lambda r: r.save("losses.pt"), ".npz"),
        (lambda _: Recorder(0), "at least one"),
        (lambda _: Recorder(5, keep="int8"), "fp16"),
        (lambda _: Recorder(5, window=1), "2 steps, not"),
        (lambda _: Recorder(5, path="rows.npy"), "window"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_told(act, message):
    with pytest.raises((ValueError, FloatingPointError), match=message):
        act(Recorder(10))
