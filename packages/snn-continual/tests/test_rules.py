import pytest
import torch
import torch.nn.functional as F

from snn_continual import BPTT, DSR, DSRLIF, OTTT, LeakyTrace, OnlineLIF, SurrogateLIF, WeightedRate, make_rule


def test_rules_are_found_by_name_with_the_paper_s_number_of_steps():
    assert [make_rule(name) for name in ("dsr", "bptt", "ottt")] == [DSR(20), BPTT(6), OTTT(6)]
    assert make_rule("dsr", 5) == DSR(5)


def test_unknown_rules_and_no_steps_are_refused():
    with pytest.raises(ValueError, match="must be one of dsr, bptt, ottt, not 'stdp'"):
        make_rule("stdp")
    with pytest.raises(ValueError, match="at least 1 time step, not 0"):
        make_rule("dsr", 0)


@pytest.mark.parametrize(
    ("rule", "neuron", "rate", "trace"),
    [(DSR(), DSRLIF, WeightedRate(), None), (BPTT(), SurrogateLIF, None, None), (OTTT(), OnlineLIF, None, LeakyTrace)],
)
def test_each_rule_has_its_neurons_rate_and_trace(rule, neuron, rate, trace):
    assert type(rule.neuron()) is neuron
    assert rule.rate == rate
    assert (rule.trace() is None) if trace is None else type(rule.trace()) is trace


def test_online_traces_fade_as_the_membranes_do():
    assert OTTT().trace().decay == 1 - 1 / OTTT().neuron().tau


def test_readout_is_the_weighted_rate_for_dsr_and_the_mean_for_the_others():
    outputs = torch.randn(4, 2, 3)
    w = torch.exp(-0.05 * torch.tensor([3.0, 2, 1, 0]))
    torch.testing.assert_close(DSR(4).readout(outputs), torch.einsum("t,tbc->bc", w / w.sum(), outputs))
    for rule in (BPTT(4), OTTT(4)):
        torch.testing.assert_close(rule.readout(outputs), outputs.mean(0))


def test_loss_is_that_of_the_readout_and_online_the_mean_over_steps():
    outputs, labels = torch.randn(4, 5, 3), torch.randint(3, (5,))
    for rule in (DSR(4), BPTT(4)):
        torch.testing.assert_close(rule.loss(outputs, labels), F.cross_entropy(rule.readout(outputs), labels))
    by_step = torch.stack([F.cross_entropy(step, labels) for step in outputs])
    torch.testing.assert_close(OTTT(4).loss(outputs, labels), by_step.mean())
