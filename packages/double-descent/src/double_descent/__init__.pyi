from .configs import FitConfig as FitConfig

__all__ = ["FitConfig"]
