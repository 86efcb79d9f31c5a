"""Operations that look up elements by numbers."""

from .call import Call, Rule, wrap


def embedding(call: Call) -> Rule:
    """A row of a learned table for each number."""
    rule = Rule("index", [call.new()])
    indices = call.operands[1].axes
    for place in range(len(indices)):
        rule.passes(call, 1, place, 0, place)
    rule.outputs[0][-1] = call.table.new(call.shapes[0][-1])
    return rule


def index_select(call: Call) -> Rule:
    """Some elements along one axis."""
    rank = len(call.operands[0].axes)
    at = wrap(int(call.arguments["dim"]), rank)
    rule = Rule("index", [call.new()])
    for place in range(rank):
        if place != at:
            rule.passes(call, 0, place, 0, place)
    return rule


def gather(call: Call) -> Rule:
    """Elements along one axis, chosen by an array of numbers."""
    rule = Rule("index", [call.new()])
    rank = len(call.shapes[0])
    at = wrap(int(call.arguments["dim"]), rank)
    for place in range(rank):
        if place != at and call.shape(0)[place] == call.shapes[0][place]:
            rule.passes(call, 0, place, 0, place)
            i = call.of("index")
            if i is not None:
                call.table.unite(call.operands[0].axes[place], call.operands[i].axes[place])
                rule.groups[-1][0].append((i, place))
    return rule


def index(call: Call) -> Rule:
    """Elements chosen by arrays of numbers at several axes; axes before the first of these are kept."""
    rule = Rule("index", [call.new()])
    chosen = call.arguments.get("indices") or []
    for place, one in enumerate(chosen):
        if one is not None:
            break
        rule.passes(call, 0, place, 0, place)
    rank = len(call.operands[0].axes)
    for back in range(1, rank - len(chosen) + 1):
        rule.passes(call, 0, rank - back, 0, len(call.shapes[0]) - back)
    return rule


def written(call: Call) -> Rule:
    """An array in which some elements along one axis are replaced by those of another array."""
    rank = len(call.shapes[0])
    at = wrap(int(call.arguments.get("dim") or 0), rank)
    rule = Rule("index", [list(call.operands[0].axes)])
    rest = [place for place in range(rank) if place != at]
    other = call.operands[1].axes
    own = rest if len(other) == rank else range(len(other))
    for place, second in zip(rest, own, strict=True):
        call.table.unite(call.operands[0].axes[place], other[second])
        rule.groups.append(([(0, place), (1, second)], [(0, place)]))
    return rule


def added(call: Call) -> Rule:
    """An array to which slices of another are added along one axis, each at its number."""
    rule = Rule("index", [list(call.operands[0].axes)])
    at = wrap(int(call.arguments["dim"]), len(call.shapes[0]))
    source = next(i for i, one in enumerate(call.operands) if one.name == "source")
    for place in range(len(call.shapes[0])):
        if place != at:
            call.table.unite(call.operands[0].axes[place], call.operands[source].axes[place])
            rule.groups.append(([(0, place), (source, place)], [(0, place)]))
    return rule


def put(call: Call) -> Rule:
    """An array with other elements at places that arrays of numbers choose."""
    return Rule("index", [list(call.operands[0].axes)])


def counted(call: Call) -> Rule:
    """How often each number occurs."""
    return Rule("index", [call.new()])
