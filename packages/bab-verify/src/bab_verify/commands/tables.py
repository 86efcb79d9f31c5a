"""The command `tables`."""

import time
from collections.abc import Callable

from bab_verify.operators.convex import Exp, Log, Reciprocal, Sqrt, Square
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.product import Product
from bab_verify.operators.relaxation import Nonlinear
from bab_verify.operators.s_shaped import Erf, Sigmoid, Tanh
from bab_verify.search.branching_points import cached_branching_table
from separata.output import Output
from separata.progress import Reporter

OPERATIONS: dict[str, Callable[[], Nonlinear]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "erf": Erf,
    "sin": Sin,
    "gelu": Gelu,
    "gelu-tanh": TanhGelu,
    "exp": Exp,
    "square": Square,
    "reciprocal": Reciprocal,
    "log": Log,
    "sqrt": Sqrt,
    "mul": Product,
}
"""Operations that a table may be built for."""


def tables(action: str, ops: str, step: float | None) -> Output:
    """Build tables of branching points, each kept in the cache."""
    if action != "build":
        raise ValueError(f"tables can be built, not '{action}'")
    names = [name.strip() for name in ops.split(",")]
    for name in names:
        if name not in OPERATIONS:
            raise ValueError(f"there is no table for '{name}', but for {', '.join(OPERATIONS)}")
    if step is not None and not 0.01 <= step <= 1:
        raise ValueError(f"the step must be from 0.01 to 1, not {step}")
    rows, lines = [], []
    for name in Reporter().track(names, "tables"):
        operator = OPERATIONS[name]()
        for index in range(operator.arity):
            started = time.monotonic()
            table = cached_branching_table([(operator, index)], step)
            seconds = time.monotonic() - started
            label = name if operator.arity == 1 else f"{name}, input {index}"
            size = list(table.fractions.shape)
            rows.append({"operation": name, "input": index, "size": size, "step": table.step, "seconds": seconds})
            lines.append(f"{label}: {' x '.join(map(str, size))} points, steps of {table.step:g}, {seconds:.1f} s")
    return Output({"tables": rows}, "\n".join(lines))
