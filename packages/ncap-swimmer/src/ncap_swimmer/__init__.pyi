from .actor_critic import DDPGPolicy as DDPGPolicy
from .actor_critic import DeterministicActor as DeterministicActor
from .actor_critic import PPOPolicy as PPOPolicy
from .actor_critic import StochasticActor as StochasticActor
from .algorithms import DDPGConfig as DDPGConfig
from .algorithms import ESConfig as ESConfig
from .algorithms import PPOConfig as PPOConfig
from .body import joint_limit as joint_limit
from .body import swimmer_xml as swimmer_xml
from .circuit import CircuitActivity as CircuitActivity
from .circuit import SwimmerCircuit as SwimmerCircuit
from .configs import PolicyConfig as PolicyConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .controllers import make_controller as make_controller
from .environments import NavigateEnv as NavigateEnv
from .environments import SwimEnv as SwimEnv
from .environments import SwimmerEnv as SwimmerEnv
from .environments import make_env as make_env
from .evolution import ESLearner as ESLearner
from .exports import network_from_circuit as network_from_circuit
from .exports import save_onnx as save_onnx
from .exports import wrong_sign_property as wrong_sign_property
from .learning import Learner as Learner
from .learning import Point as Point
from .learning import TrainResult as TrainResult
from .policies import CircuitPolicy as CircuitPolicy
from .policies import MLPPolicy as MLPPolicy
from .policies import RandomTorques as RandomTorques
from .policies import Standardize as Standardize
from .policies import count_parameters as count_parameters
from .policies import make_policy as make_policy
from .rollouts import EvaluationReport as EvaluationReport
from .rollouts import evaluate as evaluate
from .runs import load as load
from .runs import save as save
from .steering import FixedSteering as FixedSteering
from .steering import LearnedSteering as LearnedSteering
from .swimmers import Swimmer as Swimmer
from .swimmers import make_circuit_policy as make_circuit_policy
from .training import make_learner as make_learner
from .training import train as train

__all__ = [
    "CircuitActivity",
    "CircuitPolicy",
    "DDPGConfig",
    "DDPGPolicy",
    "DeterministicActor",
    "ESConfig",
    "ESLearner",
    "EvaluationReport",
    "FixedSteering",
    "LearnedSteering",
    "Learner",
    "MLPPolicy",
    "NavigateEnv",
    "PPOConfig",
    "PPOPolicy",
    "Point",
    "PolicyConfig",
    "RandomTorques",
    "RunConfig",
    "Standardize",
    "StochasticActor",
    "SwimEnv",
    "Swimmer",
    "SwimmerCircuit",
    "SwimmerEnv",
    "TrainConfig",
    "TrainResult",
    "count_parameters",
    "evaluate",
    "joint_limit",
    "load",
    "make_circuit_policy",
    "make_controller",
    "make_env",
    "make_learner",
    "make_policy",
    "network_from_circuit",
    "save",
    "save_onnx",
    "swimmer_xml",
    "train",
    "wrong_sign_property",
]
