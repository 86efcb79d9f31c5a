import json

import pytest
import torch
from bipartite import observation, permuted
from hypothesis import given, settings
from hypothesis import strategies as st

from revibranch.configs import PolicyConfig
from revibranch.network.graphs import collate
from revibranch.network.policy import ReviBranchPolicy, load, save
from revibranch.scip.observation import FEATURE_VERSION
from separata import files

SMALL = PolicyConfig(8, n_heads=2, n_layers=1, feedforward_size=16, memory_length=3, trajectory="temporal")


def make_policy(config=SMALL):
    torch.manual_seed(0)
    return ReviBranchPolicy(config).eval()


POLICY = make_policy()
PLAIN = make_policy(PolicyConfig(8, 2, 1, 16, memory_length=3, revival=False))


def memory_of(policy, past, depth=0):
    graphs = collate([past])
    return policy.remember(policy.encode(graphs), graphs, past.candidates[:1], torch.tensor([depth])).detach()


@settings(max_examples=settings().max_examples // 5)
@given(st.integers(0, 10_000))
def test_values_do_not_depend_on_the_order_of_variables_and_rows(seed):
    one, past = observation(seed), observation(seed + 1)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(size, generator=generator) for size in (12, 7)]
    other_past = permuted(past, *orders)
    torch.testing.assert_close(
        POLICY.q_values(permuted(one, *orders), memory_of(POLICY, other_past)),
        POLICY.q_values(one, memory_of(POLICY, past)),
        rtol=0,
        atol=1e-5,
    )


def test_a_change_in_a_past_graph_changes_values_now():
    one, past = observation(0), observation(1)
    before = POLICY.q_values(one, memory_of(POLICY, past))
    later = POLICY.q_values(one, memory_of(POLICY, past, depth=5))
    past.variables[:] = past.variables.flip(0)
    assert (POLICY.q_values(one, memory_of(POLICY, past)) - before).abs().max() > 1e-4
    assert (later - before).abs().max() > 1e-4


def test_the_order_of_the_past_matters_and_only_its_last_decisions_do():
    one, steps = observation(0), torch.cat([memory_of(POLICY, observation(seed), seed) for seed in range(1, 6)])
    values = POLICY.q_values(one, steps)
    torch.testing.assert_close(POLICY.q_values(one, steps[-3:]), values)
    assert not torch.allclose(POLICY.q_values(one, steps[[3, 2, 4]]), values, rtol=0, atol=1e-6)


def test_without_memory_it_is_the_network_without_revival():
    """The same weights: only what is remembered differs."""
    assert PLAIN.load_state_dict(POLICY.state_dict())
    one, steps = observation(0), memory_of(POLICY, observation(1))
    expected = PLAIN.q_values(one)
    torch.testing.assert_close(POLICY.q_values(one), expected)
    torch.testing.assert_close(PLAIN.q_values(one, steps), expected)
    masked = POLICY(collate([one]), steps[None], torch.zeros(1, 1, dtype=torch.bool))
    torch.testing.assert_close(masked, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(POLICY.q_values(one, steps), expected, rtol=0, atol=1e-5)


def test_a_batch_is_its_nodes_one_by_one():
    ones = [observation(0), observation(1, 9, 4, 2), observation(2, 15, 8, 7)]
    steps = [memory_of(POLICY, observation(seed)) for seed in (3, 4)]
    memory = torch.zeros(3, 2, 8)
    memory[0, 0], memory[2] = steps[0], torch.cat(steps)
    mask = torch.tensor([[True, False], [False, False], [True, True]])
    expected = [
        POLICY.q_values(ones[0], steps[0]),
        POLICY.q_values(ones[1]),
        POLICY.q_values(ones[2], torch.cat(steps)),
    ]
    torch.testing.assert_close(POLICY(collate(ones), memory, mask), torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_the_mean_over_candidates_is_the_value_of_the_node():
    """What the dueling form is for: advantages add up to nothing."""
    one = observation(0)
    before = POLICY.q_values(one)
    head = POLICY.decoder.advantage[-1]
    with torch.no_grad():
        head.weight *= 3
        head.bias += 5
    after = POLICY.q_values(one)
    with torch.no_grad():
        head.weight /= 3
        head.bias -= 5
    torch.testing.assert_close(after.mean(), before.mean())
    torch.testing.assert_close(after - after.mean(), 3 * (before - before.mean()), rtol=1e-4, atol=1e-6)


def test_a_policy_comes_back_from_disk(tmp_path):
    path = tmp_path / "policy.safetensors"
    save(POLICY, path)
    loaded = load(path, "cpu")
    assert loaded.config == SMALL
    torch.testing.assert_close(loaded.q_values(observation(0)), POLICY.q_values(observation(0)), rtol=0, atol=0)


def test_a_policy_for_other_features_is_refused(tmp_path):
    path = tmp_path / "policy.safetensors"
    save(POLICY, path)
    tensors, metadata = files.load_tensors(path)
    files.save_tensors(path, tensors, {**metadata, "features": str(FEATURE_VERSION + 1)})
    with pytest.raises(ValueError, match=f"version {FEATURE_VERSION + 1} of the features"):
        load(path)


@pytest.mark.parametrize("wrong", ["nothing", "settings", "weights", "nan", "integers", "deviation"])
def test_what_is_no_policy_is_refused(tmp_path, wrong):
    path = tmp_path / "policy.safetensors"
    save(POLICY, path)
    tensors, metadata = files.load_tensors(path)
    if wrong == "nothing":
        metadata = {}
    elif wrong == "settings":
        metadata["policy"] = "[1"
    elif wrong == "weights":
        metadata["policy"] = json.dumps({"embedding_size": 16})
    elif wrong == "integers":
        tensors["head.bias"] = torch.tensor([3])
    elif wrong == "deviation":
        (name, *_) = [name for name in tensors if name.endswith(".std")]
        tensors[name][0] = 0
    else:
        tensors["head.bias"] = torch.tensor([float("nan")])
    files.save_tensors(path, tensors, metadata)
    with pytest.raises(ValueError, match=str(path)):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "other.safetensors")


def test_a_node_without_candidates_is_refused():
    with pytest.raises(ValueError, match="no candidates"):
        POLICY.q_values(observation(0, k=0))


def test_a_memory_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="last 3 decisions"):
        POLICY(collate([observation(0)]), torch.zeros(1, 4, 8))
