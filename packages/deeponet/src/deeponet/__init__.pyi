from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import ProblemConfig as ProblemConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .fnn import FNN as FNN
from .fnn import JoinedNet as JoinedNet
from .network import DeepONet as DeepONet
from .problems.base import OperatorProblem as OperatorProblem
from .problems.registry import make_problem as make_problem
from .resnet import ResNet as ResNet
from .seq2seq import Seq2Seq as Seq2Seq
from .spaces import ChebyshevSeries as ChebyshevSeries
from .spaces import FunctionSpace as FunctionSpace
from .spaces import GaussianRandomField as GaussianRandomField
from .spaces import KarhunenLoeveField as KarhunenLoeveField
from .spaces import PowerSeries as PowerSeries
from .spaces import wasserstein2 as wasserstein2
from .stacked import StackedBranch as StackedBranch
from .stacked import StackedMLP as StackedMLP
from .triples import TripleDataset as TripleDataset
from .triples import group_rows as group_rows
from .triples import predict as predict

__all__ = [
    "FNN",
    "ChebyshevSeries",
    "DataShape",
    "DeepONet",
    "FunctionSpace",
    "GaussianRandomField",
    "JoinedNet",
    "KarhunenLoeveField",
    "ModelConfig",
    "OperatorProblem",
    "PowerSeries",
    "ProblemConfig",
    "ResNet",
    "RunConfig",
    "Seq2Seq",
    "StackedBranch",
    "StackedMLP",
    "TrainConfig",
    "TripleDataset",
    "group_rows",
    "make_problem",
    "predict",
    "wasserstein2",
]
