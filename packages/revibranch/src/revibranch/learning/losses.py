"""The loss: tree-Bellman targets by double Q-learning, and the redistributed returns of paths."""

import torch
from jaxtyping import Float
from torch import Tensor

from revibranch.configs import TrainConfig
from revibranch.network.policy import ReviBranchPolicy
from revibranch.network.revival import segment_softmax

from .redistribution import (
    gain_importance,
    redistribute,
    return_prediction_loss,
    returns_to_go,
    sparse_importance,
)
from .replay import PathBatch
from .targets import double_q, log_tree_size


def loss(
    policy: ReviBranchPolicy, target: ReviBranchPolicy, batch: PathBatch, config: TrainConfig
) -> Float[Tensor, ""]:
    """The mean of (Q_i + log(1 + sum of children's sizes))^2 + eta (Q_i - sum_{k >= i} r_k)^2 over the steps.

    The graphs of all paths are encoded anew, each once, and both networks remember by their own embeddings. With
    learned importance, the loss of predicting returns is added.

    Args:
        policy: The network that learns; the gradients are of its weights.
        target: The network that values children.
        batch: Paths.
        config: `eta`, `importance` and `temperature`.
    """
    graphs = batch.graphs
    embeddings = policy.encode(graphs)
    steps = policy.remember(embeddings, graphs, batch.actions, batch.depths)
    n = graphs.n_graphs
    q = policy.decode(embeddings, graphs, steps[batch.memory[:n]], batch.mask[:n])[batch.taken][batch.steps]
    sizes = _log_sizes(policy, target, batch, embeddings.detach(), steps.detach())
    total = (q + sizes).square().mean()
    if not config.eta and config.importance != "learned":
        return total
    importance = _importance(policy, steps[batch.steps][batch.paths], batch, config)
    if config.importance == "learned":
        total = total + return_prediction_loss(importance, batch.returns, batch.path_mask)
    rewards = redistribute(importance.detach(), batch.returns, config.temperature, batch.path_mask)
    returns = returns_to_go(rewards) + batch.tails[:, None]
    return total + config.eta * (q - returns[batch.path_mask]).square().mean()


@torch.no_grad()
def _log_sizes(
    policy: ReviBranchPolicy, target: ReviBranchPolicy, batch: PathBatch, embeddings: Tensor, steps: Tensor
) -> Tensor:
    """Logarithms of the sizes of subtrees by the values of their children, which the policy and the target share."""
    graphs, was_training = batch.all_graphs, policy.training
    if batch.others is not None:
        embeddings = torch.cat((embeddings, policy.encode(batch.others)))
    policy.eval()
    online = policy.decode(embeddings, graphs, steps[batch.memory], batch.mask)
    policy.train(was_training)
    theirs = target.encode(graphs)
    past = target.remember(theirs[: len(batch.graphs.variables)], batch.graphs, batch.actions, batch.depths)
    values = target.decode(theirs, graphs, past[batch.memory], batch.mask)
    best = double_q(online, values, graphs.candidate_batch, graphs.n_graphs)
    # A child that was branched on is a subtree of at least one branching.
    return log_tree_size(best.clamp(max=0)[batch.children], batch.parents, len(batch.steps))


def _importance(policy: ReviBranchPolicy, steps: Tensor, batch: PathBatch, config: TrainConfig) -> Tensor:
    """Importance of each step of each path."""
    if config.importance == "gain":
        return gain_importance(batch.gains)
    if config.importance == "learned":
        return policy.importance(steps.flatten(0, 1)).view(batch.paths.shape)
    return sparse_importance(batch.path_mask) if config.importance == "sparse" else torch.zeros_like(batch.gains)


def imitation_loss(policy: ReviBranchPolicy, batch: PathBatch) -> Float[Tensor, ""]:
    """Mean cross-entropy of the choices that were made, with Q as logits."""
    graphs, n = batch.graphs, batch.graphs.n_graphs
    embeddings = policy.encode(graphs)
    steps = policy.remember(embeddings, graphs, batch.actions, batch.depths)
    q = policy.decode(embeddings, graphs, steps[batch.memory[:n]], batch.mask[:n])
    shares = segment_softmax(q, graphs.candidate_batch, n)
    return -shares[batch.taken][batch.steps].clamp(min=1e-30).log().mean()
