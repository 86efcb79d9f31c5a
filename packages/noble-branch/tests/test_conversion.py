"""Branches in networks that this package did not make."""

import copy
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from noble_branch import BranchConfig, BranchedLinear, add_branches, branch_param_groups, load_plain, remove_branches


@pytest.fixture
def gpt2():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=20, n_positions=8, n_embd=16, n_layer=2, n_head=2)
    return transformers.GPT2LMHeadModel(config).eval()


def encoder() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.ModuleDict({"body": nn.TransformerEncoder(layer, 2), "head": nn.Linear(8, 3)})


TOKENS = torch.arange(8)[None]


def test_gpt_2_gets_branches_by_name_and_says_the_same_until_it_is_trained(gpt2):
    before = gpt2(TOKENS).logits
    found = add_branches(gpt2, rank=4, targets="*.c_fc")
    assert found.converted == tuple(f"transformer.h.{i}.mlp.c_fc" for i in range(2))
    assert found.added_parameters == 2 * (4 * (16 + 64) + 4 * 4 + 4 * 4)
    assert "lm_head" in found.left
    assert torch.equal(gpt2(TOKENS).logits, before)


def test_all_layers_in_blocks_are_the_default_and_train(gpt2):
    found = add_branches(gpt2, rank=4)
    assert len(found.converted) == 2 * 4
    optimizer = torch.optim.AdamW(branch_param_groups(gpt2, 1e-2, 0.1))
    losses = []
    for _ in range(30):
        loss = gpt2(TOKENS, labels=TOKENS).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    branch = gpt2.transformer.h[0].attn.c_attn.branch
    assert branch.up.abs().max() > 0
    assert branch.down.grad.abs().max() > 0


def test_a_plain_checkpoint_fits_and_what_is_new_is_told(gpt2):
    state = {name: value + 0.01 for name, value in gpt2.state_dict().items()}
    add_branches(gpt2, rank=4, targets="*.c_fc")
    new = load_plain(gpt2, state)
    assert len(new) == 2 * 7
    assert all(".c_fc.branch." in name for name in new)
    own = gpt2.state_dict()
    assert all(torch.equal(own[name], value) for name, value in state.items())
    gpt2.load_state_dict(own)


def test_a_file_that_holds_a_tied_weight_once_fits(gpt2, tmp_path):
    before = gpt2(TOKENS).logits
    gpt2.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in state
    model = type(gpt2)(gpt2.config).eval()
    add_branches(model, rank=4)
    assert all(".branch." in name for name in load_plain(model, state))
    assert torch.equal(model(TOKENS).logits, before)
    state.pop("transformer.wte.weight")
    with pytest.raises(ValueError, match=r"wte.weight is missing; lm_head.weight is missing"):
        load_plain(model, state)


def test_a_branched_network_is_written_and_read_whole(gpt2, tmp_path):
    def made():
        model = type(gpt2)(gpt2.config).eval()
        add_branches(model, rank=4, config=BranchConfig(up_std=1.0))
        return model

    first, second = made(), made()
    save_model(first, str(tmp_path / "all.safetensors"))
    assert not torch.allclose(first(TOKENS).logits, second(TOKENS).logits, atol=1e-2)
    load_model(second, tmp_path / "all.safetensors", strict=True)
    assert torch.equal(first(TOKENS).logits, second(TOKENS).logits)
    # And the branches by themselves, with the plain network from elsewhere.
    branches = {name: value for name, value in first.state_dict().items() if ".branch." in name}
    save_file(branches, tmp_path / "branches.safetensors")
    third = made()
    new = load_plain(third, {name: value for name, value in first.state_dict().items() if name not in branches})
    assert third.load_state_dict(load_file(tmp_path / "branches.safetensors"), strict=False).unexpected_keys == []
    assert set(new) == set(branches)
    assert torch.equal(first(TOKENS).logits, third(TOKENS).logits)
    with pytest.raises(RuntimeError, match="Missing key"):
        third.load_state_dict(gpt2.state_dict())


def test_both_paths_of_a_conv1d_agree(gpt2):
    logits = []
    for path in ("naive", "fused"):
        model = copy.deepcopy(gpt2)
        torch.manual_seed(1)
        add_branches(model, rank=4, path=path, config=BranchConfig(up_std=1.0))
        logits.append(model(TOKENS).logits)
    torch.testing.assert_close(*logits, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(logits[0], gpt2(TOKENS).logits, atol=1e-2)


def test_shapes_are_told_without_data():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))
    add_branches(model, rank=2, targets="*")
    assert model(torch.empty(3, 6, device="meta")).shape == (3, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("head.bias"), "head.bias is missing"),
        (lambda state: state.update(other=torch.zeros(1)), "other is unknown"),
        (lambda state: state.update({"head.bias": torch.zeros(4)}), r"head.bias has shape \(4,\), not \(3,\)"),
    ],
)
def test_another_network_s_checkpoint_is_refused_whole(change, message):
    model = encoder()
    state = {name: value + 1 for name, value in model.state_dict().items()}
    change(state)
    add_branches(model, rank=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_plain(model, state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_branches_of_pytorch_s_encoder_are_not_passed_by():
    model = encoder().eval()
    found = add_branches(model, rank=2, config=BranchConfig(up_std=1.0))
    assert found.converted == tuple(f"body.layers.{i}.linear{j}" for i in range(2) for j in (1, 2))
    assert any("MultiheadAttention" in reason for reason in found.left.values())
    assert found.left["head"] == "not among the targets"
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        on = model["body"](x)
        for module in model.modules():
            if isinstance(module, BranchedLinear):
                module.branch.up.zero_()
        assert (on - model["body"](x)).abs().max() > 0.01


def test_branches_are_taken_away_again(gpt2):
    before, names = gpt2(TOKENS).logits, list(gpt2.state_dict())
    kinds = [type(module) for module in gpt2.modules()]
    add_branches(gpt2, rank=4, config=BranchConfig(up_std=1.0))
    assert not torch.allclose(gpt2(TOKENS).logits, before, atol=1e-2)
    remove_branches(gpt2)
    assert torch.equal(gpt2(TOKENS).logits, before)
    assert (list(gpt2.state_dict()), [type(module) for module in gpt2.modules()]) == (names, kinds)


def test_frequencies_and_phases_do_not_decay():
    model = encoder()
    add_branches(model, rank=2)
    groups = branch_param_groups(model, 0.1, 0.5, branch_lr_scale=3)
    by_parameter = {id(p): group for group in groups for p in group["params"]}
    assert len(by_parameter) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        group = by_parameter[id(parameter)]
        assert group["lr"] == pytest.approx(0.3 if ".branch." in name else 0.1), name
        free = any(part in name for part in ("omega", "phi", "bias", "norm"))
        assert group["weight_decay"] == (0 if free else 0.5), name


def test_a_ratio_is_of_the_smaller_side():
    model = encoder()
    add_branches(model, ratio=0.25)
    assert {m.branch.rank for m in model.modules() if isinstance(m, BranchedLinear)} == {2}


def test_a_single_layer_is_replaced():
    assert isinstance(add_branches(nn.Linear(3, 4), 2, targets="*").model, BranchedLinear)


COMPILED = """
import torch
from noble_branch import BranchConfig, BranchedLinear
for path in ("naive", "fused"):
    torch.manual_seed(0)
    layer, x = BranchedLinear(8, 6, 3, BranchConfig(up_std=1.0), path=path), torch.randn(4, 8)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))
    compiled(x).sum().backward()
    assert layer.branch.down.grad.abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(x), layer(x))
"""


def test_a_layer_compiles_in_one_graph():
    # In a process of its own: the checks of shapes that tests switch on do not compile.
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 4, "ratio": 0.1}, "not both"),
        ({"ratio": 1.5}, "at most 1"),
        ({"rank": 9}, "body.layers.0.linear1: the rank must be between 1 and 8"),
        ({"rank": 2, "targets": "*.c_fc"}, "body.layers.0.linear1"),
        ({"rank": 2, "activation": "swish"}, "cosnet"),
    ],
)
def test_bad_settings_leave_the_network_as_it_is(options, message):
    model = encoder()
    with pytest.raises(ValueError, match=message):
        add_branches(model, **options)
    assert not any(isinstance(module, BranchedLinear) for module in model.modules())


def test_twice_is_refused():
    model = encoder()
    add_branches(model, rank=2)
    with pytest.raises(ValueError, match="has branches already"):
        add_branches(model, rank=2)
    with pytest.raises(ValueError, match="BranchedLinear"):
        remove_branches(encoder())
