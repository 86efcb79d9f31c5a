"""Tasks that one network learns for every value of γ."""

from .bayes import Bayes as Bayes
from .loading import load_task as load_task
from .registration import Registration as Registration
from .regularization import Regularization as Regularization
from .scale_space import ScaleSpace as ScaleSpace
from .task import Batch as Batch
from .task import Part as Part
from .task import Task as Task
