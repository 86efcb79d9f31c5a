import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from separata import configs

FILE = Path("run/config.json")


@dataclass(frozen=True)
class TrainConfig:
    lr: float = 0.1
    n_steps: int = 10
    later_lr: float | None = None

    def __post_init__(self):
        if not self.lr > 0:
            raise ValueError(f"lr must be positive, not {self.lr}")


@dataclass(frozen=True)
class NetworkConfig:
    kind: Literal["mlp", "cnn"] = "mlp"
    widths: tuple[int, ...] = (3, 2)
    is_biased: bool = True
    data: Path | None = None
    train: TrainConfig = field(default_factory=TrainConfig)


CONFIGS = [
    NetworkConfig(),
    NetworkConfig("cnn", (), is_biased=False, data=Path("a/b.npz"), train=TrainConfig(1e-3, 5, 1)),
    NetworkConfig(widths=(1,), train=TrainConfig(lr=2)),
]


def written(config):
    return json.loads(json.dumps(configs.plain(config)))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_comes_back(config):
    assert configs.from_plain(NetworkConfig, written(config), FILE) == config


def test_what_is_missing_takes_its_default():
    assert configs.from_plain(NetworkConfig, {"train": {"lr": 0.5}}, FILE) == NetworkConfig(train=TrainConfig(0.5))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "object"),
        ({"widths": [1.5]}, "widths.0"),
        ({"widths": "12"}, "widths"),
        ({"widths": None}, "widths"),
        ({"kind": "rnn"}, "kind"),
        ({"is_biased": 1}, "is_biased"),
        ({"is_biased": "yes"}, "is_biased"),
        ({"train": {"n_steps": 1.0}}, "train.n_steps"),
        ({"train": {"n_steps": True}}, "train.n_steps"),
        ({"train": {"lr": "0.1"}}, "train.lr"),
        ({"train": {"lr": -1}}, "lr must be positive, not -1"),
        ({"train": 3}, "train"),
        ({"kind": "rnn"}, "kind should be 'mlp' or 'cnn', not 'rnn'"),
        ({"widths": "x" * 99}, f"widths should be a valid array, not '{'x' * 39}..."),
        ({"train": {"lr": -1}}, "settings of this program: lr must be positive, not -1"),
        ({"rate": 1}, "no setting rate"),
        ({"train": {"rate": 1}}, "no setting train.rate"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(values, words):
    with pytest.raises(ValueError, match="does not hold the settings") as refused:
        configs.from_plain(NetworkConfig, values, FILE)
    assert str(FILE) in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_changed_is_named_without_what_leads_to_it():
    earlier, now = (written(config) for config in (CONFIGS[0], CONFIGS[1]))
    assert configs.changed(earlier, earlier) == []
    assert configs.changed(earlier, now) == ["kind", "widths", "is_biased", "data", "lr", "n_steps", "later_lr"]
    assert configs.changed({"lr": 1}, {}) == ["lr"]
    assert configs.changed({}, {"lr": None}) == ["lr"]


def test_settings_are_replaced_wherever_they_stand():
    assert configs.replaced(CONFIGS[0], kind="cnn", lr=0.5, n_steps=3) == NetworkConfig(
        "cnn", train=TrainConfig(0.5, 3)
    )
    assert configs.replaced(CONFIGS[0], train=TrainConfig(2)) == NetworkConfig(train=TrainConfig(2))
    assert CONFIGS[0] == NetworkConfig()


def test_a_setting_that_is_none_or_two_is_refused():
    @dataclass(frozen=True)
    class Twice:
        one: TrainConfig = TrainConfig()
        other: TrainConfig = TrainConfig()
        lr: int = 3

    with pytest.raises(TypeError, match="NetworkConfig has no settings named rate"):
        configs.replaced(CONFIGS[0], rate=1)
    with pytest.raises(TypeError, match="Twice has 2 settings named n_steps"):
        configs.replaced(Twice(), n_steps=1)
    with pytest.raises(TypeError, match="TrainConfig has no settings named kind"):
        configs.replaced(TrainConfig(), kind="mlp")


def test_what_is_replaced_is_checked():
    with pytest.raises(ValueError, match="lr must be positive"):
        configs.replaced(CONFIGS[0], lr=0)


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_a_seed_is_one_that_pytorch_takes(seed):
    configs.check_seed(seed)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=rf"at least 0 and less than 2\^63, not {seed}"):
        configs.check_seed(seed)


def test_numbers_that_must_be_positive_are_named_if_they_are_not():
    configs.check_positive(lr=0.1, n_steps=1)
    for value in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"length scale must be positive, not {value}"):
            configs.check_positive(lr=0.1, length_scale=value)
