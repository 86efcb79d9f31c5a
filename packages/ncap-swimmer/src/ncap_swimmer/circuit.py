"""The swimming circuit: proprioception, a head oscillator, two motor neurons and two muscles a joint (section 3)."""

from numbers import Integral
from typing import Any, Literal, NamedTuple, get_args, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Init

_EXCITATORY = {"prop": True, "osc": True, "ipsi": True, "contra": False, "speed": False, "turn": True}

_OPTIONS = (
    *("n_joints", "period", "share", "signed", "init", "turn", "speed", "n_turn_joints"),
    *("proprioception", "oscillator"),
)


class CircuitActivity(NamedTuple):
    """What every cell of the circuit does in one step; each tensor is (..., joints), index 0 next to the head."""

    torques: Tensor
    dorsal_neurons: Tensor
    ventral_neurons: Tensor
    dorsal_muscles: Tensor
    ventral_muscles: Tensor
    oscillator: Tensor
    """(...,): 1 while the head oscillator drives the dorsal side, 0 while it drives the ventral side."""


class SwimmerCircuit(nn.Module):
    """A neural circuit architectural prior: the swimming circuit of *C. elegans* as a layer with four weights.

    Joint i (0 next to the head) has a dorsal and a ventral B-neuron, each excited by the bend of the joint before it
    towards its own side, the first by a square-wave oscillator instead; every neuron excites the muscle of its side
    and inhibits the other's. With g(x) = clip(x, 0, 1):

        b_d[i] = g(w_prop clip(q[i-1], 0, 1))                b_v[i] = g(w_prop clip(-q[i-1], 0, 1))        for i > 0
        b_d[0] = g(w_osc osc(t))                             b_v[0] = g(w_osc (1 - osc(t)))
        torque[i] = g(w_ipsi b_d[i] + w_contra b_v[i]) - g(w_ipsi b_v[i] + w_contra b_d[i])

    `osc(t)` is 1 in the first half of each `period` and 0 in the second. With `speed`, every neuron also gets
    w_speed (1 - speed), a brake; with `turn`, the neurons of the first `n_turn_joints` joints get w_turn right on the
    dorsal and w_turn left on the ventral side. Excitatory weights are held >= 0 and inhibitory ones <= 0 by a clamp in
    the forward pass (`signed=False` leaves them free). A weight that an optimiser moved beyond zero has no gradient
    any more: call `project_()` after each step to bring it back.

    It drives a chain of joints by position feedback; it is no prior for bodies that do not move by bending waves.

    Args:
        n_joints: Number of joints, at least 2.
        period: Steps of one oscillation, even; 60 steps of 30 ms by default.
        share: One weight a kind for the whole body (4 numbers) or one a joint and side (30 numbers for 5 joints).
        signed: Hold weights to the sign of their synapse.
        init: `constant` (+1 or -1) or `uniform` (between 0 and that). Unsigned: a random sign, and U(-1, 1).
        turn: Take `right` and `left` commands.
        speed: Take a `speed` command.
        n_turn_joints: Joints from the head that turning bends.
        proprioception: Whether joints feel the joint before them (off: an ablation).
        oscillator: Whether the head oscillates (off: an ablation).
        generator: Source of random initial weights.

    Raises:
        ValueError: if a size is out of range.
    """

    def __init__(
        self,
        n_joints: int,
        period: int = 60,
        *,
        share: bool = True,
        signed: bool = True,
        init: Init = "constant",
        turn: bool = False,
        speed: bool = False,
        n_turn_joints: int = 1,
        proprioception: bool = True,
        oscillator: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("n_joints", n_joints), ("period", period), ("n_turn_joints", n_turn_joints)):
            if not isinstance(value, Integral):
                raise ValueError(f"{name} must be a whole number, not {value!r}")
        if n_joints < 2:
            raise ValueError(f"a swimmer needs at least 2 joints, not {n_joints}")
        if period < 2 or period % 2:
            raise ValueError(f"period must be even and at least 2 steps, so that both sides get one half; not {period}")
        if not 1 <= n_turn_joints <= n_joints:
            raise ValueError(f"n_turn_joints must be between 1 and the {n_joints} joints, not {n_turn_joints}")
        if init not in get_args(Init):
            raise ValueError(f"init must be 'constant' or 'uniform', not {init!r}")
        self.n_joints, self.period, self.share, self.signed = n_joints, period, share, signed
        self.init: Init = init
        self.turn, self.speed, self.n_turn_joints = turn, speed, n_turn_joints
        self.proprioception, self.oscillator = proprioception, oscillator
        self.time = 0
        """Steps since `reset`, for calls without `t`."""
        rows = {
            "prop": n_joints - 1 if proprioception else 0,
            "osc": 1 if oscillator else 0,
            "ipsi": n_joints,
            "contra": n_joints,
            "speed": n_joints if speed else 0,
            "turn": n_turn_joints if turn else 0,
        }
        self.weight = nn.ParameterDict(
            {name: nn.Parameter(torch.empty(() if share else (n, 2))) for name, n in rows.items() if n}
        )
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew."""
        for name, weight in self.weight.items():
            uniform = torch.rand(weight.shape, generator=generator)
            if self.signed:
                size = uniform if self.init == "uniform" else torch.ones_like(uniform)
                weight.copy_(size if _EXCITATORY[name] else -size)
            else:
                signed = 2 * uniform - 1
                weight.copy_(signed if self.init == "uniform" else torch.where(signed < 0, -1.0, 1.0))

    def reset(self) -> None:
        """Begin an episode: the oscillator's own clock, used by calls without `t`, returns to 0."""
        self.time = 0

    @torch.no_grad()
    def project_(self) -> "SwimmerCircuit":
        """Move weights of the wrong sign to zero, in place, so that they have a gradient again."""
        if self.signed:
            for name in self.weight:
                self.weight[name].copy_(self.effective(name))
        return self

    def weights(self) -> dict[str, float]:
        """The weights by name, as the forward pass uses them (clamped to their sign).

        Shared: `prop`, `osc`, `ipsi`, `contra` (and `speed`, `turn`). Not shared: `prop[1].dorsal` and so on, with the
        joint that the neuron drives.
        """
        named: dict[str, float] = {}
        for name in (kind for kind in _EXCITATORY if kind in self.weight):
            values = self.effective(name).detach()
            if self.share:
                named[name] = float(values)
                continue
            first = 1 if name == "prop" else 0
            for row, sides in enumerate(values.tolist()):
                for side, value in zip(("dorsal", "ventral"), sides, strict=True):
                    named[f"{name}[{row + first}].{side}"] = value
        return named

    def for_body(self, n_joints: int) -> "SwimmerCircuit":
        """The same circuit, with a copy of its weights, for a body with another number of joints.

        Raises:
            ValueError: if the weights are not shared: those of new joints are not known.
        """
        if n_joints != self.n_joints and not self.share:
            raise ValueError(
                f"a circuit without shared weights fits its own {self.n_joints} joints only, not {n_joints}; "
                "train one with share=True"
            )
        other = SwimmerCircuit(
            **self.config() | {"n_joints": n_joints, "n_turn_joints": min(self.n_turn_joints, n_joints)}
        )
        other = other.to(self.weight["ipsi"].device, self.weight["ipsi"].dtype)
        other.load_state_dict(self.state_dict())
        return other

    def config(self) -> dict[str, Any]:
        """What to construct it again with, as plain values for JSON."""
        return {name: getattr(self, name) for name in _OPTIONS}

    @overload
    def forward(
        self,
        joints: Float[Tensor, "*batch joints"],
        t: Tensor | float | None = None,
        *,
        right: Tensor | float | None = None,
        left: Tensor | float | None = None,
        speed: Tensor | float | None = None,
        return_activity: Literal[False] = False,
    ) -> Float[Tensor, "*batch joints"]: ...

    @overload
    def forward(
        self,
        joints: Float[Tensor, "*batch joints"],
        t: Tensor | float | None = None,
        *,
        right: Tensor | float | None = None,
        left: Tensor | float | None = None,
        speed: Tensor | float | None = None,
        return_activity: Literal[True],
    ) -> CircuitActivity: ...

    def forward(
        self,
        joints: Float[Tensor, "*batch joints"],
        t: Tensor | float | None = None,
        *,
        right: Tensor | float | None = None,
        left: Tensor | float | None = None,
        speed: Tensor | float | None = None,
        return_activity: bool = False,
    ) -> Float[Tensor, "*batch joints"] | CircuitActivity:
        """Torques of all joints at once.

        Args:
            joints: (..., joints) measured joint angles over their limit, clipped to [-1, 1] here; positive is dorsal.
            t: (...) or one number: steps since the episode began, rounded here. None: the circuit's own clock, which
                this call advances by one.
            right: (...) in [0, 1], clipped here; with `turn`.
            left: As `right`.
            speed: (...) in [0, 1], clipped here; 1 is full speed, 0 stands; with `speed`.
            return_activity: Return what every cell does instead of the torques alone.

        Returns:
            (..., joints) torques in [-1, 1], or a `CircuitActivity`. A joint that is not a number makes the torques
            that depend on it not a number.

        Raises:
            ValueError: if `joints` has another number of joints, a command is missing or not expected, or has another
                shape than `joints`.
        """
        if joints.ndim == 0 or joints.shape[-1] != self.n_joints:
            raise ValueError(f"joints must be (..., {self.n_joints}) for this circuit, not {tuple(joints.shape)}")
        self._check_commands({"right": right, "left": left, "speed": speed})
        batch = joints.shape[:-1]
        if not torch.compiler.is_compiling():  # where sizes are numbers
            _check_shapes({"t": t, "right": right, "left": left, "speed": speed}, batch)
        bends = torch.stack((joints, -joints), -1).clamp(0, 1)  # (..., joint, side)
        dorsal_half = self._oscillator(t, joints).expand(batch)
        none = torch.zeros_like(bends[..., :1, :])
        head, body = none, bends[..., :-1, :]
        if self.oscillator:
            head = (self.effective("osc") * torch.stack((dorsal_half, 1 - dorsal_half), -1)[..., None, :]).expand_as(
                none
            )
        body = self.effective("prop") * body if self.proprioception else torch.zeros_like(body)
        drive = torch.cat((head, body), -2)
        if speed is not None:
            brake = 1 - torch.as_tensor(speed, dtype=joints.dtype, device=joints.device).clamp(0, 1)
            drive = drive + self.effective("speed") * brake[..., None, None]
        if right is not None and left is not None:
            sides = [
                torch.as_tensor(side, dtype=joints.dtype, device=joints.device).expand(batch) for side in (right, left)
            ]
            turn = self.effective("turn") * torch.stack(sides, -1).clamp(0, 1)[..., None, :]
            turning = turn.expand(*batch, self.n_turn_joints, 2)
            drive = torch.cat((drive[..., : self.n_turn_joints, :] + turning, drive[..., self.n_turn_joints :, :]), -2)
        neurons = drive.clamp(0, 1)
        muscles = (self.effective("ipsi") * neurons + self.effective("contra") * neurons.flip(-1)).clamp(0, 1)
        torques = muscles[..., 0] - muscles[..., 1]
        if not return_activity:
            return torques
        return CircuitActivity(torques, neurons[..., 0], neurons[..., 1], muscles[..., 0], muscles[..., 1], dorsal_half)

    def extra_repr(self) -> str:
        """The configuration, as `print` shows it."""
        return ", ".join(f"{name}={value!r}" for name, value in self.config().items())

    def effective(self, name: str) -> Tensor:
        """The weights of one kind as the forward pass uses them: clamped to the sign of their synapse; () or (n, 2)."""
        weight = self.weight[name]
        if not self.signed:
            return weight
        return weight.clamp(min=0) if _EXCITATORY[name] else weight.clamp(max=0)

    def _oscillator(self, t: Tensor | float | None, like: Tensor) -> Tensor:
        """1 in the dorsal half of the period, else 0. Rounds first: a time feature is off by a float's last digits."""
        if t is None:
            t, self.time = self.time, self.time + 1
        step = torch.as_tensor(t, device=like.device).round()
        dorsal = (torch.remainder(step, self.period) < self.period // 2).to(like.dtype)
        return dorsal + (0 * step).to(like.dtype)  # a time that is not a number is not hidden

    def _check_commands(self, given: dict[str, Tensor | float | None]) -> None:
        enabled = {"right": self.turn, "left": self.turn, "speed": self.speed}
        for name, value in given.items():
            option = "speed" if name == "speed" else "turn"
            if enabled[name] and value is None:
                raise ValueError(f"this circuit has {option}=True: give {name}= in [0, 1] at every step")
            if value is not None and not enabled[name]:
                raise ValueError(f"this circuit takes no {name}=: make it with {option}=True")


def _check_shapes(given: dict[str, Tensor | float | None], batch: torch.Size) -> None:
    """See that everything that is given can be expanded to a batch."""
    for name, value in given.items():
        if not isinstance(value, Tensor):
            continue
        sizes = zip(reversed(value.shape), reversed(batch), strict=False)
        if value.ndim > len(batch) or not all(own in {1, size} for own, size in sizes):
            raise ValueError(
                f"{name} must be one number or {tuple(batch)}, one for each row of joints, not {tuple(value.shape)}"
            )
