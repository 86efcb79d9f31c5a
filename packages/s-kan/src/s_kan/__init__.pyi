from .baselines.convnets import CNN as CNN
from .baselines.convnets import ConvKAN as ConvKAN
from .baselines.kan import KAN as KAN
from .baselines.kan import KANConv2d as KANConv2d
from .baselines.kan import KANLinear as KANLinear
from .bases.base import Basis as Basis
from .bases.registry import available_bases as available_bases
from .bases.registry import make_basis as make_basis
from .bases.registry import register_basis as register_basis
from .compact import to_compact as to_compact
from .configs import DataConfig as DataConfig
from .configs import LayerConfig as LayerConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import StageConfig as StageConfig
from .configs import TrainConfig as TrainConfig
from .convolution import SKANConv2d as SKANConv2d
from .drawing import draw_functions as draw_functions
from .drawing import draw_selection as draw_selection
from .drawing import edge_functions as edge_functions
from .estimator import SKANClassifier as SKANClassifier
from .estimator import SKANRegressor as SKANRegressor
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .export import save_onnx as save_onnx
from .functions import FUNCTIONS as FUNCTIONS
from .functions import Target as Target
from .linear import SKANLinear as SKANLinear
from .networks import SKAN as SKAN
from .networks import ImageNetwork as ImageNetwork
from .networks import SConvKAN as SConvKAN
from .networks import selectable_layers as selectable_layers
from .pool import Pool as Pool
from .pool import make_pool as make_pool
from .report import LayerReport as LayerReport
from .report import SelectionReport as SelectionReport
from .report import selection_report as selection_report
from .runs import load as load
from .runs import save as save
from .samples import Samples as Samples
from .scaling import Scaled as Scaled
from .stages import StageSchedule as StageSchedule
from .stages import StageStep as StageStep
from .stages import parameter_groups as parameter_groups
from .training.strategies import Fit as Fit
from .training.strategies import Job as Job
from .training.strategies import train as train
from .training.trainer import Trainer as Trainer
from .training.trainer import fit as fit

__all__ = [
    "CNN",
    "FUNCTIONS",
    "KAN",
    "SKAN",
    "Basis",
    "ConvKAN",
    "DataConfig",
    "EvaluationReport",
    "Fit",
    "ImageNetwork",
    "Job",
    "KANConv2d",
    "KANLinear",
    "LayerConfig",
    "LayerReport",
    "ModelConfig",
    "Pool",
    "RunConfig",
    "SConvKAN",
    "SKANClassifier",
    "SKANConv2d",
    "SKANLinear",
    "SKANRegressor",
    "Samples",
    "Scaled",
    "SelectionReport",
    "StageConfig",
    "StageSchedule",
    "StageStep",
    "Target",
    "TrainConfig",
    "Trainer",
    "available_bases",
    "draw_functions",
    "draw_selection",
    "edge_functions",
    "evaluate",
    "fit",
    "load",
    "make_basis",
    "make_pool",
    "parameter_groups",
    "predict",
    "register_basis",
    "save",
    "save_onnx",
    "selectable_layers",
    "selection_report",
    "to_compact",
    "train",
]
