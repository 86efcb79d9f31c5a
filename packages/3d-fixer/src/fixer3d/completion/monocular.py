"""Depth of a photograph, estimated by a model of the Hugging Face hub."""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from separata import extras

NEAREST = 1e-3


def estimate(rgb: UInt8[Tensor, "h w 3"], name: str, device: str = "cpu") -> Float[Tensor, "h w"]:
    """Depth by a depth-estimation pipeline of transformers.

    Models of relative depth give its inverse; it is taken as depth up to scale, which does not matter for the shape of
    the completion, but its unknown shift does: prefer a metric model.

    Args:
        rgb: The image.
        name: Model on the hub, or a folder.
        device: Where to compute.

    Raises:
        MissingExtraError: if transformers is not installed.
        ValueError: if there is no such model, or it is for another task.
    """
    extras.require("transformers", extra="3d-fixer[depth]")
    from PIL import Image
    from transformers import pipeline

    try:
        run: Any = pipeline("depth-estimation", model=name, device=device)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"no depth-estimation model {name} can be loaded: {str(error).splitlines()[0]}") from None
    values = torch.as_tensor(run(Image.fromarray(rgb.numpy()))["predicted_depth"]).float().cpu()
    values = torch.nn.functional.interpolate(values.reshape(1, 1, *values.shape[-2:]), rgb.shape[:2], mode="bilinear")
    return as_depth(values[0, 0], is_metric=_is_metric(run.model.config))


def _is_metric(config: Any) -> bool:  # noqa: ANN401 - of any model
    return getattr(config, "depth_estimation_type", "metric") == "metric"


def as_depth(values: Float[Tensor, "h w"], *, is_metric: bool) -> Float[Tensor, "h w"]:
    """What a model predicts as depth: itself, or one over it where it is inverse depth, with the median at 1."""
    if is_metric:
        return values
    largest = values.max().clamp(min=NEAREST)
    depth = 1 / (values / largest).clamp(min=0.05)
    return depth / depth.median()
