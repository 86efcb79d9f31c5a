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
from .milp import MILP as MILP
from .profiles import PerformanceProfile as PerformanceProfile
from .profiles import performance_profile as performance_profile

__all__ = [
    "FAMILIES",
    "MILP",
    "AuctionConfig",
    "FacilityLocationConfig",
    "Family",
    "IndependentSetConfig",
    "KnapsackConfig",
    "PerformanceProfile",
    "SetCoverConfig",
    "family_config",
    "make_combinatorial_auction",
    "make_facility_location",
    "make_independent_set",
    "make_instance",
    "make_instances",
    "make_multiple_knapsack",
    "make_set_cover",
    "performance_profile",
]
