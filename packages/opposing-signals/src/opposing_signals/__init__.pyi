from .alignment import FeatureAlignment as FeatureAlignment
from .alignment import feature_alignment as feature_alignment
from .alignment import last_linear as last_linear
from .alignment import layer_features as layer_features
from .attribution import GroupCurvature as GroupCurvature
from .attribution import curvature_shares as curvature_shares
from .attribution import example_curvatures as example_curvatures
from .charts import draw_linear as draw_linear
from .configs import DataConfig as DataConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .drawing import draw_gallery as draw_gallery
from .drawing import draw_trace as draw_trace
from .gradients import GroupGradients as GroupGradients
from .gradients import gradient_norms as gradient_norms
from .gradients import group_gradients as group_gradients
from .groups import OpposingGroups as OpposingGroups
from .groups import find_groups as find_groups
from .groups import leading_directions as leading_directions
from .hessian import HessianOperator as HessianOperator
from .hessian import SharpnessReport as SharpnessReport
from .hessian import SharpnessTracker as SharpnessTracker
from .hessian import lanczos as lanczos
from .hessian import sharpness as sharpness
from .linear import LinearOpposingModel as LinearOpposingModel
from .linear import LinearState as LinearState
from .linear import LinearTrajectory as LinearTrajectory
from .losses import per_example_loss as per_example_loss
from .networks import make_mlp as make_mlp
from .networks import make_network as make_network
from .networks import make_resnet as make_resnet
from .networks import make_vgg as make_vgg
from .page import write_page as write_page
from .phases import Phases as Phases
from .phases import find_phases as find_phases
from .planted import PlantedData as PlantedData
from .planted import plant_signal as plant_signal
from .probe import constant_probe as constant_probe
from .probe import probe_response as probe_response
from .probe import step_correlation as step_correlation
from .recorder import Recorder as Recorder
from .runs import Traced as Traced
from .runs import TraceReport as TraceReport
from .runs import load as load
from .runs import trace as trace
from .sam import SAM as SAM
from .samples import Samples as Samples
from .samples import bigram_samples as bigram_samples
from .samples import load_samples as load_samples
from .split_sgd import SplitSGD as SplitSGD
from .training import Trainer as Trainer
from .training import make_optimizer as make_optimizer
from .training import train as train

__all__ = [
    "SAM",
    "DataConfig",
    "FeatureAlignment",
    "GroupCurvature",
    "GroupGradients",
    "HessianOperator",
    "LinearOpposingModel",
    "LinearState",
    "LinearTrajectory",
    "ModelConfig",
    "OpposingGroups",
    "Phases",
    "PlantedData",
    "Recorder",
    "RunConfig",
    "Samples",
    "SharpnessReport",
    "SharpnessTracker",
    "SplitSGD",
    "TraceReport",
    "Traced",
    "TrainConfig",
    "Trainer",
    "bigram_samples",
    "constant_probe",
    "curvature_shares",
    "draw_gallery",
    "draw_linear",
    "draw_trace",
    "example_curvatures",
    "feature_alignment",
    "find_groups",
    "find_phases",
    "gradient_norms",
    "group_gradients",
    "lanczos",
    "last_linear",
    "layer_features",
    "leading_directions",
    "load",
    "load_samples",
    "make_mlp",
    "make_network",
    "make_optimizer",
    "make_resnet",
    "make_vgg",
    "per_example_loss",
    "plant_signal",
    "probe_response",
    "sharpness",
    "step_correlation",
    "trace",
    "train",
    "write_page",
]
