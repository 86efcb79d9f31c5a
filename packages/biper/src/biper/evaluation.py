"""How well a network tells classes apart."""

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.output import finite

BATCH = 512


@dataclass(frozen=True)
class EvaluationReport:
    """What a classifier does on labeled samples.

    Attributes:
        n_samples: How many there are.
        accuracy: Share whose largest logit is that of their class.
        loss: Mean cross entropy in nats.
    """

    n_samples: int
    accuracy: float
    loss: float

    def to_json(self) -> dict[str, float | None]:
        """As JSON can hold it: a loss that is not finite is null."""
        return asdict(self) | {"loss": finite(self.loss)}


def predict(model: nn.Module, x: Float[Tensor, "n *sample"], batch_size: int = BATCH) -> Float[Tensor, "n classes"]:
    """Logits of samples in evaluation mode; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(some).float() for some in x.split(batch_size)])
    model.train(was_training)
    return found


def evaluate(model: nn.Module, data: LabeledDataset) -> EvaluationReport:
    """Accuracy and loss on labeled samples, on the device of the model.

    Raises:
        ValueError: if there are no samples.
    """
    if not len(data):
        raise ValueError("there are no samples to evaluate the network on")
    parameter = next(iter([*model.parameters(), *model.buffers()]), None)
    data = data if parameter is None else data.to(parameter.device)
    logits = predict(model, data.x)
    accuracy = (logits.argmax(1) == data.y).double().mean().item()
    return EvaluationReport(len(data), accuracy, cross_entropy(logits, data.y).item())
