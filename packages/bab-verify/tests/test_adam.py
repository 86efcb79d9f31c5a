"""Adam, beside PyTorch's."""

import pytest
import torch

from bab_verify.bounds.adam import Adam


@pytest.mark.parametrize("decay", [1.0, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_moves_as_pytorch_s_does(decay, dtype):
    generator = torch.Generator().manual_seed(0)
    start, still = torch.rand(2, 3, 2, generator=generator, dtype=dtype)
    ours, theirs = [start.clone(), still.clone()], [start.clone().requires_grad_(), still.clone().requires_grad_()]
    adam = Adam([(ours[0], 0.1), (ours[1], 0.1)])
    peer = torch.optim.Adam(theirs, 0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(peer, decay)
    for step in range(20):
        gradient = torch.rand(3, 2, generator=generator, dtype=dtype) - 0.5
        theirs[0].grad = gradient.clone()
        peer.step()
        schedule.step()
        adam.step([gradient, None], decay**step)
        torch.testing.assert_close(ours, [tensor.detach() for tensor in theirs])
    assert torch.equal(ours[1], still)
