"""The parts of a block."""

import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

from noprop import ConfiguredBlocks, ConvStack, DenoisingBlock, LabelBranch, ModelConfig, TimeBranch


def test_pooling_before_the_activation_changes_no_number():
    torch.manual_seed(0)
    stack, x = ConvStack((2, 12, 13), (3, 4, 5)), torch.randn(6, 2, 12, 13)
    first, second, third = stack.convs
    expected = relu(third(max_pool2d(relu(second(max_pool2d(relu(first(x)), 2))), 2))).flatten(1)
    torch.testing.assert_close(stack(x), expected)
    assert stack.n_features == expected.shape[1] == 5 * 3 * 3


def test_the_label_branch_skips_its_second_layer():
    branch, z = LabelBranch(4, 8, norm=False), torch.randn(5, 4)
    with torch.no_grad():
        branch.second[0].weight.zero_()
        branch.second[0].bias.zero_()
    torch.testing.assert_close(branch(z), branch.first(z))


def test_times_are_embedded_by_sines_and_cosines():
    branch = TimeBranch(64)
    with torch.no_grad():
        branch.affine.weight.copy_(torch.eye(64))
        branch.affine.bias.fill_(2.0)
    found = branch(torch.tensor([0.25])) - 2
    k = 5
    assert found[0, k].item() == pytest.approx(torch.sin(torch.tensor(7.5 * 10_000 ** (-k / 32))).item(), abs=1e-3)
    assert found[0, 32 + k].item() == pytest.approx(torch.cos(torch.tensor(7.5 * 10_000 ** (-k / 32))).item(), abs=1e-3)


@pytest.mark.parametrize("variant", ["dt", "ct", "fm"])
@pytest.mark.parametrize(("shape", "kind"), [((1, 8, 8), "conv"), ((3, 9, 9), "mlp"), ((7,), "auto")])
def test_configured_blocks(variant, shape, kind):
    block = ConfiguredBlocks(ModelConfig(variant, kind, "3,4", 8), shape)(5, 6)
    x, z, t = torch.rand(4, *shape), torch.randn(4, 5), torch.rand(4)
    inputs = (x, z) if variant == "dt" else (x, z, t)
    assert block(*inputs).shape == (4, 6)
    torch.testing.assert_close(block.eval()(*inputs), block.denoise(block.encode(x), *inputs[1:]))
    has_norm = any(isinstance(one, nn.BatchNorm1d) for one in block.modules())
    assert has_norm == (variant == "dt")
    if variant != "dt":
        assert not torch.allclose(block(x, z, t), block(x, z, 1 - t))
        with pytest.raises(ValueError, match="with the time"):
            block(x, z)


def test_a_prototype_goes_through_an_image_branch():
    block = ConfiguredBlocks(ModelConfig(channels="3,4", width=8, embedding="prototype"), (1, 8, 8))(64, 3)
    assert sum(isinstance(one, ConvStack) for one in block.modules()) == 2
    assert block(torch.rand(4, 1, 8, 8), torch.randn(4, 64)).shape == (4, 3)


def test_the_published_sizes():
    block = ConfiguredBlocks(ModelConfig(), (1, 28, 28))(10, 10)
    convs = [one.weight.shape[:2] for one in block.modules() if isinstance(one, nn.Conv2d)]
    assert convs == [(32, 1), (64, 32), (128, 64)]
    joint = [one.weight.shape for one in block.joint if isinstance(one, nn.Linear)]
    assert joint == [(256, 512), (128, 256), (10, 128)]
    timed = ConfiguredBlocks(ModelConfig("ct"), (1, 28, 28))(10, 10)
    assert timed.joint[0].weight.shape == (256, 768)


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="at least 4 x 4 pixels"):
        ConvStack((1, 3, 9), (2, 2))
    with pytest.raises(ValueError, match="not samples of shape"):
        ConfiguredBlocks(ModelConfig(architecture="conv"), (7,))(5, 6)
    assert isinstance(ConfiguredBlocks(ModelConfig(), (1, 3, 9))(5, 6), DenoisingBlock)
