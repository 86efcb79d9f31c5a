"""How the claims of Hou et al. (2024) are measured."""

from .dimensions import dimensions
from .domains import domains
from .overhead import overhead
from .ranking import ranking

__all__ = ["dimensions", "domains", "overhead", "ranking"]
