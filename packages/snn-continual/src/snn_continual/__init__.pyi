from .accuracy import AccuracyMatrix as AccuracyMatrix
from .benchmarks import HeldOut as HeldOut
from .benchmarks import PermutedImages as PermutedImages
from .benchmarks import SeveralDatasets as SeveralDatasets
from .benchmarks import SplitClasses as SplitClasses
from .benchmarks import Task as Task
from .benchmarks import TaskSequence as TaskSequence
from .benchmarks import five_datasets as five_datasets
from .benchmarks import permuted_mnist as permuted_mnist
from .benchmarks import split_cifar10 as split_cifar10
from .benchmarks import split_cifar100 as split_cifar100
from .benchmarks import split_mini_imagenet as split_mini_imagenet
from .bptt import SurrogateLIF as SurrogateLIF
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
from .networks import SpikingCNN as SpikingCNN
from .networks import SpikingMLP as SpikingMLP
from .networks import SpikingNetwork as SpikingNetwork
from .networks import Synaptic as Synaptic
from .networks import spiking_resnet18 as spiking_resnet18
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
from .rules import training_rule as training_rule
from .schedule import Rehearsal as Rehearsal
from .schedule import Training as Training
from .subspace import DivergenceError as DivergenceError
from .subspace import HebbianSubspace as HebbianSubspace
from .subspace import SpikingLateral as SpikingLateral
from .training import Trainer as Trainer
from .training import run_benchmark as run_benchmark

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
    "ContinualLearner",
    "DivergenceError",
    "ForTask",
    "HLOPConv2d",
    "HLOPLinear",
    "HebbianSubspace",
    "HeldOut",
    "LeakyTrace",
    "MeanRate",
    "OnlineLIF",
    "OwnFiles",
    "PermutedImages",
    "Rehearsal",
    "SeveralDatasets",
    "SpikingCNN",
    "SpikingLateral",
    "SpikingMLP",
    "SpikingNetwork",
    "SplitClasses",
    "SurrogateLIF",
    "Synaptic",
    "Task",
    "TaskSequence",
    "Trainer",
    "Training",
    "TrainingRule",
    "WeightedRate",
    "carry_state",
    "five_datasets",
    "permuted_mnist",
    "run_benchmark",
    "spiking_resnet18",
    "split_cifar10",
    "split_cifar100",
    "split_mini_imagenet",
    "training_rule",
    "wrap",
]
