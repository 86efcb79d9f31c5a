"""Recurrent modules, whose outputs are tuples and whose batches may be packed."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dendritic_backprop import DendriticModule, perforation_gap


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.GRU(3, 4, batch_first=True), (2, 5, 3)),
        (lambda: nn.GRU(3, 4, num_layers=2, bidirectional=True), (5, 2, 3)),
        (lambda: nn.LSTM(3, 4, proj_size=2), (5, 2, 3)),
        (lambda: nn.RNN(3, 4), (5, 3)),
    ],
)
def test_outputs_and_final_states_both_have_their_dendrites(grown, make, shape):
    module, x = grown(make(), 2), torch.randn(shape, dtype=torch.float64)
    y, state = module(x)
    plain, plain_state = module.module(x)
    values = module.values(x)
    torch.testing.assert_close(y, plain + sum(g * v for g, v in zip(module.gain, values)))
    hidden, plain_hidden = (s[0] if isinstance(s, tuple) else s for s in (state, plain_state))
    n = 2 if module.module.bidirectional else 1
    assert torch.equal(hidden[:-n], plain_hidden[:-n])
    steps = y.transpose(0, 1) if module.module.batch_first else y
    forward, backward = steps[-1].chunk(n, -1)[0], steps[0].chunk(n, -1)[-1]
    torch.testing.assert_close(hidden[-n:], torch.stack([forward, backward][:n]))
    if isinstance(state, tuple):
        assert torch.equal(state[1], plain_state[1])
    assert perforation_gap(module, x)[""] < 1e-12


def test_packed_sequences_give_what_each_sequence_gives_by_itself(grown):
    module = grown(nn.GRU(3, 4, bidirectional=True), 2)
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in (5, 2, 4)]
    padded = nn.utils.rnn.pad_sequence(sequences)
    y, hidden = module(pack_padded_sequence(padded, torch.tensor([5, 2, 4]), enforce_sorted=False))
    together, lengths = pad_packed_sequence(y)
    assert lengths.tolist() == [5, 2, 4]
    for i, sequence in enumerate(sequences):
        alone, state = module(sequence[:, None])
        torch.testing.assert_close(together[: len(sequence), i], alone[:, 0])
        torch.testing.assert_close(hidden[:, i], state[:, 0])


def test_a_cell_keeps_its_memory(grown):
    module = grown(nn.LSTMCell(3, 4), 1)
    x = torch.randn(2, 3, dtype=torch.float64)
    hidden, memory = module(x)
    plain, plain_memory = module.module(x)
    torch.testing.assert_close(hidden, plain + module.gain[0] * module.values(x)[0])
    assert torch.equal(memory, plain_memory)


def test_the_switch_changes_nothing():
    module, x = DendriticModule(nn.GRU(3, 4)), torch.randn(5, 2, 3)
    before = module(x)
    module.start_candidates(1)
    module.accept()
    for a, b in zip(before, module(x)):
        assert torch.equal(a, b)
