import copy
import json
import pickle

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.stats import kstest

from house import python
from ncap_swimmer import NavigateEnv, SwimEnv, make_env
from ncap_swimmer.tasks import observation_size

TASKS = ("swim", "navigate")


def place(env, x=0.0, y=0.0, heading=0.0, joints=0.0, velocities=0.0, target=None):
    """Put the swimmer somewhere; the observation of it."""
    env.reset(seed=0)
    env.data.qpos[:] = (x, y, heading, *np.broadcast_to(joints, env.n_joints))
    env.data.qvel[:] = velocities
    state = env.state()
    if target is not None:
        state["target"] = np.array(target, float)
    return env.restore(state)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def roll(env, actions):
    """Observations and rewards of a sequence of actions."""
    steps = [env.step(action) for action in actions]
    return np.stack([step[0] for step in steps]), np.array([step[1] for step in steps])


def actions(n, n_joints, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, n_joints)).astype(np.float32)


# ---- observations


@pytest.mark.parametrize("time_feature", [True, False])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n_links", [3, 6, 14])
def test_observation_holds_angles_target_velocities_and_time(n_links, task, time_feature):
    env = make_env(task, n_links, time_feature=time_feature)
    env.reset(seed=3)
    (*_, seen), _ = roll(env, actions(7, n_links - 1))
    n = n_links - 1
    angles, rest = seen[:n], seen[n + 2 * (task == "navigate") :]
    velocities, time = rest[: 3 * n_links].reshape(-1, 3), rest[3 * n_links :]
    np.testing.assert_allclose(angles, env.data.qpos[3:], rtol=1e-6)
    for link, found in enumerate(velocities):
        # Angular, then linear velocity in the link's own frame.
        expected = np.empty(6)
        mujoco.mj_objectVelocity(env.model, env.data, mujoco.mjtObj.mjOBJ_XBODY, link + 1, expected, 1)
        np.testing.assert_allclose(found, [expected[3], expected[4], expected[2]], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(time, [2 * 7 / 1000 - 1] if time_feature else [], rtol=1e-6)
    assert seen.shape == env.observation_space.shape == (observation_size(n_links, task, time_feature=time_feature),)
    assert seen.dtype == np.float32


@pytest.mark.parametrize("heading", [0.0, 0.7, -2.5])
def test_velocities_are_in_the_links_own_frame(heading):
    env = make_env(n_links=3, time_feature=False)
    # The body as a rigid rod along y, moving with (0.2, 0.3) in the world and turning about the root at 2 rad/s.
    seen = place(env, heading=heading, velocities=(0.2, 0.3, 2.0, 0, 0))
    local = rotation(heading).T @ (0.2, 0.3)
    for link, found in enumerate(seen[2:].reshape(3, 3)):
        arm = 0.05 + 0.1 * link  # from the root joint, behind the head's middle by its own frame
        np.testing.assert_allclose(found, (local[0] - 2 * arm, local[1], 2), atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "heading", "target", "expected"),
    [
        (0, 0, 0, (0, -0.06), (0, 0)),
        (0, 0, 0, (0, -1.06), (0, -1)),
        (0, 0, 0, (0.5, -0.06), (0.5, 0)),
        (1, 2, 0, (1, 1.94), (0, 0)),
        (-1, 0.5, 0, (1, 1), (2, 0.56)),
    ],
)
def test_to_target_is_from_the_nose_in_the_heads_frame(x, y, heading, target, expected):
    np.testing.assert_allclose(place(NavigateEnv(3), x, y, heading, target=target)[2:4], expected, atol=1e-6)


@pytest.mark.parametrize("heading", [np.pi / 2, -np.pi / 2, np.pi, 0.6])
def test_to_target_turns_with_the_head(heading):
    # The head turns about the joint at its front end (0, -.05), where the root's hinge is.
    hinge, nose_from_hinge, to_target = np.array([0.3, -0.05 - 0.2]), np.array([0, -0.01]), np.array([0.4, -0.9])
    target = hinge + rotation(heading) @ (nose_from_hinge + to_target)
    env = NavigateEnv(3)
    seen = place(env, 0.3, -0.2, heading, target=target)
    np.testing.assert_allclose(seen[2:4], to_target, atol=1e-6)
    assert env._reward() == pytest.approx(tail(np.hypot(*to_target)))


@pytest.mark.parametrize("task", TASKS)
def test_observations_do_not_change_behind_ones_back(task):
    env = make_env(task, 3)
    first, _ = env.reset(seed=0)
    kept = first.copy()
    second, *_ = env.step(np.ones(2))
    third = second.copy()
    env.step(np.ones(2))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(second, third)


# ---- rewards


@pytest.mark.parametrize(
    ("forward", "reward"), [(-0.05, 0), (0, 0), (0.05, 0.5), (0.09, 0.9), (0.1, 1), (0.4, 1), (-3, 0)]
)
@pytest.mark.parametrize("heading", [0.0, 2.2])
def test_swim_pays_the_heads_speed_along_where_it_looks(forward, reward, heading):
    env = SwimEnv(3)
    velocity = rotation(heading) @ (0.3, -forward)
    place(env, heading=heading, velocities=(*velocity, 0, 0, 0))
    assert env.forward_speed == pytest.approx(forward, abs=1e-9)
    assert env._reward() == pytest.approx(reward, abs=1e-9)


@pytest.mark.parametrize("desired", [0.05, 0.1, 0.3])
def test_each_step_pays_for_the_speed_at_its_end(desired):
    env = SwimEnv(6, desired)
    env.reset(seed=1)
    seen, rewards = roll(env, actions(80, 5))
    np.testing.assert_allclose(rewards, np.clip(-seen[:, 5 + 1] / desired, 0, 1), atol=1e-6)
    assert len(np.unique(rewards)) > 20


def tail(distance):
    """dm_control's tolerance with a long tail: 1 up to 0.1 m, 0.1 half a metre beyond."""
    beyond = np.maximum(distance - 0.1, 0) / 0.5
    return 1 / (1 + beyond**2 * (1 / 0.1 - 1))


@pytest.mark.parametrize("distance", [0, 0.05, 0.1, 0.1001, 0.2, 0.6, 1.1, 3.0])
def test_navigate_pays_by_the_distance_of_the_nose(distance):
    env = NavigateEnv(4)
    place(env, target=(0.6 * distance, 0.8 * distance - 0.06))
    assert env._reward() == pytest.approx(tail(distance), abs=1e-9)


def test_navigates_rewards_belong_to_the_observations():
    env = NavigateEnv(6)
    env.reset(seed=8)
    seen, rewards = roll(env, actions(60, 5))
    np.testing.assert_allclose(rewards, tail(np.hypot(*seen[:, 5:7].T)), atol=1e-6)


# ---- physics


def test_mirrored_swimmer_with_mirrored_torques_swims_the_mirrored_way():
    ends = []
    for sign in (1, -1):
        env = SwimEnv(4)
        place(env, sign * 0.2, 0.1, sign * 0.5, sign * np.array([0.3, -0.5, 0.8]))
        roll(env, sign * actions(30, 3))
        ends.append(env.data.qpos * np.where(np.arange(6) == 1, 1, sign))
    np.testing.assert_allclose(*ends, atol=1e-9)


def test_place_and_heading_do_not_matter():
    def seen(*pose):
        env = SwimEnv(4)
        place(env, *pose, joints=[0.3, -0.5, 0.8])
        return roll(env, actions(30, 3))[0]

    np.testing.assert_allclose(seen(0, 0, 0), seen(1.3, -0.4, 2.0), atol=1e-5)


def test_actions_are_clipped_and_held_for_30_ms():
    env, other = SwimEnv(3), SwimEnv(3)
    for each in (env, other):
        each.reset(seed=0)
    roll(env, np.array([[5.0, -0.2]]))
    roll(other, np.array([[1.0, -0.2]]))
    np.testing.assert_array_equal(env.data.qpos, other.data.qpos)
    assert env.data.time == pytest.approx(0.03)


# ---- episodes


@pytest.mark.parametrize("task", TASKS)
def test_reset_distributions(task):
    env = make_env(task, 4)
    env.reset(seed=0)
    poses, targets = np.empty((2000, 6)), np.empty((2000, 2))
    for i in range(2000):
        env.reset()
        poses[i] = env.data.qpos
        assert not env.data.qvel.any()
        if task == "navigate":
            targets[i] = env.state()["target"]
    assert not poses[:, :2].any()
    for column, limit in ((2, np.pi), (3, np.pi / 2), (4, np.pi / 2), (5, np.pi / 2)):
        assert kstest(poses[:, column], "uniform", (-limit, 2 * limit)).pvalue > 1e-3
    assert np.abs(np.corrcoef(poses[:, 2:].T) - np.eye(4)).max() < 0.1
    if task == "navigate":
        near = np.abs(targets).max(1) < 0.3
        assert np.abs(targets).max() < 2
        assert near.mean() == pytest.approx(0.2 + 0.8 * 0.15**2, abs=0.04)
        for column in targets.T:
            assert kstest(column, lambda x: 0.2 * np.clip((x + 0.3) / 0.6, 0, 1) + 0.2 * (x + 2)).pvalue > 1e-3


@pytest.mark.parametrize("task", TASKS)
def test_episode_is_truncated_after_1000_steps_at_time_one(task):
    env = make_env(task, 3)
    first, _ = env.reset(seed=0)
    assert first[-1] == -1
    steps = [env.step(np.zeros(2)) for _ in range(1000)]
    assert [step[3] for step in steps] == [False] * 999 + [True]
    assert not any(step[2] for step in steps)
    np.testing.assert_allclose([step[0][-1] for step in steps], 2 * np.arange(1, 1001) / 1000 - 1, atol=1e-6)
    assert env.reset()[0][-1] == -1
    assert not env.step(np.zeros(2))[3]


def test_episodes_may_be_cut_short():
    env, whole = make_env("swim", 3, seed=0), make_env("swim", 3, seed=0)
    env.episode_steps = 4
    observations = [one.reset()[0] for one in (env, whole)]
    np.testing.assert_array_equal(*observations)
    steps = [[one.step(np.ones(2)) for _ in range(4)] for one in (env, whole)]
    assert [[step[3] for step in some] for some in steps] == [[False, False, False, True], [False] * 4]
    np.testing.assert_array_equal(*([step[0] for step in some] for some in steps))


@pytest.mark.parametrize("task", TASKS)
def test_seeds_decide_the_episode(task):
    def start(given, **options):
        return make_env(task, 4, **options).reset(seed=given)[0]

    np.testing.assert_array_equal(start(5), start(5))
    assert (start(5) != start(6)).any()
    np.testing.assert_array_equal(start(None, seed=5), start(5))
    np.testing.assert_array_equal(start(6, seed=5), start(6))
    env, other = make_env(task, 4, seed=5), make_env(task, 4, seed=5)
    starts = [env.reset()[0] for _ in range(3)]
    np.testing.assert_array_equal(starts, [other.reset()[0] for _ in range(3)])
    assert (starts[0] != starts[1]).any()
    np.testing.assert_array_equal(roll(env, actions(9, 3))[0], roll(other, actions(9, 3))[0])


def through_pickle(state):
    return pickle.loads(pickle.dumps(state))


def through_json(state):
    text = json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in state.items()})
    return {key: np.array(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}


@pytest.mark.parametrize("saved", [copy.deepcopy, through_pickle, through_json])
@pytest.mark.parametrize("before", [0, 1, 37])
@pytest.mark.parametrize("task", TASKS)
def test_restored_episode_continues_bit_for_bit(task, before, saved):
    env = make_env(task, 5)
    env.reset(seed=2)
    observation = env._observe() if before == 0 else roll(env, actions(before, 4))[0][-1]
    state = saved(env.state())
    expected = roll(env, actions(40, 4, seed=1))
    following = env.reset()[0]
    for other in (env, make_env(task, 5)):
        other.reset(seed=99)
        np.testing.assert_array_equal(other.restore(state), observation)
        for found, wanted in zip(roll(other, actions(40, 4, seed=1)), expected):
            np.testing.assert_array_equal(found, wanted)
        assert other.t == before + 40
        np.testing.assert_array_equal(other.reset()[0], following)


def test_two_navigators_have_targets_of_their_own():
    one, two = NavigateEnv(3), NavigateEnv(3)
    one.reset(seed=0)
    target = one.state()["target"]
    two.reset(seed=1)
    np.testing.assert_array_equal(one.state()["target"], target)


# ---- gymnasium


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", TASKS)
def test_gymnasiums_own_checks(task):
    check_env(make_env(task, 4), skip_render_check=True)


@pytest.mark.parametrize(("name", "kind"), [("Swim", SwimEnv), ("Navigate", NavigateEnv)])
def test_gymnasium_makes_the_tasks_by_name(name, kind):
    name = f"ncap_swimmer/{name}-v0"
    env = gymnasium.make(name, n_links=4)
    assert type(env.unwrapped) is kind
    assert env.reset(seed=1)[0].shape == (observation_size(4, env.unwrapped.task),)
    assert env.spec.id == name
    made = [gymnasium.make_vec(name, 2, vectorization_mode="sync").reset(seed=4)[0] for _ in range(2)]
    np.testing.assert_array_equal(*made)


def test_gymnasium_knows_the_names_in_whatever_order_it_is_imported():
    for order, name in (
        (
            "ncap_swimmer, sys; assert not {'numpy', 'gymnasium'} & sys.modules.keys(); import gymnasium",
            "ncap_swimmer/Swim-v0",
        ),
        ("gymnasium, ncap_swimmer", "ncap_swimmer/Swim-v0"),
        ("gymnasium", "ncap_swimmer:ncap_swimmer/Swim-v0"),
    ):
        done = python("-c", f"import {order}; print(gymnasium.make({name!r}).unwrapped.n_links)")
        assert done.out == "6\n", done.err.splitlines()[-1]


# ---- bad input


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"task": "fly"}, "'swim' or 'navigate'"),
        ({"n_links": 2}, "at least 3 links"),
        ({"task": "navigate", "n_links": 1}, "at least 3 links"),
        ({"desired_speed": 0.0}, "positive"),
        ({"desired_speed": -0.1}, "positive"),
        ({"desired_speed": float("nan")}, "positive"),
        ({"desired_speed": float("inf")}, "positive"),
        ({"n_links": 491}, "at most 490 links"),
        ({"task": "navigate", "desired_speed": -1.0}, "setting of swim"),
    ],
)
def test_bad_options(unchecked, options, remedy):
    with pytest.raises(ValueError, match=remedy):
        make_env(**options)


@pytest.mark.parametrize("action", [np.zeros(4), np.zeros(6), np.zeros((1, 5)), np.float64(0)])
def test_actions_of_another_size(unchecked, action):
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"5 joints, so an action is \(5,\)"):
        env.step(action)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_actions_that_are_not_finite(bad):
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="not finite"):
        env.step(np.array([0, bad, 0, 0, 0]))
