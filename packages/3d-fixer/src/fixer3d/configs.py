"""Settings, as the command takes them and as experiments hold them. Imports nothing slow."""  # TODO: yours.

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """How a neuron is trained.

    Args:
        n_passes: Passes over the data.
        batch_size: Samples per step.
        lr: Learning rate; small against the inverse of the largest eigenvalue of the inputs' correlation matrix.

    Raises:
        ValueError: if one of them is not positive.
    """

    n_passes: int = 20
    batch_size: int = 64
    lr: float = 5e-3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")


@dataclass(frozen=True)
class SceneConfig:
    """How scenes are made and seen.

    Args:
        n_objects: Least and greatest number of objects; fewer where no room is found.
        n_views: Cameras around each scene.
        image_size: Pixels of each side of the images.
        floor_size: Side of the square floor on which objects stand.
        object_scale: Least and greatest longest side of an object.
        wall_probability: Chance that the floor and each wall is there.
        categories: Kinds of objects; all where it is empty.
        min_area: Objects that cover a smaller part of an image count as not seen in it.

    Raises:
        ValueError: if a number is out of range.
    """

    n_objects: tuple[int, int] = (3, 6)
    n_views: int = 4
    image_size: int = 128
    floor_size: float = 5.0
    object_scale: tuple[float, float] = (0.5, 2.0)
    wall_probability: float = 0.9
    categories: tuple[str, ...] = ()
    min_area: float = 0.005

    def __post_init__(self) -> None:
        least, most = self.n_objects
        if not 1 <= least <= most <= 97:
            raise ValueError(f"n_objects must be two numbers from 1 to 97, the smaller first, not {least} and {most}")
        if self.n_views < 1 or self.image_size < 8 or not self.floor_size > 0:
            raise ValueError("a scene needs a view, images of at least 8 pixels, and a floor")
        if not 0 < self.object_scale[0] <= self.object_scale[1] <= self.floor_size:
            raise ValueError(f"object_scale must lie between 0 and the floor's {self.floor_size:g}")
        if not 0 <= self.wall_probability <= 1 or not 0 <= self.min_area < 1:
            raise ValueError("wall_probability and min_area must lie between 0 and 1")
