import pytest
import torch

from dualformer import DecoderCache, EncoderDecoderConfig, make_model, sample

CONFIG = EncoderDecoderConfig(vocab_size=12, dim=32, n_layers=2, n_heads=2)


@pytest.fixture(scope="module")
def model():
    return make_model(CONFIG, 3).eval()


@pytest.fixture(scope="module")
def prompts():
    prompt = torch.randint(2, 12, (3, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = False
    return prompt, mask


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_cached_logits_are_those_of_the_whole_sequence(model, prompts):
    prompt, mask = prompts
    target = torch.randint(2, 12, (6, 150), generator=seeded())
    cache = DecoderCache(model, model.encode(prompt, mask), mask, 2, 150)
    whole = model(prompt.repeat_interleave(2, 0), mask.repeat_interleave(2, 0), target)
    logits = [cache.append(target[:, :3]), *(cache.append(target[:, i : i + 1]) for i in range(3, 150))]
    torch.testing.assert_close(torch.stack(logits, 1), whole[:, 2:], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_forgetting_rows_leaves_the_others_as_they_were(model, prompts):
    prompt, mask = prompts
    target = torch.randint(2, 12, (12, 10), generator=seeded())
    cache = DecoderCache(model, model.encode(prompt, mask), mask, 4, 20)
    cache.append(target[:, :4])
    kept = torch.tensor([0, 2, 3, 9, 11])  # none is left of the second task
    cache.keep(kept)
    cache.append(target[kept, 4:9])
    cache.keep(torch.tensor([1, 4]))
    logits = cache.append(target[[2, 11], 9:])
    task = torch.tensor([0, 2])
    whole = model(prompt[task], mask[task], target[[2, 11]])
    torch.testing.assert_close(logits, whole[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("use_cache", [True, False])
def test_the_cache_reads_each_token_once_instead_of_at_every_step(prompts, use_cache):
    model = make_model(CONFIG, 3)
    read = []
    for block in model.decoder:
        block.feed_forward.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].shape[-2]))
    prompt, mask = prompts
    (written,), *_ = sample(model, prompt[:1], mask[:1], prefix=[0], temperature=0, max_len=100, use_cache=use_cache)
    n = len(written)
    assert n > 10
    assert sum(read) == len(model.decoder) * (n if use_cache else n * (n + 1) // 2)


@pytest.mark.parametrize("temperature", [0, 1.0, 0.5])
def test_what_is_written_does_not_depend_on_the_cache(model, prompts, temperature):
    written = [
        sample(
            model,
            *prompts,
            prefix=[0],
            n_samples=3,
            temperature=temperature,
            max_len=40,
            generator=seeded(),
            use_cache=cached,
        )
        for cached in (True, False)
    ]
    assert written[0] == written[1]


def test_greedy_writing_takes_the_most_likely_token_of_the_whole_sequence(model, prompts):
    prompt, mask = prompts
    (first, *_), *_ = sample(model, *prompts, prefix=[0, 5], temperature=0, max_len=15)
    tokens = [0, 5]
    while len(tokens) < 15 and tokens[-1] != 1:
        logits = model(prompt[:1], mask[:1], torch.tensor([tokens]))
        tokens.append(int(logits[0, -1].argmax()))
    assert first == tokens[2:]


class Fixed(torch.nn.Module):
    """Logits that do not depend on anything."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits.expand(*x.shape[:-1], -1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_with_the_probabilities_of_their_logits_over_the_temperature(model, prompts, temperature):
    logits = torch.tensor([-9.0, -2, 0, 1, 0.5, -1, 2, 0, 0, 1, -3, 0])
    fixed = make_model(CONFIG, 0)
    fixed.decoder_head = Fixed(logits)
    n = 4000
    prompt, mask = prompts
    written = sample(
        fixed,
        prompt[:1],
        mask[:1],
        prefix=[0],
        n_samples=n,
        temperature=temperature,
        max_len=2,
        generator=seeded(),
    )
    counts = torch.bincount(torch.tensor([ids[0] for ids in written[0]]), minlength=12)
    expected = n * (logits / temperature).softmax(0)
    assert torch.all((counts - expected).abs() <= 4.5 * (expected + 1).sqrt())


def test_samples_end_with_eos_or_at_the_longest_length(model, prompts):
    written = sample(model, *prompts, prefix=[0, 4], n_samples=20, max_len=30, generator=seeded())
    assert [len(of_task) for of_task in written] == [20, 20, 20]
    for ids in (ids for of_task in written for ids in of_task):
        assert 1 not in ids[:-1]
        assert ids[-1] == 1 or len(ids) == 28
    assert len({tuple(ids) for ids in written[0]}) > 10


def test_equal_seeds_write_the_same_and_others_another_thing(model, prompts):
    one, same, other = (
        sample(model, *prompts, prefix=[0], n_samples=2, max_len=20, generator=seeded(seed)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_progress_is_told(model, prompts):
    told = []
    sample(
        model,
        *prompts,
        prefix=[0],
        n_samples=4,
        max_len=10,
        generator=seeded(),
        track=lambda ended, length: told.append((ended, length)),
    )
    assert [length for _, length in told] == list(range(2, 2 + len(told)))
    assert all(a <= b for (a, _), (b, _) in zip(told, told[1:]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_len": 2}, "more than the 2 tokens"),
        ({"n_samples": 0}, "at least 1"),
        ({"temperature": -1.0}, "not be negative"),
        ({"temperature": float("nan")}, "finite number, but it is nan"),
        ({"temperature": float("inf")}, "finite number, but it is inf"),
        ({"max_len": 10**12}, "at most 1,000,000 tokens, not 1,000,000,000,000"),
        ({"n_samples": 10**9}, "at most 100,000, not 1,000,000,000"),
        ({"generator": None}, "generator"),
    ],
)
def test_bad_options_are_refused(model, prompts, options, words):
    with pytest.raises(ValueError, match=words):
        sample(model, *prompts, **{"prefix": [0, 4], "max_len": 9, "generator": seeded(), **options})


def test_long_limits_cost_nothing_until_they_are_written(model, prompts, monkeypatch):
    monkeypatch.setattr("dualformer.sampling.FIRST_CAPACITY", 4)
    short, long = (
        sample(model, *prompts, prefix=[0], n_samples=4, max_len=max_len, generator=seeded())
        for max_len in (400, 1_000_000)
    )
    assert all(ids[-1] == 1 for of_task in short for ids in of_task), "all end by themselves"
    assert max(len(ids) for of_task in short for ids in of_task) > 8, "one is longer than the first capacity"
    assert long == short
