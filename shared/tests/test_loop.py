import math

import pytest
import torch
from torch import nn

from separata import states
from separata.loop import Loop, Training, step_generator


class Descent:
    """Gradient descent with momentum towards points drawn from the number of the step."""

    def __init__(self, interrupt: int | None = None, *, in_update: bool = False, diverges: int | None = None) -> None:
        self.model = nn.Linear(2, 1)
        nn.init.ones_(self.model.weight)
        nn.init.zeros_(self.model.bias)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, momentum=0.9)
        self.interrupt, self.in_update, self.diverges, self.at = interrupt, in_update, diverges, 0

    def gradients(self, step):
        self.at = step
        if step == self.interrupt and not self.in_update:
            raise KeyboardInterrupt
        x = torch.randn(8, 2, generator=step_generator(3, step))
        loss = (self.model(x) - x.sum(1, keepdim=True) - 1).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        return {"loss": loss * math.nan if step == self.diverges else loss, "twice": 2 * loss}

    def update(self):
        if self.at == self.interrupt and self.in_update:
            raise KeyboardInterrupt
        self.optimizer.step()

    def row(self, losses):
        return {"lr": 0.1, **losses}

    def state_dict(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def run(training, n_steps=10, **options):
    rows = []
    loop = Loop(training, n_steps, log_every=4, log=rows.append, **options)
    loop.run()
    return rows


def test_rows_are_means_since_the_last_one_and_there_is_one_at_the_end():
    each = []
    Loop(Descent(), 10, log_every=1, log=each.append).run()
    rows = run(Descent())
    assert [row["step"] for row in rows] == [4, 8, 10]
    assert list(rows[0]) == ["step", "lr", "loss", "twice"]
    for row, part in zip(rows, (each[:4], each[4:8], each[8:]), strict=True):
        assert row["loss"] == pytest.approx(sum(one["loss"] for one in part) / len(part))
        assert row["twice"] == pytest.approx(2 * row["loss"])


@pytest.mark.parametrize("in_update", [False, True])
@pytest.mark.parametrize("at", [0, 2, 5, 9])
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path, at, in_update):
    whole = Descent()
    expected = run(whole)
    place = tmp_path / "checkpoint.safetensors"
    rows = []
    with pytest.raises(KeyboardInterrupt):
        Loop(
            Descent(at, in_update=in_update), 10, checkpoint=place, checkpoint_every=3, log_every=4, log=rows.append
        ).run()
    again = Descent()
    loop = Loop(again, 10, checkpoint=place, log_every=4, log=rows.append)
    # An update that was cut short is not kept: the last regular checkpoint is.
    assert loop.done == (at // 3 * 3 if in_update else at)
    rows = [row for row in rows if row["step"] <= loop.done]
    loop.log = rows.append
    loop.run()
    assert rows == expected
    for ours, theirs in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_divergence_ends_the_training_and_keeps_the_last_checkpoint(tmp_path):
    place = tmp_path / "checkpoint.safetensors"
    with pytest.raises(FloatingPointError, match="not finite before step 8; lower the learning rate"):
        run(Descent(diverges=6), checkpoint=place, checkpoint_every=5)
    assert states.load(place)["done"] == 5


def test_a_finished_training_does_nothing_more(tmp_path):
    place = tmp_path / "checkpoint.safetensors"
    run(Descent(), checkpoint=place)
    assert run(Descent(interrupt=0), checkpoint=place) == []


@pytest.mark.parametrize("state", [{"done": 3}, {"training": {"model": {}}, "losses": {}, "done": 1}])
def test_the_checkpoint_of_something_else_is_refused(tmp_path, state):
    place = tmp_path / "checkpoint.safetensors"
    states.save(place, state)
    with pytest.raises(ValueError, match="is not the checkpoint of this training"):
        Loop(Descent(), 10, checkpoint=place)


def test_progress_is_tracked_over_the_steps_that_are_left(tmp_path):
    place = tmp_path / "checkpoint.safetensors"
    run(Descent(), 4, checkpoint=place)
    seen = []
    run(Descent(), checkpoint=place, track=lambda steps, of: seen.append((list(steps), of)) or steps)
    assert seen == [([4, 5, 6, 7, 8, 9], "steps")]


def test_what_is_trained_is_told_by_its_methods():
    assert isinstance(Descent(), Training)
    assert not isinstance(nn.Linear(1, 1), Training)


def test_steps_draw_from_generators_of_their_own():
    draws = [torch.rand(4, generator=step_generator(seed, step)) for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert torch.equal(draws[0], draws[3])
    assert not any(torch.equal(draws[0], other) for other in draws[1:3])
    step_generator(2**63 - 1, 5)
