from .actor_critic import DDPGPolicy as DDPGPolicy
from .actor_critic import DeterministicActor as DeterministicActor
from .actor_critic import PPOPolicy as PPOPolicy
from .actor_critic import StochasticActor as StochasticActor
from .body import joint_limit as joint_limit
from .body import swimmer_xml as swimmer_xml
from .circuit import CircuitActivity as CircuitActivity
from .circuit import SwimmerCircuit as SwimmerCircuit
from .controllers import controller as controller
from .environments import NavigateEnv as NavigateEnv
from .environments import SwimEnv as SwimEnv
from .environments import SwimmerEnv as SwimmerEnv
from .environments import make_env as make_env
from .evolution import ESLearner as ESLearner
from .evolution import ESSettings as ESSettings
from .evolution import train_es as train_es
from .exports import export_onnx as export_onnx
from .exports import phase_network as phase_network
from .exports import wrong_sign_property as wrong_sign_property
from .learning import Learner as Learner
from .learning import Point as Point
from .learning import Schedule as Schedule
from .learning import TrainResult as TrainResult
from .learning import learn as learn
from .policies import CircuitPolicy as CircuitPolicy
from .policies import MLPPolicy as MLPPolicy
from .policies import RandomTorques as RandomTorques
from .policies import Standardize as Standardize
from .policies import circuit_for as circuit_for
from .policies import count_parameters as count_parameters
from .reinforcement import train_ddpg as train_ddpg
from .reinforcement import train_ppo as train_ppo
from .rl_settings import DDPGSettings as DDPGSettings
from .rl_settings import PPOSettings as PPOSettings
from .rollouts import Evaluation as Evaluation
from .rollouts import evaluate as evaluate
from .steering import FixedSteering as FixedSteering
from .steering import LearnedSteering as LearnedSteering

__all__ = [
    "CircuitActivity",
    "CircuitPolicy",
    "DDPGPolicy",
    "DDPGSettings",
    "DeterministicActor",
    "ESLearner",
    "ESSettings",
    "Evaluation",
    "FixedSteering",
    "LearnedSteering",
    "Learner",
    "MLPPolicy",
    "NavigateEnv",
    "PPOPolicy",
    "PPOSettings",
    "Point",
    "RandomTorques",
    "Schedule",
    "Standardize",
    "StochasticActor",
    "SwimEnv",
    "SwimmerCircuit",
    "SwimmerEnv",
    "TrainResult",
    "circuit_for",
    "controller",
    "count_parameters",
    "evaluate",
    "export_onnx",
    "joint_limit",
    "learn",
    "make_env",
    "phase_network",
    "swimmer_xml",
    "train_ddpg",
    "train_es",
    "train_ppo",
    "wrong_sign_property",
]
