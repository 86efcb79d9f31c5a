"""What a short training comes to, on problems that it has not seen."""

from dataclasses import replace

import pytest

from revibranch.experiments import DENSE, OURS, RANDOM, SHORT, TINY, UNTRAINED
from revibranch.learning.trainer import geometric_mean
from revibranch.trials import Problems, RuleTrial, Trial, run_rule, run_trial


def nodes(result):
    return geometric_mean([row["nodes"] for row in result["rows"]])


def test_a_network_that_is_not_trained_solves_what_scip_solves():
    problems = Problems("indset", DENSE, DENSE, 1, 1, 2)
    untrained = run_trial(Trial(problems, TINY, replace(SHORT.train, n_episodes=0)), "cpu")
    scip = run_rule(RuleTrial(problems, "scip"), "cpu")
    assert [row["objective"] for row in untrained["rows"]] == [row["objective"] for row in scip["rows"]]
    assert untrained["curve"] == []
    assert untrained["updates"] == 0


@pytest.mark.slow
def test_a_minute_of_training_needs_fewer_nodes_than_chance():
    trials = SHORT.trials()
    trained, untrained = (nodes(run_trial(trials[name], "cpu")) for name in (OURS, UNTRAINED))
    random = nodes(run_rule(RuleTrial(SHORT.problems, RANDOM), "cpu"))
    assert trained < 0.8 * random
    assert trained < 0.8 * untrained
