from .astar import astar as astar

__all__ = ["astar"]
