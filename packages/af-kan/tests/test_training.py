"""Training: decisions by validation data, exact resumption, scales, and data of the user's own."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, r2_score
from torch import nn

from af_kan import (
    AFKAN,
    DataConfig,
    DataShape,
    ModelConfig,
    RunConfig,
    Samples,
    ScaledNetwork,
    TrainConfig,
    Trainer,
    evaluate,
    load,
    load_data,
    predict,
    save,
    train,
)
from af_kan.evaluation import macro_f1
from af_kan.runs import describe, make_scaled
from af_kan.samples import load_inputs, load_part
from separata.testing import interrupted_after


def clouds(n=120, n_classes=3, d=4):
    """Classes that are easy to tell apart."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n) % n_classes
    centers = 2 * torch.randn(n_classes, d, generator=generator)
    return Samples(
        centers[y] + 0.5 * torch.randn(n, d, generator=generator), y, DataShape((d,), tuple("abcdefghij"[:n_classes]))
    )


def wave(n=200):
    """Numbers that are a smooth function of two others, in units of their own."""
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0))
    return Samples(x, 300 + 50 * torch.sin(3 * x[:, 0]) * x[:, 1], DataShape((2,), target="height"))


def scaled(data, hidden="12", **settings):
    return make_scaled(ModelConfig(hidden=hidden, **settings), data.shape)


def test_classes_are_learned():
    data = clouds()
    network = scaled(data)
    Trainer(network, data, TrainConfig(epochs=15, batch_size=16, lr=1e-2)).fit()
    assert evaluate(network, data).accuracy > 0.95
    assert not network.training


def test_numbers_are_learned_in_their_own_unit():
    data = wave()
    network = ScaledNetwork(AFKAN([2, 16, 1], norm="batch", reduction="multistep"), 2)
    Trainer(network, data, TrainConfig(epochs=60, batch_size=32, lr=2e-2, gamma=0.97)).fit()
    report = evaluate(network, data)
    assert report.r2 > 0.9
    assert report.rmse == pytest.approx(
        (predict(network, data.x)[:, 0] - data.y).square().mean().sqrt().item(), rel=1e-4
    )
    assert report.score == report.r2


def test_the_learning_rate_falls_by_a_factor_an_epoch():
    data = clouds(40)
    trainer = Trainer(scaled(data), data, TrainConfig(epochs=3, batch_size=16, lr=0.01, gamma=0.5))
    seen = []
    for step in range(trainer.loop.n_steps):
        trainer.gradients(step)
        seen.append(trainer.optimizer.param_groups[0]["lr"])
    assert trainer.n_batches == 3
    assert seen == pytest.approx([0.01] * 3 + [0.005] * 3 + [0.0025] * 3)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_is_seen_once_an_epoch(shuffle):
    data = clouds(50)
    trainer = Trainer(scaled(data), data, TrainConfig(batch_size=16, shuffle=shuffle))
    epochs = [torch.cat([trainer._batch(epoch, place) for place in range(4)]) for epoch in (0, 1)]
    assert all(torch.equal(one.sort().values, torch.arange(50)) for one in epochs)
    assert torch.equal(epochs[0], torch.arange(50)) == (not shuffle)
    assert torch.equal(*epochs) == (not shuffle)


def test_a_last_sample_by_itself_is_left_out_so_that_batch_normalization_trains():
    data = clouds(33)
    network = ScaledNetwork(AFKAN([4, 8, 3], norm="batch"), 4)
    trainer = Trainer(network, data, TrainConfig(epochs=1, batch_size=16))
    assert trainer.n_batches == 2
    trainer.fit()


def test_the_weights_of_the_lowest_validation_loss_are_kept():
    data = clouds()
    held = clouds(60)
    wrong = Samples(held.x, (held.y + 1) % 3, held.shape)
    rows = []
    network = scaled(data)
    trainer = Trainer(network, data, TrainConfig(epochs=6, batch_size=16, lr=1e-2), validation=wrong, log=rows.append)
    trainer.fit()
    losses = [row["validation_loss"] for row in rows]
    assert min(losses) < losses[-1], "what is learned is wrong for this validation data"
    assert evaluate(network, wrong).loss == pytest.approx(min(losses), rel=1e-4)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    data, config = clouds(), TrainConfig(epochs=4, batch_size=16, lr=1e-2)
    networks = []
    for checkpoint in (None, tmp_path / "checkpoint.safetensors"):
        torch.manual_seed(3)
        network = scaled(data)
        if checkpoint:
            with interrupted_after(13), pytest.raises(KeyboardInterrupt):
                Trainer(network, data, config, validation=data, checkpoint=checkpoint).fit()
            network = scaled(data)
        Trainer(network, data, config, validation=data, checkpoint=checkpoint).fit()
        networks.append(network)
    for one, other in zip(*(network.state_dict().values() for network in networks)):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_training_that_diverges_says_so():
    data = clouds()
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(scaled(data), data, TrainConfig(epochs=3, lr=1e30), validation=data).fit()


def test_scores_are_scikit_learn_s():
    labels, guesses = torch.randint(4, (200,)), torch.randint(4, (200,))
    assert macro_f1(guesses, labels, 6) == pytest.approx(f1_score(labels, guesses, average="macro"))
    data = wave()
    network = nn.Linear(2, 1)
    report = evaluate(network, data)
    predicted = network(data.x).detach()[:, 0]
    assert report.r2 == pytest.approx(r2_score(data.y, predicted), rel=1e-4)
    classes = clouds()
    classifier = nn.Linear(4, 3)
    found = evaluate(classifier, classes)
    assert found.accuracy == accuracy_score(classes.y, classifier(classes.x).argmax(1))


@pytest.mark.parametrize(
    ("x", "y", "classes", "words"),
    [
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), ("a", "b"), "no samples"),
        (torch.tensor([[0.0, math.nan]]), torch.tensor([0]), ("a", "b"), "NaN"),
        (torch.tensor([[0.0, math.inf]]), torch.tensor([0.0]), (), "infinite"),
        (torch.zeros(1, 2), torch.tensor([math.nan]), (), "to predict"),
        (torch.zeros(1, 2), torch.tensor([2]), ("a", "b"), r"label 2 outside 0..1"),
        (torch.zeros(1, 2), torch.tensor([-1]), ("a", "b"), r"label -1"),
        (torch.zeros(2, 2), torch.tensor([0]), ("a", "b"), "one target for each"),
        (torch.zeros(1, 2), torch.tensor([0.5]), ("a", "b"), "whole numbers"),
        (torch.zeros(1, 3), torch.tensor([0]), ("a", "b"), r"shape \(2,\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_samples_that_are_none_are_refused(x, y, classes, words):
    with pytest.raises(ValueError, match=words):
        Samples(x, y, DataShape((2,), classes))


def test_one_class_is_none():
    with pytest.raises(ValueError, match="at least 2"):
        DataShape((2,), ("a",))


# ---- files


def test_arrays_of_numbers_are_for_regression(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(100, 3)), np.linspace(0, 1, 100)
    np.savez(tmp_path / "own.npz", x=x, y=y)
    data = load_data(tmp_path / "own.npz")
    assert data.shape.is_regression
    assert [len(part) for part in data[:3]] == [72, 8, 20]
    seen = torch.cat([part.y for part in data[:3]]).sort().values
    torch.testing.assert_close(seen, torch.from_numpy(y).float())
    np.savez(tmp_path / "parts.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    parts = load_data(tmp_path / "parts.npz")
    torch.testing.assert_close(parts.test.x, torch.from_numpy(x[80:]).float())
    np.savez(tmp_path / "whole.npz", x=x, y=np.arange(100) % 7)
    assert not load_data(tmp_path / "whole.npz").shape.is_regression
    assert load_data(tmp_path / "whole.npz", DataConfig(task="regression")).shape.is_regression


def table(path, n=90, header="color,size,weight,price"):
    rng = np.random.default_rng(1)
    rows = [
        f"{['red', 'blue', 'green'][i % 3]},{rng.normal():.3f},{rng.random():.3f},{2.5 * i + 0.5}" for i in range(n)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_table_is_for_classes_or_numbers(tmp_path):
    path = table(tmp_path / "own.csv")
    numbers = load_data(path)
    assert numbers.shape == DataShape((5,), (), "price")
    assert any("color" in note for note in numbers.notes)
    classes = load_data(path, DataConfig(target="color"))
    assert classes.shape == DataShape((3,), ("blue", "green", "red"), "color")
    counts = [part.y.bincount() for part in classes[:3]]
    assert all(count.max() - count.min() <= 1 for count in counts)


def test_another_table_is_read_by_the_columns_of_the_first(tmp_path):
    data = load_data(table(tmp_path / "own.csv"), DataConfig(target="color"))
    other = tmp_path / "other.csv"
    other.write_text("weight,price,size,color\n0.5,7,1.5,red\n0.25,8,-1,green\n0.1,9,0,red\n0.2,5,0,green\n")
    found = load_part(other, "all", DataConfig(), seed=0, schema=data.schema)
    order = found.x[:, 1].argsort()
    torch.testing.assert_close(found.x[order], torch.tensor([[0, 0.1, 9], [0, 0.2, 5], [-1, 0.25, 8], [1.5, 0.5, 7]]))
    assert found.y[order].tolist() == [2, 1, 1, 2]
    torch.testing.assert_close(
        load_inputs(other, data.shape, data.schema, None),
        torch.tensor([[1.5, 0.5, 7], [-1, 0.25, 8], [0, 0.1, 9], [0, 0.2, 5]]),
    )
    other.write_text("weight,price,size,color\n" + "0.5,7,1.5,red\n0.2,7,1.5,black\n" * 3)
    with pytest.raises(ValueError, match="class black"):
        load_part(other, "all", DataConfig(), seed=0, schema=data.schema)


def test_a_training_on_disk_is_loaded_with_its_scales_and_its_data(tmp_path):
    data = load_data(table(tmp_path / "own.csv"))
    report = train(data, tmp_path / "run", RunConfig(ModelConfig(hidden="6"), TrainConfig(epochs=2)))
    network = load(tmp_path / "run/model.safetensors")
    assert evaluate(network, data.test) == report.test
    described = describe(tmp_path / "run")
    assert (described.shape, described.schema) == (data.shape, data.schema)
    assert network.output_scale == pytest.approx(data.train.y.std(correction=0).item())


def test_a_network_is_saved_and_loaded(tmp_path):
    config, shape = ModelConfig("rbf-kan", "5"), DataShape((3,), ("a", "b"))
    network = make_scaled(config, shape)
    save(network, tmp_path / "run", config, shape)
    x = torch.randn(4, 3)
    torch.testing.assert_close(load(tmp_path / "run")(x), network(x))
    with pytest.raises(ValueError, match="not made of this"):
        save(network, tmp_path / "other", ModelConfig("mlp", "5"), shape)
    with pytest.raises(ValueError, match="already holds"):
        save(network, tmp_path / "run", config, shape)
