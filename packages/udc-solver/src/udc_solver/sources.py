"""Instances in files of any format that is read, by the problem that they are of."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from separata import arrays

from .evaluation import Distance
from .files.dimacs import load_graph
from .files.tsplib import TsplibProblem, load_tsplib
from .files.vrplib import load_vrp
from .instances import Coordinates, Instance, Matrix, Routing, Salesmen
from .problems.problem import AnyProblem
from .selections import Networks, network_from_edges

TSPLIB = (".tsp", ".atsp")
GRAPHS = (".col", ".clq", ".mis", ".edges", ".edgelist", ".txt", ".csv")


@dataclass(frozen=True)
class FileOptions:
    """A file, and how it is read.

    Args:
        path: The file.
        n_salesmen: Of an mTSP from points alone.
        complement: Take the edges that a graph does not have.
    """

    path: Path
    n_salesmen: int | None = None
    complement: bool = False


@dataclass(frozen=True)
class Source:
    """Instances that were read.

    Args:
        instance: The instances.
        name: What the file calls them.
        tsplib: What a file of TSPLIB or CVRPLIB held: its distances are rounded as the format says.
        labels: What a file of a graph calls its nodes.
    """

    instance: Instance
    name: str
    tsplib: TsplibProblem | None = None
    labels: tuple[str, ...] = field(default=())

    @property
    def distance(self) -> Distance | None:
        """The file's own distances; None where they are those between the points."""
        return None if self.tsplib is None else self.tsplib.distance()


def load_source(problem: AnyProblem, file: FileOptions) -> Source:
    """Read instances of a problem.

    Args:
        problem: Whose instances they are.
        file: `.npz` with an array for each field of its instances; `.npy` with points or a matrix; `.tsp`, `.atsp`,
            `.vrp`; or a graph.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of another format, or makes no instance; one sentence.
    """
    path, n_salesmen = file.path, file.n_salesmen
    kind, suffix = problem.instance_type, path.suffix.lower()
    if suffix == ".npz":
        return Source(kind.load(path), path.stem)
    if kind is Networks and suffix in GRAPHS:
        graph = load_graph(path)
        graph = graph.complement() if file.complement else graph
        return Source(_checked(path, network_from_edges(graph.n, graph.edges)), graph.name, labels=graph.labels)
    if suffix == ".npy" and kind in {Coordinates, Matrix, Salesmen}:
        return Source(_from_array(kind, path, arrays.load_npy(path), n_salesmen), path.stem)
    if suffix in TSPLIB and kind in {Coordinates, Matrix, Salesmen}:
        held = load_tsplib(path)
        return Source(_from_tsplib(kind, path, held, n_salesmen), held.name, held)
    if suffix == ".vrp" and kind is Routing:
        held = load_vrp(path)
        return Source(_routing(path, held), held.name, held)
    raise ValueError(f"{path}: instances of {problem.name} are read from {formats(problem)}")


def formats(problem: AnyProblem) -> str:
    """The endings of files with instances of a problem."""
    kind = problem.instance_type
    more = {
        Coordinates: ".npy, .tsp",
        Matrix: ".npy, .tsp, .atsp",
        Salesmen: ".npy, .tsp",
        Routing: ".vrp",
        Networks: ", ".join(GRAPHS),
    }
    return ".npz" + (f", {more[kind]}" if kind in more else "")


def _checked(path: Path, instance: Instance) -> Instance:
    try:
        instance.check()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return instance


def _from_array(kind: type[Instance], path: Path, array: np.ndarray, n_salesmen: int | None) -> Instance:
    if kind is Salesmen:
        n_salesmen = _salesmen(path, n_salesmen)
        batch = len(array) if array.ndim == 3 else 1
        return kind.from_arrays({"points": array, "n_salesmen": np.full(batch, n_salesmen)}, str(path))
    name = "points" if kind is Coordinates else "costs"
    return kind.from_arrays({name: array}, str(path))


def _salesmen(path: Path, n_salesmen: int | None) -> int:
    if n_salesmen is None:
        raise ValueError(f"{path} does not say how many salesmen there are; give --salesmen")
    return n_salesmen


def _from_tsplib(kind: type[Instance], path: Path, held: TsplibProblem, n_salesmen: int | None) -> Instance:
    if kind is Matrix:
        matrix = held.matrix if held.matrix is not None else all_distances(held)
        return _checked(path, Matrix(_tensor(matrix)[None]))
    if held.points is None or held.matrix is not None:
        raise ValueError(f"{path} has a matrix of distances; solve it as atsp, which takes symmetric ones, too")
    points = _tensor(held.points)[None]
    if kind is Coordinates:
        return _checked(path, Coordinates(points))
    return _checked(path, Salesmen(points, torch.tensor([_salesmen(path, n_salesmen)])))


def all_distances(held: TsplibProblem) -> Float[np.ndarray, "n n"]:
    """The matrix of a problem's distances."""
    distance = held.distance()
    return np.array([[distance(i, j) if i != j else 0.0 for j in range(held.n)] for i in range(held.n)])


def _routing(path: Path, held: TsplibProblem) -> Instance:
    if held.points is None or held.demands is None or held.capacity is None or held.matrix is not None:
        raise ValueError(f"{path} has no coordinates, which the networks for routes need")
    demands = _tensor(held.demands)[None].clone()
    demands[:, 0] = 0
    return _checked(path, Routing(_tensor(held.points)[None], demands, torch.tensor([float(held.capacity)])))


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(array, dtype=torch.float32)
