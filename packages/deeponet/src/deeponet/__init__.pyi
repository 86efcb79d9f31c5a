from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .fnn import FNN as FNN
from .fnn import JoinedNet as JoinedNet
from .network import DeepONet as DeepONet
from .resnet import ResNet as ResNet
from .seq2seq import Seq2Seq as Seq2Seq
from .stacked import StackedBranch as StackedBranch
from .stacked import StackedMLP as StackedMLP

__all__ = [
    "FNN",
    "DataShape",
    "DeepONet",
    "JoinedNet",
    "ModelConfig",
    "ResNet",
    "RunConfig",
    "Seq2Seq",
    "StackedBranch",
    "StackedMLP",
    "TrainConfig",
]
