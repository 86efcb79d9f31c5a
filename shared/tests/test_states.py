import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from separata import files, states
from separata.testing import write_bomb


def same(one, other):
    """Whether two states are equal in types, bits and all."""
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and repr(one) == repr(other)


keys = st.text(max_size=4) | st.integers()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=4))
def test_plain_values_come_back(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    states.save(path, state)
    assert same(states.load(path), state)


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_an_optimizer_goes_on_as_if_never_stopped(tmp_path, make):
    weights = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(2))]
    others = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    optimizer, other = make(weights, lr=0.1), make(others, lr=0.1)
    gradients = [[torch.randn_like(weight) for weight in weights] for _ in range(4)]

    def step(which, parameters, index):
        for parameter, gradient in zip(parameters, gradients[index], strict=True):
            parameter.grad = gradient.clone()
        which.step()

    for index in range(2):
        step(optimizer, weights, index)
        step(other, others, index)
    states.save(tmp_path / "state.safetensors", {"optimizer": other.state_dict()})
    resumed = make(others, lr=0.5)
    resumed.load_state_dict(states.load(tmp_path / "state.safetensors")["optimizer"])
    for index in range(2, 4):
        step(optimizer, weights, index)
        step(resumed, others, index)
    assert all(map(torch.equal, weights, others))


def test_generators_go_on(tmp_path):
    ours, numpys, old = torch.Generator().manual_seed(3), np.random.default_rng(3), np.random.RandomState(3)
    for draw in (lambda: torch.rand(5, generator=ours), lambda: numpys.random(5), lambda: old.random_sample(5)):
        draw()
    state = {"torch": ours.get_state(), "numpy": numpys.bit_generator.state, "old": old.get_state(legacy=False)}
    states.save(tmp_path / "state.safetensors", state)
    expected = torch.rand(5, generator=ours), numpys.random(5), old.random_sample(5)
    loaded = states.load(tmp_path / "state.safetensors")
    assert same(loaded["old"]["state"]["key"], state["old"]["state"]["key"])
    ours, numpys, old = torch.Generator(), np.random.default_rng(), np.random.RandomState()
    ours.set_state(loaded["torch"])
    numpys.bit_generator.state = loaded["numpy"]
    old.set_state(loaded["old"])
    assert torch.equal(torch.rand(5, generator=ours), expected[0])
    assert np.array_equal(numpys.random(5), expected[1])
    assert np.array_equal(old.random_sample(5), expected[2])


def test_tensors_may_share_memory_and_have_no_elements(tmp_path):
    row = torch.arange(6.0)
    state = {
        "row": row,
        "again": row,
        "view": row[::2],
        "none": torch.empty(0, 3),
        "one": torch.tensor(2, dtype=torch.int8),
    }
    states.save(tmp_path / "state.safetensors", state)
    assert same(states.load(tmp_path / "state.safetensors"), state)


def test_names_in_the_file_say_where_tensors_belong(tmp_path):
    states.save(tmp_path / "state.safetensors", {"model": {"weight": torch.ones(2)}, "kept": [1, torch.zeros(1)]})
    assert files.load_tensors(tmp_path / "state.safetensors")[0].keys() == {"model.weight", "kept.1"}


def test_names_that_could_be_confused_are_kept_apart(tmp_path):
    state = {"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}, "": {"": torch.full((1,), 2.0)}, "1": {1: 4, "1": 3}}
    states.save(tmp_path / "state.safetensors", state)
    assert same(states.load(tmp_path / "state.safetensors"), state)


def test_floats_that_are_not_finite_are_kept(tmp_path):
    states.save(tmp_path / "state.safetensors", {"worst": [math.inf, -math.inf, math.nan]})
    assert same(states.load(tmp_path / "state.safetensors"), {"worst": [math.inf, -math.inf, math.nan]})


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", {(1, 2): 3}, {True: 1}, lambda: 1])
def test_what_is_no_data_is_refused_and_nothing_written(tmp_path, value):
    with pytest.raises(TypeError, match=r"state|learner"):
        states.save(tmp_path / "state.safetensors", {"learner": value})
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_is_never_run(tmp_path):
    for by_torch in (False, True):
        write_bomb(tmp_path / "state.safetensors", tmp_path / "mark", by_torch=by_torch)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            states.load(tmp_path / "state.safetensors")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "tree", ["", "[1]", '{"tensor": "gone"}', '{"code": 1}', '{"dict": 3}', '{"dict": [["a", {"what": 1}]]}', "{}"]
)
def test_a_damaged_tree_is_refused(tmp_path, tree):
    files.save_tensors(tmp_path / "state.safetensors", {"weight": torch.ones(1)}, {"state": tree})
    with pytest.raises(ValueError, match="does not hold the state of a training"):
        states.load(tmp_path / "state.safetensors")


def test_other_tensors_are_no_state(tmp_path):
    files.save_tensors(tmp_path / "state.safetensors", {"weight": torch.ones(1)})
    with pytest.raises(ValueError, match="does not hold the state of a training"):
        states.load(tmp_path / "state.safetensors")
