from .combinatorial_auction import make_combinatorial_auction as make_combinatorial_auction
from .configs import AuctionConfig as AuctionConfig
from .configs import FacilityLocationConfig as FacilityLocationConfig
from .configs import IndependentSetConfig as IndependentSetConfig
from .configs import KnapsackConfig as KnapsackConfig
from .configs import SetCoverConfig as SetCoverConfig
from .facility_location import make_facility_location as make_facility_location
from .families import FAMILIES as FAMILIES
from .families import Family as Family
from .families import RandomInstance as RandomInstance
from .families import family_config as family_config
from .families import make_instance as make_instance
from .families import make_instances as make_instances
from .independent_set import make_independent_set as make_independent_set
from .multiple_knapsack import make_multiple_knapsack as make_multiple_knapsack
from .paths import problem_files as problem_files
from .set_cover import make_set_cover as make_set_cover

__all__ = [
    "FAMILIES",
    "AuctionConfig",
    "FacilityLocationConfig",
    "Family",
    "IndependentSetConfig",
    "KnapsackConfig",
    "RandomInstance",
    "SetCoverConfig",
    "family_config",
    "make_combinatorial_auction",
    "make_facility_location",
    "make_independent_set",
    "make_instance",
    "make_instances",
    "make_multiple_knapsack",
    "make_set_cover",
    "problem_files",
]
