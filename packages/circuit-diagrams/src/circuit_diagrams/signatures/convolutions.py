"""Operations on windows: convolutions, poolings, resampling."""

from collections.abc import Sequence

from .call import Call, Rule


def _each(value: object, n: int, default: int) -> list[int]:
    """One number for each axis of the positions."""
    found = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    found = [default if v is None else v for v in found] or [default]
    return [int(str(v)) for v in (found * n if len(found) == 1 else found)]


def convolution(call: Call) -> Rule:
    """Acts on channels and positions, is broadcast over samples, and over channels where each has its own kernel."""
    weight = call.operands[1].axes
    n = len(weight) - 2
    is_transposed = "transpose" in call.name or bool(call.arguments.get("transposed"))
    has_batch = len(call.operands[0].axes) == n + 2
    rule = Rule("linear", [call.new()], name=f"conv{'_transpose' * is_transposed}{n}d")
    if has_batch:
        rule.passes(call, 0, 0, 0, 0)
    first = int(has_batch)
    groups = int(call.arguments.get("groups") or 1)
    channels = call.shape(0)[first]
    if groups == channels == call.shapes[0][first] and groups > 1:
        rule.passes(call, 0, first, 0, first)
        rule.groups[-1][0].append((1, 0))
        call.table.unite(call.operands[0].axes[first], weight[0])
    elif groups == 1:
        call.table.tie(call.operands[0].axes[first], weight[0 if is_transposed else 1])
    stride, dilation = (_each(call.arguments.get(key), n, 1) for key in ("stride", "dilation"))
    padding = call.arguments.get("padding")
    pads = [0] * n if isinstance(padding, str) else _each(padding, n, 0)
    for place in range(n):
        window = call.table.size[weight[2 + place]]
        is_pointwise = window == stride[place] == 1 and pads[place] == 0 and dilation[place] >= 1
        if is_pointwise and call.shape(0)[first + 1 + place] == call.shapes[0][first + 1 + place]:
            rule.passes(call, 0, first + 1 + place, 0, first + 1 + place)
    return rule


def pooling(call: Call) -> Rule:
    """Acts on the positions alone."""
    digits = [int(c) for c in call.name if c.isdigit()]
    n = digits[0] if digits else 2
    rule = Rule("reduce", [call.new(k) for k in range(len(call.shapes))])
    for place in range(len(call.shapes[0]) - n):
        rule.passes(call, 0, place, 0, place)
        for output in rule.outputs[1:]:
            output[place] = rule.outputs[0][place]
        rule.groups[-1][1].extend((k, place) for k in range(1, len(rule.outputs)))
    return rule


def resampling(call: Call) -> Rule:
    """Acts on the positions alone, and is linear."""
    rule = Rule("linear", [call.new()])
    for place in range(2):
        rule.passes(call, 0, place, 0, place)
    return rule
