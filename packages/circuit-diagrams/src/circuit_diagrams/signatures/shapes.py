"""Operations that move data and compute nothing: transposing, binding and unbinding axes, joining, padding."""

from .call import Call, Rule, dims_of, wrap


def permute(call: Call) -> Rule:
    """Wires cross."""
    rank = len(call.shapes[0])
    order = list(range(rank))
    if call.name in {"permute", "permute_copy"}:
        order = dims_of(call.arguments["dims"], rank)
    elif call.name in {"movedim", "moveaxis"}:
        sources, targets = (dims_of(call.arguments[key], rank) for key in ("source", "destination"))
        rest = iter(i for i in range(rank) if i not in sources)
        order = [sources[targets.index(i)] if i in targets else next(rest) for i in range(rank)]
    elif rank > 1:
        pair = (call.arguments.get("dim0", -2), call.arguments.get("dim1", -1))
        if "axis0" in call.arguments:
            pair = (call.arguments["axis0"], call.arguments["axis1"])
        a, b = (wrap(d, rank) for d in pair)
        order[a], order[b] = order[b], order[a]
    rule = Rule("rearrange", [call.new()])
    for target, place in enumerate(order):
        rule.passes(call, 0, place, 0, target)
    return rule


def reshape(call: Call) -> Rule:
    """Axes are bound and unbound: sizes are matched from the left, the smallest runs of equal product together."""
    table, axes = call.table, call.operands[0].axes
    old, new = call.shape(0), list(call.shapes[0])
    rule = Rule("rearrange", [call.new()])
    i = j = 0
    while i < len(old) or j < len(new):
        i0, j0 = i, j
        a = b = 1
        if i < len(old) and j < len(new):
            a, b, i, j = old[i], new[j], i + 1, j + 1
        while a != b and (i < len(old) or j < len(new)):
            if (a < b and i < len(old)) or j == len(new):
                a, i = a * old[i], i + 1
            else:
                b, j = b * new[j], j + 1
        if i0 == i and j0 == j:  # only axes of size 1 are left on one side
            i, j = len(old), len(new)
        left = [p for p in range(i0, i) if old[p] != 1] if i - i0 + j - j0 > 2 else list(range(i0, i))
        right = [p for p in range(j0, j) if new[p] != 1] if i - i0 + j - j0 > 2 else list(range(j0, j))
        if len(left) == len(right) == 1 and old[left[0]] == new[right[0]]:
            rule.passes(call, 0, left[0], 0, right[0])
        elif len(right) == 1 and len(left) > 1:
            table.factors[rule.outputs[0][right[0]]] = tuple(axes[p] for p in left)
        elif len(left) == 1 and len(right) > 1:
            _unbind(call, rule, left[0], right)
    return rule


def _unbind(call: Call, rule: Rule, left: int, right: list[int]) -> None:
    """Give back the axes that were bound before, where the sizes are theirs."""
    table = call.table
    known = table.factors.get(table.find(call.operands[0].axes[left]))
    if known is None:
        known = table.factors.get(call.operands[0].axes[left])
    if known is not None and [table.size[x] for x in known] == [call.shapes[0][p] for p in right]:
        for place, axis in zip(right, known, strict=True):
            rule.outputs[0][place] = axis
    elif known is None:
        table.factors[table.find(call.operands[0].axes[left])] = tuple(rule.outputs[0][p] for p in right)


def align(call: Call) -> Rule:
    """Axes of size 1 come and go, and are repeated: squeeze, unsqueeze, expand."""
    rule = Rule("rearrange", [call.new()])
    old, new = call.shape(0), list(call.shapes[0])
    if "expand" in call.name or call.name == "broadcast_to":
        for place in range(1, len(old) + 1):
            if old[-place] == new[-place]:
                rule.passes(call, 0, len(old) - place, 0, len(new) - place)
        return rule
    if "unsqueeze" in call.name:
        at = wrap(int(call.arguments["dim"]), len(new))
        for place in range(len(old)):
            rule.passes(call, 0, place, 0, place + (place >= at))
        return rule
    dims = dims_of(call.arguments.get("dim"), len(old))
    kept = [p for p in range(len(old)) if not (p in dims and old[p] == 1)]
    for target, place in enumerate(kept):
        rule.passes(call, 0, place, 0, target)
    return rule


def same_where_equal(call: Call) -> Rule:
    """Acts on the axes whose size it changes, and no other: padding, slicing, repeating."""
    kind = "linear" if "pad" in call.name else "index" if call.name in {"slice", "narrow"} else "rearrange"
    rule = Rule(kind, [call.new()])  # type: ignore[arg-type]
    old, new = call.shape(0), list(call.shapes[0])
    for place in range(1, len(old) + 1):
        if old[-place] == new[-place]:
            rule.passes(call, 0, len(old) - place, 0, len(new) - place)
    return rule


def triangle(call: Call) -> Rule:
    """Elements on one side of the diagonal: acts on the last two axes together, and keeps them."""
    rank = len(call.operands[0].axes)
    rule = Rule("linear", [list(call.operands[0].axes)])
    rule.groups = [([(0, place)], [(0, place)]) for place in range(rank - 2)]
    return rule


def select(call: Call) -> Rule:
    """The wire of one axis ends in a tag."""
    rank = len(call.operands[0].axes)
    at = wrap(int(call.arguments["dim"]), rank)
    rule = Rule("index", [call.new()])
    for target, place in enumerate(p for p in range(rank) if p != at):
        rule.passes(call, 0, place, 0, target)
    return rule


def split(call: Call) -> Rule:
    """One axis is cut into pieces, or its elements become arrays of their own."""
    rank = len(call.operands[0].axes)
    at = wrap(int(call.arguments.get("dim") or 0), rank)
    rule = Rule("index", [call.new(k) for k in range(len(call.shapes))])
    is_unbound = call.name == "unbind"
    for target, place in enumerate(p for p in range(rank) if not (is_unbound and p == at)):
        if place == at:
            continue
        for output in rule.outputs:
            output[target] = call.operands[0].axes[place]
        rule.groups.append(([(0, place)], [(k, target) for k in range(len(rule.outputs))]))
    return rule


def join(call: Call) -> Rule:
    """Arrays are put one after another along one axis, or along a new one."""
    rank = len(call.shapes[0])
    at = wrap(int(call.arguments.get("dim") or 0), rank)
    rule = Rule("join", [call.new()])
    for target in range(rank):
        if target == at:
            continue
        place = target - (call.name == "stack" and target > at)
        ends = [(i, place) for i, one in enumerate(call.operands) if place < len(one.axes)]
        axis = min(ends, key=lambda end: not call.operands[end[0]].is_data)
        rule.outputs[0][target] = call.operands[axis[0]].axes[axis[1]]
        for i, own in ends:
            call.table.unite(rule.outputs[0][target], call.operands[i].axes[own])
        rule.groups.append((ends, [(0, target)]))
    return rule


def created(call: Call) -> Rule:
    """Made from nothing."""
    return Rule("rearrange", [call.new(k) for k in range(len(call.shapes))])


def pairs(call: Call) -> Rule:
    """Complex numbers of pairs of real ones along the last axis, or pairs of complex numbers."""
    rule = Rule("reduce", [call.new()])
    for place in range(min(len(call.operands[0].axes), len(call.shapes[0]))):
        rule.passes(call, 0, place, 0, place)
    return rule
