from .api import LinearBounds as LinearBounds
from .api import certified_radius as certified_radius
from .api import compute_bounds as compute_bounds
from .api import verify_robustness as verify_robustness
from .bounds.linear_bound import LinearBound as LinearBound
from .bounds.propagation import Propagator as Propagator
from .configs import OptimizationConfig as OptimizationConfig
from .configs import SearchConfig as SearchConfig
from .configs import VerifyConfig as VerifyConfig
from .frontends.loading import load_onnx as load_onnx
from .frontends.onnx_import import graph_from_model as graph_from_model
from .frontends.onnx_registry import NetworkError as NetworkError
from .frontends.onnx_registry import UnsupportedOperatorError as UnsupportedOperatorError
from .frontends.torch_modules import graph_from_module as graph_from_module
from .graph import Graph as Graph
from .graph import Node as Node
from .graph import Operator as Operator
from .intervals import Interval as Interval
from .operators.affine import Affine as Affine
from .operators.relaxation import DomainError as DomainError
from .operators.relaxation import Nonlinear as Nonlinear
from .operators.relaxation import Relaxation as Relaxation
from .properties.counterexamples import Counterexample as Counterexample
from .properties.counterexamples import Oracle as Oracle
from .properties.counterexamples import read_counterexample as read_counterexample
from .properties.counterexamples import write_counterexample as write_counterexample
from .properties.instances import Instance as Instance
from .properties.instances import InstanceResult as InstanceResult
from .properties.instances import InstancesError as InstancesError
from .properties.instances import ResultsFile as ResultsFile
from .properties.instances import read_instances as read_instances
from .properties.specification import Clause as Clause
from .properties.specification import Query as Query
from .properties.specification import Specification as Specification
from .properties.specification import SpecificationError as SpecificationError
from .properties.specification import make_robustness as make_robustness
from .properties.vnnlib import load_vnnlib as load_vnnlib
from .properties.vnnlib import save_vnnlib as save_vnnlib
from .search.attack import pgd_attack as pgd_attack
from .search.branching_points import BranchingTable as BranchingTable
from .search.branching_points import cached_branching_table as cached_branching_table
from .search.branching_points import make_branching_table as make_branching_table
from .search.results import Result as Result
from .search.verifier import Verifier as Verifier

__all__ = [
    "Affine",
    "BranchingTable",
    "Clause",
    "Counterexample",
    "DomainError",
    "Graph",
    "Instance",
    "InstanceResult",
    "InstancesError",
    "Interval",
    "LinearBound",
    "LinearBounds",
    "NetworkError",
    "Node",
    "Nonlinear",
    "Operator",
    "OptimizationConfig",
    "Oracle",
    "Propagator",
    "Query",
    "Relaxation",
    "Result",
    "ResultsFile",
    "SearchConfig",
    "Specification",
    "SpecificationError",
    "UnsupportedOperatorError",
    "Verifier",
    "VerifyConfig",
    "cached_branching_table",
    "certified_radius",
    "compute_bounds",
    "graph_from_model",
    "graph_from_module",
    "load_onnx",
    "load_vnnlib",
    "make_branching_table",
    "make_robustness",
    "pgd_attack",
    "read_counterexample",
    "read_instances",
    "save_vnnlib",
    "verify_robustness",
    "write_counterexample",
]
