from .branches import ConvBranch as ConvBranch
from .branches import MLPBranch as MLPBranch
from .configs import DARCY as DARCY
from .configs import FISHER as FISHER
from .configs import PLATE as PLATE
from .configs import TARGET as TARGET
from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import ProblemConfig as ProblemConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .data import MultiTaskData as MultiTaskData
from .data import make_task as make_task
from .drawing import draw_predictions as draw_predictions
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import compare as compare
from .evaluation import evaluate as evaluate
from .evaluation import nearest_design as nearest_design
from .export import save_onnx as save_onnx
from .fine_tuning import freeze_except as freeze_except
from .fine_tuning import transfer as transfer
from .formats import load_data as load_data
from .formats import save_data as save_data
from .geometry import load_mask as load_mask
from .geometry import make_mask as make_mask
from .geometry import nodes as nodes
from .geometry import rasterize as rasterize
from .geometry import voxelize as voxelize
from .lion import Lion as Lion
from .losses import masked_mse as masked_mse
from .losses import masked_relative_l2 as masked_relative_l2
from .network import MaskedDeepONet as MaskedDeepONet
from .network import count_parameters as count_parameters
from .problems.darcy import sample_darcy as sample_darcy
from .problems.fisher import fisher_points as fisher_points
from .problems.fisher import sample_fisher as sample_fisher
from .problems.plate import is_trained as is_trained
from .problems.plate import make_plates as make_plates
from .problems.plate import plate_designs as plate_designs
from .problems.plate import plate_mask as plate_mask
from .problems.plate import plate_points as plate_points
from .problems.plate import sample_plates as sample_plates
from .problems.plate import solve_plate as solve_plate
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .runs import transfer_run as transfer_run
from .shapes import SHAPES as SHAPES
from .shapes import box as box
from .shapes import difference as difference
from .shapes import disc as disc
from .shapes import make_shape as make_shape
from .shapes import polygon as polygon
from .shapes import union as union
from .sources import PolynomialSource as PolynomialSource
from .sources import fisher_families as fisher_families
from .sources import make_reaction as make_reaction
from .surrogate import Surrogate as Surrogate
from .surrogate import make_model as make_model
from .training import Trainer as Trainer
from .trunks import ResidualTrunk as ResidualTrunk
from .trunks import Trunk as Trunk

__all__ = [
    "DARCY",
    "FISHER",
    "PLATE",
    "SHAPES",
    "TARGET",
    "ConvBranch",
    "DataShape",
    "EvaluationReport",
    "Lion",
    "MLPBranch",
    "MaskedDeepONet",
    "ModelConfig",
    "MultiTaskData",
    "PolynomialSource",
    "ProblemConfig",
    "ResidualTrunk",
    "RunConfig",
    "Surrogate",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "Trunk",
    "box",
    "compare",
    "count_parameters",
    "difference",
    "disc",
    "draw_predictions",
    "evaluate",
    "fisher_families",
    "fisher_points",
    "freeze_except",
    "is_trained",
    "load",
    "load_data",
    "load_mask",
    "make_mask",
    "make_model",
    "make_plates",
    "make_reaction",
    "make_shape",
    "make_task",
    "masked_mse",
    "masked_relative_l2",
    "nearest_design",
    "nodes",
    "plate_designs",
    "plate_mask",
    "plate_points",
    "polygon",
    "rasterize",
    "sample_darcy",
    "sample_fisher",
    "sample_plates",
    "save",
    "save_data",
    "save_onnx",
    "solve_plate",
    "train",
    "transfer",
    "transfer_run",
    "union",
    "voxelize",
]
