"""The networks of the texturing stage together."""

import pytest
import torch

from fixer3d.configs import ModelConfig
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.network.texturer import SceneFeatures, Texturer, TextureTokens


@pytest.fixture(scope="module")
def images():
    draw = torch.Generator().manual_seed(0)
    return ObjectImages(*(torch.rand(2, channels, 32, 32, generator=draw) for channels in (3, 1, 4, 1)))


def test_the_small_texturer_takes_at_most_a_megabyte_and_a_half():
    size = 2 * sum(value.numel() for value in Texturer(ModelConfig().texture).state_dict().values())
    assert 1.0e6 < size < 1.5e6


def test_features_are_those_of_the_place_and_say_how_far_behind_it_a_voxel_is(images):
    torch.manual_seed(0)
    features = SceneFeatures()
    place, behind = torch.tensor([[[0.1, -0.4], [0.1, -0.4], [2.0, 2.0]]]), torch.tensor([[0.0, 0.7, 1.0]])
    found = features(images.scene[:1], images.scene_mask[:1], place, behind)
    assert found.shape == (1, 3, 32)
    torch.testing.assert_close(found[..., -1], behind)
    torch.testing.assert_close(found[0, 0, :-1], found[0, 1, :-1])
    assert found[0, 0, :-1].abs().max() > 0
    assert not found[0, 2, :-1].any()
    # What is far from the place does not matter to it.
    other = images.scene[:1].clone()
    other[..., 24:, :] = 0
    torch.testing.assert_close(features(other, images.scene_mask[:1], place, behind), found)


def test_conditions_are_made_of_the_crop_the_scene_and_the_share_that_is_seen(images):
    torch.manual_seed(0)
    model = FixerModel(ModelConfig.toy(), ("fine",), texture=True).eval()
    tokens = model.texture_tokens(images)
    crop, mask = (model.encoder(one.expand(-1, 3, -1, -1)) for one in (images.crop, images.crop_mask))
    torch.testing.assert_close(tokens.instance, (crop + mask) / 2)
    torch.testing.assert_close(tokens.masked_crop, model.encoder(images.crop * images.crop_mask))
    assert tokens.scene.shape == (2, 32, 32)
    half = torch.zeros(2, 1, 32, 32)
    half[..., :16] = 1
    places = torch.tensor([[-0.9, 0.0], [-0.5, 0.3], [-0.4, 0.0], [0.8, 0.1]]).expand(2, 4, 2)
    exists = torch.tensor([[True] * 4, [True, False, False, True]])
    found = model.add_texturer().conditions(tokens, images.scene, half, places, torch.zeros(2, 4), exists)
    torch.testing.assert_close(found.visibility, torch.tensor([0.75, 0.5]))
    assert found.masked_crop is tokens.masked_crop


def test_tokens_of_several_batches_are_put_together(images):
    torch.manual_seed(0)
    model = FixerModel(ModelConfig.toy(), ("fine",))
    parts = [model.texture_tokens(images[i : i + 1]) for i in range(2)]
    whole = model.texture_tokens(images)
    for name, value in vars(TextureTokens.cat(parts)).items():
        torch.testing.assert_close(value, getattr(whole, name))


def test_without_a_fine_stage_there_are_no_tokens(images):
    with pytest.raises(ValueError, match="scene encoder of the stage fine"):
        FixerModel(ModelConfig.toy(), ("coarse",)).texture_tokens(images)
