from .comparison import compare as compare
from .configs import HyperConfig as HyperConfig
from .configs import RunConfig as RunConfig
from .configs import TaskConfig as TaskConfig
from .configs import TrainConfig as TrainConfig
from .diagnosis import MagnitudeMonitor as MagnitudeMonitor
from .diagnosis import MagnitudeReport as MagnitudeReport
from .diagnosis import activation_report as activation_report
from .diagnosis import gradient_report as gradient_report
from .diagnosis import magnitude_report as magnitude_report
from .encoding import InputScaler as InputScaler
from .encoding import NormalScaler as NormalScaler
from .encoding import encode as encode
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .export import save_network as save_network
from .hypernetwork import HyperNetwork as HyperNetwork
from .hypernetwork import count_weights as count_weights
from .model import HyperModel as HyperModel
from .model import hypernetize as hypernetize
from .networks import ConvNet as ConvNet
from .networks import UNet as UNet
from .runs import load as load
from .runs import save as save
from .runs import train_run as train_run
from .selection import find_modules as find_modules
from .selection import find_parameters as find_parameters
from .tasks.bayes import Bayes as Bayes
from .tasks.loading import load_task as load_task
from .tasks.registration import Registration as Registration
from .tasks.registration import make_pairs as make_pairs
from .tasks.registration import warp as warp
from .tasks.regularization import Regularization as Regularization
from .tasks.scale_space import ScaleSpace as ScaleSpace
from .tasks.scale_space import make_ellipses as make_ellipses
from .training import Trainer as Trainer
from .training import make_model as make_model
from .training import train as train

__all__ = [
    "Bayes",
    "ConvNet",
    "EvaluationReport",
    "HyperConfig",
    "HyperModel",
    "HyperNetwork",
    "InputScaler",
    "MagnitudeMonitor",
    "MagnitudeReport",
    "NormalScaler",
    "Registration",
    "Regularization",
    "RunConfig",
    "ScaleSpace",
    "TaskConfig",
    "TrainConfig",
    "Trainer",
    "UNet",
    "activation_report",
    "compare",
    "count_weights",
    "encode",
    "evaluate",
    "find_modules",
    "find_parameters",
    "gradient_report",
    "hypernetize",
    "load",
    "load_task",
    "magnitude_report",
    "make_ellipses",
    "make_model",
    "make_pairs",
    "save",
    "save_network",
    "train",
    "train_run",
    "warp",
]
