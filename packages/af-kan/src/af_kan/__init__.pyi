from .baselines.bspline_kan import BSplineKAN as BSplineKAN
from .baselines.bspline_kan import BSplineKANLinear as BSplineKANLinear
from .baselines.bsrbf_kan import BSRBFKAN as BSRBFKAN
from .baselines.bsrbf_kan import BSRBFKANLinear as BSRBFKANLinear
from .baselines.chebyshev_kan import ChebyshevKAN as ChebyshevKAN
from .baselines.chebyshev_kan import ChebyshevKANLinear as ChebyshevKANLinear
from .baselines.faster_kan import FasterKAN as FasterKAN
from .baselines.faster_kan import FasterKANLinear as FasterKANLinear
from .baselines.mlp import MLP as MLP
from .baselines.mlp import MLPLinear as MLPLinear
from .baselines.rbf_kan import RBFKAN as RBFKAN
from .baselines.rbf_kan import RBFKANLinear as RBFKANLinear
from .baselines.relu_kan import ReLUKAN as ReLUKAN
from .baselines.relu_kan import ReLUKANLinear as ReLUKANLinear
from .comparison import ComparisonRow as ComparisonRow
from .comparison import compare as compare
from .comparison import networks_along as networks_along
from .comparison import networks_of_kinds as networks_of_kinds
from .configs import BaselineConfig as BaselineConfig
from .configs import DataConfig as DataConfig
from .configs import DataShape as DataShape
from .configs import LayerConfig as LayerConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .drawing import draw_basis as draw_basis
from .drawing import draw_comparison as draw_comparison
from .drawing import draw_fit as draw_fit
from .estimators import AFKANClassifier as AFKANClassifier
from .estimators import AFKANRegressor as AFKANRegressor
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .export import save_onnx as save_onnx
from .functions import SUITE as SUITE
from .functions import parse_function as parse_function
from .functions import sample_function as sample_function
from .layers.features import basis_features as basis_features
from .layers.fused import basis_sums as basis_sums
from .layers.grids import uniform_grid as uniform_grid
from .layers.linear import AFKANLinear as AFKANLinear
from .layers.reductions import make_reduction as make_reduction
from .measurement import Measurement as Measurement
from .measurement import measure as measure
from .networks.conversion import replace_linear as replace_linear
from .networks.counting import count_flops as count_flops
from .networks.counting import count_parameters as count_parameters
from .networks.factory import make_network as make_network
from .networks.factory import matched as matched
from .networks.network import AFKAN as AFKAN
from .networks.network import MethodEnsemble as MethodEnsemble
from .networks.scaled import ScaledNetwork as ScaledNetwork
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import make_scaled as make_scaled
from .runs import save as save
from .runs import train as train
from .samples import DataSplits as DataSplits
from .samples import Samples as Samples
from .samples import load_data as load_data
from .stack import LayerStack as LayerStack
from .training import Trainer as Trainer

__all__ = [
    "AFKAN",
    "BSRBFKAN",
    "MLP",
    "RBFKAN",
    "SUITE",
    "AFKANClassifier",
    "AFKANLinear",
    "AFKANRegressor",
    "BSRBFKANLinear",
    "BSplineKAN",
    "BSplineKANLinear",
    "BaselineConfig",
    "ChebyshevKAN",
    "ChebyshevKANLinear",
    "ComparisonRow",
    "DataConfig",
    "DataShape",
    "DataSplits",
    "EvaluationReport",
    "FasterKAN",
    "FasterKANLinear",
    "LayerConfig",
    "LayerStack",
    "MLPLinear",
    "Measurement",
    "MethodEnsemble",
    "ModelConfig",
    "RBFKANLinear",
    "ReLUKAN",
    "ReLUKANLinear",
    "RunConfig",
    "Samples",
    "ScaledNetwork",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "basis_features",
    "basis_sums",
    "compare",
    "count_flops",
    "count_parameters",
    "draw_basis",
    "draw_comparison",
    "draw_fit",
    "evaluate",
    "load",
    "load_data",
    "make_network",
    "make_reduction",
    "make_scaled",
    "matched",
    "measure",
    "networks_along",
    "networks_of_kinds",
    "parse_function",
    "predict",
    "replace_linear",
    "sample_function",
    "save",
    "save_onnx",
    "train",
    "uniform_grid",
]
