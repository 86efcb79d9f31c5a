"""Task sequences: permuted images, the classes of a data set in turn, or several data sets in turn."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from separata import data
from separata.data import ImageDataset


@dataclass(frozen=True)
class Task:
    """The data of one task; labels count from 0 within the task."""

    train_images: Float[Tensor, "train ..."]
    train_labels: Int[Tensor, "train"]
    test_images: Float[Tensor, "test ..."]
    test_labels: Int[Tensor, "test"]

    def to(self, device: torch.device | str) -> "Task":
        """The same on a device."""
        return Task(
            self.train_images.to(device),
            self.train_labels.to(device),
            self.test_images.to(device),
            self.test_labels.to(device),
        )


class TaskSequence(ABC):
    """Tasks in order, each made on access, so that they need not be in memory together.

    A sequence of your own defines the number of tasks, the number of classes, and how a task is made.
    """

    @property
    @abstractmethod
    def n_classes(self) -> int:
        """Classes of each task."""

    @property
    @abstractmethod
    def shares_head(self) -> bool:
        """Whether all tasks have the same classes, so that the network is not told which task an input is from."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of tasks."""

    @abstractmethod
    def make(self, index: int) -> Task:
        """The task of that number, from 0."""

    def __getitem__(self, index: int) -> Task:
        """The task of that number.

        Raises:
            IndexError: if there is none.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"there are tasks 0 to {len(self) - 1}, not {index}")
        return self.make(index)

    def __iter__(self) -> Iterator[Task]:
        """The tasks in order."""
        return (self.make(index) for index in range(len(self)))


@dataclass(frozen=True)
class PermutedImages(TaskSequence):
    """The same images with the pixels in another random order for each task (domain-incremental, as permuted MNIST).

    Args:
        dataset: Name of the data set, for `separata.data.load`.
        n_tasks: Number of tasks.
        seed: Seed of the permutations.
        mean: Mean of the pixels, for normalisation.
        std: Standard deviation of the pixels.

    Raises:
        ValueError: if there is no task, or `std` is not positive.
    """

    dataset: str = "mnist"
    n_tasks: int = 10
    seed: int = 0
    mean: float = 0.1307
    std: float = 0.3081
    shares_head = True

    def __post_init__(self) -> None:
        if self.n_tasks < 1 or not self.std > 0:
            raise ValueError(f"there must be at least 1 task and a positive std, not {self.n_tasks} and {self.std}")

    @property
    def n_classes(self) -> int:
        """Classes of each task."""
        return data.load(self.dataset).n_classes

    def __len__(self) -> int:
        """Number of tasks."""
        return self.n_tasks

    def make(self, index: int) -> Task:
        """The task of that number."""
        train, test = data.load(self.dataset), data.load(self.dataset, split="test")
        generator = torch.Generator().manual_seed(1000 * self.seed + index)
        order = torch.randperm(train.images[0].numel(), generator=generator)
        return Task(self._permuted(train, order), train.labels, self._permuted(test, order), test.labels)

    def _permuted(self, images: ImageDataset, order: Tensor) -> Tensor:
        return (images.images.flatten(1)[:, order] - self.mean) / self.std


@dataclass(frozen=True)
class SplitClasses(TaskSequence):
    """The classes of one data set, split among the tasks (task-incremental: each task has its own head).

    Args:
        dataset: Name of the data set.
        n_tasks: Number of tasks, which divides the number of classes.
        mean: Mean of each channel, for normalisation.
        std: Standard deviation of each channel.
        size: Height and width to which images are resized; None to keep theirs.
        shuffle_seed: Seed of the order of the classes; None to keep theirs.
        n_train: Training images of each class, at most; None for all.

    Raises:
        ValueError: if there is no task, or no training image.
    """

    dataset: str
    n_tasks: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int | None = None
    shuffle_seed: int | None = None
    n_train: int | None = None
    shares_head = False

    def __post_init__(self) -> None:
        if self.n_tasks < 1:
            raise ValueError(f"there must be at least 1 task, not {self.n_tasks}")
        if self.n_train is not None and self.n_train < 1:
            raise ValueError(f"there must be at least 1 training image of each class, not {self.n_train}")

    @cached_property
    def n_classes(self) -> int:
        """Classes of each task."""
        total = data.load(self.dataset, size=self.size).n_classes
        if total % self.n_tasks:
            raise ValueError(
                f"the {total} classes of {self.dataset} cannot be split into {self.n_tasks} tasks of equal size"
            )
        return total // self.n_tasks

    def __len__(self) -> int:
        """Number of tasks."""
        return self.n_tasks

    def make(self, index: int) -> Task:
        """The task of that number."""
        total = self.n_classes * self.n_tasks
        order = torch.arange(total)
        if self.shuffle_seed is not None:
            order = torch.randperm(total, generator=torch.Generator().manual_seed(self.shuffle_seed))
        classes = order[index * self.n_classes : (index + 1) * self.n_classes]
        train = self._of_classes(data.load(self.dataset, size=self.size), classes, self.n_train)
        return Task(*train, *self._of_classes(data.load(self.dataset, split="test", size=self.size), classes, None))

    def _of_classes(self, images: ImageDataset, classes: Tensor, limit: int | None) -> tuple[Tensor, Tensor]:
        found = [torch.nonzero(images.labels == label).flatten()[:limit] for label in classes]
        labels = torch.cat([torch.full_like(indices, i) for i, indices in enumerate(found)])
        return normalize(images.images[torch.cat(found)], self.mean, self.std), labels


@dataclass(frozen=True)
class SeveralDatasets(TaskSequence):
    """Data sets of ten classes, one after the other, as colour images of 32x32.

    Args:
        datasets: Names, each with the mean and standard deviation of its channels.
        shares_head: Whether one classifier serves all (domain-incremental) or each has its own.
    """

    datasets: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]
    shares_head: bool = False
    n_classes = 10

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self.datasets)

    def make(self, index: int) -> Task:
        """The task of that number."""
        name, mean, std = self.datasets[index]
        parts = []
        for split in ("train", "test"):
            images = data.load(name, split=split)
            parts += [in_color(normalize(pad_to(images.images, 32), mean, std)), images.labels]
        return Task(*parts)


@dataclass(frozen=True)
class HeldOut(TaskSequence):
    """A sequence that tests on a held-out part of its training images, to choose settings without the test set.

    Args:
        sequence: The sequence.
        share: Share of the training images that is held out.

    Raises:
        ValueError: if the share is not between 0 and 1.
    """

    sequence: TaskSequence
    share: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the share that is held out must be between 0 and 1, not {self.share}")

    @property
    def n_classes(self) -> int:
        """Classes of each task."""
        return self.sequence.n_classes

    @property
    def shares_head(self) -> bool:
        """Whether all tasks have the same classes."""
        return self.sequence.shares_head

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self.sequence)

    def make(self, index: int) -> Task:
        """The task of that number."""
        task = self.sequence[index]
        order = torch.randperm(len(task.train_labels), generator=torch.Generator().manual_seed(0))
        held, kept = order.split([round(self.share * len(order)), len(order) - round(self.share * len(order))])
        images, labels = task.train_images, task.train_labels
        return Task(images[kept], labels[kept], images[held], labels[held])


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images (n, channels, height, width) with each channel shifted and scaled."""
    return (images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


def pad_to(images: Tensor, size: int) -> Tensor:
    """Images padded with zeros to the given height and width."""
    margin = size - images.shape[-1]
    return F.pad(images, (margin // 2, margin - margin // 2) * 2)


def in_color(images: Tensor) -> Tensor:
    """Images with three channels; a single channel is repeated."""
    return images.expand(-1, 3, -1, -1)


def make_permuted_mnist(dataset: str = "mnist", n_tasks: int = 10, seed: int = 0) -> PermutedImages:
    """Permuted MNIST: ten tasks, one shared head, task identity unknown."""
    return PermutedImages(dataset, n_tasks, seed)


def make_split_cifar10(n_tasks: int = 5, n_train: int | None = None) -> SplitClasses:
    """CIFAR-10 in five tasks of two classes."""
    return SplitClasses("cifar10", n_tasks, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616), n_train=n_train)


def make_split_cifar100(n_tasks: int = 10) -> SplitClasses:
    """CIFAR-100 in ten tasks of ten classes, in their own order."""
    mean, std = (125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)
    return SplitClasses("cifar100", n_tasks, mean, std)


def make_split_mini_imagenet(n_tasks: int = 20, seed: int = 0) -> SplitClasses:
    """miniImageNet, at 84x84, in twenty tasks of five classes in random order."""
    return SplitClasses("mini-imagenet", n_tasks, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 84, seed)


def make_five_datasets(shares_head: bool = False) -> SeveralDatasets:
    """CIFAR-10, MNIST, SVHN, Fashion-MNIST and notMNIST, one after the other."""
    colour = ("cifar10", (125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255))
    svhn = ("svhn", (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197))
    grey = {"mnist": (0.1, 0.2752), "fashion-mnist": (0.219, 0.3318), "notmnist": (0.4254, 0.4501)}
    mnist, fashion, notmnist = ((name, (mean,), (std,)) for name, (mean, std) in grey.items())
    return SeveralDatasets((colour, mnist, svhn, fashion, notmnist), shares_head)


BENCHMARKS: dict[str, Callable[[], TaskSequence]] = {
    "pmnist": make_permuted_mnist,
    "pmnist5k": lambda: make_permuted_mnist("mnist5k", 5),
    "cifar10": make_split_cifar10,
    "cifar100": make_split_cifar100,
    "mini-imagenet": make_split_mini_imagenet,
    "five-datasets": make_five_datasets,
    "five-datasets-domain": lambda: make_five_datasets(shares_head=True),
}
"""The benchmarks by name."""
