"""Operations that act on each element alone, with the broadcasting of arrays of fewer axes."""

from .call import Call, Rule


def elementwise(call: Call) -> Rule:
    """Operands are aligned at their last axes; one of size 1 is repeated."""
    shape = call.shapes[0]
    rule = Rule("elementwise", [call.new(k) for k in range(len(call.shapes))])
    for place in range(len(shape)):
        ends = []
        for i, operand in enumerate(call.operands):
            own = place - len(shape) + len(operand.axes)
            if own >= 0 and (call.table.size[operand.axes[own]] == shape[place]):
                ends.append((i, own))
        if not ends:
            continue
        main = min(ends, key=lambda end: not call.operands[end[0]].is_data)
        axis = call.operands[main[0]].axes[main[1]]
        for i, own in ends:
            call.table.unite(axis, call.operands[i].axes[own])
        for output in rule.outputs:
            output[place] = axis
        rule.groups.append((ends, [(k, place) for k in range(len(rule.outputs))]))
    return rule


def batch_norm(call: Call) -> Rule:
    """In evaluation, an affine map of each element with numbers of its channel."""
    rule = Rule("elementwise", [call.new(k) for k in range(len(call.shapes))], name="batch_norm")
    for place in range(len(call.shapes[0])):
        rule.passes(call, 0, place, 0, place)
        if place == 1:
            for i, operand in enumerate(call.operands[1:], 1):
                call.table.unite(call.operands[0].axes[1], operand.axes[0])
                rule.groups[-1][0].append((i, 0))
    return rule
