from dataclasses import replace

import pytest
import torch

from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk, tokens_from_grid


@pytest.mark.parametrize("scene_branch", [True, False])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_before_training_the_flow_is_the_prior_on_the_masked_crop(trunk, make_conditions, inputs, scene_branch, scale):
    flow = DualBranchFlow(trunk, ControlBranch.from_trunk(trunk, scene_branch=scene_branch))
    given = make_conditions()
    given = replace(given, partial=scale * given.partial, confidence=scale * given.confidence)
    v, expected = flow(*inputs, given), trunk(*inputs, given.masked_crop)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(v, expected, atol=1e-5, rtol=0)


def test_the_branch_begins_as_the_trunk(trunk):
    branch = ControlBranch.from_trunk(trunk)
    ours, theirs = branch.state_dict(), trunk.state_dict()
    for key in ("weight", "bias"):
        torch.testing.assert_close(ours[f"input_layer_vox_partial.{key}"], theirs[f"input_layer.{key}"])
        assert not ours[f"input_layer_mask_partial.{key}"].any()
    copies = {"norm5": "norm2", "self_attn_dpt_ratio": "self_attn", "cross_attn_extra": "cross_attn"}
    for key, value in ours.items():
        if not key.startswith("blocks."):
            continue
        part = key.split(".")[2]
        if part == "adaLN_modulation_dpt" or (part in copies and ".to_out." in key):
            assert not value.any(), key
        else:
            torch.testing.assert_close(value, theirs[key.replace(f".{part}.", f".{copies.get(part, part)}.")])
    for key in ("dpt_ratio_embedder.mlp.0.weight", "dpt_ratio_embedder.mlp.2.bias"):
        torch.testing.assert_close(ours[key], theirs[key.replace("dpt_ratio_embedder", "t_embedder")])
    assert not any(parameter.any() for parameter in branch.control_path.parameters())


def test_each_control_block_follows_its_trunk_block_and_the_rest_of_the_trunk_sees_their_sum(
    flow, make_conditions, inputs
):
    (x, t), given, trunk, control = inputs, make_conditions(), flow.trunk, flow.control
    c = control.input_layer_vox_partial(tokens_from_grid(given.partial, 2)) + trunk.pos_emb
    c = c + control.input_layer_mask_partial(tokens_from_grid(given.confidence, 2))
    embedded, ratio = trunk.t_embedder(t), control.dpt_ratio_embedder(1000 * given.depth_ratio)
    h = trunk.embed(x)
    for i in range(3):
        h = trunk.blocks[i](h, embedded, given.masked_crop)
        if i < 2:
            c = control.blocks[i](c, embedded, ratio, given.instance, given.scene)
            h = h + c @ control.control_path[i].weight.T + control.control_path[i].bias
    v, hidden = flow(x, t, given, hidden=True)
    torch.testing.assert_close(v, trunk.project(h))
    torch.testing.assert_close(hidden[-1], h)
    assert len(hidden) == 3


def test_a_control_block_without_its_two_steps_is_a_block_of_the_trunk(trunk):
    block, source = ControlBranch.from_trunk(trunk).blocks[1], trunk.blocks[1]
    x, t, ratio, image, scene = (torch.randn(2, *shape) for shape in ((8, 24), (24,), (24,), (5, 10), (7, 10)))
    torch.testing.assert_close(block(x, t, ratio, image, scene), source(x, t, image))


def test_a_control_block_attends_by_depth_ratio_then_to_the_scene_before_its_feed_forward_layer(flow):
    block = flow.control.blocks[0]
    x, t, ratio, image, scene = (torch.randn(2, *shape) for shape in ((8, 24), (24,), (24,), (5, 10), (7, 10)))
    m = block.adaLN_modulation(t)[:, None].split(24, dim=-1)
    d = block.adaLN_modulation_dpt(ratio)[:, None].split(24, dim=-1)
    h = x + m[2] * block.self_attn(block.norm1(x) * (1 + m[1]) + m[0])
    h = h + block.cross_attn(block.norm2(h), image)
    h = h + d[2] * block.self_attn_dpt_ratio(block.norm4(h) * (1 + d[1]) + d[0])
    h = h + block.cross_attn_extra(block.norm5(h), scene)
    expected = h + m[5] * block.mlp(block.norm3(h) * (1 + m[4]) + m[3])
    torch.testing.assert_close(block(x, t, ratio, image, scene), expected)


@pytest.mark.parametrize("scene_branch", [True, False])
def test_prepared_conditions_are_the_conditions(trunk, randomize, make_conditions, inputs, scene_branch):
    control = randomize(ControlBranch.from_trunk(trunk, scene_branch=scene_branch))
    for flow in (DualBranchFlow(trunk, control), DualBranchFlow(trunk, None)):
        v = flow(*inputs, make_conditions())
        prepared = flow.prepare(make_conditions())
        torch.testing.assert_close(flow(*inputs, prepared), v, rtol=0, atol=0)
        assert (flow(inputs[0], inputs[1] / 2, prepared) - v).abs().max() > 1e-3


def test_the_trunk_is_frozen_and_gradients_pass_through_it(flow, make_conditions, inputs):
    # With a gate that is open, everything of the branch learns, also before the last blocks of the trunk.
    flow(*inputs, make_conditions()).square().sum().backward()
    assert all(parameter.grad is None for parameter in flow.trunk.parameters())
    assert all(parameter.grad.any() for parameter in flow.control.parameters())


@pytest.mark.parametrize("live", [False, True])
def test_the_depth_ratio_learns_only_where_one_of_gate_and_output_layer_is_not_zero(
    trunk, make_conditions, inputs, live
):
    branch = ControlBranch.from_trunk(trunk, live_depth_ratio=live)
    for layer in branch.control_path:
        torch.nn.init.eye_(layer.weight)
    DualBranchFlow(trunk, branch)(*inputs, make_conditions()).square().sum().backward()
    block = branch.blocks[0]
    gate = block.adaLN_modulation_dpt[1].weight.grad[-24:]
    assert bool(gate.any()) is live
    assert not block.self_attn_dpt_ratio.to_out.weight.grad.any()
    assert block.cross_attn_extra.to_out.weight.grad.any()


def test_without_the_scene_branch_the_scene_does_not_matter(trunk, randomize, make_conditions, inputs):
    given = make_conditions()
    other = replace(given, scene=torch.randn(2, 3, 10))
    for scene_branch in (True, False):
        flow = DualBranchFlow(trunk, randomize(ControlBranch.from_trunk(trunk, scene_branch=scene_branch)))
        same = torch.allclose(flow(*inputs, given), flow(*inputs, other))
        assert same is not scene_branch
        assert any("cross_attn_extra" in key for key in flow.state_dict()) is scene_branch


def test_without_control_only_the_masked_crop_matters(trunk, make_conditions, inputs):
    flow, given = DualBranchFlow(trunk, None), make_conditions()
    other = replace(make_conditions(seed=5), masked_crop=given.masked_crop)
    torch.testing.assert_close(flow(*inputs, given), flow(*inputs, other), rtol=0, atol=0)
    torch.testing.assert_close(flow(*inputs, given), trunk(*inputs, given.masked_crop), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["masked_crop", "instance", "scene", "partial", "confidence", "depth_ratio"], ids=str)
def test_every_condition_matters_and_only_to_its_own_object(flow, make_conditions, inputs, name):
    given = make_conditions()
    changed = getattr(given, name).clone()
    changed[1] = torch.rand_like(changed[1])
    before, after = flow(*inputs, given), flow(*inputs, replace(given, **{name: changed}))
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 1e-4


def test_a_flow_of_its_own_trunk_type_and_weights_survives_a_round_trip(flow, config, make_conditions, inputs):
    other = DualBranchFlow(FlowTrunk(config), ControlBranch(config))
    other.load_state_dict(flow.state_dict())
    torch.testing.assert_close(other(*inputs, make_conditions()), flow(*inputs, make_conditions()), rtol=0, atol=0)


def test_autocast_stays_close(flow, make_conditions, inputs):
    v = flow(*inputs, make_conditions())
    with torch.autocast("cpu", torch.bfloat16):
        lower = flow(*inputs, make_conditions())
    assert (lower - v).norm() < 0.05 * v.norm()


def test_a_branch_of_another_size_is_refused(trunk, config):
    with pytest.raises(ValueError, match=r"control branch is of .*width=48"):
        DualBranchFlow(trunk, ControlBranch(replace(config, width=48)))


def test_unconditional_means_zeros_for_all_but_the_depth_ratio(make_conditions):
    given = make_conditions(3)
    nothing, one_dropped = given.zeroed(), given.zeroed(torch.tensor([False, True, False]))
    for name, value in vars(given).items():
        if name == "depth_ratio":
            assert nothing.depth_ratio is value
            continue
        assert not getattr(nothing, name).any()
        torch.testing.assert_close(getattr(one_dropped, name)[::2], value[::2], rtol=0, atol=0)
        assert not getattr(one_dropped, name)[1].any()


def test_dropping_a_condition_that_is_not_finite_leaves_zeros(make_conditions):
    given = make_conditions(2)
    broken = replace(given, scene=torch.full_like(given.scene, torch.nan))
    assert not broken.zeroed().scene.any()


def test_conditions_are_cut_joined_and_repeated_by_object(make_conditions):
    given = make_conditions(3)
    again = Conditions.cat([given[:1], given[torch.tensor([False, True, True])]])
    for name, value in vars(given).items():
        torch.testing.assert_close(getattr(again, name), value)
        torch.testing.assert_close(getattr(given.repeat(2), name)[4:], value[[2, 2]])
    assert len(given.repeat(2)) == 6
    assert given.to(torch.float64).scene.dtype == torch.float64
