"""Names and shapes of the full models' parameters, written out from the official models."""

import pytest
import torch

from fixer3d.configs import FlowConfig, VAEConfig
from fixer3d.network.control import ControlBranch
from fixer3d.network.trunk import FlowTrunk
from fixer3d.network.vae import SparseStructureDecoder, SparseStructureEncoder

C, HEADS, HEAD = 1024, 16, 64


def linear(name, n_out, n_in):
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm(name, width=C):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def conv(name, n_out, n_in, size):
    return {f"{name}.weight": (n_out, n_in, size, size, size), f"{name}.bias": (n_out,)}


def self_attention(name):
    gains = {f"{name}.{part}.gamma": (HEADS, HEAD) for part in ("q_rms_norm", "k_rms_norm")}
    return linear(f"{name}.to_qkv", 3 * C, C) | gains | linear(f"{name}.to_out", C, C)


def cross_attention(name):
    return linear(f"{name}.to_q", C, C) | linear(f"{name}.to_kv", 2 * C, 1024) | linear(f"{name}.to_out", C, C)


def embedder(name):
    return linear(f"{name}.mlp.0", C, 256) | linear(f"{name}.mlp.2", C, C)


def block(i):
    name = f"blocks.{i}"
    return (
        norm(f"{name}.norm2")
        | self_attention(f"{name}.self_attn")
        | cross_attention(f"{name}.cross_attn")
        | linear(f"{name}.mlp.mlp.0", 4 * C, C)
        | linear(f"{name}.mlp.mlp.2", C, 4 * C)
        | linear(f"{name}.adaLN_modulation.1", 6 * C, C)
    )


def control_block(i):
    name = f"blocks.{i}"
    return (
        block(i)
        | norm(f"{name}.norm5")
        | self_attention(f"{name}.self_attn_dpt_ratio")
        | cross_attention(f"{name}.cross_attn_extra")
        | linear(f"{name}.adaLN_modulation_dpt.1", 3 * C, C)
    )


def res_block(name, width):
    return (
        norm(f"{name}.norm1", width)
        | norm(f"{name}.norm2", width)
        | conv(f"{name}.conv1", width, width, 3)
        | conv(f"{name}.conv2", width, width, 3)
    )


def trunk():
    names = {"pos_emb": (4096, C)} | embedder("t_embedder") | linear("input_layer", C, 8) | linear("out_layer", 8, C)
    return names | {name: shape for i in range(24) for name, shape in block(i).items()}


def control():
    names = embedder("dpt_ratio_embedder")
    names |= linear("input_layer_vox_partial", C, 8) | linear("input_layer_mask_partial", C, 64)
    for i in range(12):
        names |= control_block(i) | linear(f"control_path.{i}", C, C)
    return names


def encoder():
    names = conv("input_layer", 32, 1, 3)
    names |= res_block("blocks.0", 32) | res_block("blocks.1", 32) | conv("blocks.2.conv", 128, 32, 2)
    names |= res_block("blocks.3", 128) | res_block("blocks.4", 128) | conv("blocks.5.conv", 512, 128, 2)
    names |= res_block("blocks.6", 512) | res_block("blocks.7", 512)
    names |= res_block("middle_block.0", 512) | res_block("middle_block.1", 512)
    return names | norm("out_layer.0", 512) | conv("out_layer.2", 16, 512, 3)


def decoder():
    names = conv("input_layer", 512, 8, 3) | res_block("middle_block.0", 512) | res_block("middle_block.1", 512)
    names |= res_block("blocks.0", 512) | res_block("blocks.1", 512) | conv("blocks.2.conv", 8 * 128, 512, 3)
    names |= res_block("blocks.3", 128) | res_block("blocks.4", 128) | conv("blocks.5.conv", 8 * 32, 128, 3)
    names |= res_block("blocks.6", 32) | res_block("blocks.7", 32)
    return names | norm("out_layer.0", 32) | conv("out_layer.2", 1, 32, 3)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: FlowTrunk(FlowConfig.full()), trunk),
        (lambda: ControlBranch(FlowConfig.full()), control),
        (lambda: SparseStructureEncoder(VAEConfig.full()), encoder),
        (lambda: SparseStructureDecoder(VAEConfig.full()), decoder),
    ],
    ids=["trunk", "control", "encoder", "decoder"],
)
def test_the_full_models_have_the_official_names_and_shapes(make, names):
    with torch.device("meta"):
        model = make()
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == names()
