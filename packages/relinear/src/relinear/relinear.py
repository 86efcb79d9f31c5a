"""The second step of ReLinear: the quadratic parameters move less than the regular ones.

The first step is where they begin, `init="relinear"` of the layers. Both are needed: a network that begins as a
conventional one and trains its quadratic parameters at the full rate still diverges where it is deep.
"""

from collections.abc import Iterator
from typing import Any, get_args

import torch
from torch import Tensor, nn

from .configs import ALPHA, GAMMA, Norm
from .layer import GATING, POWER, REFERENCE, required_layers


def param_groups(
    model: nn.Module,
    lr: float,
    gamma_g: float | None = None,
    gamma_b: float | None = None,
    weight_decay: float | None = None,
    *,
    decay_quadratic: bool = False,
) -> list[dict[str, Any]]:
    """Parameter groups for any optimizer, with lower learning rates for the quadratic parameters: ReLinear^sg.

    `torch.optim.SGD(param_groups(model, lr=0.1), momentum=0.9)` trains W_r, b_r and all that is not quadratic at
    the rate `lr`, W_g and b_g at `gamma_g * lr`, and W_b and b_b at `gamma_b * lr`. At 0 the network stays the
    conventional one, at 1 training is plain. Since it is the rate that is lower, the same is true of Adam and its kin,
    and schedulers keep the ratios.

    Args:
        model: A network with quadratic layers.
        lr: Learning rate.
        gamma_g: Share of it for the gating map, from 0 to 1; 0.01 if not given.
        gamma_b: Share of it for the power term, from 0 to 1; 0.01 if not given.
        weight_decay: Of the regular group; the optimizer's own if not given. Quadratic parameters are not decayed in
            either case.
        decay_quadratic: Also decay W_g, W_b and b_b, by the given weight decay. Never b_g, whose reference is 1:
            decayed to 0, it would switch the layer off.

    Returns:
        Groups "regular", "g" and "b", without those that would be empty; with `decay_quadratic`, b_g is a group of its
        own.

    Raises:
        ValueError: if a share is not in [0, 1], the rate or the decay is negative, `decay_quadratic` has no decay, the
            network has no quadratic layer, or `gamma_g` is given for compact neurons, which have no gating map.
    """
    if not lr >= 0 or not (weight_decay is None or weight_decay >= 0):
        raise ValueError(f"learning rate and weight decay must not be negative, not {lr} and {weight_decay}")
    if decay_quadratic and weight_decay is None:
        raise ValueError("decay_quadratic needs the weight decay: give weight_decay to param_groups")
    layers = required_layers(model).values()
    gating, power = _parameters(model, GATING), _parameters(model, POWER)
    if gamma_g is not None and not gating:
        raise ValueError("gamma_g is the rate of the gating map, which compact neurons do not have; give gamma_b alone")
    rates = {"g": GAMMA if gamma_g is None else gamma_g, "b": GAMMA if gamma_b is None else gamma_b}
    _check_shares("gamma", rates)
    quadratic = {id(one) for one in (*gating, *power)}
    regular = [one for one in model.parameters() if id(one) not in quadratic]
    decay = weight_decay if decay_quadratic and weight_decay else 0.0
    biases = {id(layer.bias_g) for layer in layers} if decay else set()
    groups: list[tuple[str, list[nn.Parameter], float, float | None]] = [
        ("regular", regular, lr, weight_decay),
        ("g", [one for one in gating if id(one) not in biases], rates["g"] * lr, decay),
        ("bias_g", [one for one in gating if id(one) in biases], rates["g"] * lr, 0.0),
        ("b", power, rates["b"] * lr, decay),
    ]
    return [
        {"params": params, "lr": rate, "name": name} | ({} if wd is None else {"weight_decay": wd})
        for name, params, rate, wd in groups
        if params
    ]


class QuadraticShrinkage:
    """Pulls the quadratic parameters toward their reference after each step of the optimizer: ReLinear^sw.

        shrinkage = QuadraticShrinkage(model)
        ...
        optimizer.step()
        shrinkage.step()

    With d the difference of a parameter from its reference (0, but 1 for b_g), `l2` replaces d by alpha d, and `l1` by
    sign(d) max(|d| - (1 - alpha), 0), which leaves many differences exactly 0. At alpha = 1 nothing shrinks; at 0, `l2`
    keeps the network conventional. The abstract's code names these two variants, but their formulas are ours.

    Args:
        model: A network with quadratic layers.
        alpha_g: What the gating map keeps in each step, from 0 to 1. Close to 1, parameters that begin to grow are
            hardly held: deep networks diverge as without. For `l1`, 1 - alpha is what is taken from each number in
            each step, so that alpha must be as close to 1 as the steps are small.
        alpha_b: What the power term keeps.
        norm: `l2` or `l1`.

    Raises:
        ValueError: if a share is not in [0, 1], the norm is another, or the network has no quadratic layer.
    """

    def __init__(self, model: nn.Module, alpha_g: float = ALPHA, alpha_b: float = ALPHA, norm: Norm = "l2") -> None:
        if norm not in get_args(Norm):
            raise ValueError(f"the norm must be {' or '.join(get_args(Norm))}, not {norm!r}")
        _check_shares("alpha", {"g": alpha_g, "b": alpha_b})
        self.alpha_g, self.alpha_b, self.norm = alpha_g, alpha_b, norm
        self._layers = list(required_layers(model).values())

    @torch.no_grad()
    def step(self) -> None:
        """Shrink once; parameters that are frozen stay as they are."""
        for layer in self._layers:
            for name, parameter in layer.quadratic_parameters():
                if not parameter.requires_grad:
                    continue
                alpha = self.alpha_g if name in GATING else self.alpha_b
                parameter.copy_(shrink(parameter, REFERENCE[name], alpha, self.norm))


def shrink(parameter: Tensor, reference: float, alpha: float | Tensor, norm: Norm) -> Tensor:
    """A parameter after it was pulled toward its reference once, as `QuadraticShrinkage` does.

    Args:
        parameter: Of any shape.
        reference: Where it is pulled to.
        alpha: What it keeps; or one for each number, where it is a tensor that can be broadcast.
        norm: `l2` or `l1`.
    """
    difference = parameter - reference
    if norm == "l2":
        return reference + alpha * difference
    return reference + difference.sign() * (difference.abs() - (1 - alpha)).clamp(min=0)


class GradientShrinkage:
    """Multiplies the gradients of the quadratic parameters before each step of SGD: the literal ReLinear^sg.

    For SGD without weight decay this is `param_groups`, and for an optimizer that already exists, it is the way to have
    it. Under Adam and its kin, which divide gradients by their own size, it would do nothing; these are refused.

    Args:
        optimizer: SGD that has the network's parameters.
        model: A network with quadratic layers.
        gamma_g: What is left of the gradients of the gating map, from 0 to 1.
        gamma_b: What is left of those of the power term.

    Raises:
        ValueError: if the optimizer is not `torch.optim.SGD` or has none of the network's quadratic parameters, a share
            is not in [0, 1], or the network has no quadratic layer.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, model: nn.Module, gamma_g: float = GAMMA, gamma_b: float = GAMMA
    ) -> None:
        if not isinstance(optimizer, torch.optim.SGD):
            raise ValueError(
                f"{type(optimizer).__name__} may scale gradients by their own size, so that shrinking them does "
                "nothing; lower the learning rates with param_groups instead"
            )
        _check_shares("gamma", {"g": gamma_g, "b": gamma_b})
        required_layers(model)
        self._shares = [(_parameters(model, GATING), gamma_g), (_parameters(model, POWER), gamma_b)]
        known = {id(one) for group in optimizer.param_groups for one in group["params"]}
        if not any(id(one) in known for parameters, _ in self._shares for one in parameters):
            raise ValueError("the optimizer has none of the network's quadratic parameters; make it after quadratize")
        self._hook = optimizer.register_step_pre_hook(self._before)

    def _before(
        self, _: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Shrink the gradients, or have the closure do so that `step` is given to compute them."""
        optimizer, *given = args
        closure = kwargs.get("closure", given[0] if given else None)
        if closure is None:
            self._shrink()
            return None

        def shrunk() -> Any:  # noqa: ANN401 - what the closure gives
            loss = closure()
            self._shrink()
            return loss

        return (optimizer,), {"closure": shrunk}

    @torch.no_grad()
    def _shrink(self) -> None:
        for parameters, gamma in self._shares:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(gamma)

    def remove(self) -> None:
        """Leave the gradients as they are from now on."""
        self._hook.remove()

    def __enter__(self) -> "GradientShrinkage":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def _parameters(model: nn.Module, names: tuple[str, ...]) -> list[nn.Parameter]:
    """The parameters of these names in all quadratic layers, each once."""

    def found() -> Iterator[nn.Parameter]:
        for layer in required_layers(model).values():
            yield from (one for name, one in layer.quadratic_parameters() if name in names)

    return list({id(one): one for one in found()}.values())


def _check_shares(name: str, shares: dict[str, float]) -> None:
    for which, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name}_{which} must be at least 0 and at most 1, not {share}")
