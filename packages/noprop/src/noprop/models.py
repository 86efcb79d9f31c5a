"""A model from its configuration, for data of a shape."""

import math

from jaxtyping import Float, Int
from torch import Tensor, nn

from .baselines.adjoint import AdjointClassifier
from .baselines.unrolled import BackpropUnrolled
from .blocks import BlockFactory, ConfiguredBlocks
from .configs import ModelConfig, SampleShape, TrainConfig
from .continuous import NoPropCT
from .discrete import NoPropDT
from .embeddings import ClassEmbedding
from .flow_matching import NoPropFM
from .heads import make_head
from .learned_schedule import LearnedSchedule
from .schedules import CosineSchedule

ETAS = {"dt": 0.1, "backprop": 0.1, "ct": 1.0, "adjoint": 1.0}
"""The published weights of the denoising loss."""
HEAD_STARTS = {"backprop": 5.0, "adjoint": 5.0}
"""How the head of what is trained through its whole chain begins."""


def make_model(
    config: ModelConfig,
    shape: SampleShape,
    *,
    prototypes: tuple[Float[Tensor, "n *sample"], Int[Tensor, "n"]] | None = None,
    block_factory: BlockFactory | None = None,
    train: TrainConfig | None = None,
) -> nn.Module:
    """The model of a configuration; its weights are drawn from PyTorch's generator.

    Args:
        config: The model.
        shape: Samples and classes.
        prototypes: Samples and classes of the training data, among which prototypes are chosen; without them, they are
            to be read from a file.
        block_factory: Makes blocks of your own instead of the configured ones.
        train: How it is trained, where the model depends on it.

    Raises:
        ValueError: if the configuration does not fit the data.
    """
    embedding = _embedding(config, shape, prototypes)
    factory = block_factory or ConfiguredBlocks(config, shape.shape)
    head = make_head(config.head, embedding, config.sigma)
    start = HEAD_STARTS.get(config.variant, 0.0) if config.head_start is None else config.head_start
    if start and config.head == "linear":
        head.begin_at_nearest(embedding, start)
    n, train = shape.n_classes, train or TrainConfig()
    eta = ETAS.get(config.variant, 1.0) if config.eta is None else config.eta
    match config.variant:
        case "dt" | "backprop":
            schedule = CosineSchedule(config.n_steps)
            dt = NoPropDT(n, factory, schedule=schedule, embedding=embedding, head=head, eta=eta)
            return dt if config.variant == "dt" else BackpropUnrolled(dt, noise=train.chain_noise)
        case "fm":
            return NoPropFM(n, factory, embedding=embedding, head=head, noise=config.flow_noise)
        case _:
            learned = LearnedSchedule(-config.gamma, config.gamma)
            ct = NoPropCT(n, factory, schedule=learned, embedding=embedding, head=head, eta=eta)
            return ct if config.variant == "ct" else AdjointClassifier(ct, n_steps=train.steps)


def _embedding(config: ModelConfig, shape: SampleShape, prototypes: tuple[Tensor, Tensor] | None) -> ClassEmbedding:
    if config.embedding != "prototype":
        return ClassEmbedding(shape.n_classes, config.embedding, config.dim, frozen=config.freeze_embedding)
    if len(shape.shape) != 3:
        raise ValueError(f"prototypes are images; samples of shape {shape.shape} have none")
    if prototypes is None:
        dim = math.prod(shape.shape)
        return ClassEmbedding(shape.n_classes, "prototype", dim, frozen=config.freeze_embedding)
    return ClassEmbedding.from_prototypes(*prototypes, shape.n_classes, frozen=config.freeze_embedding)
