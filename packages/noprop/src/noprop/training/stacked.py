"""Many blocks of one architecture as one: parameters stacked, all blocks computed at once.

Linear layers become batched products, batch normalization one over the channels of all blocks, and convolutions run
block by block in the memory layout that is fastest. Any other module is run by `torch.func.vmap`, or where that is slow
or impossible, block by block.
"""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from noprop.blocks import ConvStack

ELEMENTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity)


class Stacked(nn.Module):
    """Modules of one architecture with their parameters and buffers stacked along a first axis, that of the blocks.

    Args:
        sources: The modules; they keep parameters of their own, which `write_back` sets.

    Raises:
        ValueError: if they are not of one architecture.
    """

    def __init__(self, sources: Sequence[nn.Module]) -> None:
        super().__init__()
        self.sources = tuple(sources)
        kinds = [{name: value.shape for name, value in source.state_dict().items()} for source in sources]
        if any(kind != kinds[0] for kind in kinds):
            raise ValueError("only blocks of one architecture can be stacked, with parameters of the same names")
        self.names = [name for name, _ in sources[0].named_parameters()]
        self.buffer_names = [name for name, _ in sources[0].named_buffers()]
        for name in self.names:
            parts = [source.get_parameter(name) for source in sources]
            stacked = nn.Parameter(torch.stack([part.detach() for part in parts]), parts[0].requires_grad)
            self.register_parameter(_key(name), stacked)
        for name in self.buffer_names:
            self.register_buffer(_key(name), torch.stack([source.get_buffer(name) for source in sources]))

    def _pairs(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Each stacked tensor, and the tensors of the modules."""
        of_parameters: list[tuple[str, Sequence[Tensor]]] = [
            (name, [one.get_parameter(name) for one in self.sources]) for name in self.names
        ]
        of_buffers: list[tuple[str, Sequence[Tensor]]] = [
            (name, [one.get_buffer(name) for one in self.sources]) for name in self.buffer_names
        ]
        return [(getattr(self, _key(name)), parts) for name, parts in of_parameters + of_buffers]

    @torch.no_grad()
    def write_back(self) -> None:
        """Give the modules what the stack holds."""
        for stacked, parts in self._pairs():
            for part, value in zip(parts, stacked, strict=True):
                part.copy_(value)

    @torch.no_grad()
    def read(self) -> None:
        """Take what the modules hold."""
        for stacked, parts in self._pairs():
            torch.stack(list(parts), out=stacked.data)


def _key(name: str) -> str:
    return name.replace(".", "__")


class StackedLinear(Stacked):
    """Affine maps, one for each block: a batched product."""

    weight: Tensor
    bias: Tensor | None

    def forward(self, x: Float[Tensor, "blocks batch inputs"]) -> Float[Tensor, "blocks batch outputs"]:
        """The maps of each block's inputs."""
        # In this order the gradient of the weights has their layout, and needs no copy.
        inputs = x.transpose(1, 2)
        if "bias" not in self.names:
            return torch.bmm(self.weight, inputs).transpose(1, 2)
        return torch.baddbmm(self.bias[:, :, None], self.weight, inputs).transpose(1, 2)  # type: ignore[index] # there is one


class StackedBatchNorm(Stacked):
    """Batch normalization of each block by its own statistics: one over the channels of all blocks."""

    def forward(self, x: Float[Tensor, "blocks batch channels"]) -> Float[Tensor, "blocks batch channels"]:
        """Normalized inputs; running statistics are updated in training."""
        first = self.sources[0]
        assert isinstance(first, nn.BatchNorm1d)  # noqa: S101 - for the type checker
        n_blocks, n, _ = x.shape
        flat = x.transpose(0, 1).reshape(n, -1)
        buffers = {name: getattr(self, name).view(-1) for name in self.buffer_names}
        if self.training and buffers:
            buffers["num_batches_tracked"].add_(1)
        weights = {name: getattr(self, name).view(-1) for name in self.names}
        out = batch_norm(
            flat,
            buffers.get("running_mean"),
            buffers.get("running_var"),
            weights.get("weight"),
            weights.get("bias"),
            training=self.training or not buffers,
            momentum=first.momentum or 0.0,
            eps=first.eps,
        )
        return out.view(n, n_blocks, -1).transpose(0, 1)


class StackedConvs(Stacked):
    """Convolutions of each block, with channels last, which is where pooling and convolutions are fastest on a CPU."""

    def forward(self, x: Float[Tensor, "blocks batch channels height width"]) -> Float[Tensor, "blocks batch features"]:
        """The features of each block."""
        first = self.sources[0]
        assert isinstance(first, ConvStack)  # noqa: S101 - for the type checker
        is_shared = x.stride(0) == 0
        inputs = [x[0].to(memory_format=torch.channels_last)] * len(x) if is_shared else list(x)
        for i in range(len(first.convs)):
            weights = getattr(self, _key(f"convs.{i}.weight")).unbind()
            biases = getattr(self, _key(f"convs.{i}.bias")).unbind()
            for block, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                kernel = weight.to(memory_format=torch.channels_last)
                hidden = conv2d(inputs[block], kernel, bias, padding=1)
                inputs[block] = relu(max_pool2d(hidden, 2) if i < first.n_pooled else hidden)
        return torch.stack([one.flatten(1) for one in inputs])


class StackedAny(Stacked):
    """Any modules of one architecture: by `vmap`, or block by block.

    Args:
        sources: The modules.
        by_vmap: Whether by `vmap`; by default, where there are no convolutions on a CPU, for which it is slow.
    """

    def __init__(self, sources: Sequence[nn.Module], by_vmap: bool | None = None) -> None:
        super().__init__(sources)
        # Not among the modules, whose parameters are trained: the skeleton that the stacked ones are called in.
        self.skeleton = (copy.deepcopy(sources[0]),)
        self.by_vmap = by_vmap
        self.has_convolutions = any(isinstance(one, nn.modules.conv._ConvNd) for one in sources[0].modules())

    def _call(self, tensors: dict[str, Tensor], *inputs: Tensor) -> Tensor:
        return functional_call(self.skeleton[0], tensors, inputs)

    def forward(self, *inputs: Float[Tensor, "blocks batch ..."]) -> Float[Tensor, "blocks batch ..."]:
        """The outputs of each block."""
        self.skeleton[0].train(self.training)
        tensors = {name: getattr(self, _key(name)) for name in self.names + self.buffer_names}
        is_slow = self.has_convolutions and inputs[0].device.type == "cpu"
        if self.by_vmap or (self.by_vmap is None and not is_slow):
            try:
                return vmap(self._call, randomness="different")(tensors, *inputs)
            except RuntimeError:
                # What a module does may be beyond vmap, such as a branch on a value.
                if self.by_vmap:
                    raise
                self.by_vmap = False
        rows = ({name: value[block] for name, value in tensors.items()} for block in range(len(inputs[0])))
        return torch.stack([self._call(own, *each) for own, *each in zip(rows, *inputs, strict=True)])


LEAVES: dict[type[nn.Module], type[Stacked]] = {
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedBatchNorm,
    ConvStack: StackedConvs,
}


def stack(modules: Sequence[nn.Module]) -> nn.Module:
    """One module that computes what all of them do; every input and output has the blocks as its first axis.

    Args:
        modules: Modules of one architecture. Those with an attribute `stacks` say by it that their `forward` works with
            that axis, and have no parameters beside those of their children.

    Raises:
        ValueError: if they are not of one architecture.
    """
    first = modules[0]
    if any(type(one) is not type(first) for one in modules):
        raise ValueError("only blocks of one architecture can be stacked")
    # By the exact class: one that derives from these may compute something else.
    if isinstance(first, nn.Flatten) and first.start_dim < 0:
        return first
    if type(first) in ELEMENTWISE:
        return copy.deepcopy(first)
    if type(first) is nn.BatchNorm1d and first.momentum is None:
        return StackedAny(modules)
    if type(first) in LEAVES:
        return LEAVES[type(first)](modules)
    if type(first) is nn.Sequential or getattr(first, "stacks", False):
        clone = copy.copy(first)
        clone._modules = {
            name: None if child is None else stack([getattr(one, name) for one in modules])
            for name, child in first._modules.items()
        }
        return clone
    return StackedAny(modules)


class StackedBlocks(nn.Module):
    """Blocks that are trained as one batched computation.

    Args:
        blocks: Blocks of one architecture, those of this package or your own. They are changed by `write_back` alone.

    Raises:
        ValueError: if they are not of one architecture.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.n_blocks = len(blocks)
        self.stack = stack(blocks)
        self.train()

    def forward(
        self, x: Float[Tensor, "batch *sample"], z: Float[Tensor, "blocks batch dim"]
    ) -> Float[Tensor, "blocks batch outputs"]:
        """The outputs of each block for its own states of the same samples."""
        return self.stack(x.expand(self.n_blocks, *x.shape), z)

    def _stacks(self) -> list[Stacked]:
        return [module for module in self.modules() if isinstance(module, Stacked)]

    def write_back(self) -> None:
        """Give the blocks the trained parameters and running statistics."""
        for one in self._stacks():
            one.write_back()

    def read(self) -> None:
        """Take the parameters and running statistics of the blocks."""
        for one in self._stacks():
            one.read()
