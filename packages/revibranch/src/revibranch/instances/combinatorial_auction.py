"""Combinatorial auctions with bundles of related goods."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from .checks import check
from .configs import AuctionConfig
from .milp import MILP

BIDDERS_AT_A_TIME = 64

Bid = tuple[np.ndarray, float]
"""The goods of a bundle, and its price."""


def make_combinatorial_auction(config: AuctionConfig, generator: np.random.Generator) -> MILP:
    """Accept bids of greatest revenue such that no good is sold twice.

    Bids are drawn by the scheme with arbitrary relations among goods (Leyton-Brown, Pearson, and Shoham 2000, section
    4.3) as the learning-to-branch collections have it (Gasse et al. 2019): a bidder's goods are chosen by interest and
    by how well they go together; each good of the first bundle is the start of a substitute of the same size, and of
    these the dearest are bid for, too, unless they are beyond the budget, of low resale value, or the same. A bidder
    with more than two bids gets at most one of them: a row for each such bidder stands behind those of the goods.

    Raises:
        ValueError: if there are fewer than two goods or no bids, or a probability or range is none.
    """
    n_items, n_bids = config.n_items, config.n_bids
    check(n_items >= 2 and n_bids >= 1, f"an auction needs at least 2 items and 1 bid, not {n_items} and {n_bids}")
    check(0 <= config.add_item_prob < 1, f"add_item_prob must be at least 0 and below 1, not {config.add_item_prob}")
    check(
        0 <= config.min_value <= config.max_value and config.max_value > 0,
        f"values must not be negative, and the largest above 0, not {config.min_value} to {config.max_value}",
    )
    bids: list[Bid] = []
    rows: list[np.ndarray] = []
    for bidder in _bidders(config, generator):
        mine = np.arange(len(bids), min(len(bids) + len(bidder), n_bids))
        bids += bidder[: len(mine)]
        if len(mine) > 2:
            rows.append(mine)
        if len(bids) == n_bids:
            break
    of_items = np.zeros((n_items, n_bids), dtype=bool)
    for index, (bundle, _) in enumerate(bids):
        of_items[bundle, index] = True
    of_bidders = np.zeros((len(rows), n_bids), dtype=bool)
    for index, mine in enumerate(rows):
        of_bidders[index, mine] = True
    entries = np.concatenate([of_items[of_items.any(axis=1)], of_bidders])
    return MILP(
        objective=np.array([price for _, price in bids]),
        matrix=sparse.csr_array(entries.astype(float)),
        lhs=np.full(len(entries), -np.inf),
        rhs=np.ones(len(entries)),
        lower=np.zeros(n_bids),
        upper=np.ones(n_bids),
        types=np.full(n_bids, "B"),
        sense="maximize",
        name="auction",
    )


def _bidders(config: AuctionConfig, generator: np.random.Generator) -> Iterator[list[Bid]]:
    """The bids of one bidder after another, without end."""
    n = config.n_items
    values = generator.uniform(config.min_value, config.max_value, n)
    together = np.triu(generator.random((n, n)), k=1)
    together += together.T
    together /= together.sum(axis=1)
    while True:
        interests = generator.random((BIDDERS_AT_A_TIME, n))
        private = values + config.max_value * config.value_deviation * (2 * interests - 1)
        sizes = np.minimum(generator.geometric(1 - config.add_item_prob, BIDDERS_AT_A_TIME), n)
        first = _grow(_chosen(interests, generator), sizes, interests, together, generator)
        # A substitute begins with each good of each first bundle.
        owner, start = np.nonzero(first)
        substitutes = _grow(start, sizes[owner], interests[owner], together, generator)
        ends = np.searchsorted(owner, np.arange(BIDDERS_AT_A_TIME + 1))
        for index, (begin, end) in enumerate(pairwise(ends)):
            bundles = np.concatenate([first[index : index + 1], substitutes[begin:end]])
            if bids := _bids(bundles, values, private[index], config):
                yield bids


def _chosen(weights: Float[np.ndarray, "b n"], generator: np.random.Generator) -> Int[np.ndarray, " b"]:
    """One index a row, with probabilities proportional to the weights."""
    # The first of exponential clocks that run at these rates.
    return (generator.exponential(size=weights.shape) / np.maximum(weights, 1e-300)).argmin(axis=1)


def _grow(
    start: Int[np.ndarray, " b"],
    sizes: Int[np.ndarray, " b"],
    interests: Float[np.ndarray, "b n"],
    together: Float[np.ndarray, "n n"],
    generator: np.random.Generator,
) -> Bool[np.ndarray, "b n"]:
    """Bundles that grow from one good each to their sizes, by interest and by what goes with what is there."""
    bundles = np.zeros(interests.shape, dtype=bool)
    bundles[np.arange(len(start)), start] = True
    for size in range(1, sizes.max()):
        growing = np.flatnonzero(sizes > size)
        inside = bundles[growing]
        weights = ~inside * interests[growing] * (inside @ together) / size
        bundles[growing, _chosen(weights, generator)] = True
    return bundles


def _bids(
    bundles: Bool[np.ndarray, "k n"],
    values: Float[np.ndarray, " n"],
    private: Float[np.ndarray, " n"],
    config: AuctionConfig,
) -> list[Bid]:
    """The bids of a bidder: on the first bundle, and on the dearest of its substitutes that it can afford and sell."""
    prices = bundles @ private + bundles.sum(axis=1) ** (1 + config.additivity)
    resale = bundles @ values
    if prices[0] < 0:
        return []
    is_open = (prices >= 0) & (prices <= config.budget_factor * prices[0])
    is_open &= resale >= config.resale_factor * resale[0]
    bids = {bundles[0].tobytes(): (np.flatnonzero(bundles[0]), float(prices[0]))}
    for index in 1 + np.argsort(-prices[1:], kind="stable"):
        if len(bids) > config.max_n_sub_bids:
            break
        if is_open[index]:
            bids.setdefault(bundles[index].tobytes(), (np.flatnonzero(bundles[index]), float(prices[index])))
    return list(bids.values())
