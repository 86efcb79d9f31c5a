"""A scikit-learn classifier, for data and networks of the user's own."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from separata.labeled import LabeledDataset, split
from separata.run import Compute
from separata.training import seeded

from .configs import SCALES, DataShape, LossConfig, NetworkConfig, RuleName, RunConfig, Similarity, TrainConfig
from .evaluation import check_inputs, predict
from .networks.architectures import make_network
from .networks.dual import CounterCurrentNetwork
from .networks.mirrored import counter_current
from .rules.registry import make_rule
from .training import Trainer


class CounterCurrentClassifier(ClassifierMixin, BaseEstimator):
    """Trains a network with layer-local gradients, or by another rule.

    A scikit-learn estimator, which works in its pipelines and searches. After `fit`, `network_` is the
    trained dual network, `network_.plain()` its forward network as a plain `nn.Sequential`, and `classes_` the labels
    in the order of the logits.

    Args:
        model: A network of your own, as `counter_current` takes it, that ends in as many logits as there are classes;
            it is copied, and stays as it is. If not given, a perceptron of the `widths`, with biases, which the
            published one has not.
        rule: `ccl`, `bp`, `fa`, `dfa`, `drtp`, `fw-dtp`, `dtp` or `output-only`.
        widths: Widths of the hidden layers of the perceptron.
        activation: Its activation function.
        similarity: Similarity of the pair losses of `ccl`: `dot` or `cosine`.
        epochs: Passes over the training samples.
        batch_size: Samples of a step.
        lr: Learning rate of the forward weights.
        lr_feedback: Learning rate of the feedback weights.
        momentum: Momentum of both.
        clip: Largest norm of the forward and of the feedback weights' gradient; 0 for any.
        validation: Share of the samples by which the weights are chosen; 0 for none.
        standardize: Standardize features, or the channels of images.
        seed: Of weights, validation part and order of the samples.
        device: `auto`, `cpu` or `cuda`.
    """

    def __init__(  # noqa: PLR0913 - a scikit-learn estimator has its settings here
        self,
        model: nn.Sequential | None = None,
        *,
        rule: RuleName = "ccl",
        widths: str = "256,256",
        activation: str = "elu",
        similarity: Similarity = "dot",
        epochs: int = 50,
        batch_size: int = 32,
        lr: float = 0.3,
        lr_feedback: float = 0.3,
        momentum: float = 0.0,
        clip: float = 1.0,
        validation: float = 0.1,
        standardize: bool = True,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.rule = rule
        self.widths = widths
        self.activation = activation
        self.similarity = similarity
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_feedback = lr_feedback
        self.momentum = momentum
        self.clip = clip
        self.validation = validation
        self.standardize = standardize
        self.seed = seed
        self.device = device

    def fit(self, x: Any, y: Any) -> "CounterCurrentClassifier":  # noqa: ANN401 - arrays or tensors
        """Train.

        Args:
            x: Samples (n, ...): an array or a tensor of numbers.
            y: Their labels (n,), numbers or text.

        Raises:
            ValueError: if a setting or the data is wrong, or the training diverges.
        """
        config = self._config()
        samples, labels = _samples(x), np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(samples):
            raise ValueError(f"there must be one label for each of {len(samples)} samples, not labels {labels.shape}")
        if labels.dtype.kind == "f" and not np.array_equal(labels, labels.round()):
            raise ValueError("labels are classes, but there are fractions among them")
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, not {len(self.classes_)}")
        self.n_features_in_ = samples.shape[1]
        data = LabeledDataset(samples, torch.from_numpy(numbers.astype(np.int64)), tuple(map(str, self.classes_)))
        held_out = None
        if self.validation:
            data, held_out = split(data, self.validation, self.seed)
        device = Compute(self.device).torch_device
        network = self._network(config, data).to(device)
        trainer = Trainer(network, data, config.train, make_rule(network, config), validation=held_out)
        try:
            trainer.fit()
        except FloatingPointError as error:
            raise ValueError(str(error)) from None
        self.network_ = network
        return self

    def _config(self) -> RunConfig:
        activation: Any = self.activation  # the configuration checks it
        network = NetworkConfig("mlp", self.widths, activation, bias=True, standardize=self.standardize)
        train = TrainConfig(
            self.epochs,
            self.batch_size,
            self.lr,
            self.lr_feedback,
            self.momentum,
            clip=self.clip,
            clip_feedback=self.clip,
            seed=self.seed,
        )
        loss = LossConfig(self.similarity, scale=SCALES.get(self.similarity, 1.0))
        return RunConfig(network, self.rule, loss, train=train)

    def _network(self, config: RunConfig, data: LabeledDataset) -> CounterCurrentNetwork:
        with seeded(self.seed):
            if self.model is None:
                return make_network(config.network, DataShape(data.sample_shape, data.n_classes))
            return counter_current(
                deepcopy(self.model), data.n_classes, data.sample_shape, standardize=self.standardize
            )

    def _logits(self, x: Any) -> Float[Tensor, "n classes"]:  # noqa: ANN401 - an array or a tensor
        check_is_fitted(self, "network_")
        samples = _samples(x)
        check_inputs(self.network_, samples)
        return predict(self.network_, samples.to(next(self.network_.parameters()).device)).cpu()

    def decision_function(self, x: Any) -> np.ndarray:  # noqa: ANN401 - an array or a tensor
        """The logits (n, classes) of samples; of two classes, as scikit-learn has it, their difference (n,).

        Raises:
            ValueError: if the samples are not such as the network was trained on.
        """
        logits = self._logits(x)
        return (logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits).numpy()

    def predict_proba(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The probabilities (n, classes) of samples; raises as `decision_function` does."""
        return self._logits(x).softmax(1).numpy()

    def predict(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The labels of samples; raises as `decision_function` does."""
        numbers = self._logits(x).argmax(1).numpy()
        return self.classes_[numbers]


def _samples(x: Any) -> Float[Tensor, "n ..."]:  # noqa: ANN401 - an array or a tensor
    """Samples in single precision, on the CPU."""
    is_real = not (x.is_complex() if isinstance(x, Tensor) else np.iscomplexobj(x))
    try:
        values = x.detach().cpu().float() if isinstance(x, Tensor) else np.ascontiguousarray(x, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError("samples are real numbers of shape (n, ...), not text or other objects") from None
    if values.ndim < 2 or not is_real:
        raise ValueError(f"samples are real numbers of shape (n, ...), not {tuple(values.shape)}")
    return torch.as_tensor(values)
