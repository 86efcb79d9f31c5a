"""The same operator by deeponet and by this package: Darcy flow on one domain, which a picture gives."""

import numpy as np
import torch
from mt_shell import call
from PIL import Image
from tiny import generator

from deeponet import DeepONet, TripleDataset, predict_all
from deeponet import TrainConfig as PlainConfig
from deeponet import Trainer as PlainTrainer
from deeponet import evaluate as evaluate_plain
from mt_deeponet import ModelConfig, TrainConfig, Trainer, compare, evaluate, load_data, make_model
from separata import plots
from separata.training import seeded


def test_both_learn_darcy_flow_on_one_s_own_domain_and_are_compared_on_one_plot(tmp_path):
    pixels = np.zeros((60, 60), np.uint8)
    pixels[6:54, 6:40] = 255
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    for name, seed, n in (("train", 0, 60), ("test", 1, 20)):
        done = call(
            *("generate", "darcy", "--geometry", tmp_path / "mine.png", "--resolution", "16", "--n", n),
            *("--seed", seed, "--out", tmp_path / f"{name}.npz"),
        )
        assert done.code == 0, done.err
    train, test = (load_data(tmp_path / f"{name}.npz") for name in ("train", "test"))
    assert train.names == ("mine",)
    inside = train.mask[0]

    def triples(data):
        return TripleDataset(data.functions.flatten(1), data.points[inside], 10 * data.values[:, inside])

    with seeded(0):
        plain = DeepONet([256, 32, 32], [2, 32, 32])
        ours = make_model(ModelConfig(branch="32", trunk="32,32", latent=32, filters="4,8", dropout=0.0), train.shape)
    ours.fit_normalizers(train)
    PlainTrainer(plain, triples(train), PlainConfig(steps=300, lr=3e-3, check_every=50)).fit()
    Trainer(ours, train, TrainConfig(steps=200, lr=3e-3, batch_size=20, check_every=50)).fit()

    spread = torch.zeros_like(test.values)
    spread[:, inside] = predict_all(plain, triples(test))[..., 0] / 10
    errors = {"deeponet": compare(spread, test).relative_l2, "mt-deeponet": evaluate(ours, test).relative_l2}
    mean = compare(train.values.mean(0).expand(len(test), -1), test).relative_l2
    assert max(errors.values()) < 0.8 * mean
    assert abs(evaluate_plain(plain, triples(test)).relative_l2 - errors["deeponet"]) < 1e-4
    plots.save(plots.bars({**errors, "mean of the training": mean}, ylabel="relative L2 error"), tmp_path / "both.svg")
    assert "mt-deeponet" in (tmp_path / "both.svg").read_text()


def test_deeponet_s_trainer_trains_the_masked_network():
    from mt_deeponet import MaskedDeepONet, MLPBranch, Trunk

    g = generator()
    data = TripleDataset(torch.rand(20, 5, generator=g), torch.rand(6, 2, generator=g), torch.rand(20, 6, generator=g))
    network = MaskedDeepONet(MLPBranch(5, (16,), 8), Trunk(2, (16,), 8))
    before = evaluate_plain(network, data).mse
    PlainTrainer(network, data, PlainConfig(steps=50, lr=1e-2, check_every=10)).fit()
    assert evaluate_plain(network, data).mse < before
