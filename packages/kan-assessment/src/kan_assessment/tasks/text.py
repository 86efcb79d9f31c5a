"""Text: which package of Python's standard library does a function come from?"""

import ast
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from .task import Samples, Task

PACKAGES = ("asyncio", "email", "importlib", "multiprocessing", "unittest", "xml")
"""Packages of the standard library that every installation has, with a dozen files or more each."""
WORD = re.compile(r"[A-Z]?[a-z]{2,}")
"""Parts of identifiers and words of docstrings."""
N_WORDS = 1000
N_EMBEDDING = 16
LEAST_WORDS = 8
TEST_FILES = 0.25


class BagOfEmbeddings(nn.Module):
    """The mean of the embeddings of a text's words, normalized.

    It takes the share of each word in a text, so that the mean is one matrix product, equal to PyTorch's
    `EmbeddingBag(mode="mean")`.

    Args:
        n_words: Size of the vocabulary.
        n_features: Size of an embedding.
    """

    def __init__(self, n_words: int, n_features: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(n_words, n_features))

    def forward(self, x: Float[Tensor, "batch words"]) -> Float[Tensor, "batch features"]:
        """The mean embeddings, each with mean 0 and variance 1 over its features."""
        mean = x @ self.embedding
        return layer_norm(mean, mean.shape[-1:])


def _words(text: str, hidden: frozenset[str]) -> list[str]:
    return [word for word in (found.lower() for found in WORD.findall(text)) if word not in hidden]


def _functions(path: Path) -> Iterator[str]:
    """The sources of the functions of a file."""
    text = path.read_text(encoding="utf-8", errors="ignore")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield "\n".join(lines[node.lineno - 1 : node.end_lineno])


@lru_cache(maxsize=1)
def _library() -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """Of each function the number of its package, of its file, and its words; names of packages are taken out."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    hidden = frozenset(PACKAGES) | {"self", "return", "def"}
    found = []
    n_files = 0
    for label, package in enumerate(PACKAGES):
        for path in sorted((folder / package).rglob("*.py")):
            if "test" in path.relative_to(folder).parts[1:]:
                continue
            n_files += 1
            texts = (_words(text, hidden) for text in _functions(path))
            found += [(label, n_files, tuple(words)) for words in texts if len(words) >= LEAST_WORDS]
    if not found:
        raise FileNotFoundError(f"the sources of Python's standard library are not in {folder}")
    return tuple(found)


def _split_files(labels: Tensor, files: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of functions whose files are for training, validation and testing: no file is in two parts."""
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], ...] = ([], [], [])
    for label in labels.unique():
        of_label = files[labels == label].unique()
        order = of_label[torch.randperm(len(of_label), generator=generator)]
        n = max(1, round(TEST_FILES * len(order)))
        for part, chosen in zip(parts, (order[2 * n :], order[n : 2 * n], order[:n]), strict=True):
            part.append(torch.isin(files, chosen).nonzero()[:, 0])
    train, validation, test = (torch.cat(part) for part in parts)
    return train, validation, test


def load_stdlib(*, n_words: int = N_WORDS, budget: int = 3000, epochs: int = 10) -> Task:
    """Functions of Python's standard library, to be told apart by their package from the words in their source.

    Training, validation and test functions come from different files, drawn by the seed. The vocabulary is that of all
    files, without labels. The functions are those of the Python that runs, so that numbers from different versions of
    Python can differ a little.

    Args:
        n_words: The most frequent words that are counted.
        budget: Trainable parameters that are proposed, without the embedding, which is the same for all.
        epochs: Epochs that are proposed.

    Raises:
        FileNotFoundError: if this Python came without the sources of its library.
    """
    library = _library()
    counts = Counter(word for _, _, words in library for word in words)
    vocabulary = {word: i for i, (word, _) in enumerate(sorted(counts.items(), key=lambda one: (-one[1], one[0])))}
    x = torch.zeros(len(library), n_words)
    for row, (_, _, words) in enumerate(library):
        known = [index for word in words if (index := vocabulary[word]) < n_words]
        x[row].index_add_(0, torch.tensor(known, dtype=torch.long), torch.ones(len(known)))
    x = x / x.sum(1, keepdim=True).clamp(min=1)
    y: Int[Tensor, n] = torch.tensor([label for label, _, _ in library])
    files = torch.tensor([number for _, number, _ in library])

    def draw(seed: int) -> Samples:
        train, validation, test = _split_files(y, files, seed)
        return Samples(x, y, (train,), validation, test)

    return Task(
        "stdlib",
        "text",
        "accuracy",
        n_words,
        len(PACKAGES),
        draw,
        budget,
        epochs,
        is_standardized=False,
        front=lambda: BagOfEmbeddings(n_words, N_EMBEDDING),
        n_front=N_EMBEDDING,
        notes=(f"{len(library):,} functions of {int(files.max())} files",),
    )


def load_corpus(folder: Path | str, *, n_words: int = 5000, budget: int = 3000, epochs: int = 10) -> Task:
    """Texts of your own: a folder with a folder of .txt files for each class, as the full-size corpora come, too.

    Args:
        folder: `<class>/*.txt`, or `train/<class>/*.txt` and `test/<class>/*.txt`.
        n_words: The most frequent words that are counted.
        budget: Trainable parameters that are proposed, without the embedding.
        epochs: Epochs that are proposed.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it has fewer than two classes, or a class fewer than 3 texts.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    classes = sorted({path.parent.name for path in root.rglob("*.txt")})
    if len(classes) < 2:
        raise ValueError(f"{root} has the texts of {len(classes)} classes; a comparison needs two")
    paths = sorted(root.rglob("*.txt"))
    texts = [_words(path.read_text(encoding="utf-8", errors="ignore"), frozenset()) for path in paths]
    counts = Counter(word for words in texts for word in words)
    vocabulary = {word: i for i, (word, _) in enumerate(counts.most_common(n_words))}
    x = torch.zeros(len(texts), max(1, len(vocabulary)))
    for row, words in enumerate(texts):
        known = [vocabulary[word] for word in words if word in vocabulary]
        x[row].index_add_(0, torch.tensor(known, dtype=torch.long), torch.ones(len(known)))
    x = x / x.sum(1, keepdim=True).clamp(min=1)
    y = torch.tensor([classes.index(path.parent.name) for path in paths])
    from .task import shuffled_split

    fixed = torch.tensor([path.relative_to(root).parts[0] == "test" for path in paths])
    shuffled_split(len(y), 0, y)

    def draw(seed: int) -> Samples:
        if not bool(fixed.any()):
            train, validation, test = shuffled_split(len(y), seed, y)
            return Samples(x, y, (train,), validation, test)
        rest = (~fixed).nonzero()[:, 0]
        train, validation, _ = shuffled_split(len(rest), seed, y[rest], test=0.0)
        return Samples(x, y, (rest[train],), rest[validation], fixed.nonzero()[:, 0])

    return Task(
        root.name,
        "text",
        "accuracy",
        x.shape[1],
        len(classes),
        draw,
        budget,
        epochs,
        is_standardized=False,
        front=lambda: BagOfEmbeddings(x.shape[1], N_EMBEDDING),
        n_front=N_EMBEDDING,
        notes=(f"{len(texts):,} texts",),
    )
