from .activation import QuadraticActivation as QuadraticActivation
from .checkpoints import ConvertedState as ConvertedState
from .checkpoints import load_state as load_state
from .checkpoints import quadratic_state as quadratic_state
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import Setting as Setting
from .configs import StrategyConfig as StrategyConfig
from .configs import TrainConfig as TrainConfig
from .conversion import conventional_state as conventional_state
from .conversion import load_conventional as load_conventional
from .conversion import quadratize as quadratize
from .convolution import QuadraticConv1d as QuadraticConv1d
from .convolution import QuadraticConv2d as QuadraticConv2d
from .convolution import QuadraticConv3d as QuadraticConv3d
from .divergence import CollapseReport as CollapseReport
from .divergence import DivergenceError as DivergenceError
from .divergence import DivergenceMonitor as DivergenceMonitor
from .divergence import DivergenceReport as DivergenceReport
from .divergence import check_divergence as check_divergence
from .divergence import collapse as collapse
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .export import save_onnx as save_onnx
from .expressivity import functional_dimension as functional_dimension
from .expressivity import quadratic_energy as quadratic_energy
from .layer import QuadraticLayer as QuadraticLayer
from .layer import quadratic_layers as quadratic_layers
from .linear import QuadraticLinear as QuadraticLinear
from .networks import ReZero as ReZero
from .networks import make_mlp as make_mlp
from .networks import make_network as make_network
from .networks import qresnet as qresnet
from .neuron import quadratic_linear as quadratic_linear
from .pieces import Pieces as Pieces
from .pieces import polynomial_pieces as polynomial_pieces
from .relinear import GradientShrinkage as GradientShrinkage
from .relinear import QuadraticShrinkage as QuadraticShrinkage
from .relinear import param_groups as param_groups
from .runs import DataShape as DataShape
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .splines import interpolating_network as interpolating_network
from .splines import ring_neuron as ring_neuron
from .splines import spline_network as spline_network
from .splines import xor_neuron as xor_neuron
from .sweep import SweepPoint as SweepPoint
from .sweep import draw_sweep as draw_sweep
from .sweep import sweep as sweep
from .training import Trainer as Trainer

__all__ = [
    "CollapseReport",
    "ConvertedState",
    "DataShape",
    "DivergenceError",
    "DivergenceMonitor",
    "DivergenceReport",
    "EvaluationReport",
    "GradientShrinkage",
    "ModelConfig",
    "Pieces",
    "QuadraticActivation",
    "QuadraticConv1d",
    "QuadraticConv2d",
    "QuadraticConv3d",
    "QuadraticLayer",
    "QuadraticLinear",
    "QuadraticShrinkage",
    "ReZero",
    "RunConfig",
    "Setting",
    "StrategyConfig",
    "SweepPoint",
    "TrainConfig",
    "Trainer",
    "check_divergence",
    "collapse",
    "conventional_state",
    "draw_sweep",
    "evaluate",
    "functional_dimension",
    "interpolating_network",
    "load",
    "load_conventional",
    "load_state",
    "make_mlp",
    "make_network",
    "param_groups",
    "polynomial_pieces",
    "qresnet",
    "quadratic_energy",
    "quadratic_layers",
    "quadratic_linear",
    "quadratic_state",
    "quadratize",
    "ring_neuron",
    "save",
    "save_onnx",
    "spline_network",
    "sweep",
    "train",
    "xor_neuron",
]
