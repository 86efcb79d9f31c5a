from .adapters import FirstOutput as FirstOutput
from .adapters import RecurrentOutput as RecurrentOutput
from .adapters import TensorOutput as TensorOutput
from .candidates import CorrelationTrainer as CorrelationTrainer
from .cascade import CascadeCorrelation as CascadeCorrelation
from .configs import ComparisonConfig as ComparisonConfig
from .configs import CycleConfig as CycleConfig
from .configs import DendriteConfig as DendriteConfig
from .configs import NetworkConfig as NetworkConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .controller import DendriteController as DendriteController
from .controller import StepResult as StepResult
from .correlation import covariance_grad_target as covariance_grad_target
from .correlation import covariance_score as covariance_score
from .export import save_onnx as save_onnx
from .module import DendriticModule as DendriticModule
from .networks import GRUClassifier as GRUClassifier
from .networks import make_network as make_network
from .perforation import perforation_gap as perforation_gap
from .rate_search import search_rate as search_rate
from .runs import DataShape as DataShape
from .runs import load as load
from .runs import save as save
from .spirals import make_spirals as make_spirals
from .training import GrowthReport as GrowthReport
from .training import Trainer as Trainer
from .training import TrainingData as TrainingData
from .training import fit as fit
from .wrapping import add_dendrites as add_dendrites
from .wrapping import count_parameters as count_parameters
from .wrapping import dendrite_parameters as dendrite_parameters
from .wrapping import neuron_parameters as neuron_parameters
from .wrapping import num_dendrites as num_dendrites
from .wrapping import parameter_groups as parameter_groups
from .wrapping import prune as prune
from .wrapping import strip as strip

__all__ = [
    "CascadeCorrelation",
    "ComparisonConfig",
    "CorrelationTrainer",
    "CycleConfig",
    "DataShape",
    "DendriteConfig",
    "DendriteController",
    "DendriticModule",
    "FirstOutput",
    "GRUClassifier",
    "GrowthReport",
    "NetworkConfig",
    "RecurrentOutput",
    "RunConfig",
    "StepResult",
    "TensorOutput",
    "TrainConfig",
    "Trainer",
    "TrainingData",
    "add_dendrites",
    "count_parameters",
    "covariance_grad_target",
    "covariance_score",
    "dendrite_parameters",
    "fit",
    "load",
    "make_network",
    "make_spirals",
    "neuron_parameters",
    "num_dendrites",
    "parameter_groups",
    "perforation_gap",
    "prune",
    "save",
    "save_onnx",
    "search_rate",
    "strip",
]
