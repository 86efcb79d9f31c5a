import itertools
import math

import numpy as np
import pytest
import torch

from dualformer import (
    EncoderDecoderConfig,
    Example,
    ExampleSource,
    MazeTokenizer,
    Planner,
    PlanningData,
    TraceDropper,
    TrainConfig,
    Trainer,
    cosine_schedule,
    evaluate,
    generate,
    level_shares,
    make_model,
    sequence_nll,
)
from separata import states
from separata.testing import interrupted_after

TOKENIZER = MazeTokenizer(4, 4)
RECORDS = list(itertools.islice(generate("maze", 4, np.random.default_rng(0)), 16))
CONFIG = EncoderDecoderConfig(len(TOKENIZER.vocab), 16, 1, 1)
TRAINING = TrainConfig(steps=6, batch_size=4, lr=1e-3, max_tokens=400)


def data(shares="maze"):
    return PlanningData(RECORDS, TOKENIZER, TraceDropper(level_shares(shares)))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def trained(config=TRAINING, shares="maze", **options):
    model = make_model(CONFIG, 0)
    Trainer(model, data(shares), config, **options).fit()
    return model


def test_the_loss_is_the_mean_over_each_sequence_s_tokens_after_bos():
    logits = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[0, 3, 5, 1], [0, 2, 1, 0]])
    mask = torch.tensor([[True] * 4, [True, True, True, False]])
    p = logits.log_softmax(-1)
    expected = [-(p[0, 0, 3] + p[0, 1, 5] + p[0, 2, 1]) / 3, -(p[1, 0, 2] + p[1, 1, 1]) / 2]
    torch.testing.assert_close(sequence_nll(logits, target, mask), torch.stack(expected))


def test_the_learning_rate_rises_to_its_peak_and_falls_to_a_tenth():
    def rate(step):
        return cosine_schedule(step, peak=2.0, warmup=100, steps=1100)

    assert rate(0) == pytest.approx(0.02)
    assert rate(49) == pytest.approx(1.0)
    assert rate(100) == pytest.approx(2.0)
    assert rate(600) == pytest.approx(2 * (0.1 + 0.5 * 0.9))
    assert rate(1100) == pytest.approx(0.2)
    assert all(rate(step) >= rate(step + 1) for step in range(100, 1100))
    assert cosine_schedule(0, peak=1.0, warmup=0, steps=1) == 1


def test_cutting_a_step_into_parts_does_not_change_what_is_learned():
    whole, parts = (trained(TrainConfig(3, 8, 1e-3, max_tokens=n)) for n in (10**6, 100))
    torch.testing.assert_close(weights(whole), weights(parts), atol=2e-5, rtol=1e-4)


def test_one_step_is_that_of_adamw_on_the_mean_loss():
    model, reference = make_model(CONFIG, 0), make_model(CONFIG, 0)
    Trainer(model, data(), TrainConfig(steps=1, batch_size=4, lr=1e-3, warmup=0)).fit()
    optimizer = torch.optim.AdamW(reference.parameters(), 1e-3, betas=(0.9, 0.99), weight_decay=0.01)
    losses = []
    for one in data().step(0, 4, 0):
        prompt, target = torch.tensor([one.prompt]), torch.tensor([one.target])
        logits = reference(prompt, torch.ones_like(prompt, dtype=torch.bool), target)
        losses.append(torch.nn.functional.cross_entropy(logits[0, :-1], target[0, 1:]))
    torch.stack(losses).mean().backward()
    optimizer.step()
    torch.testing.assert_close(weights(model), weights(reference), atol=1e-5, rtol=1e-4)


def test_equal_seeds_train_equal_models():
    assert torch.equal(weights(trained()), weights(trained()))
    other = TrainConfig(6, 4, 1e-3, max_tokens=400, seed=1)
    assert not torch.equal(weights(trained()), weights(trained(other)))


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_training_that_was_stopped_goes_on_to_the_same_model(tmp_path, stop):
    def interrupted(steps, _):
        for step in steps:
            if step == stop:
                raise Stop
            yield step

    place = tmp_path / "checkpoint.safetensors"
    rows = []
    with pytest.raises(Stop):
        trained(checkpoint=place, checkpoint_every=2, track=interrupted)
    again = trained(checkpoint=place, log_every=6, log=rows.append)
    assert torch.equal(weights(again), weights(trained()))
    assert rows[-1]["sequences"] == 24


@pytest.mark.parametrize("stop", [3, 4])
def test_a_training_that_was_stopped_inside_a_step_has_the_same_weights_and_history(tmp_path, stop):
    place, rows, whole = tmp_path / "checkpoint.safetensors", [], []
    options = {"checkpoint": place, "checkpoint_every": 3, "log_every": 2}
    with interrupted_after(stop), pytest.raises(KeyboardInterrupt):
        trained(**options, log=rows.append)
    done = states.load(place)["done"] if place.exists() else 0
    assert done == {3: 0, 4: 3}[stop]
    rows = [row for row in rows if row["step"] <= done]
    again = trained(**options, log=rows.append)
    assert torch.equal(weights(again), weights(trained(log_every=2, log=whole.append)))
    assert rows == whole


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    place = tmp_path / "checkpoint.safetensors"
    trained(checkpoint=place)
    model = make_model(EncoderDecoderConfig(len(TOKENIZER.vocab), 8, 1, 1), 0)
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        Trainer(model, data(), TRAINING, checkpoint=place)


def test_history_tells_loss_rate_and_amount():
    rows = []
    examples = [data().draw(i, np.random.default_rng(i)) for i in range(6)]
    trained(log_every=3, log=rows.append, validation=examples)
    assert [row["step"] for row in rows] == [3, 6]
    assert [row["sequences"] for row in rows] == [12, 24]
    assert rows[0]["tokens"] < rows[1]["tokens"]
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["validation_loss"]) for row in rows)


def test_a_loss_that_is_no_number_is_told():
    model = make_model(CONFIG, 0)
    with torch.no_grad():
        model.decoder_head.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(model, data(), TRAINING, log_every=2).fit()


def test_a_few_mazes_are_learned_by_heart():
    model = make_model(EncoderDecoderConfig(len(TOKENIZER.vocab), 64, 1, 2), 0)
    few = PlanningData(RECORDS[:2], TOKENIZER, TraceDropper(level_shares("solution-only")))
    Trainer(model, few, TrainConfig(steps=100, batch_size=2, lr=3e-3)).fit()
    found = Planner(model, TOKENIZER).solve_all([record.task for record in RECORDS[:2]], "fast", 1, 0, max_len=60)
    assert evaluate(found, RECORDS[:2]).one_optimal == 1


class Copying(ExampleSource):
    """Data of one's own: copy the prompt."""

    def step(self, step, batch_size, seed):
        rng = np.random.default_rng([seed, step])
        return [Example(row := [0, *rng.integers(2, 9, 3).tolist(), 1], row, 0) for _ in range(batch_size)]


def test_data_of_one_s_own_can_be_learned():
    rows = []
    model = make_model(EncoderDecoderConfig(9, 32, 1, 2), 0)
    Trainer(model, Copying(), TrainConfig(40, 16, 5e-3), log_every=10, log=rows.append).fit()
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"max_tokens": 0}, "max tokens must be at least 1"),
        ({"lr": 0.0}, "positive"),
        ({"lr": float("nan")}, "positive"),
        ({"weight_decay": -1.0}, "not be negative"),
        ({"warmup": -1}, "not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**options)
