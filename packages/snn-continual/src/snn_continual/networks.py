"""The paper's spiking networks: a perceptron, a convolutional and an 18-layer residual network of HLOP layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from separata.training import seeded

from .configs import Feedback, NetworkConfig
from .layers import HLOPConv2d, HLOPLayer, HLOPLinear
from .rates import repeat
from .rules import DSR, TrainingRule, make_rule
from .subspace import HebbianSubspace, SpikingLateral
from .synapses import Projection, through_time


@dataclass(frozen=True)
class HLOPConfig:
    """How the HLOP layers of a network learn.

    Args:
        feedback: How errors reach the layer below: `bp`, `fa` or `sign`.
        lr: Learning rate of the subspaces.
        input_lr: Learning rate of the subspace of a perceptron's pixels, which have a larger norm.
        spiking: How lateral neurons round their responses; None for real-valued ones.
        project: Where gradients are projected; by default, the input of linear layers and the weight of convolutions.
    """

    feedback: Feedback = "bp"
    lr: float = 0.01
    input_lr: float = 0.001
    spiking: SpikingLateral | None = None
    project: Projection | None = None

    def linear(
        self, n_in: int, n_out: int, rule: TrainingRule, *, lr: float | None = None, is_first: bool = False
    ) -> HLOPLinear:
        """A linear layer without bias; the first one sees the input itself and needs no trace."""
        return HLOPLinear(
            n_in,
            n_out,
            bias=False,
            subspace=HebbianSubspace(n_in, lr=lr or self.lr, spiking=self.spiking),
            feedback=self.feedback,
            project=self.project or "input",
            rate=rule.rate,
            trace=None if is_first else rule.trace(),
        )

    def convolution(
        self, n_in: int, n_out: int, kernel: int, rule: TrainingRule, *, stride: int = 1, is_first: bool = False
    ) -> HLOPConv2d:
        """A convolution without bias that keeps the image size at stride 1."""
        layer = HLOPConv2d(
            n_in,
            n_out,
            kernel,
            stride,
            kernel // 2,
            bias=False,
            subspace=HebbianSubspace(n_in * kernel * kernel, lr=self.lr, spiking=self.spiking),
            feedback=self.feedback,
            project=self.project or ("weight" if self.spiking is None else "input"),
            rate=rule.rate,
            trace=None if is_first else rule.trace(),
        )
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        return layer


class EachStep(nn.Module):
    """A module of (batch, ...) applied to (time, batch, ...), all steps in one batch."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """The module's output at each step."""
        return through_time(self.module, x)


class Heads(nn.Module):
    """One linear classifier for each task. They are not projected: no other task uses them.

    Args:
        n_features: Width of the input.
        n_classes: Classes of each task.
        n_tasks: Number of tasks.

    Raises:
        ValueError: if there is no task.
    """

    def __init__(self, n_features: int, n_classes: int, n_tasks: int) -> None:
        super().__init__()
        if n_tasks < 1:
            raise ValueError(f"there must be a head for at least 1 task, not {n_tasks}")
        self.heads = nn.ModuleList(nn.Linear(n_features, n_classes) for _ in range(n_tasks))

    def forward(self, x: Tensor, task: int | None) -> Tensor:
        """The logits of that task.

        Raises:
            ValueError: if there is no such task.
        """
        if task is None or not 0 <= task < len(self.heads):
            raise ValueError(
                f"this network has a head for each of tasks 0 to {len(self.heads) - 1}, so it needs one, not {task}"
            )
        return self.heads[task](x)


class SpikingNetwork(nn.Module):
    """Layers over time, and a classifier: one for all tasks, or one for each.

    Args:
        features: From (time, batch, ...) to (time, batch, features).
        classifier: An HLOP layer for all tasks, or `Heads`.
        rule: The training rule.
    """

    def __init__(self, features: nn.Module, classifier: nn.Module, rule: TrainingRule) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.rule = rule

    def step_outputs(self, x: Tensor, task: int | None = None, timesteps: int | None = None) -> Tensor:
        """The output (time, batch, classes) at each step, for inputs (batch, ...) presented all the time."""
        features = self.features(repeat(x, timesteps or self.rule.timesteps))
        return self.classifier(features, task) if isinstance(self.classifier, Heads) else self.classifier(features)

    def forward(self, x: Tensor, task: int | None = None) -> Tensor:
        """Logits (batch, classes); `task` chooses the head, where each task has one."""
        return self.rule.readout(self.step_outputs(x, task))

    def loss(self, x: Tensor, labels: Tensor, task: int | None = None) -> Tensor:
        """The training rule's loss."""
        return self.rule.loss(self.step_outputs(x, task), labels)


class ForTask(nn.Module):
    """A network with its task chosen, so that images are its only input: for tests and export.

    Args:
        network: The network.
        task: The task; None where all share a head.
    """

    def __init__(self, network: SpikingNetwork, task: int | None) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes)."""
        return self.network(x, self.task)


def make_classifier(
    n_features: int, n_classes: int, n_heads: int | None, rule: TrainingRule, hlop: HLOPConfig
) -> nn.Module:
    """One classifier with a subspace of its own, or `n_heads` plain ones."""
    return hlop.linear(n_features, n_classes, rule) if n_heads is None else Heads(n_features, n_classes, n_heads)


class SpikingMLP(SpikingNetwork):
    """A perceptron without biases; inputs are flattened.

    Args:
        sizes: Widths, from the input's to the number of classes.
        rule: The training rule.
        hlop: How its layers learn.
        n_heads: Number of tasks, if each has a classifier of its own.

    Raises:
        ValueError: if a width is not positive, or there are fewer than two.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (784, 800, 800, 10),
        rule: TrainingRule = DSR(),  # noqa: B008 - immutable
        *,
        hlop: HLOPConfig = HLOPConfig(),
        n_heads: int | None = None,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"a perceptron needs the widths of its input and output, each at least 1, not {tuple(sizes)}"
            )
        *widths, n_classes = sizes
        layers: list[nn.Module] = [nn.Flatten(2)]
        for i, (n_in, n_out) in enumerate(pairwise(widths)):
            lr = hlop.input_lr if i == 0 else hlop.lr
            layers += [hlop.linear(n_in, n_out, rule, lr=lr, is_first=i == 0), rule.neuron()]
        super().__init__(nn.Sequential(*layers), make_classifier(widths[-1], n_classes, n_heads, rule, hlop), rule)


class SpikingCNN(SpikingNetwork):
    """Blocks of a 3x3 convolution, batch normalisation, neurons and average pooling by 2; then the classifier.

    Args:
        n_classes: Classes, of each task where there are several heads.
        rule: The training rule.
        widths: Channels of the blocks.
        in_channels: Channels of the images.
        image_size: Their height and width; a multiple of 2 to the number of blocks.
        hlop: How its layers learn.
        n_heads: Number of tasks, if each has a classifier of its own.

    Raises:
        ValueError: if the images cannot be halved so often.
    """

    def __init__(
        self,
        n_classes: int = 10,
        rule: TrainingRule = DSR(),  # noqa: B008 - immutable
        *,
        widths: Sequence[int] = (64, 128, 256),
        in_channels: int = 3,
        image_size: int = 32,
        hlop: HLOPConfig = HLOPConfig(),
        n_heads: int | None = None,
    ) -> None:
        if image_size < 1 or image_size % 2 ** len(widths):
            raise ValueError(
                f"{len(widths)} blocks need images of a multiple of {2 ** len(widths)} pixels, not {image_size}"
            )
        layers: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(zip((in_channels, *widths[:-1]), widths, strict=True)):
            convolution = hlop.convolution(n_in, n_out, 3, rule, is_first=i == 0)
            layers += [convolution, EachStep(nn.BatchNorm2d(n_out)), rule.neuron(), EachStep(nn.AvgPool2d(2))]
        n_features = widths[-1] * (image_size // 2 ** len(widths)) ** 2
        head = make_classifier(n_features, n_classes, n_heads, rule, hlop)
        for layer in head.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
        super().__init__(nn.Sequential(*layers, nn.Flatten(2)), head, rule)


class PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, each after batch normalisation and neurons, and a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int, rule: TrainingRule, hlop: HLOPConfig) -> None:
        super().__init__()
        self.fire1 = nn.Sequential(EachStep(nn.BatchNorm2d(n_in)), rule.neuron())
        self.conv1 = hlop.convolution(n_in, n_out, 3, rule, stride=stride)
        self.fire2 = nn.Sequential(EachStep(nn.BatchNorm2d(n_out)), rule.neuron())
        self.conv2 = hlop.convolution(n_out, n_out, 3, rule)
        changes = stride != 1 or n_in != n_out
        self.downsample = hlop.convolution(n_in, n_out, 1, rule, stride=stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(time, batch, channels, height, width)."""
        spikes = self.fire1(x)
        shortcut = x if self.downsample is None else self.downsample(spikes)
        return self.conv2(self.fire2(self.conv1(spikes))) + shortcut


class SpikingResNet18(SpikingNetwork):
    """The pre-activation residual network of 18 layers, narrowed to 20 channels as in the paper.

    Args:
        n_classes: Classes, of each task where there are several heads.
        rule: The training rule.
        width: Channels of the first stage; they double at each of the three next.
        in_channels: Channels of the images.
        strided_stem: Begin with a 5x5 convolution of stride 2, for images of 84x84, instead of a 3x3 one.
        hlop: How its layers learn.
        n_heads: Number of tasks, if each has a classifier of its own.
    """

    def __init__(
        self,
        n_classes: int = 10,
        rule: TrainingRule = DSR(),  # noqa: B008 - immutable
        *,
        width: int = 20,
        in_channels: int = 3,
        strided_stem: bool = False,
        hlop: HLOPConfig = HLOPConfig(),
        n_heads: int | None = None,
    ) -> None:
        kernel, stride = (5, 2) if strided_stem else (3, 1)
        layers: list[nn.Module] = [hlop.convolution(in_channels, width, kernel, rule, stride=stride, is_first=True)]
        n_in = width
        for stage in range(4):
            for block in range(2):
                n_out = width * 2**stage
                layers.append(PreActivationBlock(n_in, n_out, 2 if stage and not block else 1, rule, hlop))
                n_in = n_out
        layers += [EachStep(nn.BatchNorm2d(n_in)), rule.neuron(), EachStep(nn.AdaptiveAvgPool2d(1)), nn.Flatten(2)]
        super().__init__(nn.Sequential(*layers), make_classifier(n_in, n_classes, n_heads, rule, hlop), rule)


Build = Callable[[TrainingRule, HLOPConfig], SpikingNetwork]
"""What makes a network for a training rule and a way of learning."""


def make_network(build: Build, config: NetworkConfig, seed: int) -> SpikingNetwork:
    """A network as it is configured; its initial weights depend on the seed alone, not on the global random state."""
    rule = make_rule(config.rule, config.timesteps)
    hlop = HLOPConfig(
        config.feedback,
        config.hebbian_lr,
        config.hebbian_lr / 10,
        SpikingLateral() if config.spiking_lateral else None,
    )
    with seeded(seed):
        return build(rule, hlop)


@torch.no_grad()
def activity(network: SpikingNetwork, images: Tensor, task: int | None = None) -> list[Tensor]:
    """What each HLOP layer's subspace would learn from, (samples, features), when the network sees these images."""
    seen: dict[nn.Module, Tensor] = {}

    def note(layer: HLOPLayer, inputs: tuple[Tensor, ...]) -> None:
        seen[layer] = layer.samples(inputs[0])

    layers = [module for module in network.modules() if isinstance(module, HLOPLayer)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    was_training = network.training
    network.eval()(images, task)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return [seen[layer] for layer in layers]
