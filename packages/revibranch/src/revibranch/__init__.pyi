from .comparison import BranchingReport as BranchingReport
from .comparison import RuleSummary as RuleSummary
from .configs import PolicyConfig as PolicyConfig
from .configs import ScipConfig as ScipConfig
from .configs import TrainConfig as TrainConfig
from .encoder import BipartiteGCN as BipartiteGCN
from .evaluation import evaluate as evaluate
from .instances import FAMILIES as FAMILIES
from .instances import AuctionConfig as AuctionConfig
from .instances import FacilityLocationConfig as FacilityLocationConfig
from .instances import Family as Family
from .instances import IndependentSetConfig as IndependentSetConfig
from .instances import KnapsackConfig as KnapsackConfig
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
from .outcomes import Outcome as Outcome
from .outcomes import load_outcomes as load_outcomes
from .outcomes import save_outcomes as save_outcomes
from .policies import make_rule as make_rule
from .policy import ReviBranchPolicy as ReviBranchPolicy
from .policy import load as load
from .policy import save as save
from .profiles import PerformanceProfile as PerformanceProfile
from .profiles import performance_profile as performance_profile
from .redistribution import redistribute as redistribute
from .replay import PathBatch as PathBatch
from .replay import ReplayForest as ReplayForest
from .runs import RunConfig as RunConfig
from .runs import TrainReport as TrainReport
from .runs import train as train
from .solving import SolveInterrupted as SolveInterrupted
from .solving import SolveResult as SolveResult
from .solving import solve as solve
from .trainer import Trainer as Trainer

__all__ = [
    "FAMILIES",
    "MILP",
    "AuctionConfig",
    "BipartiteGCN",
    "BranchingReport",
    "FacilityLocationConfig",
    "Family",
    "FeatureNorm",
    "IndependentSetConfig",
    "KnapsackConfig",
    "Outcome",
    "PathBatch",
    "PerformanceProfile",
    "PolicyConfig",
    "ReplayForest",
    "ReviBranchPolicy",
    "RuleSummary",
    "RunConfig",
    "ScipConfig",
    "SetCoverConfig",
    "SolveInterrupted",
    "SolveResult",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "evaluate",
    "family_config",
    "load",
    "load_outcomes",
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
    "redistribute",
    "save",
    "save_outcomes",
    "solve",
    "train",
]
