from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import ProblemConfig as ProblemConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .drawing import draw_predictions as draw_predictions
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import compare as compare
from .evaluation import evaluate as evaluate
from .evaluation import mse_without_outliers as mse_without_outliers
from .export import save_onnx as save_onnx
from .fnn import FNN as FNN
from .fnn import JoinedNet as JoinedNet
from .formats import load_numbers as load_numbers
from .formats import load_triples as load_triples
from .formats import save_triples as save_triples
from .network import DeepONet as DeepONet
from .problems.advection import Advection1 as Advection1
from .problems.advection import Advection2 as Advection2
from .problems.advection import Advection3 as Advection3
from .problems.advection import Advection4 as Advection4
from .problems.advection import AdvectionDiffusion as AdvectionDiffusion
from .problems.base import OperatorProblem as OperatorProblem
from .problems.base import SpaceTimeProblem as SpaceTimeProblem
from .problems.diffusion import DiffusionReaction as DiffusionReaction
from .problems.legendre import Legendre as Legendre
from .problems.ode import Antiderivative as Antiderivative
from .problems.ode import NonlinearOde as NonlinearOde
from .problems.ode import OdeProblem as OdeProblem
from .problems.ode import Pendulum as Pendulum
from .problems.registry import make_problem as make_problem
from .problems.stochastic import RandomGrowth as RandomGrowth
from .problems.stochastic import RandomMedium as RandomMedium
from .resnet import ResNet as ResNet
from .runs import TrainReport as TrainReport
from .runs import describe as describe
from .runs import load as load
from .runs import make_model as make_model
from .runs import save as save
from .runs import train as train
from .sensors import interpolation_errors as interpolation_errors
from .sensors import log_slope as log_slope
from .sensors import solution_errors as solution_errors
from .sensors import sufficient_error as sufficient_error
from .seq2seq import Seq2Seq as Seq2Seq
from .spaces import ChebyshevSeries as ChebyshevSeries
from .spaces import GaussianRandomField as GaussianRandomField
from .spaces import KarhunenLoeveField as KarhunenLoeveField
from .spaces import PowerSeries as PowerSeries
from .spaces import wasserstein2 as wasserstein2
from .stacked import StackedBranch as StackedBranch
from .stacked import StackedMLP as StackedMLP
from .training import Trainer as Trainer
from .triples import TripleDataset as TripleDataset
from .triples import group_rows as group_rows
from .triples import predict as predict
from .triples import predict_all as predict_all

__all__ = [
    "FNN",
    "Advection1",
    "Advection2",
    "Advection3",
    "Advection4",
    "AdvectionDiffusion",
    "Antiderivative",
    "ChebyshevSeries",
    "DataShape",
    "DeepONet",
    "DiffusionReaction",
    "EvaluationReport",
    "GaussianRandomField",
    "JoinedNet",
    "KarhunenLoeveField",
    "Legendre",
    "ModelConfig",
    "NonlinearOde",
    "OdeProblem",
    "OperatorProblem",
    "Pendulum",
    "PowerSeries",
    "ProblemConfig",
    "RandomGrowth",
    "RandomMedium",
    "ResNet",
    "RunConfig",
    "Seq2Seq",
    "SpaceTimeProblem",
    "StackedBranch",
    "StackedMLP",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "TripleDataset",
    "compare",
    "describe",
    "draw_predictions",
    "evaluate",
    "group_rows",
    "interpolation_errors",
    "load",
    "load_numbers",
    "load_triples",
    "log_slope",
    "make_model",
    "make_problem",
    "mse_without_outliers",
    "predict",
    "predict_all",
    "save",
    "save_onnx",
    "save_triples",
    "solution_errors",
    "sufficient_error",
    "train",
    "wasserstein2",
]
