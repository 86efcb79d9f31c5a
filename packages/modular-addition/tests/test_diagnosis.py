"""Reports of weights that were made to have what they report, in files of strangers."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from modular_addition import FourierReport, WeightNames, ideal_weights, load_weights
from separata.testing import write_bomb


def waves(p, k, phi, psi, alpha=1.0, beta=1.0):
    w = 2 * torch.pi * torch.as_tensor(k)[:, None] * torch.arange(p) / p
    return alpha * torch.cos(w + phi[:, None]), (beta * torch.cos(w + psi[:, None])).T


def test_what_was_put_in_is_found():
    g = torch.Generator().manual_seed(0)
    k = torch.tensor([1, 1, 2, 5, 5, 5])
    phi, psi = (2 * torch.pi * torch.rand(6, generator=g) - torch.pi for _ in range(2))
    report = FourierReport.from_weights(*waves(11, k, phi, psi, 0.3, 0.2))
    assert report.frequency.tolist() == report.output_frequency.tolist() == k.tolist()
    torch.testing.assert_close(report.phi.float(), phi, atol=1e-5, rtol=0)
    torch.testing.assert_close(report.misalignment.cos().float(), (2 * phi - psi).cos(), atol=1e-5, rtol=0)
    assert report.counts.tolist() == [2, 1, 0, 0, 3]
    assert report.specialized_counts.tolist() == [2, 1, 0, 0, 3]
    expected = abs(np.exp(2j * phi[3:].numpy()).mean())
    assert float(report.resultants(2)[4]) == pytest.approx(expected, abs=1e-5)
    assert math.isnan(report.resultants(1)[2])
    assert report.alpha.numpy() == pytest.approx(0.3, abs=1e-6)
    assert "2 frequencies have none" in str(report)


def test_random_weights_have_no_structure():
    g = torch.Generator().manual_seed(0)
    report = FourierReport.from_weights(torch.randn(512, 23, generator=g), torch.randn(23, 512, generator=g))
    assert report.ipr == pytest.approx(0.167, abs=0.01)
    assert abs(report.mean_cos) < 0.1
    assert report.mean_abs_sin == pytest.approx(2 / math.pi, abs=0.05)
    assert report.agreement < 0.2


def test_an_even_group_has_a_last_frequency_without_a_sine():
    k, zero = torch.tensor([6, 6, 1]), torch.zeros(3)
    report = FourierReport.from_weights(*waves(12, k, torch.tensor([0.0, torch.pi, 0.4]), torch.tensor([0, 0, 0.8])))
    assert report.n_frequencies == 6
    assert report.frequency.tolist() == [6, 6, 1]
    assert report.alpha.tolist() == pytest.approx([1, 1, 1])
    torch.testing.assert_close(report.misalignment.abs().float(), zero, atol=1e-5, rtol=0)


def test_two_numbers_may_have_weights_of_their_own():
    g = torch.Generator().manual_seed(1)
    k = torch.tensor([1, 3, 4])
    first, second = (2 * torch.pi * torch.rand(3, generator=g) for _ in range(2))
    x, out = waves(11, k, first, first + second)
    y, _ = waves(11, k, second, second)
    report = FourierReport.from_weights(torch.cat([x, y], dim=1), out)
    assert report.p == 11
    assert report.mean_cos == pytest.approx(1, abs=1e-6)


def test_weights_of_the_second_number_count_like_those_of_the_first():
    angle = torch.tensor([3.1, 0.4, 0.4])
    x, out = waves(11, torch.tensor([2, 2, 2]), angle, 2 * angle)
    # Nearly the same phase on the other side of π, one frequency in each half, and nothing in the first.
    y, _ = waves(11, torch.tensor([2, 3, 4]), torch.tensor([-3.1, 0.4, 0.4]), angle)
    x[1] *= 0.5
    x[2] = 0
    report = FourierReport.from_weights(torch.cat([x, y], dim=1), out)
    assert report.frequency.tolist() == [2, 3, 4]
    assert abs(float(report.phi[0])) == pytest.approx(math.pi, abs=1e-5)
    assert report.is_alive.all()
    assert report.is_specialized.tolist() == [True, False, False]
    power = torch.tensor([0.25, 1.0])
    assert float(report.input_ipr[1]) == pytest.approx(float(power.square().sum() / power.sum() ** 2), abs=1e-5)
    swapped = FourierReport.from_weights(torch.cat([y, x], dim=1), out)
    torch.testing.assert_close(swapped.input_ipr, report.input_ipr)
    torch.testing.assert_close(swapped.alpha, report.alpha)


def test_silent_neurons_do_not_count():
    w_in, w_out = (one.clone() for one in ideal_weights(11, 6))
    w_in[:4] = 0
    w_out[:, 4] = 0.1
    report = FourierReport.from_weights(w_in, w_out)
    assert report.to_json()["silent"] == 5
    assert report.ipr == pytest.approx(1)
    assert int(report.counts.sum()) == report.width - 5
    nothing = FourierReport.from_weights(torch.zeros(4, 7), torch.zeros(7, 4)).to_json()
    assert nothing["silent"] == 4
    assert nothing["ipr"] is nothing["alpha_spread"] is None


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_report_has_no_scale(scale):
    weights = ideal_weights(11, 6)
    plain, scaled = (
        FourierReport.from_weights(*both).to_json() for both in (weights, [scale * one for one in weights])
    )
    assert scaled.pop("frequencies") == plain.pop("frequencies")
    assert scaled == pytest.approx(plain, abs=1e-9)


@pytest.mark.usefixtures("unchecked")
def test_wrong_weights_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\(4, 7\) and \(4, 7\)"):
        FourierReport.from_weights(torch.zeros(4, 7), torch.zeros(4, 7))
    with pytest.raises(ValueError, match="output weights are not finite"):
        FourierReport.from_weights(torch.zeros(4, 7), torch.full((7, 4), torch.nan))


class Stranger(nn.Module):
    """Somebody's network: an embedding, two linear layers, and a head that is none of ours."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.up = nn.Linear(6, 40, bias=False)
        self.down = nn.Linear(40, 11, bias=False)


def test_weights_are_found_in_files_of_strangers(tmp_path):
    w_in, w_out = (one.float() for one in ideal_weights(11, 6))
    files = {name: tmp_path / f"weights.{name}" for name in ("safetensors", "npz", "pt")}
    save_file({"fc1.weight": w_in, "fc2.weight": w_out, "bias": torch.zeros(3, 3)}, files["safetensors"])
    np.savez(files["npz"], up=w_in.double().numpy(), down=w_out.numpy(), steps=np.array(["a", "b"]))
    torch.save({"epoch": 3, "model": {"up": w_in, "down": w_out}}, files["pt"])
    for path in files.values():
        found = load_weights(path)
        torch.testing.assert_close(found.w_in.float(), w_in)
        torch.testing.assert_close(found.w_out.float(), w_out)


def test_weights_through_an_embedding_are_multiplied(tmp_path):
    net = Stranger()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    found = load_weights(tmp_path / "net.pt", WeightNames("up.weight", "down.weight", "embed.weight"))
    torch.testing.assert_close(found.w_in, net.up.weight.detach() @ net.embed.weight.detach().T)
    with pytest.raises(ValueError, match=r"no two matrices.*up.weight \(40, 6\)"):
        load_weights(tmp_path / "net.pt")


def test_weights_of_different_precision_are_read_in_one(tmp_path):
    w_in, w_out = ideal_weights(11, 6)
    save_file({"w_in": w_in.half(), "w_out": w_out}, tmp_path / "mixed.safetensors")
    found = load_weights(tmp_path / "mixed.safetensors")
    assert found.w_in.dtype == found.w_out.dtype == torch.double
    torch.testing.assert_close(found.w_in, w_in, atol=1e-3, rtol=0)


def test_files_that_hold_no_such_weights_are_refused(tmp_path):
    save_file({"a": torch.zeros(20, 7), "b": torch.zeros(7, 20), "c": torch.zeros(7, 20)}, tmp_path / "two.safetensors")
    with pytest.raises(ValueError, match="more than one pair"):
        load_weights(tmp_path / "two.safetensors")
    assert load_weights(tmp_path / "two.safetensors", WeightNames(w_out="c")).w_out.shape == (7, 20)
    with pytest.raises(ValueError, match="no matrix d; it holds a"):
        load_weights(tmp_path / "two.safetensors", WeightNames(w_in="d"))
    with pytest.raises(ValueError, match=r"a is \(20, 7\) and a is"):
        load_weights(tmp_path / "two.safetensors", WeightNames("a", "a"))
    write_bomb(tmp_path / "bomb.npz", tmp_path / "mark")
    torch.save({"model": Stranger()}, tmp_path / "object.pt")
    (tmp_path / "broken.pt").write_bytes(b"not whole")
    (tmp_path / "text.txt").write_text("1 2 3")
    for name in ("bomb.npz", "object.pt", "broken.pt", "text.txt"):
        with pytest.raises(ValueError, match=name.split(".", maxsplit=1)[0]):
            load_weights(tmp_path / name)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(FileNotFoundError, match="absent"):
        load_weights(tmp_path / "absent.pt")
