from .accuracy import AccuracyMatrix as AccuracyMatrix
from .accuracy import AccuracyReport as AccuracyReport
from .benchmarks import HeldOut as HeldOut
from .benchmarks import PermutedImages as PermutedImages
from .benchmarks import SeveralDatasets as SeveralDatasets
from .benchmarks import SplitClasses as SplitClasses
from .benchmarks import Task as Task
from .benchmarks import TaskSequence as TaskSequence
from .benchmarks import make_five_datasets as make_five_datasets
from .benchmarks import make_permuted_mnist as make_permuted_mnist
from .benchmarks import make_split_cifar10 as make_split_cifar10
from .benchmarks import make_split_cifar100 as make_split_cifar100
from .benchmarks import make_split_mini_imagenet as make_split_mini_imagenet
from .bptt import SurrogateLIF as SurrogateLIF
from .configs import MethodConfig as MethodConfig
from .configs import NetworkConfig as NetworkConfig
from .configs import RunConfig as RunConfig
from .continual import ContinualLearner as ContinualLearner
from .continual import wrap as wrap
from .dsr import DSRIF as DSRIF
from .dsr import DSRLIF as DSRLIF
from .layers import HLOPConv2d as HLOPConv2d
from .layers import HLOPLinear as HLOPLinear
from .methods import EWC as EWC
from .methods import GPM as GPM
from .methods import HLOP as HLOP
from .networks import ForTask as ForTask
from .networks import HLOPConfig as HLOPConfig
from .networks import SpikingCNN as SpikingCNN
from .networks import SpikingMLP as SpikingMLP
from .networks import SpikingNetwork as SpikingNetwork
from .networks import SpikingResNet18 as SpikingResNet18
from .ottt import LeakyTrace as LeakyTrace
from .ottt import OnlineLIF as OnlineLIF
from .ottt import carry_state as carry_state
from .own_files import OwnFiles as OwnFiles
from .rates import MeanRate as MeanRate
from .rates import WeightedRate as WeightedRate
from .rules import BPTT as BPTT
from .rules import DSR as DSR
from .rules import OTTT as OTTT
from .rules import TrainingRule as TrainingRule
from .rules import make_rule as make_rule
from .runs import Trained as Trained
from .runs import load as load
from .runs import save as save
from .schedule import RehearsalConfig as RehearsalConfig
from .schedule import TrainConfig as TrainConfig
from .subspace import DivergenceError as DivergenceError
from .subspace import HebbianSubspace as HebbianSubspace
from .subspace import SpikingLateral as SpikingLateral
from .training import Trainer as Trainer
from .training import evaluate as evaluate
from .training import train as train

__all__ = [
    "BPTT",
    "DSR",
    "DSRIF",
    "DSRLIF",
    "EWC",
    "GPM",
    "HLOP",
    "OTTT",
    "AccuracyMatrix",
    "AccuracyReport",
    "ContinualLearner",
    "DivergenceError",
    "ForTask",
    "HLOPConfig",
    "HLOPConv2d",
    "HLOPLinear",
    "HebbianSubspace",
    "HeldOut",
    "LeakyTrace",
    "MeanRate",
    "MethodConfig",
    "NetworkConfig",
    "OnlineLIF",
    "OwnFiles",
    "PermutedImages",
    "RehearsalConfig",
    "RunConfig",
    "SeveralDatasets",
    "SpikingCNN",
    "SpikingLateral",
    "SpikingMLP",
    "SpikingNetwork",
    "SpikingResNet18",
    "SplitClasses",
    "SurrogateLIF",
    "Task",
    "TaskSequence",
    "TrainConfig",
    "Trained",
    "Trainer",
    "TrainingRule",
    "WeightedRate",
    "carry_state",
    "evaluate",
    "load",
    "make_five_datasets",
    "make_permuted_mnist",
    "make_rule",
    "make_split_cifar10",
    "make_split_cifar100",
    "make_split_mini_imagenet",
    "save",
    "train",
    "wrap",
]
