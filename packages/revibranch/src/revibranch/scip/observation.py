"""The state of branch and bound at a node: the bipartite graph of its linear relaxation."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from pyscipopt import Model
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

FEATURE_VERSION = 1
"""Changes whenever features do: a network is only good for those that it was trained with."""
VARIABLE_FEATURES = (
    *("continuous", "binary", "integer", "implicit_integer", "obj_coef"),
    *("has_lb", "has_ub", "sol_at_lb", "sol_at_ub", "sol_val", "sol_frac", "red_cost"),
    *("basis_lower", "basis_basic", "basis_upper", "basis_zero"),
    *("best_incumbent_val", "avg_incumbent_val", "age"),
)
"""Features of a variable, in order."""
ROW_FEATURES = (
    *("has_lhs", "has_rhs", "n_non_zeros", "obj_cosine", "bias", "norm"),
    *("sol_at_lhs", "sol_at_rhs", "dual_sol", "age"),
    *("basis_lower", "basis_basic", "basis_upper", "basis_zero"),
)
"""Features of a row, in order."""
N_STATIC_VARIABLE_FEATURES = 5
"""The first features of a variable stay as they are from node to node."""
N_STATIC_ROW_FEATURES = 6
"""The first features of a row stay as they are from node to node."""

BASIS = {"lower": 0, "basic": 1, "upper": 2, "zero": 3}
TYPES = {"CONTINUOUS": 0, "BINARY": 1, "INTEGER": 2, "IMPLINT": 3}
LIMIT = 1e3
"""Features are clipped to [-LIMIT, LIMIT]."""
N_STRUCTURES = 16
"""Linear programs whose static part is kept."""


@dataclass(frozen=True)
class Observation:
    """The bipartite graph of the linear relaxation at a node.

    Observations of the same linear program share the very same `edge_index` and `edge_attr`.

    Attributes:
        variables: `VARIABLE_FEATURES` of each column of the LP.
        rows: `ROW_FEATURES` of each row of the LP.
        edge_index: Column and row of each non-zero coefficient.
        edge_attr: The coefficients, divided by the norms of their rows.
        candidates: Columns of the branching candidates, in SCIP's order.
    """

    variables: Float[Tensor, "columns 19"]
    rows: Float[Tensor, "rows 14"]
    edge_index: Int64[Tensor, "2 edges"]
    edge_attr: Float[Tensor, "edges 1"]
    candidates: Int64[Tensor, "candidates"]

    def to(self, device: torch.device | str) -> "Observation":
        """The same on a device; itself where it is there already."""
        if self.variables.device == torch.device(device):
            return self
        return Observation(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def to_pyg(self) -> "HeteroData":
        """As a graph of PyTorch Geometric, with node types `variable` and `row` and edges both ways.

        Its `candidates` are those of the observation. PyTorch Geometric's own batches do not shift them: see `collate`.
        """
        from torch_geometric.data import HeteroData

        graph = HeteroData()
        graph["variable"].x, graph["row"].x = self.variables, self.rows
        graph["variable", "in", "row"].edge_index = self.edge_index
        graph["row", "has", "variable"].edge_index = self.edge_index.flip(0)
        graph["variable", "in", "row"].edge_attr = graph["row", "has", "variable"].edge_attr = self.edge_attr
        graph.candidates = self.candidates
        return graph


class _Rows(NamedTuple):
    """What a linear program's rows are at a node, whatever its solution: a key of the static part."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    names: tuple[str, ...]
    n_non_zeros: tuple[int, ...]
    lhs: tuple[float, ...]
    rhs: tuple[float, ...]
    constants: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Structure:
    """What does not change while columns and rows stay."""

    variables: Float[np.ndarray, "columns 5"]
    rows: Float[np.ndarray, "rows 6"]
    edge_index: Int64[Tensor, "2 edges"]
    edge_attr: Float[Tensor, "edges 1"]
    row_scale: Float[np.ndarray, "rows"]
    """What makes dual values those of rows with norm 1 and an objective with norm 1."""
    objective_norm: float
    scip_variables: tuple[Any, ...]
    """SCIP's variables, made once: making them takes longer than everything else."""


class BipartiteObservation:
    """Extracts observations, and keeps what the nodes of a solve have in common.

    The features are those of Gasse et al. (2019) as SCIP's Python interface defines them
    (`Model.getBipartiteGraphRepresentation`), normalized: costs and reduced costs by the norm of the objective; rows,
    their sides (`bias`: the right-hand side, or else the left, less the constant) and dual values by the norms of the
    rows; `norm` by the largest of them; ages by the number of linear programs solved; numbers of non-zeros by that of
    columns. Without an incumbent its values are 0. All are finite, clipped to [-1000, 1000].

    One extractor serves one solve: memory addresses of its rows tell what was seen before.
    """

    def __init__(self) -> None:
        self._structures: OrderedDict[_Rows, _Structure] = OrderedDict()
        self._incumbents: tuple[Any, np.ndarray] | None = None

    def extract(self, model: Model) -> Observation:
        """The observation at the focus node; the model must be solving and its LP solved, as in a branching rule."""
        columns, rows = model.getLPColsData(), model.getLPRowsData()
        key = _Rows(
            tuple(map(hash, columns)),
            tuple(map(hash, rows)),
            tuple([row.name for row in rows]),
            tuple([row.getNLPNonz() for row in rows]),
            tuple([row.getLhs() for row in rows]),
            tuple([row.getRhs() for row in rows]),
            tuple([row.getConstant() for row in rows]),
        )
        structure = self._structures.get(key)
        if structure is None:
            structure = self._structures[key] = _read_structure(model, columns, rows, key)
            if len(self._structures) > N_STRUCTURES:
                self._structures.popitem(last=False)
        self._structures.move_to_end(key)
        names = model.getLPBranchCands()
        candidates = [variable.getCol().getLPPos() for variable in names[0][: names[4]]]
        return Observation(
            _finite(self._variables(model, columns, structure)),
            _finite(_rows(model, rows, structure, key)),
            structure.edge_index,
            structure.edge_attr,
            torch.tensor(candidates, dtype=torch.int64),
        )

    def _variables(self, model: Model, columns: Sequence[Any], structure: _Structure) -> np.ndarray:
        n = len(columns)
        features = np.zeros((n, len(VARIABLE_FEATURES)))
        lower = _array([column.getLb() for column in columns], n)
        upper = _array([column.getUb() for column in columns], n)
        values = _array([column.getPrimsol() for column in columns], n)
        features[:, :5] = structure.variables
        features[:, 5] = np.abs(lower) < model.infinity()
        features[:, 6] = np.abs(upper) < model.infinity()
        features[:, 7] = np.abs(values - lower) <= model.epsilon()
        features[:, 8] = np.abs(values - upper) <= model.epsilon()
        features[:, 9] = values
        features[:, 10] = values - np.floor(values + model.feastol())
        features[:, 11] = _array([model.getColRedCost(column) for column in columns], n) / structure.objective_norm
        features[np.arange(n), 12 + _array([BASIS[column.getBasisStatus()] for column in columns], n, np.intp)] = 1
        features[:, 16:18] = self._incumbent(model, structure)
        features[:, 18] = _array([column.getAge() for column in columns], n) / (model.getNLPs() + 5)
        return features

    def _incumbent(self, model: Model, structure: _Structure) -> np.ndarray:
        """Values of the best solution and means over all; read again only when a solution was found."""
        state = (model.getNSolsFound(), structure)
        if self._incumbents is None or self._incumbents[0] != state:
            variables, values = structure.scip_variables, np.zeros((len(structure.variables), 2))
            if model.getNSols() > 0:
                best = model.getBestSol()
                values[:, 0] = [model.getSolVal(best, variable) for variable in variables]
                values[:, 1] = [variable.getAvgSol() for variable in variables]
            self._incumbents = state, values
        return self._incumbents[1]


def _rows(model: Model, rows: Sequence[Any], structure: _Structure, key: _Rows) -> np.ndarray:
    m = len(rows)
    features = np.zeros((m, len(ROW_FEATURES)))
    activities = _array([model.getRowLPActivity(row) for row in rows], m)
    features[:, :6] = structure.rows
    features[:, 6] = np.abs(activities - _array(key.lhs, m)) <= model.epsilon()
    features[:, 7] = np.abs(activities - _array(key.rhs, m)) <= model.epsilon()
    features[:, 8] = _array([row.getDualsol() for row in rows], m) * structure.row_scale
    features[:, 9] = _array([row.getAge() for row in rows], m) / (model.getNLPs() + 5)
    features[np.arange(m), 10 + _array([BASIS[row.getBasisStatus()] for row in rows], m, np.intp)] = 1
    return features


def _read_structure(model: Model, columns: Sequence[Any], rows: Sequence[Any], key: _Rows) -> _Structure:
    n, m = len(columns), len(rows)
    objective = _array([column.getObjCoeff() for column in columns], n)
    objective_norm = float(np.linalg.norm(objective)) or 1.0
    variables = np.zeros((n, N_STATIC_VARIABLE_FEATURES))
    scip_variables = tuple(column.getVar() for column in columns)
    variables[np.arange(n), [TYPES[variable.vtype()] for variable in scip_variables]] = 1
    variables[:, 4] = objective / objective_norm

    entries = list(zip(rows, key.n_non_zeros, strict=True))  # a row names the columns that are in the LP first
    position = {address: index for index, address in enumerate(key.columns)}
    edge_columns = [position[hash(column)] for row, k in entries for column in row.getCols()[:k]]
    values = [value for row, k in entries for value in row.getVals()[:k]]
    edge_rows = np.repeat(np.arange(m), key.n_non_zeros)
    coefficients = _array(values, len(edge_rows))
    norms = np.sqrt(np.bincount(edge_rows, coefficients**2, minlength=m))
    norms[norms == 0] = 1.0

    lhs, rhs, infinity = _array(key.lhs, m), _array(key.rhs, m), model.infinity()
    has_lhs, has_rhs = np.abs(lhs) < infinity, np.abs(rhs) < infinity
    sides = np.where(has_rhs, rhs, np.where(has_lhs, lhs, 0.0))
    features = np.stack(
        [
            has_lhs,
            has_rhs,
            _array(key.n_non_zeros, m) / max(n, 1),
            _array([model.getRowObjParallelism(row) for row in rows], m),
            np.where(has_lhs | has_rhs, sides - _array(key.constants, m), 0.0) / norms,
            norms / max(norms, default=1.0),
        ],
        axis=1,
    )
    return _Structure(
        variables,
        features,
        torch.from_numpy(np.stack([np.array(edge_columns, np.int64), edge_rows.astype(np.int64)])),
        _finite(coefficients[:, None] / norms[edge_rows, None]),
        norms / objective_norm,
        objective_norm,
        scip_variables,
    )


def _array(values: Iterable[float], count: int, dtype: type = np.float64) -> np.ndarray:
    return np.fromiter(values, dtype, count)


def _finite(features: np.ndarray) -> Tensor:
    return torch.from_numpy(np.clip(np.nan_to_num(features), -LIMIT, LIMIT).astype(np.float32))
