from .branching import BranchingPlugin as BranchingPlugin
from .branching import PolicyRule as PolicyRule
from .branching import install_policy as install_policy
from .branching import install_rule as install_rule
from .comparison import BranchingReport as BranchingReport
from .comparison import RuleSummary as RuleSummary
from .configs import PolicyConfig as PolicyConfig
from .configs import ScipConfig as ScipConfig
from .configs import TrainConfig as TrainConfig
from .decoder import Decoder as Decoder
from .encoder import BipartiteGCN as BipartiteGCN
from .encoder import HalfConvolution as HalfConvolution
from .environment import SCIPEnv as SCIPEnv
from .evaluation import evaluate as evaluate
from .graphs import GraphBatch as GraphBatch
from .graphs import collate as collate
from .instances import FAMILIES as FAMILIES
from .instances import AuctionConfig as AuctionConfig
from .instances import FacilityLocationConfig as FacilityLocationConfig
from .instances import Family as Family
from .instances import IndependentSetConfig as IndependentSetConfig
from .instances import KnapsackConfig as KnapsackConfig
from .instances import RandomInstance as RandomInstance
from .instances import SetCoverConfig as SetCoverConfig
from .instances import family_config as family_config
from .instances import make_combinatorial_auction as make_combinatorial_auction
from .instances import make_facility_location as make_facility_location
from .instances import make_independent_set as make_independent_set
from .instances import make_instance as make_instance
from .instances import make_instances as make_instances
from .instances import make_multiple_knapsack as make_multiple_knapsack
from .instances import make_set_cover as make_set_cover
from .instances import problem_files as problem_files
from .milp import MILP as MILP
from .normalization import FeatureNorm as FeatureNorm
from .observation import FEATURE_VERSION as FEATURE_VERSION
from .observation import ROW_FEATURES as ROW_FEATURES
from .observation import VARIABLE_FEATURES as VARIABLE_FEATURES
from .observation import BipartiteObservation as BipartiteObservation
from .observation import Observation as Observation
from .outcomes import Outcome as Outcome
from .outcomes import load_outcomes as load_outcomes
from .outcomes import save_outcomes as save_outcomes
from .policies import make_rule as make_rule
from .policy import ReviBranchPolicy as ReviBranchPolicy
from .policy import load as load
from .policy import save as save
from .profiles import PerformanceProfile as PerformanceProfile
from .profiles import performance_profile as performance_profile
from .redistribution import gain_importance as gain_importance
from .redistribution import redistribute as redistribute
from .redistribution import returns_to_go as returns_to_go
from .replay import PathBatch as PathBatch
from .replay import ReplayForest as ReplayForest
from .revival import ActionEmbedding as ActionEmbedding
from .revival import PathMemory as PathMemory
from .revival import StepBuilder as StepBuilder
from .rollouts import Job as Job
from .rollouts import RolloutPool as RolloutPool
from .rules import BUILT_IN as BUILT_IN
from .rules import MostFractionalRule as MostFractionalRule
from .rules import PseudocostRule as PseudocostRule
from .rules import RandomRule as RandomRule
from .rules import StrongBranchingRule as StrongBranchingRule
from .runs import RunConfig as RunConfig
from .runs import TrainReport as TrainReport
from .runs import curve as curve
from .runs import train as train
from .scip import Focus as Focus
from .scip import read_model as read_model
from .solving import SolveInterrupted as SolveInterrupted
from .solving import SolveResult as SolveResult
from .solving import solve as solve
from .targets import double_q as double_q
from .targets import log_tree_size as log_tree_size
from .trainer import Trainer as Trainer
from .trees import Decision as Decision
from .trees import Episode as Episode

__all__ = [
    "BUILT_IN",
    "FAMILIES",
    "FEATURE_VERSION",
    "MILP",
    "ROW_FEATURES",
    "VARIABLE_FEATURES",
    "ActionEmbedding",
    "AuctionConfig",
    "BipartiteGCN",
    "BipartiteObservation",
    "BranchingPlugin",
    "BranchingReport",
    "Decision",
    "Decoder",
    "Episode",
    "FacilityLocationConfig",
    "Family",
    "FeatureNorm",
    "Focus",
    "GraphBatch",
    "HalfConvolution",
    "IndependentSetConfig",
    "Job",
    "KnapsackConfig",
    "MostFractionalRule",
    "Observation",
    "Outcome",
    "PathBatch",
    "PathMemory",
    "PerformanceProfile",
    "PolicyConfig",
    "PolicyRule",
    "PseudocostRule",
    "RandomInstance",
    "RandomRule",
    "ReplayForest",
    "ReviBranchPolicy",
    "RolloutPool",
    "RuleSummary",
    "RunConfig",
    "SCIPEnv",
    "ScipConfig",
    "SetCoverConfig",
    "SolveInterrupted",
    "SolveResult",
    "StepBuilder",
    "StrongBranchingRule",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "collate",
    "curve",
    "double_q",
    "evaluate",
    "family_config",
    "gain_importance",
    "install_policy",
    "install_rule",
    "load",
    "load_outcomes",
    "log_tree_size",
    "make_combinatorial_auction",
    "make_facility_location",
    "make_independent_set",
    "make_instance",
    "make_instances",
    "make_multiple_knapsack",
    "make_rule",
    "make_set_cover",
    "performance_profile",
    "problem_files",
    "read_model",
    "redistribute",
    "returns_to_go",
    "save",
    "save_outcomes",
    "solve",
    "train",
]
