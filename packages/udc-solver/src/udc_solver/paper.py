"""What Zheng et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

PROBLEMS = ("tsp", "atsp", "cvrp", "ovrp", "mtsp", "op", "pctsp", "spctsp", "kp", "mis")
"""The paper's ten problems."""


def _is_superior(m: Mapping[str, float]) -> bool:
    return (
        m["tsp"] <= 0.95 * m["tsp_nearest"]
        and m["tsp"] <= 0.97 * m["tsp_divided"]
        and m["tsp"] <= 0.97 * m["tsp_untrained"]
        and m["kp"] >= 0.99 * m["kp_ratio"]
        and m["kp"] > m["kp_random"]
        and m["mis"] >= m["mis_random_order"]
    )


def _is_general(m: Mapping[str, float]) -> bool:
    return all(m[name] == 1 for name in PROBLEMS) and m["damaged"] == 0


PAPER = Paper(
    name="udc-solver",
    short="UDC",
    title=("UDC: A Unified Neural Divide-and-Conquer Framework for Large-Scale Combinatorial Optimization Problems"),
    year=2024,
    authors=("Zhi Zheng", "Changliang Zhou", "Xialiang Tong", "Mingxuan Yuan", "Zhenkun Wang"),
    venue="NeurIPS",
    arxiv="2407.00312",
    field="Combinatorial optimization",
    claims=(
        Claim(
            "general",
            "One framework for general large-scale problems, without heuristics of any of them",
            metric="share of random instances with a feasible solution, in the eyes of an independent evaluator",
            paper=dict.fromkeys((*PROBLEMS, "damaged")),
            labels={
                "tsp": "TSP",
                "atsp": "ATSP",
                "cvrp": "CVRP",
                "ovrp": "OVRP",
                "mtsp": "min-max mTSP",
                "op": "OP",
                "pctsp": "PCTSP",
                "spctsp": "SPCTSP",
                "kp": "KP",
                "mis": "MIS",
                "damaged": "solutions damaged on purpose, all problems",
            },
            criterion="all solutions of all ten problems are feasible, and none that is damaged on purpose",
            holds=_is_general,
            note="Untrained networks: whether a solution is feasible must not depend on what they have learned.",
        ),
        Claim(
            "reunion",
            "Divide-Conquer-Reunion training eliminates the negative impact of a sub-optimal dividing policy",
            metric="mean tour length on test instances of the TSP; the same instances for all",
            paper=dict.fromkeys(("dcr", "no_reunion", "no_reunion_steps", "untrained")),
            labels={
                "dcr": "trained with reunion",
                "no_reunion": "trained without, with as many conquering rounds in all",
                "no_reunion_steps": "trained without, with as many steps",
                "untrained": "not trained",
            },
            criterion="not longer than without reunion, and shorter than without training",
            holds=lambda m: m["dcr"] <= m["no_reunion"] and m["dcr"] < m["untrained"],
            note=(
                "Without reunion, there are twice as many steps of one round each, so that the conqueror is updated as "
                "often and the divider twice as often; with as many steps, the conqueror is updated half as often. The "
                "first of the two decides."
            ),
        ),
        Claim(
            "unified",
            "Separate training of dividing and conquering ignores that they depend on each other",
            metric="mean tour length on test instances of the TSP; the same instances for all",
            paper=dict.fromkeys(("joint", "separate", "nearest", "insertion")),
            labels={
                "joint": "trained jointly",
                "separate": "conqueror trained with an untrained divider, then the divider",
                "nearest": "nearest-neighbor rule in place of the joint training's divider",
                "insertion": "random insertion in its place",
            },
            criterion="not longer than with separate training",
            holds=lambda m: m["joint"] <= m["separate"],
            note=(
                "Each network is updated as often in the separate training as in the joint one, which takes more "
                "computing in all. The last two rows change the divider of the jointly trained solver at the test."
            ),
        ),
        Claim(
            "efficient",
            "A high-efficiency network for dividing, and a solver of sub-paths of fixed length for conquering",
            metric="exponent of growth with the number of nodes: CPU seconds, and numbers held",
            paper=dict.fromkeys(("conquer", "divide", "heat_map", "dense")),
            labels={
                "conquer": "seconds of a conquering round",
                "divide": "seconds of the division",
                "heat_map": "numbers of the sparse heat map",
                "dense": "numbers of a dense heat map",
            },
            criterion="conquering grows with an exponent of at most 1.2, the sparse heat map of at most 1.1",
            holds=lambda m: m["conquer"] <= 1.2 and m["heat_map"] <= 1.1,
            note="Slopes of straight lines through the logarithms.",
        ),
        Claim(
            "superior",
            "It achieves superior performance in 10 representative large-scale problems",
            metric="TSP: mean tour length; KP: mean value; MIS: mean number of nodes",
            paper=dict.fromkeys(
                (
                    "tsp",
                    "tsp_divided",
                    "tsp_untrained",
                    "tsp_nearest",
                    "tsp_insertion",
                    "tsp_two_opt",
                    "kp",
                    "kp_ratio",
                    "kp_exact",
                    "kp_random",
                    "mis",
                    "mis_untrained",
                    "mis_random_order",
                    "mis_min_degree",
                )
            ),
            labels={
                "tsp": "TSP: UDC",
                "tsp_divided": "TSP: its heat map alone",
                "tsp_untrained": "TSP: its heat map and an untrained conqueror",
                "tsp_nearest": "TSP: nearest neighbor",
                "tsp_insertion": "TSP: random insertion",
                "tsp_two_opt": "TSP: 2-opt from nearest neighbor",
                "kp": "KP: UDC",
                "kp_ratio": "KP: value per weight",
                "kp_exact": "KP: optimum",
                "kp_random": "KP: random order",
                "mis": "MIS: UDC",
                "mis_untrained": "MIS: untrained UDC",
                "mis_random_order": "MIS: random order",
                "mis_min_degree": "MIS: minimum degree",
            },
            criterion=(
                "TSP: at least 5 % shorter than nearest neighbor, 3 % shorter than the heat map alone and than with an "
                "untrained conqueror; KP: at least 99 % of the greedy rule, and more than in random order; MIS: at "
                "least as many nodes as in random order"
            ),
            holds=_is_superior,
            note=(
                "Three of the ten problems, with networks that are trained for about a minute each; the paper's "
                "solvers are trained for days, and compared with specialized solvers on instances of up to 10,000 "
                "nodes. Every rule starts as often as UDC does, and its best solution counts."
            ),
        ),
    ),
)
