"""The two tasks, swim and navigate, as gymnasium environments on MuJoCo."""

import math
from abc import abstractmethod
from functools import cached_property
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .body import CONTROL_STEPS, NOSE, PHYSICS_TIMESTEP, TARGET_RADIUS, joint_limit, swimmer_xml
from .rendering import make_renderer
from .tasks import DESIRED_SPEED, EPISODE_STEPS, Task

try:
    import mujoco
except RuntimeError as error:  # of MUJOCO_GL, at which it looks when it is imported
    raise ValueError(f"MuJoCo does not start: {error}; unset MUJOCO_GL, or set it to egl, osmesa or glfw") from None

Observation: TypeAlias = NDArray[np.float32]
Action: TypeAlias = NDArray[np.floating]


class SwimmerEnv(gymnasium.Env[Observation, Action]):
    """A swimmer of `n_links` links; one step is 30 ms, an episode `episode_steps`, 1000, after which it is truncated.

    An observation is one vector: joint angles [J] in radians, what the task adds, the velocities of every link in its
    own frame (vx, vy, turning rate) [3 (J + 1)], and with `time_feature` the time of the episode as a number from -1
    to 1 (`2 t / 1000 - 1`). An action is J torques in [-1, 1], clipped.

    Args:
        n_links: Links of the body, at least 3; J = n_links - 1.
        time_feature: Append the time to observations.
        render_mode: `rgb_array` to let `render` draw.
        seed: Seed of the first episode, when `reset` gives none.

    Raises:
        ValueError: if there are fewer than 3 links.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / (PHYSICS_TIMESTEP * CONTROL_STEPS))}  # noqa: RUF012 (gymnasium's own attribute)
    task: Task
    task_observations = 0

    def __init__(
        self, n_links: int = 6, *, time_feature: bool = True, render_mode: str | None = None, seed: int | None = None
    ) -> None:
        self.model = mujoco.MjModel.from_xml_string(swimmer_xml(n_links, target=self.task == "navigate"))
        self.data = mujoco.MjData(self.model)
        self.n_links, self.n_joints = n_links, n_links - 1
        self.joint_limit = joint_limit(n_links)
        self.time_feature = time_feature
        self.render_mode = render_mode
        self.t, self.episode_steps = 0, EPISODE_STEPS
        self._seed = seed
        self._renderer: mujoco.Renderer | None = None
        size = self.n_joints + self.task_observations + 3 * n_links + int(time_feature)
        self.n_observations = size
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = spaces.Box(-1, 1, (self.n_joints,), np.float32)
        data = self.data
        # Sensors are read once a control step; until then they need not be computed.
        self._sensed = self.model.opt.disableflags
        self._unsensed = self._sensed | int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
        self._angles, self._torques = data.qpos[3:], data.ctrl
        self._velocities = data.sensordata.reshape(n_links, 6)
        self._observed = np.zeros(size, np.float32)
        first = self.n_joints + self.task_observations
        links = self._observed[first : first + 3 * n_links].reshape(n_links, 3)
        # Views, made once: slicing anew costs more than copying.
        self._copies = (
            (self._observed[: self.n_joints], self._angles),
            (links[:, :2], self._velocities[:, :2]),
            (links[:, 2], self._velocities[:, 5]),
        )

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002 (gymnasium's signature)
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: any heading, joints uniform within their range, at rest."""
        super().reset(seed=self._seed if seed is None else seed)
        self._seed = None
        self.t = 0
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[2] = self.np_random.uniform(-math.pi, math.pi)
        self._angles[:] = self.np_random.uniform(-self.joint_limit, self.joint_limit, self.n_joints)
        self._reset_task()
        mujoco.mj_forward(self.model, self.data)
        return self._observe(), {}

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold the torques for one control step.

        Raises:
            ValueError: if the action has another size or is not finite.
        """
        action = np.asarray(action)
        if action.shape != self._torques.shape:
            raise ValueError(
                f"this body has {self.n_joints} joints, so an action is ({self.n_joints},), not {action.shape}"
            )
        if not math.isfinite(np.add.reduce(action)):  # a sum is finite only if all its numbers are
            raise ValueError(f"the action at step {self.t} is not finite: {action}")
        self._torques[:] = action  # MuJoCo clips them to the motors' range
        # As dm_control steps: the last half step brings the sensors to the state that the agent sees.
        model, data = self.model, self.data
        model.opt.disableflags = self._unsensed
        mujoco.mj_step2(model, data)
        mujoco.mj_step(model, data, CONTROL_STEPS - 1)
        model.opt.disableflags = self._sensed
        mujoco.mj_step1(model, data)
        self.t += 1
        return self._observe(), self._reward(), False, self.t >= self.episode_steps, {}

    @property
    def forward_speed(self) -> float:
        """Speed of the head in the direction it looks, in metres a second."""
        return -float(self._velocities[0, 1])

    def state(self) -> dict[str, Any]:
        """Everything that decides the future, as arrays and plain values: put it back with `restore`."""
        physics = np.empty(mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(self.model, self.data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        return {"physics": physics, "t": self.t, "random": self.np_random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> Observation:
        """Return to what `state` gave; the next steps are then the same, bit for bit."""
        mujoco.mj_setState(self.model, self.data, state["physics"], mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_step1(self.model, self.data)
        self.t = state["t"]
        self.np_random.bit_generator.state = state["random"]
        return self._observe()

    def render(self) -> NDArray[np.uint8]:
        """A picture of the swimmer from above, (height, width, 3).

        Raises:
            ValueError: if MuJoCo finds no renderer on this machine.
        """
        if self._renderer is None:
            self._renderer = make_renderer(self.model)
        self._renderer.update_scene(self.data, "above")
        return self._renderer.render()

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    @abstractmethod
    def _reward(self) -> float: ...

    def _reset_task(self) -> None:
        """What a task draws at the start of an episode."""

    def _observe_task(self) -> NDArray[np.float64]:
        """What a task adds to the observation."""
        return np.empty(0)

    def _observe(self) -> Observation:
        observed = self._observed
        for seen, measured in self._copies:
            seen[...] = measured
        if self.task_observations:
            observed[self.n_joints : self.n_joints + self.task_observations] = self._observe_task()
        if self.time_feature:
            observed[-1] = 2 * self.t / EPISODE_STEPS - 1
        return observed.copy()


class SwimEnv(SwimmerEnv):
    """Swim forwards: reward clip(v / desired_speed, 0, 1), with v the speed of the head in the direction it looks.

    Raises:
        ValueError: if `desired_speed` is not positive.
    """

    task = "swim"

    def __init__(
        self,
        n_links: int = 6,
        desired_speed: float = DESIRED_SPEED,
        *,
        time_feature: bool = True,
        render_mode: str | None = None,
        seed: int | None = None,
    ) -> None:
        if not (math.isfinite(desired_speed) and desired_speed > 0):
            raise ValueError(f"desired_speed must be positive, not {desired_speed}")
        self.desired_speed = desired_speed
        super().__init__(n_links, time_feature=time_feature, render_mode=render_mode, seed=seed)

    def _reward(self) -> float:
        return min(max(self.forward_speed / self.desired_speed, 0.0), 1.0)


class NavigateEnv(SwimmerEnv):
    """Bring the nose to a target: reward 1 within its radius, with a long tail to 0.1 at five radii beyond its edge.

    The observation adds, after the joints, where the target is from the nose in the head's frame [2], in metres; the
    head looks along -y. Targets lie within 2 m of the origin along each axis, one in five within 0.3 m.
    """

    task = "navigate"
    task_observations = 2

    @cached_property
    def _target(self) -> NDArray[np.float64]:
        """Where the target is in the world: a view of the model."""
        position: NDArray[np.float64] = self.model.geom("target").pos
        return position

    def _reset_task(self) -> None:
        reach = 0.3 if self.np_random.uniform() < 0.2 else 2.0
        self._target[:2] = self.np_random.uniform(-reach, reach, 2)

    def _observe_task(self) -> NDArray[np.float64]:
        orientation = self.data.xmat[1].reshape(3, 3)
        nose = self.data.xpos[1] + NOSE * orientation[:, 1]
        return ((self._target - nose) @ orientation)[:2]

    def _reward(self) -> float:
        beyond = (math.hypot(*self._observe_task()) - TARGET_RADIUS) / (5 * TARGET_RADIUS)
        return 1.0 if beyond <= 0 else 1 / (1 + 9 * beyond**2)

    def state(self) -> dict[str, Any]:
        """As every swimmer's, and where the target is."""
        return {**super().state(), "target": self._target[:2].copy()}

    def restore(self, state: dict[str, Any]) -> Observation:
        """As every swimmer's."""
        self._target[:2] = state["target"]
        return super().restore(state)


def make_env(
    task: Task = "swim",
    n_links: int = 6,
    *,
    desired_speed: float = DESIRED_SPEED,
    time_feature: bool = True,
    render_mode: str | None = None,
    seed: int | None = None,
) -> SwimmerEnv:
    """One of the two tasks; gymnasium knows them as `ncap_swimmer/Swim-v0` and `ncap_swimmer/Navigate-v0`.

    Args:
        task: `swim` or `navigate`.
        n_links: Links of the body, at least 3.
        desired_speed: Speed that *swim* pays in full, in metres a second.
        time_feature: Append the time to observations; the circuit reads its oscillator's clock there.
        render_mode: `rgb_array` to draw.
        seed: Seed of the first episode.

    Raises:
        ValueError: if the task is unknown, a number is out of range, or *navigate* is to pay for a speed.
    """
    if task == "navigate" and desired_speed != DESIRED_SPEED:
        raise ValueError(
            f"desired_speed is a setting of swim, not of navigate, which pays for no speed: {desired_speed}"
        )
    if task == "swim":
        return SwimEnv(n_links, desired_speed, time_feature=time_feature, render_mode=render_mode, seed=seed)
    if task == "navigate":
        return NavigateEnv(n_links, time_feature=time_feature, render_mode=render_mode, seed=seed)
    raise ValueError(f"task must be 'swim' or 'navigate', not {task!r}")
