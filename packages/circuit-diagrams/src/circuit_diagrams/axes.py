"""Identity of axes: a union-find whose classes are the axes of the diagram."""

from collections.abc import Iterable

from .elements import Axis


class AxisTable:
    """Axes while a diagram is captured.

    Rules make axes and unite them. No array ever holds one axis twice: two axes that stand in one array stay apart.
    """

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.size: list[int] = []
        self.label: list[str] = []
        self.holders: list[set[int]] = []
        self.factors: dict[int, tuple[int, ...]] = {}
        self.twins: dict[int, int] = {}

    def new(self, size: int, label: str = "") -> int:
        """A new axis."""
        self.parent.append(len(self.parent))
        self.size.append(size)
        self.label.append(label)
        self.holders.append(set())
        return len(self.parent) - 1

    def find(self, axis: int) -> int:
        """The representative of an axis."""
        while self.parent[axis] != axis:
            self.parent[axis] = self.parent[self.parent[axis]]
            axis = self.parent[axis]
        return axis

    def hold(self, array: int, axes: Iterable[int]) -> list[int]:
        """Note that an array holds axes; of one that it holds twice, the second is replaced by a new one."""
        found: list[int] = []
        for axis in map(self.find, axes):
            if axis in found:
                twin = self.new(self.size[axis])
                self.twins[twin] = axis
                found.append(twin)
            else:
                found.append(axis)
        for axis in found:
            self.holders[axis].add(array)
        return found

    def unite(self, a: int, b: int) -> None:
        """Make two axes of one size the same, unless an array holds both."""
        a, b = self.find(a), self.find(b)
        if a == b or self.size[a] != self.size[b] or self.holders[a] & self.holders[b]:
            return
        a, b = (a, b) if (bool(self.label[a]), -a) >= (bool(self.label[b]), -b) else (b, a)
        self.parent[b] = a
        self.holders[a] |= self.holders[b]
        if b in self.factors:
            self.factors.setdefault(a, self.factors[b])
        if b in self.twins:
            self.twins.setdefault(a, self.twins[b])

    def tie(self, axis: int, own: int) -> None:
        """Give the axis of a parameter that is summed over the identity of the data's, if no data has given it one."""
        if not self.holders[self.find(own)]:
            self.unite(axis, own)

    def axis(self, axis: int) -> Axis:
        """The axis of a finished diagram."""
        root = self.find(axis)
        return Axis(root, self.size[root], self._label(root) or str(self.size[root]))

    def _label(self, root: int) -> str:
        """The name of an axis; of one that stands beside another of its kind, as keys beside queries, with a prime."""
        if self.label[root] or root not in self.twins:
            return self.label[root]
        first = self._label(self.find(self.twins[root])) if self.find(self.twins[root]) != root else ""
        return first and first + "′"
