import math

import pytest

from revibranch.configs import PolicyConfig, ScipConfig, TrainConfig
from revibranch.learning.runs import RunConfig
from separata import configs

WRONG = [
    (ScipConfig, "time_limit", (0, -1.0, math.nan, math.inf)),
    (ScipConfig, "node_limit", (-2,)),
    (ScipConfig, "separating_rounds", (-2,)),
    (ScipConfig, "seed", (-1, 2**31)),
    (PolicyConfig, "embedding_size", (0, -4, 7, 10)),
    (PolicyConfig, "n_heads", (0, -1)),
    (PolicyConfig, "n_layers", (0,)),
    (PolicyConfig, "feedforward_size", (0,)),
    (PolicyConfig, "dropout", (-0.1, 1.0, math.nan)),
    (PolicyConfig, "memory_length", (0,)),
    (PolicyConfig, "trajectory", ("path",)),
    (TrainConfig, "n_episodes", (-1,)),
    (TrainConfig, "batch_size", (0, -32)),
    (TrainConfig, "lr", (0, -1e-4, math.inf, math.nan)),
    (TrainConfig, "max_norm", (0, math.nan)),
    (TrainConfig, "updates_per_decision", (0, -1.0, math.inf)),
    (TrainConfig, "target_update", (0,)),
    (TrainConfig, "capacity", (0,)),
    (TrainConfig, "n_before", (-1,)),
    (TrainConfig, "epsilon", (-0.1, 1.1, math.nan)),
    (TrainConfig, "final_epsilon", (-0.1, 1.1)),
    (TrainConfig, "eta", (-0.1, math.inf)),
    (TrainConfig, "importance", ("gains",)),
    (TrainConfig, "temperature", (0, -1.0)),
    (TrainConfig, "n_demonstrations", (-1,)),
    (TrainConfig, "evaluate_every", (-1,)),
    (TrainConfig, "n_workers", (-1,)),
    (TrainConfig, "seed", (-1, 2**31)),
]


@pytest.mark.parametrize(
    ("kind", "name", "value"), [(kind, name, value) for kind, name, values in WRONG for value in values]
)
def test_wrong_values_are_refused_by_name(unchecked, kind, name, value):
    with pytest.raises(ValueError, match=rf"^(the )?{name.replace('_', '[_ ]')} .*not '?{value}'?$"):
        kind(**{name: value})


def test_values_at_the_ends_are_taken():
    ScipConfig(time_limit=1e20, node_limit=-1, separating_rounds=-1, seed=2**31 - 1)
    PolicyConfig(2, 1, 1, 1, 0.0, 1, trajectory="shuffled")
    TrainConfig(n_episodes=0, batch_size=1, n_before=0, epsilon=0.0, final_epsilon=1.0, eta=0.0, evaluate_every=0)


def test_what_a_policy_remembers_is_stored_with_it(tmp_path):
    """Settings that were written before there was one are of the tree."""
    config = RunConfig(policy=PolicyConfig(trajectory="temporal"))
    values = configs.plain(config)
    assert configs.from_plain(RunConfig, values, tmp_path) == config
    del values["policy"]["trajectory"]
    assert configs.from_plain(RunConfig, values, tmp_path).policy.trajectory == "tree"
    values["policy"]["n_heads"] = 5
    with pytest.raises(ValueError, match="multiple of the 5 heads"):
        configs.from_plain(RunConfig, values, tmp_path)
