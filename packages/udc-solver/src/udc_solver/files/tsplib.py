"""TSPLIB 95: `.tsp`, `.atsp`, and the `.vrp` files that CVRPLIB has in the same format."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from separata import files
from udc_solver.evaluation import Distance

from .text import numbers, read_text, whole

MOST_PLACES = 200_000
"""Places beyond which a file is refused."""
MOST_IN_MATRIX = 8_000
"""Places beyond which an explicit matrix is refused."""
LISTS = ("NODE_COORD_SECTION", "DISPLAY_DATA_SECTION", "EDGE_WEIGHT_SECTION", "DEMAND_SECTION", "DEPOT_SECTION")
IGNORED = ("FIXED_EDGES_SECTION", "TOUR_SECTION")


@dataclass(frozen=True)
class TsplibProblem:
    """What a TSPLIB file holds.

    Args:
        name: Name of the problem.
        kind: TSP, ATSP or CVRP.
        weights: How distances come from coordinates, EUC_2D for example, or EXPLICIT.
        points: Coordinates of the places, [n, 2]; of a problem with a matrix only for pictures, or None.
        matrix: Distances, [n, n], where they are explicit.
        demands: Demand of each place, [n], of a CVRP.
        capacity: What a vehicle holds, of a CVRP.
    """

    name: str
    kind: str
    weights: str
    points: Float[np.ndarray, "n 2"] | None = None
    matrix: Float[np.ndarray, "n n"] | None = None
    demands: Float[np.ndarray, " n"] | None = None
    capacity: float | None = None

    @property
    def n(self) -> int:
        """Number of places."""
        held = self.matrix if self.matrix is not None else self.points
        return 0 if held is None else len(held)

    def distance(self) -> Distance:
        """Distances as TSPLIB defines them, rounded where it rounds, from place to place, counted from 0."""
        if self.matrix is not None:
            matrix = self.matrix
            return lambda i, j: float(matrix[i, j])
        if self.points is None:
            raise ValueError(f"{self.name} has neither coordinates nor a matrix")
        places = [(float(x), float(y)) for x, y in self.points]
        measure = WEIGHTS[self.weights]
        return lambda i, j: measure(places[i], places[j])


Place = tuple[float, float]


def _euclidean(a: Place, b: Place) -> float:
    return float(int(math.dist(a, b) + 0.5))


def _ceiling(a: Place, b: Place) -> float:
    return float(math.ceil(math.dist(a, b)))


def _manhattan(a: Place, b: Place) -> float:
    return float(int(abs(a[0] - b[0]) + abs(a[1] - b[1]) + 0.5))


def _maximum(a: Place, b: Place) -> float:
    return float(max(int(abs(a[0] - b[0]) + 0.5), int(abs(a[1] - b[1]) + 0.5)))


def _pseudo_euclidean(a: Place, b: Place) -> float:
    exact = math.sqrt(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / 10.0)
    rounded = int(exact + 0.5)
    return float(rounded + 1 if rounded < exact else rounded)


def _radians(degrees: float) -> float:
    # TSPLIB's own value of pi, and degrees with minutes behind the point.
    whole_degrees = int(degrees)
    return 3.141592 * (whole_degrees + 5.0 * (degrees - whole_degrees) / 3.0) / 180.0


def _geographical(a: Place, b: Place) -> float:
    latitude_a, longitude_a, latitude_b, longitude_b = (_radians(value) for value in (*a, *b))
    q1 = math.cos(longitude_a - longitude_b)
    q2, q3 = math.cos(latitude_a - latitude_b), math.cos(latitude_a + latitude_b)
    return float(int(6378.388 * math.acos(min(1.0, max(-1.0, 0.5 * ((1 + q1) * q2 - (1 - q1) * q3)))) + 1.0))


WEIGHTS: dict[str, Callable[[Place, Place], float]] = {
    "EUC_2D": _euclidean,
    "CEIL_2D": _ceiling,
    "MAN_2D": _manhattan,
    "MAX_2D": _maximum,
    "ATT": _pseudo_euclidean,
    "GEO": _geographical,
    # Not TSPLIB's, but what solvers of points in the unit square write: distances are not rounded.
    "EXACT_2D": math.dist,
}
"""Distances from coordinates, by TSPLIB's names."""


def load_tsplib(path: Path) -> TsplibProblem:
    """Read a problem.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a TSPLIB file of a TSP, ATSP or CVRP, or is damaged; one sentence.
    """
    header, sections = _sections(path, read_text(path))
    if "DIMENSION" not in header:
        raise ValueError(f"{path} is not a TSPLIB file: it has no DIMENSION")
    n = whole(header["DIMENSION"], f"{path}: DIMENSION")
    if not 2 <= n <= MOST_PLACES:
        raise ValueError(f"{path} has {n} places; there must be 2 to {MOST_PLACES:,}")
    kind = header.get("TYPE", "TSP").split()[0].upper()
    if kind not in {"TSP", "ATSP", "CVRP"}:
        raise ValueError(f"{path} is a problem of type {kind}; TSP, ATSP and CVRP are read")
    weights = header.get("EDGE_WEIGHT_TYPE", "EUC_2D").upper()
    points = _points(path, n, sections)
    matrix = None
    if weights == "EXPLICIT":
        matrix = _matrix(path, n, header.get("EDGE_WEIGHT_FORMAT", "FULL_MATRIX").upper(), sections)
    elif weights not in WEIGHTS:
        raise ValueError(f"{path} has distances of type {weights}; {', '.join(WEIGHTS)} and EXPLICIT are read")
    elif points is None:
        raise ValueError(f"{path} has no NODE_COORD_SECTION")
    name = header.get("NAME", path.stem)
    if kind != "CVRP":
        return TsplibProblem(name, kind, weights, points, matrix)
    return _cvrp(path, TsplibProblem(name, kind, weights, points, matrix), header, sections)


def _cvrp(path: Path, problem: TsplibProblem, header: dict[str, str], sections: dict[str, list[str]]) -> TsplibProblem:
    n = problem.n
    if "CAPACITY" not in header or "DEMAND_SECTION" not in sections:
        raise ValueError(f"{path} is a CVRP without CAPACITY or DEMAND_SECTION")
    capacity = numbers([header["CAPACITY"]], f"{path}: CAPACITY")[0]
    rows = _rows(path, "DEMAND_SECTION", sections["DEMAND_SECTION"], n, 2)
    demands = _by_place(path, "DEMAND_SECTION", rows, n)[:, 0]
    depots = [whole(word, f"{path}: DEPOT_SECTION") for word in sections.get("DEPOT_SECTION", ["1", "-1"])]
    depots = depots[: depots.index(-1)] if -1 in depots else depots
    if depots != [1]:
        raise ValueError(f"{path} has the depots {depots}; one is read, and it must be place 1")
    return TsplibProblem(problem.name, "CVRP", problem.weights, problem.points, problem.matrix, demands, capacity)


def save_tsp(path: Path, points: Float[np.ndarray, "n 2"], name: str, weights: str = "EXACT_2D") -> None:
    """Write points as a `.tsp` file, with coordinates that are read back exactly.

    Args:
        path: The file.
        points: Coordinates, [n, 2].
        name: Name of the problem.
        weights: How distances come from coordinates; EXACT_2D, which does not round, is no type of TSPLIB's.
    """
    lines = [f"NAME : {name}", "TYPE : TSP", f"DIMENSION : {len(points)}", f"EDGE_WEIGHT_TYPE : {weights}"]
    lines += ["NODE_COORD_SECTION"]
    lines += [f"{place} {float(x)!r} {float(y)!r}" for place, (x, y) in enumerate(points, 1)]
    files.write_text(path, "\n".join([*lines, "EOF", ""]))


def _sections(path: Path, text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The header by its keywords, and the words of each section."""
    header: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        keyword = words[0].rstrip(":").upper()
        if keyword == "EOF":
            break
        if keyword in LISTS or keyword in IGNORED:
            current = sections.setdefault(keyword, [])
        elif _is_number(words[0]):
            if current is None:
                raise ValueError(f"{path}, line {number}: numbers before any section")
            current += words
        elif ":" in line:
            key, value = line.split(":", 1)
            header[key.strip().upper()] = value.strip()
            current = None
        else:
            raise ValueError(f"{path}, line {number}: {line.strip()[:60]!r} is neither a keyword nor numbers")
    return header, sections


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    # "NAN" and "INF" are numbers to Python; they are refused with their place when they are read.
    return True


def _points(path: Path, n: int, sections: dict[str, list[str]]) -> Float[np.ndarray, "n 2"] | None:
    for name in ("NODE_COORD_SECTION", "DISPLAY_DATA_SECTION"):
        if name in sections:
            return _by_place(path, name, _rows(path, name, sections[name], n, 3), n)
    return None


def _rows(path: Path, name: str, words: list[str], n: int, width: int) -> Float[np.ndarray, "n width"]:
    if len(words) != n * width:
        raise ValueError(f"{path}: {name} has {len(words)} numbers, but {n} places need {n * width}")
    return np.array(numbers(words, f"{path}: {name}")).reshape(n, width)


def _by_place(path: Path, name: str, rows: Float[np.ndarray, "n width"], n: int) -> Float[np.ndarray, "n rest"]:
    """Rows in the order of the places whose numbers they begin with."""
    order = rows[:, 0]
    if not np.array_equal(np.sort(order), np.arange(1, n + 1)):
        raise ValueError(f"{path}: {name} must have each of the places 1 to {n} once")
    return rows[np.argsort(order), 1:]


def _matrix(path: Path, n: int, layout: str, sections: dict[str, list[str]]) -> Float[np.ndarray, "n n"]:
    if n > MOST_IN_MATRIX:
        raise ValueError(f"{path} has a matrix of {n} places; at most {MOST_IN_MATRIX:,} are read")
    if "EDGE_WEIGHT_SECTION" not in sections:
        raise ValueError(f"{path} has no EDGE_WEIGHT_SECTION")
    values = np.array(numbers(sections["EDGE_WEIGHT_SECTION"], f"{path}: EDGE_WEIGHT_SECTION"))
    if layout == "FULL_MATRIX":
        places = np.indices((n, n)).reshape(2, -1)
    elif layout in LAYOUTS:
        is_upper, has_diagonal = LAYOUTS[layout]
        places = np.array((np.triu_indices if is_upper else np.tril_indices)(n, _offset(is_upper, has_diagonal)))
    else:
        raise ValueError(f"{path} has a matrix of format {layout}; FULL_MATRIX, {', '.join(LAYOUTS)} are read")
    if len(values) != places.shape[1]:
        raise ValueError(f"{path}: EDGE_WEIGHT_SECTION has {len(values)} numbers, but {layout} of {n} places has "
                         f"{places.shape[1]}")  # fmt: skip
    matrix = np.zeros((n, n))
    matrix[places[0], places[1]] = values
    if layout != "FULL_MATRIX":
        matrix[places[1], places[0]] = values
    return matrix


LAYOUTS = {
    # The columns of a lower triangle are the rows of the upper one.
    "UPPER_ROW": (True, False),
    "LOWER_COL": (True, False),
    "UPPER_DIAG_ROW": (True, True),
    "LOWER_DIAG_COL": (True, True),
    "LOWER_ROW": (False, False),
    "UPPER_COL": (False, False),
    "LOWER_DIAG_ROW": (False, True),
    "UPPER_DIAG_COL": (False, True),
}
"""Triangles of symmetric matrices: whether they are read as upper ones, row by row, and have a diagonal."""


def _offset(is_upper: bool, has_diagonal: bool) -> int:
    if has_diagonal:
        return 0
    return 1 if is_upper else -1
