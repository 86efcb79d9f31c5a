"""Which modules and parameters are chosen."""

import re

import pytest
import torch
from torch import nn

from mip_hypernet import find_modules, find_parameters


class Net(nn.Module):
    """With a tied weight."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.conv1 = nn.Conv1d(4, 4, 3)
        self.conv2 = nn.Conv1d(4, 4, 3)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 7)
        self.head.weight = self.embed.weight


def test_modules_by_type_and_name():
    net = Net()
    assert list(find_modules(net)) == ["embed", "conv1", "conv2", "norm", "head"]
    assert list(find_modules(net, nn.Conv1d)) == ["conv1", "conv2"]
    assert list(find_modules(net, (nn.Conv1d, nn.Linear), "*2")) == ["conv2"]
    assert find_modules(net, nn.Conv1d)["conv1"] is net.conv1


def test_parameters_by_name_type_and_expression():
    net = Net()
    assert len(find_parameters(net)) == 8
    assert list(find_parameters(net, "conv*.weight")) == ["conv1.weight", "conv2.weight"]
    assert list(find_parameters(net, r"re:conv[13]\..*")) == ["conv1.weight", "conv1.bias"]
    assert list(find_parameters(net, re.compile("norm.+"))) == ["norm.weight", "norm.bias"]
    assert list(find_parameters(net, ["norm.bias", "conv1.bias"])) == ["conv1.bias", "norm.bias"]
    assert list(find_parameters(net, types=nn.LayerNorm)) == ["norm.weight", "norm.bias"]
    # An expression is of the whole name.
    with pytest.raises(ValueError, match="matches no parameter"):
        find_parameters(net, "re:conv")


def test_a_tied_parameter_is_found_once_by_any_name():
    net = Net()
    assert list(find_parameters(net, "head.weight")) == ["embed.weight"]
    assert list(find_parameters(net, types=nn.Linear)) == ["embed.weight", "head.bias"]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda net: find_parameters(net, "conv1.wieght"), "near are conv1.weight"),
        (lambda net: find_parameters(net, ["norm.*", "xyz"]), "'xyz' matches no parameter"),
        (lambda net: find_parameters(net, []), "no pattern"),
        (lambda net: find_parameters(net, "re:(conv"), "no regular expression"),
        (lambda net: find_parameters(net, types=nn.LSTM), "no parameters of LSTM"),
        (lambda net: find_modules(net, nn.LSTM), "no LSTM"),
        (lambda net: find_modules(net, pattern="cov1"), "near are conv1"),
    ],
)
def test_what_is_not_found(call, word):
    with pytest.raises(ValueError, match=re.escape(word)):
        call(Net())


def test_what_cannot_be_predicted():
    net = Net()
    net.table = nn.Parameter(torch.arange(3), requires_grad=False)
    with pytest.raises(ValueError, match="table is of torch.int64"):
        find_parameters(net)
    assert "table" not in find_parameters(net, "*.weight")
    lazy = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match="no shape yet"):
        find_parameters(lazy)
    net.wave = nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match="complex64"):
        find_parameters(net, "wave")
