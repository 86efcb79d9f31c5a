"""The hot loops: search, sampling and training, beside what a user would take instead."""

import time
from itertools import islice

import numpy as np
import pytest
import torch

from dualformer import (
    EncoderDecoderConfig,
    ExampleSource,
    MazeTask,
    MazeTokenizer,
    Planner,
    PlanningData,
    TraceDropper,
    TrainConfig,
    Trainer,
    astar,
    collate,
    generate,
    level_shares,
    make_model,
    random_mazes,
    sample,
)
from house import peer
from parallel import measures

TOKENIZER = MazeTokenizer(8, 8)
CONFIG = EncoderDecoderConfig(len(TOKENIZER.vocab), 64, 3, 2)


# ---- search


@pytest.mark.parametrize("size", [10, 20, 30])
@pytest.mark.benchmark(group="accepted mazes with their traces, ten of each size")
def test_random_mazes(benchmark, size):
    n = 1 if benchmark.disabled else 10
    benchmark(lambda: list(islice(random_mazes(size, size, np.random.default_rng(0)), n)))


def naive_neighbours(task):
    """A naive A*: searches the list of walls for each cell, and the whole frontier for its smallest node."""

    def search():
        frontier, costs, closed = [task.start], {task.start: 0}, set()
        while frontier:
            best = min(frontier, key=lambda cell: costs[cell] + task.heuristic(cell))
            frontier.remove(best)
            closed.add(best)
            if best == task.goal:
                return costs[best]
            x, y = best
            for cell in ((x, y + 1), (x, y - 1), (x - 1, y), (x + 1, y)):
                inside = 0 <= cell[0] < task.width and 0 <= cell[1] < task.height
                is_new = cell not in closed and costs.get(cell, np.inf) > costs[best] + 1
                if inside and cell not in list(task.walls) and is_new:
                    costs[cell] = costs[best] + 1
                    frontier = [*[other for other in frontier if other != cell], cell]
        return None

    return search


def networkx_search(task):
    """networkx's A*, which gives the plan and no trace; building the graph is not measured."""
    networkx = peer("networkx")
    graph = networkx.grid_2d_graph(task.width, task.height)
    graph.remove_nodes_from(task.walls)
    distance = lambda a, b: abs(a[0] - b[0]) + abs(a[1] - b[1])  # noqa: E731
    return lambda: networkx.astar_path(graph, task.start, task.goal, distance)


SEARCHES = {
    "dualformer, with the trace": lambda task: lambda: astar(task, rng=np.random.default_rng(0)),
    "naive": naive_neighbours,
    "networkx": networkx_search,
}


@pytest.fixture(scope="module")
def large(request):
    """A maze with a long trace; the first one at hand where nothing is measured."""
    made = islice(random_mazes(30, 30, np.random.default_rng(1)), 4 if measures(request.config) else 1)
    return max(made, key=lambda pair: len(pair[1].steps))[0]


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.benchmark(group="one search in a maze of 30x30")
def test_search(benchmark, name, large):
    assert isinstance(large, MazeTask)
    benchmark(SEARCHES[name](large))


@pytest.mark.slow
@pytest.mark.timed
def test_a_core_makes_four_mazes_of_30x30_a_second_under_the_checks_of_the_tests(record_property):
    start = time.process_time()
    made = list(islice(random_mazes(30, 30, np.random.default_rng(0)), 10))
    rate = len(made) / (time.process_time() - start)
    record_property("mazes a second", rate)
    assert rate > 4


# ---- sampling


class NeverEnding(torch.nn.Module):
    """A head that never says eos."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, x):
        logits = self.head(x)
        return torch.cat((logits[..., :1], torch.full_like(logits[..., :1], -torch.inf), logits[..., 2:]), -1)


def sampling(tasks, samples, length, *, use_cache=True, config=CONFIG):
    model = make_model(config, 0)
    model.decoder_head = NeverEnding(model.decoder_head)
    prompt = torch.randint(2, config.vocab_size, (tasks, 80), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(prompt, dtype=torch.bool)
    return lambda: sample(
        model,
        prompt,
        mask,
        prefix=[0],
        n_samples=samples,
        max_len=length,
        generator=torch.Generator().manual_seed(0),
        use_cache=use_cache,
    )


@pytest.mark.parametrize("length", [50, 100, 200, 400])
@pytest.mark.benchmark(group="sampling 64 sequences, by their length")
def test_sampling(benchmark, length):
    benchmark.pedantic(sampling(4, 16, 10 if benchmark.disabled else length), rounds=2)


@pytest.mark.benchmark(group="64 samples of 32 mazes in one batch, 100 tokens")
def test_a_large_batch(benchmark):
    written = benchmark.pedantic(sampling(32, 64, 4 if benchmark.disabled else 100), rounds=1)
    assert [len(of_task) for of_task in written] == [64] * 32


@pytest.mark.slow
@pytest.mark.timed
def test_the_cache_makes_500_tokens_five_times_as_fast(record_property):
    small = EncoderDecoderConfig(len(TOKENIZER.vocab), 64, 1, 2)
    seconds = []
    for use_cache in (True, False):
        write = sampling(1, 4, 500, use_cache=use_cache, config=small)
        start = time.process_time()
        write()
        seconds.append(time.process_time() - start)
    record_property("ratio", seconds[1] / seconds[0])
    assert seconds[1] >= 5 * seconds[0]


# ---- training


def examples(n):
    records = list(islice(generate("maze", 8, np.random.default_rng(0)), n))
    data = PlanningData(records, TOKENIZER, TraceDropper(level_shares("complete-trace")))
    return [data.draw(i, np.random.default_rng(i)) for i in range(n)]


class Same(ExampleSource):
    """Always the same examples."""

    def __init__(self, n):
        self.examples = examples(n)

    def step(self, step, batch_size, seed):
        return self.examples


def dualformer_step(n=32):
    trainer = Trainer(make_model(CONFIG, 0), Same(n), TrainConfig(10**6, n, 1e-3, max_tokens=2048))
    return lambda: (trainer.gradients(0), trainer.update())


def t5_step(n=32):
    """Hugging Face's T5 of the same width and depth, with gated feed-forward layers of the same size."""
    transformers = peer("transformers", "T5Config", "T5ForConditionalGeneration")
    config = transformers.T5Config(
        vocab_size=CONFIG.vocab_size,
        d_model=CONFIG.dim,
        d_kv=CONFIG.dim // CONFIG.n_heads,
        d_ff=CONFIG.hidden,
        num_layers=CONFIG.n_layers,
        num_heads=CONFIG.n_heads,
        feed_forward_proj="gated-silu",
        dropout_rate=0.0,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    model = transformers.T5ForConditionalGeneration(config)
    ours = sum(parameter.numel() for parameter in make_model(CONFIG, 0).parameters())
    theirs = sum(parameter.numel() for parameter in model.parameters())
    assert theirs == pytest.approx(ours, rel=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.99), fused=True)
    batch = collate(examples(n))
    labels = batch.target[:, 1:].masked_fill(~batch.target_mask[:, 1:], -100)

    def step():
        optimizer.zero_grad()
        model(input_ids=batch.prompt, attention_mask=batch.prompt_mask.long(), labels=labels).loss.backward()
        optimizer.step()

    return step


STEPS = {"dualformer": dualformer_step, "Hugging Face T5": t5_step}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.benchmark(group="one training step, 32 mazes of 8x8 with complete traces")
def test_training_step(benchmark, name):
    benchmark.pedantic(STEPS[name](2 if benchmark.disabled else 32), rounds=5, warmup_rounds=1)


@pytest.mark.slow
@pytest.mark.timed
def test_a_training_step_is_no_slower_than_that_of_t5(record_property):
    steps = [dualformer_step(), t5_step()]
    seconds = [[], []]
    for _ in range(2):
        for step, of in zip(steps, seconds, strict=True):
            start = time.process_time()
            step()
            of.append(time.process_time() - start)
    ours, theirs = map(min, seconds)
    record_property("ratio", theirs / ours)
    assert ours <= theirs


@pytest.mark.benchmark(group="16 fast answers to one maze of 8x8")
def test_a_planner_answers_at_once(benchmark):
    planner = Planner(make_model(CONFIG, 0), TOKENIZER)
    task = next(random_mazes(8, 8, np.random.default_rng(0)))[0]
    benchmark.pedantic(lambda: planner.solve(task, "fast", 16, max_len=10 if benchmark.disabled else 60), rounds=3)
