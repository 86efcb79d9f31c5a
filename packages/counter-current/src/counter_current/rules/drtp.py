"""Direct random target projection: the label itself reaches each layer through a fixed random matrix."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from .direct_feedback_alignment import DirectFeedbackAlignment


class DirectRandomTargetProjection(DirectFeedbackAlignment):
    """Direct random target projection (Frenkel, Lefebvre and Bol 2021): no layer waits for the output.

    The one-hot label times R_l stands in for the gradient of hidden activation a_l; the output layer has its true
    gradient.

    Args:
        network: A classifier.
        generator: Draws the random matrices, on the CPU.

    Raises:
        ValueError: if the network is an autoencoder.
    """

    def errors(self, logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n classes"]:
        """The targets."""
        return one_hot(labels, logits.shape[1]).to(logits.dtype)
