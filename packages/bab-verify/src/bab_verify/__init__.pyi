from .affine import Affine as Affine
from .api import LinearBounds as LinearBounds
from .api import certified_radius as certified_radius
from .api import compute_bounds as compute_bounds
from .api import verify_robustness as verify_robustness
from .attack import pgd_attack as pgd_attack
from .branching_points import BranchingTable as BranchingTable
from .branching_points import branching_table as branching_table
from .branching_points import build_table as build_table
from .counterexamples import Counterexample as Counterexample
from .counterexamples import Oracle as Oracle
from .counterexamples import read_counterexample as read_counterexample
from .counterexamples import write_counterexample as write_counterexample
from .graph import Graph as Graph
from .graph import Interval as Interval
from .graph import Node as Node
from .graph import Operator as Operator
from .instances import Instance as Instance
from .instances import InstanceResult as InstanceResult
from .instances import InstancesError as InstancesError
from .instances import ResultsFile as ResultsFile
from .instances import read_instances as read_instances
from .modules import graph_from_module as graph_from_module
from .onnx_front_end import graph_from_model as graph_from_model
from .onnx_front_end import load_onnx as load_onnx
from .onnx_registry import NetworkError as NetworkError
from .onnx_registry import UnsupportedOperatorError as UnsupportedOperatorError
from .optimization import Optimisation as Optimisation
from .propagation import LinearBound as LinearBound
from .propagation import Propagator as Propagator
from .property_files import load_vnnlib as load_vnnlib
from .property_files import save_vnnlib as save_vnnlib
from .relaxation import DomainError as DomainError
from .relaxation import Nonlinear as Nonlinear
from .relaxation import Relaxation as Relaxation
from .results import Result as Result
from .settings import VerifyConfig as VerifyConfig
from .specification import Clause as Clause
from .specification import Query as Query
from .specification import Specification as Specification
from .specification import SpecificationError as SpecificationError
from .specification import robustness as robustness
from .verifier import Verifier as Verifier

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
    "Optimisation",
    "Oracle",
    "Propagator",
    "Query",
    "Relaxation",
    "Result",
    "ResultsFile",
    "Specification",
    "SpecificationError",
    "UnsupportedOperatorError",
    "Verifier",
    "VerifyConfig",
    "branching_table",
    "build_table",
    "certified_radius",
    "compute_bounds",
    "graph_from_model",
    "graph_from_module",
    "load_onnx",
    "load_vnnlib",
    "pgd_attack",
    "read_counterexample",
    "read_instances",
    "robustness",
    "save_vnnlib",
    "verify_robustness",
    "write_counterexample",
]
