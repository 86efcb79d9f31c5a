"""Operations along one or several axes, which they keep or sum up, and normalizations."""

from .call import Call, Rule, dims_of
from .elementwise import elementwise

LINEAR = {"sum", "mean"}


def reduction(call: Call) -> Rule:
    """Sums up some axes; with `keepdim` they are left with size 1."""
    rank = len(call.operands[0].axes)
    if len(call.operands) > 1:
        return elementwise(call)
    dims = dims_of(call.arguments.get("dim"), rank)
    keeps = bool(call.arguments.get("keepdim"))
    rule = Rule("linear" if call.name in LINEAR else "reduce", [call.new(k) for k in range(len(call.shapes))])
    target = 0
    for place in range(rank):
        if place in dims:
            target += keeps
            continue
        rule.passes(call, 0, place, 0, target)
        for k in range(1, len(rule.outputs)):
            rule.outputs[k][target] = rule.outputs[0][target]
            rule.groups[-1][1].append((k, target))
        target += 1
    return rule


def along(call: Call) -> Rule:
    """Acts along one axis, and gives as many elements: softmax, cumulative sums, sorting, flipping."""
    rank = len(call.operands[0].axes)
    dims = dims_of(call.arguments.get("dim", call.arguments.get("dims")), rank) if rank else []
    is_linear = call.name in {"cumsum", "flip", "roll"}
    rule = Rule("linear" if is_linear else "reduce", [call.new(k) for k in range(len(call.shapes))])
    for k in range(len(rule.outputs)):
        for place in range(rank):
            if call.shapes[k][place] == call.shape(0)[place]:
                rule.outputs[k][place] = call.operands[0].axes[place]
    for place in range(rank):
        if place not in dims:
            rule.groups.append(([(0, place)], [(k, place) for k in range(len(rule.outputs))]))
    return rule


def layer_norm(call: Call) -> Rule:
    """Acts on the last axes together."""
    n = len(call.arguments["normalized_shape"])
    rank = len(call.shapes[0])
    rule = Rule("reduce", [list(call.operands[0].axes)])
    rule.groups = [([(0, place)], [(0, place)]) for place in range(rank - n)]
    for operand in call.operands[1:]:
        for own, axis in zip(operand.axes, call.operands[0].axes[rank - n :], strict=True):
            call.table.unite(axis, own)
    return rule


def group_norm(call: Call) -> Rule:
    """Acts on each sample alone."""
    rule = Rule("reduce", [list(call.operands[0].axes)])
    rule.groups = [([(0, 0)], [(0, 0)])]
    return rule


def instance_norm(call: Call) -> Rule:
    """Acts on the positions of each channel of each sample."""
    rule = Rule("reduce", [list(call.operands[0].axes)])
    rule.groups = [([(0, place)], [(0, place)]) for place in range(2)]
    for i, operand in enumerate(call.operands[1:], 1):
        call.table.unite(call.operands[0].axes[1], operand.axes[0])
        rule.groups[1][0].append((i, 0))
    return rule
