"""Layers in two directions, against what PyTorch's own layers compute with the same weights."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, elu, interpolate, linear, max_pool2d

from counter_current import (
    CounterCurrentBlock,
    CounterCurrentConv2d,
    CounterCurrentFlatten,
    CounterCurrentLayer,
    CounterCurrentLinear,
    CounterCurrentPool2d,
)


def weight_of(module: nn.Module) -> torch.Tensor:
    return next(p for p in module.parameters() if p.ndim > 1)


def test_linear_layer_computes_both_directions():
    layer, x, y = CounterCurrentLinear(5, 3), torch.randn(4, 5), torch.randn(4, 3)
    u, v = weight_of(layer.forward_module), weight_of(layer.feedback_module)
    assert (u.shape, v.shape) == ((3, 5), (5, 3))
    torch.testing.assert_close(layer(x), elu(linear(x, u)))
    torch.testing.assert_close(layer.reverse(y), elu(linear(y, v)))
    assert len(list(layer.parameters())) == 2, "no biases unless they are asked for"


def test_strided_convolution_is_enlarged_before_its_feedback_convolves():
    layer = CounterCurrentConv2d(2, 3, stride=2, bias=True)
    x, y = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 4, 4)
    (u, p), (v, q) = layer.forward_module[0].parameters(), layer.feedback_module[1].parameters()
    torch.testing.assert_close(layer(x), elu(conv2d(x, u, p, 2, 1)))
    torch.testing.assert_close(layer.reverse(y), elu(conv2d(interpolate(y, scale_factor=2), v, q, padding=1)))


def test_a_block_of_convolution_and_pooling():
    block = CounterCurrentBlock(CounterCurrentConv2d(2, 3), CounterCurrentPool2d(2))
    x, y = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 4, 4)
    u, v = weight_of(block.forward_module), weight_of(block.feedback_module)
    torch.testing.assert_close(block(x), max_pool2d(elu(conv2d(x, u, padding=1)), 2))
    torch.testing.assert_close(block.reverse(y), elu(conv2d(interpolate(y, scale_factor=2), v, padding=1)))


def test_the_feedback_of_a_classifier_is_activated_before_it_is_reshaped():
    block = CounterCurrentBlock(CounterCurrentFlatten((4, 2, 2)), CounterCurrentLinear(16, 3, "identity"))
    y = torch.eye(3)
    expected = elu(linear(y, weight_of(block.feedback_module))).view(3, 4, 2, 2)
    torch.testing.assert_close(block.reverse(y), expected)


@pytest.mark.parametrize("detach", [True, False])
def test_gradients_stop_at_the_inputs_of_both_directions(detach):
    layer = CounterCurrentLinear(5, 3)
    x, y = torch.randn(4, 5, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    (layer(x, detach).sum() + layer.reverse(y, detach).sum()).backward()
    assert (x.grad is None) == (y.grad is None) == detach
    assert weight_of(layer.forward_module).grad is not None
    assert weight_of(layer.feedback_module).grad is not None


def test_normalization_stands_before_or_after_the_map_and_not_after_an_output():
    kinds = {
        norm: [type(m) for m in CounterCurrentLinear(5, 3, norm=norm).forward_module] for norm in ("before", "after")
    }
    assert kinds == {"before": [nn.BatchNorm1d, nn.Linear, nn.ELU], "after": [nn.Linear, nn.BatchNorm1d, nn.ELU]}
    assert [type(m) for m in CounterCurrentLinear(5, 3, "identity", norm="after").forward_module] == [nn.Linear]
    assert not [p for p in CounterCurrentLinear(5, 3, norm="after").parameters() if p.ndim == 1], "no affine parameters"


def test_any_two_modules_are_a_layer_if_their_shapes_match():
    CounterCurrentLayer(nn.Linear(5, 3), nn.Linear(3, 5), shape=(5,))
    with pytest.raises(ValueError, match=r"gives 4, but its input is 5"):
        CounterCurrentLayer(nn.Linear(5, 3), nn.Linear(3, 4), shape=(5,))
    with pytest.raises(ValueError, match="does not take samples of shape 6"):
        CounterCurrentLayer(nn.Linear(5, 3), nn.Linear(3, 5), shape=(6,))


def test_feedback_of_odd_sizes_is_refused_with_both_shapes_or_given_the_size():
    with pytest.raises(ValueError, match=r"gives 2 x 6 x 6, but its input is 2 x 7 x 7"):
        CounterCurrentPool2d(2).check((2, 7, 7))
    assert CounterCurrentPool2d(2, size=(7, 7)).check((2, 7, 7)) == (2, 3, 3)


def test_a_layer_seen_from_its_other_end():
    layer = CounterCurrentConv2d(2, 3, stride=2)
    x = torch.randn(4, 3, 4, 4)
    torch.testing.assert_close(layer.swapped()(x), layer.reverse(x))


def test_a_check_leaves_statistics_and_mode_as_they_are():
    layer = CounterCurrentLinear(5, 3, norm="before")
    layer.check((5,))
    assert layer.training
    assert layer.forward_module[0].num_batches_tracked == 0


def test_kernels_are_odd():
    with pytest.raises(ValueError, match="odd, not 4"):
        CounterCurrentConv2d(1, 1, 4)
