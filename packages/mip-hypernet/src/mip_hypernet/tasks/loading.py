"""Tasks by name."""

from mip_hypernet.configs import TaskConfig, TaskName
from separata.labeled import load_splits

from .bayes import Bayes
from .registration import Registration
from .regularization import Regularization
from .scale_space import ScaleSpace
from .task import Task

VALIDATION = 0.1
REGISTERED_PIXELS = 16


def load_task(name: TaskName, config: TaskConfig, seed: int = 0) -> Task:
    """A task with its data.

    Args:
        name: Which one.
        config: Its data and network.
        seed: Draws the validation part, warps and ellipses.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if the data or a setting does not fit the task.
    """
    if name == "scale-space":
        return ScaleSpace.of(config, seed)
    size = config.size
    if name == "registration" and size is None and config.data == "digits":
        size = REGISTERED_PIXELS
    splits = load_splits(config.data, validation=VALIDATION, seed=seed, size=size, n_train=config.n_train)
    if name == "bayes":
        return Bayes(splits, config)
    if name == "regularization":
        return Regularization(splits, config)
    if name == "registration":
        return Registration.of(splits, config, seed)
    raise ValueError(f"there is no task {name!r}; the tasks are bayes, regularization, registration and scale-space")
