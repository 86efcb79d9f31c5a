"""Multilinear operations: Einstein sums, matrix products, linear layers, attention."""

from collections.abc import Sequence

from .call import Call, Rule, wrap

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def einstein(call: Call, inputs: Sequence[str], output: str, operands: Sequence[int] | None = None) -> Rule:
    """The rule of an Einstein sum, its letters given for each operand and the output."""
    places = list(range(len(inputs))) if operands is None else list(operands)
    rule = Rule("linear", [call.new()], einsum=f"{','.join(inputs)}->{output}")
    seen: dict[str, list[tuple[int, int]]] = {}
    for i, word in zip(places, inputs, strict=True):
        for place, letter in enumerate(word):
            seen.setdefault(letter, []).append((i, place))
    for letter, ends in seen.items():
        size = max(call.table.size[call.operands[i].axes[p]] for i, p in ends)
        full = [(i, p) for i, p in ends if call.table.size[call.operands[i].axes[p]] == size]
        main = min(full, key=lambda end: not call.operands[end[0]].is_data)
        axis = call.operands[main[0]].axes[main[1]]
        for i, p in full:
            if letter in output or call.operands[i].is_data:
                call.table.unite(axis, call.operands[i].axes[p])
            else:
                call.table.tie(axis, call.operands[i].axes[p])
        if letter in output:
            target = output.index(letter)
            rule.outputs[0][target] = axis
            if any(call.operands[i].is_data for i, _ in full):
                rule.groups.append((full, [(0, target)]))
    return rule


def linear(call: Call) -> Rule:
    """A map of the last axis, with learned weights and perhaps a bias."""
    rank = len(call.operands[0].axes)
    batch = LETTERS[: rank - 1]
    weight = "zy" if len(call.operands[1].axes) == 2 else "y"
    output = batch + ("z" if weight == "zy" else "")
    rule = einstein(call, [batch + "y", weight], output, [0, 1])
    if len(call.operands) > 2:
        rule.einsum = None
        call.table.unite(rule.outputs[0][-1], call.operands[2].axes[0])
    if weight == "zy" and not call.operands[1].is_data:
        # What a learned map gives is a new axis: calls of one layer do not make their outputs the same.
        rule.outputs[0][-1] = call.table.new(call.shapes[0][-1])
        rule.groups = [g for g in rule.groups if g[1] != [(0, len(output) - 1)]]
    return rule


def matmul(call: Call) -> Rule:
    """A matrix product, with whatever axes come before those of the matrices."""
    a, b = (len(one.axes) for one in call.operands[:2])
    first = {1: "y"}.get(a, "xy")
    second = {1: "y"}.get(b, "yz")
    n = max(a, b) - 2
    batch = LETTERS[: max(n, 0)]
    left = (batch[len(batch) - (a - 2) :] if a > 2 else "") + first
    right = (batch[len(batch) - (b - 2) :] if b > 2 else "") + second
    output = batch + ("x" if a > 1 else "") + ("z" if b > 1 else "")
    return einstein(call, [left, right], output, [0, 1])


def affine_product(call: Call) -> Rule:
    """A matrix product that is added to another array."""
    n = len(call.shapes[0]) - 2
    batch = LETTERS[:n]
    rule = einstein(call, [f"{batch}xy", f"{batch}yz"], f"{batch}xz", [1, 2])
    rule.einsum = None
    own = call.operands[0].axes
    for place in range(1, len(own) + 1):
        if call.table.size[own[-place]] == call.shapes[0][-place]:
            call.table.unite(rule.outputs[0][-place], own[-place])
            for ends, outs in rule.groups:
                if outs == [(0, len(call.shapes[0]) - place)]:
                    ends.append((0, len(own) - place))
    return rule


def outer(call: Call) -> Rule:
    """The product of each element of a vector with each of another."""
    return einstein(call, ["x", "y"], "xy")


def dot(call: Call) -> Rule:
    """The inner product of two vectors."""
    return einstein(call, ["x", "x"], "")


def tensordot(call: Call) -> Rule:
    """A sum over pairs of axes, one of each operand; the other axes follow one another."""
    letters = iter(LETTERS)
    words = [[next(letters) for _ in one.axes] for one in call.operands[:2]]
    summed = [
        [wrap(int(place), len(word)) for place in call.arguments[name]]
        for word, name in zip(words, ("dims_self", "dims_other"), strict=True)
    ]
    for first, second in zip(*summed, strict=True):
        words[1][second] = words[0][first]
    kept = [c for word, places in zip(words, summed, strict=True) for i, c in enumerate(word) if i not in places]
    return einstein(call, ["".join(word) for word in words], "".join(kept), [0, 1])


def einsum(call: Call) -> Rule:
    """Whatever the formula says."""
    formula = str(call.arguments["equation"]).replace(" ", "")
    left, _, right = formula.partition("->")
    words = left.split(",")
    if "..." in formula:
        free = [c for c in LETTERS if c not in formula]
        rank = max(len(one.axes) - len(word.replace("...", "")) for one, word in zip(call.operands, words, strict=True))
        filling = "".join(free[:rank])
        words = [
            word.replace("...", filling[rank - len(one.axes) + len(word.replace("...", "")) :])
            for one, word in zip(call.operands, words, strict=True)
        ]
        right = right.replace("...", filling) if "->" in formula else ""
    if "->" not in formula:
        right = "".join(sorted(c for c in set("".join(words)) if "".join(words).count(c) == 1))
    return einstein(call, words, right)


def attention(call: Call) -> Rule:
    """Scaled dot-product attention: broadcast over queries, heads, samples, and inside the values over their width."""
    q, k, v = 0, 1, 2
    rank = len(call.shapes[0])
    rule = Rule("reduce", [call.new()], name="attention")
    axes = [one.axes for one in call.operands]
    for place in range(rank - 2):
        rule.passes(call, q, place, 0, place)
        for i in (k, v):
            if call.table.size[axes[i][place]] == call.shapes[0][place]:
                call.table.unite(axes[q][place], axes[i][place])
                rule.groups[-1][0].append((i, place))
    call.table.unite(axes[q][-1], axes[k][-1])
    call.table.unite(axes[k][-2], axes[v][-2])
    is_causal = bool(call.arguments.get("is_causal"))
    if is_causal:
        rule.outputs[0][-2] = axes[q][-2]
    else:
        rule.passes(call, q, rank - 2, 0, rank - 2)
        mask = call.of("attn_mask")
        if mask is not None and call.table.size[axes[mask][-2]] == call.shapes[0][-2]:
            call.table.unite(axes[q][-2], axes[mask][-2])
            rule.groups[-1][0].append((mask, len(axes[mask]) - 2))
    rule.passes(call, v, rank - 1, 0, rank - 1)
    return rule
