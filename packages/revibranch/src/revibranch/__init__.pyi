from .milp import MILP as MILP

__all__ = ["MILP"]
