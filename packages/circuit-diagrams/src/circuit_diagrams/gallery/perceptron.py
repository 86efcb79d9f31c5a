"""The multilayer perceptron that opens the paper."""

from jaxtyping import Float
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Two hidden layers of rectified linear units, and a softmax over classes."""

    def __init__(self, n_inputs: int = 784, width: int = 512, n_classes: int = 10) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch classes"]:
        """What the network computes."""
        return self.head(self.hidden(self.flatten(x))).softmax(-1)
