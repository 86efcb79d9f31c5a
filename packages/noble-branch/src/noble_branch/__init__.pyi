from .activations import ACTIVATIONS as ACTIVATIONS
from .activations import CosNet as CosNet
from .activations import make_activation as make_activation
from .branch import NonlinearLowRankBranch as NonlinearLowRankBranch
from .configs import BranchConfig as BranchConfig
from .conversion import Branched as Branched
from .conversion import add_branches as add_branches
from .conversion import branch_param_groups as branch_param_groups
from .conversion import in_blocks as in_blocks
from .conversion import load_plain as load_plain
from .conversion import remove_branches as remove_branches
from .linear import BranchedLinear as BranchedLinear
from .speedup import SpeedupResult as SpeedupResult
from .speedup import step_speedup as step_speedup

__all__ = [
    "ACTIVATIONS",
    "BranchConfig",
    "Branched",
    "BranchedLinear",
    "CosNet",
    "NonlinearLowRankBranch",
    "SpeedupResult",
    "add_branches",
    "branch_param_groups",
    "in_blocks",
    "load_plain",
    "make_activation",
    "remove_branches",
    "step_speedup",
]
