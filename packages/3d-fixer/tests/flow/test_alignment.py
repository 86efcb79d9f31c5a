import pytest
import torch
from torch.nn import functional as F

from fixer3d.configs import FlowConfig
from fixer3d.flow.alignment import alignment_loss, reference_hidden
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    trunk = FlowTrunk(FlowConfig(4, 2, 2, 24, 3, 2, 2, 10, confidence_block=2))
    for parameter in trunk.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return trunk


@pytest.fixture
def batch():
    torch.manual_seed(1)
    shapes = [(2, 5, 10), (2, 10, 10), (2, 7, 10), (2, 2, 4, 4, 4), (2, 8, 4, 4, 4)]
    given = Conditions(*(torch.randn(shape) for shape in shapes), torch.rand(2))
    return torch.randn(2, 2, 4, 4, 4), torch.tensor([200.0, 800.0]), given


def test_without_control_and_occlusion_the_alignment_is_perfect(trunk, batch):
    x, t, given = batch
    _, hidden = DualBranchFlow(trunk, ControlBranch.from_trunk(trunk))(x, t, given, hidden=True)
    reference = reference_hidden(trunk, x, t, given.masked_crop)
    assert len(hidden) == len(reference) == 3
    torch.testing.assert_close(alignment_loss(hidden, reference), torch.tensor(-1.0), atol=1e-6, rtol=0)


def test_an_occluded_crop_is_aligned_less(trunk, batch):
    x, t, given = batch
    _, hidden = DualBranchFlow(trunk, None)(x, t, given, hidden=True)
    loss = alignment_loss(hidden, reference_hidden(trunk, x, t, torch.randn(2, 5, 10)))
    assert -0.999 < loss < 1


def test_the_loss_is_the_mean_cosine_over_tokens_and_blocks():
    torch.manual_seed(2)
    hidden, reference = ([torch.randn(2, 5, 7) for _ in range(4)] for _ in range(2))
    cosines = torch.stack([F.cosine_similarity(h, r, dim=-1) for h, r in zip(hidden, reference)])
    torch.testing.assert_close(alignment_loss(hidden, reference), -cosines.mean())
    torch.testing.assert_close(alignment_loss(hidden, [-2 * h for h in hidden]), torch.tensor(1.0))


def test_a_token_of_zeros_has_no_direction_and_breaks_nothing():
    hidden = [torch.zeros(1, 2, 3, requires_grad=True)]
    loss = alignment_loss(hidden, [torch.ones(1, 2, 3)])
    loss.backward()
    assert loss == 0
    assert hidden[0].grad.isfinite().all()


def test_gradients_reach_the_control_branch_and_not_the_reference(trunk, batch):
    x, t, given = batch
    flow = DualBranchFlow(trunk, ControlBranch.from_trunk(trunk))
    _, hidden = flow(x, t, given, hidden=True)
    reference = reference_hidden(trunk, x, t, torch.randn(2, 5, 10))
    assert not any(one.requires_grad for one in reference)
    alignment_loss(hidden, reference).backward()
    assert all(layer.weight.grad.any() for layer in flow.control.control_path)
    assert all(parameter.grad is None for parameter in trunk.parameters())


def test_lists_of_other_lengths_are_refused():
    one = [torch.ones(1, 2, 3)]
    for hidden, reference in ((one, []), ([], []), (one, 2 * one)):
        with pytest.raises(ValueError, match="as many blocks"):
            alignment_loss(hidden, reference)
