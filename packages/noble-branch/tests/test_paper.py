"""What the claims accept, on numbers that must pass and numbers of a method that does nothing."""

import math

import pytest

from noble_branch.paper import PAPER

AHEAD = {"noble": 1.47, "wide": 1.1, "identity": 1.05, "seed_noise": 0.1}
COSTS = {"thin_parameters": 4.0, "thin_step_time": 7.0, "thin_net": 1.1, "parameters": 15, "step_time": 20, "net": 1.22}
LOSSES = {"cosnet": 1.0, "cos": 1.1, "gelu": 1.1, "relu": 1.1, "tanh": 1.1, "identity": 1.1}
TASKS = {"lm": 1.3, "mlm": 1.2, "pixels": 1.1, "vit": 1.2, "seed_noise": 0.1}
GAINS = {"plain": 0.1, "mixup": 0.0, "cutmix": 0.01, "interval": 0.05}
POWER = {"noble": 0.01, "baseline": 0.1, "wide": 0.1, "identity": 0.1}


@pytest.mark.parametrize(
    ("claim", "numbers", "changes", "holds", "direction"),
    [
        ("step-speedup", AHEAD, {}, True, True),
        ("step-speedup", AHEAD, {"noble": 1.3}, False, True),
        ("step-speedup", AHEAD, {"seed_noise": 0.5}, False, False),
        ("step-speedup", AHEAD, {"wide": 1.5}, False, False),
        ("step-speedup", AHEAD, {"identity": 1.5}, False, False),
        ("regression-speedup", AHEAD, {"noble": 3.0}, True, None),
        ("regression-speedup", AHEAD, {"noble": 2.9}, False, None),
        ("regression-speedup", AHEAD, {"noble": 3.0, "wide": 3.1}, False, None),
        ("regression-speedup", AHEAD, {"noble": 3.0, "seed_noise": 2.5}, False, None),
        ("overhead", COSTS, {}, True, True),
        ("overhead", COSTS, {"thin_net": 1.22, "net": 0.9}, True, True),
        ("overhead", COSTS, {"thin_parameters": 4.5}, False, True),
        ("overhead", COSTS, {"thin_step_time": 7.5}, False, True),
        ("overhead", COSTS, {"net": 1.15}, False, True),
        ("overhead", COSTS, {"net": 1.0, "thin_net": 0.9}, False, False),
        ("best-activation", LOSSES, {}, True, None),
        *(("best-activation", LOSSES, {name: 1.0}, False, None) for name in LOSSES if name != "cosnet"),
        ("best-activation-regression", LOSSES, {"cos": 0.9}, False, None),
        ("tasks", TASKS, {}, True, True),
        ("tasks", TASKS, {"pixels": 1.05}, False, True),
        ("tasks", TASKS, {"seed_noise": 0.25}, False, False),
        ("tasks", TASKS, dict.fromkeys(("lm", "mlm", "pixels", "vit"), 1.04) | {"seed_noise": 0.0}, False, False),
        ("augmentation", GAINS, {}, True, True),
        ("augmentation", GAINS, {"cutmix": 0.06}, False, True),
        ("augmentation", GAINS, {"mixup": 0.06}, False, True),
        ("augmentation", GAINS, {"plain": -0.1, "mixup": -1.0, "cutmix": -1.0}, False, False),
        ("augmentation", GAINS, {"interval": math.nan}, False, True),
        ("high-frequency", POWER, {}, True, True),
        *(("high-frequency", POWER, {name: 0.05}, False, True) for name in POWER if name != "noble"),
        *(("high-frequency", POWER, {name: 0.005}, False, False) for name in POWER if name != "noble"),
    ],
)
def test_claims_accept_what_they_say(claim, numbers, changes, holds, direction):
    one, measured = PAPER.claim(claim), numbers | changes
    assert set(measured) == set(one.paper)
    assert one.holds(measured) == holds
    assert (one.direction(measured) if one.direction else None) == direction
