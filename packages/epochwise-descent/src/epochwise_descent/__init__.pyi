from .ablations import balanced_steps as balanced_steps
from .ablations import learned_alone as learned_alone
from .ablations import preconditioned as preconditioned
from .configs import DataConfig as DataConfig
from .configs import FeatureGroups as FeatureGroups
from .configs import NetworkConfig as NetworkConfig
from .configs import RunConfig as RunConfig
from .configs import TeacherStudent as TeacherStudent
from .configs import TrainConfig as TrainConfig
from .curves import Curve as Curve
from .curves import load_curve as load_curve
from .descent_drawing import draw_descent as draw_descent
from .detection import DescentReport as DescentReport
from .detection import Extremum as Extremum
from .detection import find_double_descent as find_double_descent
from .detection import turn_sizes as turn_sizes
from .deterministic_equivalent import deterministic_equivalent as deterministic_equivalent
from .deterministic_equivalent import groups_dynamics as groups_dynamics
from .drawing import Family as Family
from .drawing import draw_alone as draw_alone
from .drawing import draw_family as draw_family
from .drawing import draw_heatmap as draw_heatmap
from .drawing import draw_overlay as draw_overlay
from .drawing import draw_phase as draw_phase
from .drawing import draw_prediction as draw_prediction
from .event_files import read_scalars as read_scalars
from .exact import exact_dynamics as exact_dynamics
from .exact import student as student
from .gradient_descent import descend as descend
from .gradient_descent import log_steps as log_steps
from .groups_of_data import EffectiveGroups as EffectiveGroups
from .groups_of_data import effective_groups as effective_groups
from .networks import make_network as make_network
from .networks import resnet18_cifar as resnet18_cifar
from .order_parameters import Dynamics as Dynamics
from .order_parameters import dynamics_of as dynamics_of
from .ridge import equivalent_penalty as equivalent_penalty
from .ridge import ridge_student as ridge_student
from .runs import TrainReport as TrainReport
from .runs import load_data as load_data
from .runs import train_curve as train_curve
from .simulation import simulate as simulate
from .simulation import simulate_batch as simulate_batch
from .simulation import time_grid as time_grid
from .teacher_student import Batch as Batch
from .teacher_student import haar as haar
from .teacher_student import sample as sample
from .teacher_student import sample_groups as sample_groups
from .theory import two_scale_theory as two_scale_theory
from .training import CurveTrainer as CurveTrainer

__all__ = [
    "Batch",
    "Curve",
    "CurveTrainer",
    "DataConfig",
    "DescentReport",
    "Dynamics",
    "EffectiveGroups",
    "Extremum",
    "Family",
    "FeatureGroups",
    "NetworkConfig",
    "RunConfig",
    "TeacherStudent",
    "TrainConfig",
    "TrainReport",
    "balanced_steps",
    "descend",
    "deterministic_equivalent",
    "draw_alone",
    "draw_descent",
    "draw_family",
    "draw_heatmap",
    "draw_overlay",
    "draw_phase",
    "draw_prediction",
    "dynamics_of",
    "effective_groups",
    "equivalent_penalty",
    "exact_dynamics",
    "find_double_descent",
    "groups_dynamics",
    "haar",
    "learned_alone",
    "load_curve",
    "load_data",
    "log_steps",
    "make_network",
    "preconditioned",
    "read_scalars",
    "resnet18_cifar",
    "ridge_student",
    "sample",
    "sample_groups",
    "simulate",
    "simulate_batch",
    "student",
    "time_grid",
    "train_curve",
    "turn_sizes",
    "two_scale_theory",
]
