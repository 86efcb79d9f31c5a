from .comparison.evaluation import evaluate as evaluate
from .comparison.outcomes import Outcome as Outcome
from .comparison.outcomes import load_outcomes as load_outcomes
from .comparison.outcomes import save_outcomes as save_outcomes
from .comparison.profiles import PerformanceProfile as PerformanceProfile
from .comparison.profiles import performance_profile as performance_profile
from .comparison.reports import BranchingReport as BranchingReport
from .comparison.reports import RuleSummary as RuleSummary
from .configs import PolicyConfig as PolicyConfig
from .configs import ScipConfig as ScipConfig
from .configs import TrainConfig as TrainConfig
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
from .instances.milp import MILP as MILP
from .learning.redistribution import gain_importance as gain_importance
from .learning.redistribution import redistribute as redistribute
from .learning.redistribution import returns_to_go as returns_to_go
from .learning.replay import PathBatch as PathBatch
from .learning.replay import ReplayForest as ReplayForest
from .learning.runs import RunConfig as RunConfig
from .learning.runs import TrainReport as TrainReport
from .learning.runs import curve as curve
from .learning.runs import learning_curves as learning_curves
from .learning.runs import train as train
from .learning.targets import double_q as double_q
from .learning.targets import log_tree_size as log_tree_size
from .learning.trainer import Trainer as Trainer
from .network.decoder import Decoder as Decoder
from .network.encoder import BipartiteGCN as BipartiteGCN
from .network.encoder import HalfConvolution as HalfConvolution
from .network.graphs import GraphBatch as GraphBatch
from .network.graphs import collate as collate
from .network.normalization import FeatureNorm as FeatureNorm
from .network.policy import ReviBranchPolicy as ReviBranchPolicy
from .network.policy import load as load
from .network.policy import save as save
from .network.revival import ActionEmbedding as ActionEmbedding
from .network.revival import PathMemory as PathMemory
from .network.revival import StepBuilder as StepBuilder
from .scip.models import Focus as Focus
from .scip.models import read_model as read_model
from .scip.observation import FEATURE_VERSION as FEATURE_VERSION
from .scip.observation import ROW_FEATURES as ROW_FEATURES
from .scip.observation import VARIABLE_FEATURES as VARIABLE_FEATURES
from .scip.observation import BipartiteObservation as BipartiteObservation
from .scip.observation import Observation as Observation
from .scip.rules import BUILT_IN as BUILT_IN
from .scip.rules import MostFractionalRule as MostFractionalRule
from .scip.rules import PseudocostRule as PseudocostRule
from .scip.rules import RandomRule as RandomRule
from .scip.rules import StrongBranchingRule as StrongBranchingRule
from .search.branching import BranchingPlugin as BranchingPlugin
from .search.branching import PolicyRule as PolicyRule
from .search.branching import install_policy as install_policy
from .search.branching import install_rule as install_rule
from .search.environment import SCIPEnv as SCIPEnv
from .search.policies import make_rule as make_rule
from .search.rollouts import Job as Job
from .search.rollouts import RolloutPool as RolloutPool
from .search.solving import SolveInterrupted as SolveInterrupted
from .search.solving import SolveResult as SolveResult
from .search.solving import solve as solve
from .search.trees import Decision as Decision
from .search.trees import Episode as Episode

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
    "learning_curves",
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
