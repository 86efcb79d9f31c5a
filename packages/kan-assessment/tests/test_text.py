"""Texts: functions of the standard library, and texts of one's own."""

import pytest
import torch
from torch import nn

from kan_assessment import load_corpus, load_stdlib
from kan_assessment.tasks.text import PACKAGES, BagOfEmbeddings


@pytest.fixture(scope="module")
def stdlib():
    return load_stdlib()


def test_functions_of_the_library_are_rows_of_word_shares(stdlib):
    samples = stdlib.draw(0)
    assert stdlib.n_outputs == len(PACKAGES)
    assert len(samples.x) > 1500
    assert samples.x.sum(1).max() <= 1 + 1e-5
    assert torch.bincount(samples.y).min() > 50
    assert stdlib.n_inputs == 16


def test_no_file_is_in_two_parts(stdlib):
    from kan_assessment.tasks import text

    files = torch.tensor([number for _, number, _ in text._library()])
    for seed in (0, 1):
        samples = stdlib.draw(seed)
        parts = [set(files[part].tolist()) for part in (*samples.stages, samples.validation, samples.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert sum(map(len, parts)) == len(files.unique())
        assert sum(len(part) for part in (*samples.stages, samples.validation, samples.test)) == len(files)
        for part in (*samples.stages, samples.validation, samples.test):
            assert len(samples.y[part].unique()) == len(PACKAGES)


def test_the_answer_is_not_among_the_words(stdlib):
    from kan_assessment.tasks import text

    words = {word for _, _, some in text._library() for word in some}
    assert not words & set(PACKAGES)


def test_the_embedding_is_pytorch_s_embedding_bag():
    bag = BagOfEmbeddings(10, 4)
    reference = nn.EmbeddingBag(10, 4, mode="mean")
    with torch.no_grad():
        reference.weight.copy_(bag.embedding)
    texts = [[1, 1, 5], [0, 9]]
    x = torch.zeros(2, 10)
    for row, words in enumerate(texts):
        for word in words:
            x[row, word] += 1 / len(words)
    mean = reference(torch.tensor([1, 1, 5, 0, 9]), torch.tensor([0, 3]))
    expected = (mean - mean.mean(1, keepdim=True)) / (mean.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(bag(x), expected, atol=1e-5, rtol=1e-5)


def write(folder, texts):
    for name, text in texts.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_texts_of_one_s_own(tmp_path):
    write(tmp_path / "mail", {f"{kind}/{i}": f"{kind} words number {i}" for kind in ("good", "bad") for i in range(10)})
    task = load_corpus(tmp_path / "mail")
    assert (task.n_outputs, task.name, task.domain) == (2, "mail", "text")
    assert len(task.draw(0).test) == 4
    parts = {f"{part}/{kind}/{i}": f"{kind} {i}" for part in ("train", "test") for kind in "ab" for i in range(6)}
    write(tmp_path / "fixed", parts)
    samples = load_corpus(tmp_path / "fixed").draw(0)
    assert len(samples.test) == 12
    with pytest.raises(FileNotFoundError):
        load_corpus(tmp_path / "absent")
    write(tmp_path / "one", {"a/1": "some words"})
    with pytest.raises(ValueError, match="1 classes; a comparison needs two"):
        load_corpus(tmp_path / "one")
