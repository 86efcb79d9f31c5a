"""Operations of the backward pass, and those that PyTorch's own derivatives are made of."""

from .call import Call, Rule, wrap
from .elementwise import elementwise


def softmax_backward(call: Call) -> Rule:
    """The derivative of a softmax acts along the same axis."""
    rule = elementwise(call)
    at = wrap(int(call.arguments["dim"]), len(call.shapes[0]))
    rule.kind = "reduce"
    rule.groups = [group for group in rule.groups if group[1] != [(0, at)]]
    return rule


def native_layer_norm(call: Call) -> Rule:
    """Layer normalization, with the mean and the inverse deviation that its derivative needs."""
    rank = len(call.shapes[0])
    n = len(call.arguments["normalized_shape"])
    rule = Rule("reduce", [call.new(k) for k in range(len(call.shapes))], name="layer_norm")
    rule.outputs[0] = list(call.operands[0].axes)
    for place in range(rank - n):
        for output in rule.outputs[1:]:
            output[place] = call.operands[0].axes[place]
        rule.groups.append(([(0, place)], [(k, place) for k in range(len(rule.outputs))]))
    return rule


def like_operands(call: Call) -> Rule:
    """Each gradient has the axes of what it is the gradient of, found by the names of the arguments."""
    rule = Rule("linear" if "convolution" in call.name else "reduce", [call.new(k) for k in range(len(call.shapes))])
    wanted = [i for name in ("input", "self", "weight", "bias") if (i := call.of(name)) is not None]
    for k, shape in enumerate(call.shapes):
        for i in wanted:
            if call.shape(i) == list(shape):
                rule.outputs[k] = list(call.operands[i].axes)
                wanted.remove(i)
                break
    return rule


def created(call: Call) -> Rule:
    """A gradient of a table: axes of its own."""
    return Rule("index", [call.new(k) for k in range(len(call.shapes))])
