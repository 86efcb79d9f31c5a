from .baselines.dilated_resnet import DilatedResNet as DilatedResNet
from .baselines.fno import FNO as FNO
from .baselines.neuraloperator import fno_from_neuraloperator as fno_from_neuraloperator
from .baselines.unet import UNet as UNet
from .bias import BiasFunction as BiasFunction
from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import ProblemConfig as ProblemConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .drawing import draw_prediction as draw_prediction
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .export import save_onnx as save_onnx
from .formats import load_data as load_data
from .formats import load_functions as load_functions
from .formats import save_data as save_data
from .grids import GridDataset as GridDataset
from .grids import TrajectoryDataset as TrajectoryDataset
from .grids import predict as predict
from .losses import HelmholtzLoss as HelmholtzLoss
from .losses import make_loss as make_loss
from .multigrid import MultigridConv1d as MultigridConv1d
from .multigrid import MultigridConv2d as MultigridConv2d
from .multigrid import cycles_for as cycles_for
from .network import MgNO as MgNO
from .network import MgNO1d as MgNO1d
from .network import OperatorLayer as OperatorLayer
from .network import count_parameters as count_parameters
from .operators import Operator as Operator
from .operators import make_operator as make_operator
from .problems.darcy import MultiscaleDarcy as MultiscaleDarcy
from .problems.darcy import TwoPhaseDarcy as TwoPhaseDarcy
from .problems.heat import HeatFlow as HeatFlow
from .problems.helmholtz import Helmholtz as Helmholtz
from .problems.navier_stokes import NavierStokes as NavierStokes
from .problems.registry import make_problem as make_problem
from .published import PUBLISHED as PUBLISHED
from .rollout import rollout as rollout
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .training import Trainer as Trainer
from .training import one_cycle as one_cycle
from .transfers import Prolongation as Prolongation

__all__ = [
    "FNO",
    "PUBLISHED",
    "BiasFunction",
    "DataShape",
    "DilatedResNet",
    "EvaluationReport",
    "GridDataset",
    "HeatFlow",
    "Helmholtz",
    "HelmholtzLoss",
    "MgNO",
    "MgNO1d",
    "ModelConfig",
    "MultigridConv1d",
    "MultigridConv2d",
    "MultiscaleDarcy",
    "NavierStokes",
    "Operator",
    "OperatorLayer",
    "ProblemConfig",
    "Prolongation",
    "RunConfig",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "TrajectoryDataset",
    "TwoPhaseDarcy",
    "UNet",
    "count_parameters",
    "cycles_for",
    "draw_prediction",
    "evaluate",
    "fno_from_neuraloperator",
    "load",
    "load_data",
    "load_functions",
    "make_loss",
    "make_operator",
    "make_problem",
    "one_cycle",
    "predict",
    "rollout",
    "save",
    "save_data",
    "save_onnx",
    "train",
]
