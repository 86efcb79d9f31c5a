"""The problems, one class each, and their names."""

from importlib import import_module

from .problem import PROBLEMS, AnyProblem

SHIPPED = {
    "tsp": "tsp.TSP",
    "atsp": "atsp.ATSP",
    "cvrp": "cvrp.CVRP",
    "ovrp": "cvrp.OVRP",
    "mtsp": "mtsp.MTSP",
    "op": "prizes.OP",
    "pctsp": "prizes.PCTSP",
    "spctsp": "prizes.SPCTSP",
    "kp": "knapsack.KP",
    "mis": "independent_set.MIS",
}
"""Module and factory of each problem of the paper."""


def get_problem(name: str) -> AnyProblem:
    """The problem of that name.

    Raises:
        ValueError: if there is none; the sentence lists those there are.
    """
    if name in PROBLEMS:
        return PROBLEMS[name]()
    if name not in SHIPPED:
        raise ValueError(f"there is no problem '{name}'; the problems are {', '.join([*SHIPPED, *PROBLEMS])}")
    module, factory = SHIPPED[name].split(".")
    problem: AnyProblem = getattr(import_module(f".{module}", __name__), factory)()
    return problem
