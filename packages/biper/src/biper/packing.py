"""Networks with one bit for each binary weight."""

import copy
from collections import Counter
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .frozen import check_finished
from .layers import BinaryLayer, binary_layers
from .packed_layers import PackedLayer, Threshold, pack_bits

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d)
SIGN_KEEPING = (nn.Hardtanh, nn.Identity, nn.Tanh)
"""Functions that change no sign, and neither -1 nor +1 beyond their sign."""


class PackedModel(nn.Module):
    """A network whose binary layers are packed, for inference on the CPU.

    It computes what the network computes in evaluation mode and single precision: sums of signs are exact integers in
    both, and everything else is the same operation.

    Args:
        network: The network with its `PackedLayer`s.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """What the network gives."""
        return self.network(x)

    def train(self, mode: bool = True) -> "PackedModel":  # noqa: ARG002 - PyTorch's signature
        """Stay in evaluation mode: there is nothing to train."""
        super().train(mode=False)
        return self

    @property
    def n_bits(self) -> int:
        """Binary weights."""
        return sum(layer.spec.n_out * layer.spec.n_taps for _, layer in packed_layers(self.network))

    @property
    def n_bytes(self) -> int:
        """Bytes of everything that the network holds."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.network.state_dict().values())


def packed_layers(model: nn.Module) -> list[tuple[str, PackedLayer]]:
    """The packed layers of a network by their names."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, PackedLayer)]


def pack(model: nn.Module, *, fold: bool = True) -> PackedModel:
    """A copy of a network with one bit for each binary weight, evaluated by XOR and population count.

    Args:
        model: A network with binary layers in their second stage; it stays as it is.
        fold: Where a batch normalization in an `nn.Sequential` stands between two packed layers, with nothing but max
            pooling before and what keeps signs after it, replace it and the scale by one integer threshold a channel.

    Returns:
        The copy, on the CPU in single precision.

    Raises:
        ValueError: if there are no binary layers, some are in the first stage, or their zeros have no sign
            (`zero_is_one=False`), which takes more than a bit.
    """
    check_finished(model)
    for name, layer in binary_layers(model):
        if not layer.zero_is_one:
            raise ValueError(f"{name or 'the layer'} has zero_is_one=False, and a sign of 0 does not fit in one bit")
    network = _packed(copy.deepcopy(model).cpu().float().eval(), {})
    if fold:
        counts = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
        for module in network.modules():
            if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
                _fold(module, counts)
    return PackedModel(network)


def _packed(module: nn.Module, made: dict[int, nn.Module]) -> nn.Module:
    """The module with packed layers; what stands at several places stays one."""
    if isinstance(module, BinaryLayer):
        return made.setdefault(id(module), PackedLayer.from_layer(module))
    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = _packed(child, made)
    return module


def _fold(chain: nn.Sequential, counts: Mapping[int, int]) -> None:
    """Replace normalizations between packed layers of a chain by thresholds, where neither is used elsewhere."""
    names = list(chain._modules)
    modules = list(chain)
    for place, layer in enumerate(modules):
        if not isinstance(layer, PackedLayer) or not layer.spec.binarize_input or counts[id(layer)] > 1:
            continue
        middle = _after(modules, place + 1, POOLS)
        if middle == len(modules) or not isinstance(norm := modules[middle], NORMS) or norm.running_mean is None:
            continue
        end = _after(modules, middle + 1, SIGN_KEEPING)
        if end == len(modules) or not isinstance(follower := modules[end], PackedLayer):
            continue
        if follower.spec.binarize_input and counts[id(norm)] == 1:
            _make_alpha_positive(layer)
            chain._modules[names[middle]] = make_threshold(layer, norm)
            layer.counts_only = True


def _after(modules: list[nn.Module], place: int, kinds: tuple[type[nn.Module], ...]) -> int:
    """The first place from here on with something else than these."""
    while place < len(modules) and type(modules[place]) in kinds:
        place += 1
    return place


def _make_alpha_positive(layer: PackedLayer) -> None:
    """Move the signs of scales into the weights, so that the maximum of sums is that of scaled sums."""
    if layer.alpha is None:
        return
    is_negative = layer.alpha < 0
    if layer.bias is not None:
        layer.bias = torch.where(is_negative, -layer.bias, layer.bias)
    weight = layer.weight().flatten(1)
    weight[is_negative] *= -1
    layer.planes = torch.from_numpy(pack_bits(weight.numpy() > 0))
    layer.alpha = layer.alpha.abs()


@torch.no_grad()
def make_threshold(layer: PackedLayer, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Threshold:
    """The threshold of the sums of a packed layer at which their scaled and normalized values change sign.

    It is found by computing, for every sum that can be, what the network computes of it, and so is exact to the last
    bit.
    """
    n = layer.spec.n_taps
    sums = torch.arange(-n, n + 1, dtype=torch.float32)[:, None].expand(-1, layer.spec.n_out)
    values = sums if layer.bias is None else sums + layer.bias
    values = values if layer.alpha is None else values * layer.alpha
    normalized: Float[Tensor, "sums channels"] = nn.functional.batch_norm(
        values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
    is_one = normalized >= 0
    threshold = Threshold(layer.spec.n_out)
    threshold.is_falling = is_one[0] & ~is_one[-1]
    count = is_one.sum(0)
    # A channel that is always +1 or always -1 rises below or above all sums.
    rising, falling = n + 1 - count, count - n - 1
    threshold.at = torch.where(threshold.is_falling, falling, rising).to(torch.int32)
    return threshold
