"""Windows of the tours of several salesmen, the longest of which is to be short: sub-problems of min-max mTSP."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graphs import gather_nodes

from .decoding import Inputs
from .path import distance_matrix
from .routes import EncodedRoutes, RouteConqueror, RouteEpisode, RouteWindows


@dataclass(frozen=True)
class SalesmanWindows(RouteWindows):
    """Windows of the tours of salesmen.

    Args:
        before: Length of the way from the depot to the first customer.
        after: Length of the way from the last customer back to the depot, if the window is not closed; 0 if it is.
        n_depots: Ends of routes in the window, but for the one behind it.
    """

    before: Float[Tensor, " subs"]
    after: Float[Tensor, " subs"]
    n_depots: Int[Tensor, " subs"]


def longest_route(
    sub: SalesmanWindows,
    order: Int[Tensor, "subs *starts customers"],
    ends: Bool[Tensor, "subs *starts customers"],
) -> Float[Tensor, "subs *starts"]:
    """Length of the longest route that a window touches, with the parts of it that are outside."""
    here = gather_nodes(sub.points, order)
    shape = (len(order), *[1] * (order.ndim - 2), 1)
    to_depot = (here - sub.points[:, 0].view(*shape, 2)).norm(dim=-1)
    direct = (here[..., 1:, :] - here[..., :-1, :]).norm(dim=-1)
    entering = torch.where(ends[..., :-1], to_depot[..., 1:], direct)
    entering = torch.cat([sub.before.view(shape).expand_as(to_depot[..., :1]), entering], -1)
    leaving = torch.where(ends, to_depot, 0)
    leaving[..., -1] += sub.after.view(shape)[..., 0]
    route = ends.long().cumsum(-1) - ends.long()
    return torch.zeros_like(entering).scatter_add(-1, route, entering + leaving).amax(-1)


class SalesmanEpisode(RouteEpisode):
    """Tours of salesmen; each window keeps its number of salesmen."""

    sub: SalesmanWindows

    def __init__(self, sub: SalesmanWindows, n_starts: int) -> None:
        super().__init__(sub, n_starts)
        self.costs = distance_matrix(sub.points)
        self.length = sub.before[:, None].expand(-1, n_starts)
        self.longest = torch.zeros_like(self.length)
        self.n_depots = sub.n_depots[:, None].expand(-1, n_starts)

    def inputs(self) -> Inputs:
        """Where each answer is, and five numbers.

        They are the lengths of its route, of the longest one before, and of what follows the window, and the shares of
        salesmen and customers that are left.
        """
        salesmen = self.n_depots / (self.sub.n_depots[:, None] + 1)
        customers = 1 - self.count / self.n_customers
        after = self.sub.after[:, None].expand_as(self.length)
        return {
            "current": self.current,
            "numbers": torch.stack([self.length, self.longest, after, salesmen, customers], -1),
        }

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """Customers, unless all that are left are needed for one salesman each; the depot, if a salesman is left."""
        is_enough = self.n_depots < self.n_customers - self.count
        allowed = self.customers() & is_enough[..., None]
        allowed[..., 0] = ((self.current > 0) & (self.n_depots > 0)) | self.done
        return allowed

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Go to the chosen customers, or to the depot, where the next salesman begins."""
        n_nodes = self.costs.shape[-1]
        step = self.costs.flatten(1).gather(1, self.current * n_nodes + chosen)
        leaves = (chosen == 0) & ~self.done
        super().advance(chosen)
        length = self.length + step
        self.longest = torch.where(leaves, torch.maximum(self.longest, length), self.longest)
        self.length = torch.where(leaves, 0, length)
        self.n_depots = self.n_depots - leaves.long()

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """The tours, and the length of the longest."""
        answers, ends = self.answers()
        return answers, longest_route(self.sub, self.order, ends)


class SalesmanConqueror(RouteConqueror):
    """The decoder of ICAM with the lengths of routes in its query, in place of the paper's DPN.

    Args:
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=128, layers=3, hidden=512, clip=50.0)

    def __init__(self, config: ConquerorConfig | None = None) -> None:
        super().__init__(2, 5, config)

    def encode(self, sub: SalesmanWindows) -> EncodedRoutes:
        """Embeddings of the depot and the customers."""
        return self.encode_windows(sub, sub.points[:, 1:])

    def episode(self, sub: SalesmanWindows, n_starts: int) -> SalesmanEpisode:
        """Answers of one customer."""
        return SalesmanEpisode(sub, n_starts)
