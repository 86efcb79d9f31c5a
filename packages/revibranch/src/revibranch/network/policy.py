"""The policy: encoder, revival and decoder in one network, which values the candidates of a node."""

import json
import math
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from revibranch.checkpoints import find
from revibranch.configs import PolicyConfig
from revibranch.scip.observation import FEATURE_VERSION, Observation
from separata import configs, files
from separata.run import Compute

from .decoder import Decoder, segment_mean
from .encoder import BipartiteGCN
from .graphs import GraphBatch, collate
from .normalization import FeatureNorm
from .revival import ActionEmbedding, PathMemory, StepBuilder

POLICY, FEATURES = "policy", "features"
"""Names in the metadata of a checkpoint."""


class ReviBranchPolicy(nn.Module):
    """Values branching candidates by their LP's graph and the revived decisions of their path.

    Q(a) is minus the logarithm of the number of branchings that the subtree below the node is expected to need, when
    a is branched on first; a rule branches where it is largest.

    Args:
        config: The network.
    """

    def __init__(self, config: PolicyConfig = PolicyConfig()) -> None:  # noqa: B008 - immutable
        super().__init__()
        size = config.embedding_size
        self.config = config
        self.encoder = BipartiteGCN(size)
        self.action_embedding, self.step_builder = ActionEmbedding(size), StepBuilder(size)
        self.memory, self.decoder = PathMemory(config), Decoder(config)
        self.head = nn.Linear(size, 1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def encode(self, graphs: GraphBatch) -> Float[Tensor, "n d"]:
        """Embeddings of all variables of the graphs."""
        return self.encoder(graphs)

    def remember(
        self, embeddings: Float[Tensor, "n d"], graphs: GraphBatch, actions: Int[Tensor, "b"], depths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b d"]:
        """The decisions R_i of the graphs, as later nodes remember them.

        Args:
            embeddings: What `encode` gave for the graphs.
            graphs: The graphs.
            actions: What was branched on in each graph, as a position among all variables of the batch.
            depths: Depth of each decision on its path.
        """
        return self.step_builder(embeddings, graphs, self.action_embedding(embeddings[actions], depths))

    def decode(
        self,
        embeddings: Float[Tensor, "n d"],
        graphs: GraphBatch,
        memory: Float[Tensor, "b l d"] | None = None,
        mask: Bool[Tensor, "b l"] | None = None,
    ) -> Float[Tensor, "k"]:
        """Q of all candidates of the graphs, from their embeddings; see `forward`."""
        if memory is None or not self.config.revival:
            memory = embeddings.new_zeros(graphs.n_graphs, 0, embeddings.shape[1])
            mask = None
        if memory.shape[1] > self.config.memory_length:
            raise ValueError(
                f"the memory holds the last {self.config.memory_length} decisions of a path, not {memory.shape[1]}"
            )
        if mask is None:
            mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device)
        state = segment_mean(embeddings, graphs.variable_batch, graphs.n_graphs)
        recalled, known = self.memory(memory, mask)
        return self.decoder(embeddings[graphs.candidates], graphs.candidate_batch, state, recalled, known)

    def forward(
        self,
        graphs: GraphBatch,
        memory: Float[Tensor, "b l d"] | None = None,
        mask: Bool[Tensor, "b l"] | None = None,
    ) -> Float[Tensor, "k"]:
        """Q of all candidates of the graphs, those of one graph after those of another.

        Args:
            graphs: The graphs.
            memory: Decisions before each, in the order of the path, at most the last `memory_length`; None for none.
            mask: True where there is one; None for everywhere.

        Raises:
            ValueError: if the memory is longer than the configuration says.
        """
        return self.decode(self.encode(graphs), graphs, memory, mask)

    @torch.no_grad()
    def decide(
        self, observation: Observation, memory: Float[Tensor, "l d"] | None = None
    ) -> tuple[Float[Tensor, "k"], Float[Tensor, "n d"]]:
        """Q of the candidates of one node, and the embeddings that `remember` needs once one of them is chosen.

        Args:
            observation: The node.
            memory: Decisions on its path, of which the last `memory_length` are taken; None for none.

        Raises:
            ValueError: if the node has no candidates.
        """
        if not len(observation.candidates):
            raise ValueError("there is nothing to branch on: the observation has no candidates")
        graphs = collate([observation.to(self.device)])
        embeddings = self.encode(graphs)
        past = None if memory is None else memory[None, -self.config.memory_length :]
        return self.decode(embeddings, graphs, past), embeddings

    def q_values(self, observation: Observation, memory: Float[Tensor, "l d"] | None = None) -> Float[Tensor, "k"]:
        """Q of the candidates of one node; see `decide`."""
        return self.decide(observation, memory)[0]

    def importance(self, steps: Float[Tensor, "b d"]) -> Float[Tensor, "b"]:
        """The share of the logarithm of its path's tree size that each decision is held responsible for."""
        return self.head(steps)[:, 0]


def save(policy: ReviBranchPolicy, path: Path | str) -> None:
    """Write a policy: a .safetensors file of its weights, with what it needs to be read again in its metadata.

    Raises:
        PermissionError: if the file cannot be written.
    """
    described = {POLICY: json.dumps(configs.plain(policy.config)), FEATURES: str(FEATURE_VERSION)}
    files.save_tensors(Path(path), policy.state_dict(), {**described, "version": _version()})


def load(path: Path | str, device: str = "auto") -> ReviBranchPolicy:
    """The policy that `save` or a training wrote, or one that comes with this package, in evaluation mode.

    Args:
        path: The .safetensors file; or `auction` or `setcover`, for what comes with this package.
        device: Where to compute: `auto`, `cpu` or `cuda`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no policy, one for other features, or weights that do not fit, are no floats or not
            finite, or features are to be divided by 0.
    """
    path = find(path)
    tensors, metadata = files.load_tensors(path)
    if not {POLICY, FEATURES} <= metadata.keys():
        raise ValueError(f"{path} holds no branching policy; give a file that `revibranch train` wrote")
    if metadata[FEATURES] != str(FEATURE_VERSION):
        raise ValueError(
            f"{path} was trained on version {metadata[FEATURES]} of the features, and this revibranch computes version "
            f"{FEATURE_VERSION}; train it anew or install the version that wrote it"
        )
    try:
        values = json.loads(metadata[POLICY])
    except ValueError:
        values = None
    policy = ReviBranchPolicy(configs.from_plain(PolicyConfig, values, path))
    try:
        policy.load_state_dict(tensors)
    except RuntimeError:
        raise ValueError(f"{path} holds other weights than its settings describe") from None
    _check_values(tensors, policy, path)
    return policy.to(Compute(device).torch_device).eval()


def _check_values(tensors: dict[str, Tensor], policy: ReviBranchPolicy, path: Path) -> None:
    """Refuse weights of a file that fit into a policy by their names and shapes, but are none."""
    for name, expected in policy.state_dict().items():
        if tensors[name].is_floating_point() != expected.is_floating_point():
            raise ValueError(f"{path} holds {name} as {tensors[name].dtype}, not as {expected.dtype}")
    if not all(math.isfinite(value.sum()) for value in tensors.values()):
        raise ValueError(f"{path} holds weights that are not finite")
    for name, module in policy.named_modules():
        if isinstance(module, FeatureNorm) and not (module.std > 0).all():
            raise ValueError(f"{path} is damaged: the standard deviations of {name} must be positive")


def _version() -> str:
    try:
        return version("revibranch")
    except PackageNotFoundError:
        return "unknown"
