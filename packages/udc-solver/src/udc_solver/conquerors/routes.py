"""Routes through the customers of a window: sub-problems of vehicle routing."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graphs import gather_nodes

from .aft import AFTDecoder, AFTEncoder
from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs
from .path import distance_matrix

TOLERANCE = 3e-6
"""By what part of a capacity it may be exceeded through rounding; sums of whole numbers are exact."""


@dataclass(frozen=True)
class RouteWindows(SubProblems):
    """Windows of customers in a row of routes; `current` and answers have the shape (2, customers): order, and ends.

    The first customer stays the first. If a route ends behind the last one, the window is closed, and any customer may
    be the last; if not, the last one stays where it is, too.

    Args:
        points: The depot, then the customers in their present order, normalized.
        is_closed: Whether a route ends behind the window.
    """

    points: Float[Tensor, "subs nodes 2"]
    is_closed: Bool[Tensor, " subs"]


@dataclass(frozen=True)
class VehicleWindows(RouteWindows):
    """Windows of capacitated routes.

    Args:
        demands: Of the customers, in units of the capacity.
        used: What the vehicle at the first customer must keep for customers before the window.
        limit: How much the vehicle may hold behind the last customer, if the window is not closed.
    """

    demands: Float[Tensor, "subs customers"]
    capacity: Float[Tensor, " subs"]
    used: Float[Tensor, " subs"]
    limit: Float[Tensor, " subs"]


def route_legs(
    points: Float[Tensor, "subs nodes 2"],
    order: Int[Tensor, "subs *starts customers"],
    ends: Bool[Tensor, "subs *starts customers"],
    *,
    returns: bool = True,
) -> Float[Tensor, "subs *starts customers"]:
    """Length of the way from each customer to the next one, by the depot if a route ends there.

    Args:
        points: The depot is the first.
        order: The customers.
        ends: Whether a route ends at each.
        returns: Whether the way back to the depot counts.

    Returns:
        The last leg leads to the depot if a route ends there, and is 0 if not.
    """
    here = gather_nodes(points, order)
    depot = points[:, 0].view(len(points), *[1] * (order.ndim - 1), 2)
    to_depot = (here - depot).norm(dim=-1)
    direct = (here[..., 1:, :] - here[..., :-1, :]).norm(dim=-1)
    direct, from_depot = (nn.functional.pad(one, (0, 1)) for one in (direct, to_depot[..., 1:]))
    return torch.where(ends, from_depot + (to_depot if returns else 0), direct)


class RouteEpisode:
    """Routes that are built customer by customer, all windows and starts at once."""

    def __init__(self, sub: RouteWindows, n_starts: int) -> None:
        n_subs, n_nodes, _ = sub.points.shape
        self.sub, self.n_customers = sub, n_nodes - 1
        shape, device = (n_subs, n_starts), sub.points.device
        self.order = torch.zeros(*shape, self.n_customers, dtype=torch.long, device=device)
        self.order[..., 0] = 1
        self.ends = torch.zeros(*shape, self.n_customers, dtype=torch.bool, device=device)
        self.count = torch.ones(shape, dtype=torch.long, device=device)
        self.current = torch.ones(shape, dtype=torch.long, device=device)
        self.open = torch.ones(*shape, n_nodes, dtype=torch.bool, device=device)
        self.open[..., :2] = False

    @property
    def done(self) -> Bool[Tensor, "subs starts"]:
        """Answers that hold all customers."""
        return self.count >= self.n_customers

    def is_over(self) -> bool:
        """Whether all answers hold all customers."""
        return bool(self.done.all())

    def customers(self) -> Bool[Tensor, "subs starts nodes"]:
        """Customers that are not on a route yet; the last one only when it is its turn."""
        allowed = self.open.clone()
        is_its_turn = self.sub.is_closed[:, None] | (self.count == self.n_customers - 1)
        allowed[..., -1] &= is_its_turn
        return allowed

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Go to the chosen customers, or to the depot; answers that are done stay as they are."""
        is_customer = (chosen > 0) & ~self.done
        leaves = (chosen == 0) & ~self.done
        last, place = (self.count - 1)[..., None], self.count.clamp(max=self.n_customers - 1)[..., None]
        self.ends = self.ends.scatter(-1, last, self.ends.gather(-1, last) | leaves[..., None])
        kept = self.order.gather(-1, place)
        self.order = self.order.scatter(-1, place, torch.where(is_customer[..., None], chosen[..., None], kept))
        self.open = self.open.scatter(-1, chosen[..., None], value=False)
        self.count = self.count + is_customer
        self.current = chosen

    def answers(self) -> tuple[Int[Tensor, "subs starts 2 customers"], Bool[Tensor, "subs starts customers"]]:
        """The answers, and their ends of routes."""
        ends = self.ends.clone()
        ends[..., -1] = self.sub.is_closed[:, None]
        return torch.stack([self.order, ends.long()], -2), ends


class VehicleEpisode(RouteEpisode):
    """Routes of vehicles with a capacity."""

    sub: VehicleWindows

    def __init__(self, sub: VehicleWindows, n_starts: int, *, returns: bool) -> None:
        super().__init__(sub, n_starts)
        self.returns = returns
        self.used = (sub.used + sub.demands[:, 0])[:, None].expand(-1, n_starts)
        self.slack = TOLERANCE * sub.capacity[:, None]
        self.demands = nn.functional.pad(sub.demands, (1, 0))[:, None]
        limits = sub.capacity[:, None].repeat(1, sub.points.shape[1])
        limits[:, -1] = torch.where(sub.is_closed, sub.capacity, sub.limit)
        self.limits = (limits + self.slack)[:, None]

    def inputs(self) -> Inputs:
        """Where each answer is, what is left in its vehicle, and what may be in it at the end."""
        capacity = self.sub.capacity[:, None]
        left = (self.sub.limit[:, None] / capacity).expand_as(self.used)
        return {"current": self.current, "numbers": torch.stack([1 - self.used / capacity, left], -1)}

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """Customers whose demand fits; the depot, unless the vehicle is there."""
        allowed = self.customers() & (self.used[..., None] + self.demands <= self.limits)
        allowed[..., 0] = (self.current > 0) | self.done
        return allowed

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Load the demand of the chosen customers; the vehicle is empty at the depot."""
        super().advance(chosen)
        self.used = (self.used + self.sub.demands.gather(1, (chosen - 1).clamp(min=0))) * (chosen > 0)

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """The routes and their lengths."""
        answers, ends = self.answers()
        return answers, route_legs(self.sub.points, self.order, ends, returns=self.returns).sum(-1)


class EncodedRoutes(NamedTuple):
    """What the decoder needs of windows of routes."""

    h: Float[Tensor, "subs nodes dim"]
    prepared: Float[Tensor, "subs nodes 2*dim"]
    costs: Float[Tensor, "subs nodes nodes"]
    fixed: Float[Tensor, "subs 1 dim"]
    """The part of the query that end and depot make."""


class RouteConqueror(DecodingConqueror):
    """ICAM for routes through windows of customers, with some numbers about the partial answers in the query.

    Args:
        n_features: Of each customer.
        n_numbers: Numbers that the episode tells of each partial answer.
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=128, layers=6, hidden=512, clip=50.0)
    default_starts = 1

    def __init__(self, n_features: int, n_numbers: int, config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        dim = sizes.dim
        self.embed_depot = nn.Linear(2, dim)
        self.embed = nn.Linear(n_features, dim)
        self.embed_first, self.embed_end = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.encoder = AFTEncoder(dim, sizes.hidden, sizes.layers)
        self.query_end, self.query_depot = (nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.query_current = nn.Linear(dim + n_numbers, dim, bias=False)
        self.decoder = AFTDecoder(dim, sizes.clip)

    def encode_windows(self, sub: RouteWindows, features: Float[Tensor, "subs customers features"]) -> EncodedRoutes:
        """Embeddings of the depot and the customers."""
        depot, customers = self.embed_depot(sub.points[:, :1]), self.embed(features)
        h = torch.cat([depot, self.embed_first(customers[:, :1]), customers[:, 1:]], 1)
        # An answer ends at the depot if the window is closed, and at the last customer if not.
        end = torch.where(sub.is_closed, 0, h.shape[1] - 1)[:, None]
        at = end[..., None].expand(-1, 1, h.shape[2])
        h = h.scatter(1, at, self.embed_end(h.gather(1, at)))
        costs = distance_matrix(sub.points)
        h = self.encoder(h, costs)
        fixed = self.query_end(h.gather(1, at)) + self.query_depot(h[:, :1])
        return EncodedRoutes(h, self.decoder.prepare(h), costs, fixed)

    def logits(
        self, encoded: EncodedRoutes, inputs: Inputs, allowed: Bool[Tensor, "subs some nodes"]
    ) -> Float[Tensor, "subs some nodes"]:
        """Logits of the depot and the customers."""
        current = inputs["current"]
        here = torch.cat([gather_nodes(encoded.h, current), inputs["numbers"]], -1)
        query = encoded.fixed + self.query_current(here)
        return self.decoder(query, encoded.h, encoded.prepared, gather_nodes(encoded.costs, current), allowed)


class VehicleConqueror(RouteConqueror):
    """ICAM for windows of capacitated routes.

    Args:
        config: Sizes.
        returns: Whether the way back to the depot counts.
    """

    def __init__(self, config: ConquerorConfig | None = None, *, returns: bool = True) -> None:
        super().__init__(3, 2, config)
        self.returns = returns

    def encode(self, sub: VehicleWindows) -> EncodedRoutes:
        """Embeddings of the depot, and of the customers with their demands."""
        demands = sub.demands / sub.capacity[:, None]
        return self.encode_windows(sub, torch.cat([sub.points[:, 1:], demands[..., None]], -1))

    def episode(self, sub: VehicleWindows, n_starts: int) -> VehicleEpisode:
        """Answers of one customer."""
        return VehicleEpisode(sub, n_starts, returns=self.returns)
