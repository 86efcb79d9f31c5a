"""Sizes and distributions of the five families of problems; the defaults are the sizes that are trained on."""

from dataclasses import dataclass
from typing import Literal

KnapsackScheme = Literal["uncorrelated", "weakly correlated", "strongly correlated", "subset-sum"]


@dataclass(frozen=True)
class SetCoverConfig:
    """Set covering.

    Args:
        n_rows: Elements to be covered.
        n_cols: Sets.
        density: Share of the entries of the matrix that are 1.
        max_cost: The largest cost of a set; costs are uniform from 1 on.
    """

    n_rows: int = 400
    n_cols: int = 750
    density: float = 0.05
    max_cost: int = 100


@dataclass(frozen=True)
class AuctionConfig:
    """Combinatorial auctions.

    Args:
        n_items: Goods.
        n_bids: Bids.
        min_value: The smallest common value of a good.
        max_value: The largest common value of a good.
        value_deviation: How far a bidder's private value may be from the common one, as a share of `max_value`.
        add_item_prob: Probability that a bundle grows by one more good.
        max_n_sub_bids: The most bids of a bidder that substitute the first one.
        additivity: A bundle of k goods is worth k to the power of 1 + this beyond the sum of their values.
        budget_factor: Budget of a bidder, as a multiple of the first bid's price.
        resale_factor: The least common value of a substitute, as a share of the first bundle's.
    """

    n_items: int = 100
    n_bids: int = 500
    min_value: float = 1.0
    max_value: float = 100.0
    value_deviation: float = 0.5
    add_item_prob: float = 0.7
    max_n_sub_bids: int = 5
    additivity: float = 0.2
    budget_factor: float = 1.5
    resale_factor: float = 0.5


@dataclass(frozen=True)
class IndependentSetConfig:
    """Maximum independent set.

    Args:
        n_nodes: Nodes of the graph.
        affinity: Edges that each new node brings.
    """

    n_nodes: int = 500
    affinity: int = 4


@dataclass(frozen=True)
class FacilityLocationConfig:
    """Capacitated facility location.

    Args:
        n_customers: Customers.
        n_facilities: Places for facilities.
        ratio: Capacity of all facilities, as a multiple of the whole demand.
        unsplittable: Each customer is served by one facility, so that all variables are binary.
    """

    n_customers: int = 35
    n_facilities: int = 35
    ratio: float = 5.0
    unsplittable: bool = False


@dataclass(frozen=True)
class KnapsackConfig:
    """Multiple knapsack.

    Args:
        n_items: Items.
        n_knapsacks: Knapsacks.
        min_weight: The smallest weight of an item.
        max_weight: Weights are below this.
        scheme: How profits depend on weights; the public test instances are subset sums, where they are equal.
    """

    n_items: int = 100
    n_knapsacks: int = 6
    min_weight: int = 10
    max_weight: int = 20
    scheme: KnapsackScheme = "subset-sum"


Kind = Literal["setcover", "auction", "indset", "facilities", "knapsack"]
Size = Literal["small", "train", "large"]


@dataclass(frozen=True)
class FamilySettings:
    """Settings of any family, each of those that have it; what is not given is that of the size.

    Args:
        n_rows: Elements to be covered (setcover).
        n_cols: Sets (setcover).
        density: Share of the entries of the matrix that are 1 (setcover).
        max_cost: The largest cost of a set (setcover).
        n_items: Goods (auction) or items (knapsack).
        n_bids: Bids (auction).
        add_item_prob: Probability that a bundle grows by one more good (auction).
        n_nodes: Nodes of the graph (indset).
        affinity: Edges that each new node brings (indset).
        n_customers: Customers (facilities).
        n_facilities: Places for facilities (facilities).
        ratio: Capacity of all facilities, as a multiple of the demand (facilities).
        unsplittable: Each customer is served by one facility (facilities).
        n_knapsacks: Knapsacks (knapsack).
        scheme: How profits depend on weights (knapsack).
    """

    n_rows: int | None = None
    n_cols: int | None = None
    density: float | None = None
    max_cost: int | None = None
    n_items: int | None = None
    n_bids: int | None = None
    add_item_prob: float | None = None
    n_nodes: int | None = None
    affinity: int | None = None
    n_customers: int | None = None
    n_facilities: int | None = None
    ratio: float | None = None
    unsplittable: bool = False
    n_knapsacks: int | None = None
    scheme: KnapsackScheme | None = None
