"""Votes of ideal networks, whose accuracy is known."""

import pytest
import torch

from modular_addition import addition_accuracy, ideal_network, ideal_weights, logit_table, pure_weights, vote_accuracy


def test_more_voters_are_right_more_often():
    w_in, w_out = ideal_weights(11, 32)
    found = [vote_accuracy(w_in, w_out, n, "quad", generator=torch.Generator().manual_seed(0)) for n in (1, 4, 32)]
    assert found[0] < found[1] < found[2] == 1
    # More than there are: all of them.
    assert vote_accuracy(w_in, w_out, 99, "quad", n_draws=1) == 1


def test_accuracy_is_that_of_the_table():
    net = ideal_network(11, 6)
    assert addition_accuracy(net.w_in, net.w_out, "quad") == 1
    g = torch.Generator().manual_seed(0)
    w_in, w_out = torch.randn(30, 11, generator=g), torch.randn(11, 30, generator=g)
    x = torch.arange(11)
    expected = (logit_table(w_in, w_out).argmax(-1) == (x[:, None] + x) % 11).double().mean()
    assert addition_accuracy(w_in, w_out) == pytest.approx(float(expected))


@pytest.mark.usefixtures("unchecked")
def test_equal_phases_vote_alike_and_fail():
    weights = ideal_weights(23, 16)
    own = pure_weights(*weights)
    for mine, theirs in zip(own, weights, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=0)
    assert addition_accuracy(*own) == 1
    equal = pure_weights(*weights, "equal")
    torch.testing.assert_close(equal[0].norm(dim=1), own[0].norm(dim=1))
    assert addition_accuracy(*equal) < 0.8
    with pytest.raises(ValueError, match="own or equal"):
        pure_weights(*weights, "other")
    doubled = torch.cat([weights[0], weights[0]], dim=1), weights[1]
    for measure in (addition_accuracy, pure_weights, lambda *both: vote_accuracy(*both, 3)):
        with pytest.raises(ValueError, match=r"\(M, p\)"):
            measure(*doubled)
    with pytest.raises(ValueError, match="at least 1"):
        vote_accuracy(*weights, 0)
