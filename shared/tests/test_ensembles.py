"""An ensemble is its members, run and trained as one."""

import pytest
import torch
from torch import Tensor, nn

from separata.ensembles import Ensemble
from separata.models import MLP, SmallCNN


def members(n: int = 3) -> list[nn.Module]:
    torch.manual_seed(0)
    return [MLP((4, 5, 2), nn.Tanh) for _ in range(n)]


def test_each_member_sees_its_own_inputs_or_shared_ones() -> None:
    models = members()
    x = torch.randn(3, 7, 4)
    ensemble = Ensemble(models)
    assert torch.allclose(ensemble(x), torch.stack([m(one) for m, one in zip(models, x, strict=True)]), atol=1e-6)
    assert torch.allclose(ensemble(x[0], is_shared=True), torch.stack([m(x[0]) for m in models]), atol=1e-6)


def test_each_member_is_trained_as_if_it_were_alone() -> None:
    models = members()
    x, y = torch.randn(3, 7, 4), torch.randn(3, 7, 2)
    ensemble = Ensemble(models)
    together = torch.optim.AdamW(ensemble.parameters(), lr=0.01)
    alone = [torch.optim.AdamW(m.parameters(), lr=0.01) for m in models]
    for _ in range(5):
        together.zero_grad()
        (ensemble(x) - y).square().mean((1, 2)).sum().backward()
        together.step()
        for i, (model, optimizer) in enumerate(zip(models, alone, strict=True)):
            optimizer.zero_grad()
            (model(x[i]) - y[i]).square().mean().backward()
            optimizer.step()
    for trained, model in zip(ensemble.members(), models, strict=True):
        for name, value in trained.state_dict().items():
            assert torch.allclose(value, model.state_dict()[name], atol=1e-5), name


def test_the_members_are_copied_and_given_back() -> None:
    models = members()
    before = models[0].state_dict()["layers.0.weight"].clone()
    ensemble = Ensemble(models)
    with torch.no_grad():
        for parameter in ensemble.parameters():
            parameter.zero_()
    assert torch.equal(models[0].state_dict()["layers.0.weight"], before)
    given = ensemble.members()
    assert len(given) == 3
    assert all(not p.any() for m in given for p in m.parameters())
    assert set(ensemble.state_dict()) == {name.replace(".", "__") for name in models[0].state_dict()}


class Scaled(nn.Module):
    """A network with a buffer and a parameter that is not trained."""

    scale: Tensor

    def __init__(self, scale: float, is_trained: bool = False) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.shift = nn.Parameter(torch.tensor(1.0), requires_grad=is_trained)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.shift


def test_buffers_are_members_own_and_what_is_fixed_stays_fixed() -> None:
    ensemble = Ensemble([Scaled(2.0), Scaled(3.0)])
    assert ensemble(torch.ones(2, 1)).flatten().tolist() == [3.0, 4.0]
    assert not any(p.requires_grad for p in ensemble.parameters())


def test_convolutions_and_other_precisions() -> None:
    torch.manual_seed(0)
    models = [SmallCNN(1, 3, 8, width=2).double() for _ in range(2)]
    x = torch.randn(2, 4, 1, 8, 8, dtype=torch.float64)
    assert torch.allclose(Ensemble(models)(x), torch.stack([m(one) for m, one in zip(models, x, strict=True)]))


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "one network or more"),
        ([MLP((2, 3)), MLP((2, 4))], "not the same in all"),
        ([MLP((2, 3)), MLP((2, 3), bias=False)], "has no"),
        ([MLP((2, 3), bias=False), MLP((2, 3))], "lack"),
        ([Scaled(1.0), Scaled(1.0, is_trained=True)], "not the same in all"),
    ],
)
def test_networks_that_differ_are_refused(models: list[nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ensemble(models)
