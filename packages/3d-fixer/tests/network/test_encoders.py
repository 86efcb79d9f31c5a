import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fixer3d.configs import EncoderConfig, SceneConfig
from fixer3d.network.encoders import DINOTokens, ImageEncoder, SceneTokens, load_dino, load_moge
from fixer3d.scenes.generation import generate_scene

CONFIG = EncoderConfig(16, 4, 24, 3)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_token_for_each_patch_row_by_row(channels):
    torch.manual_seed(0)
    encoder = ImageEncoder(CONFIG, channels)
    image = torch.rand(1, channels, 16, 16)
    tokens = encoder(image)
    assert tokens.shape == (1, 16, 24)
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(1, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(tokens.var(-1, correction=0), torch.ones(1, 16), atol=1e-2, rtol=0)
    # A pixel in the lower left corner changes the four tokens there, as far as the last convolution sees.
    changed = image.clone()
    changed[..., 15, 0] += 1
    moved = (encoder(changed) - tokens).abs().amax(-1).reshape(4, 4) > 0
    assert moved[2:, :2].all()
    assert moved.sum() == 4


def test_default_sizes_give_64_tokens():
    assert ImageEncoder(EncoderConfig())(torch.rand(2, 3, 64, 64)).shape == (2, 64, 128)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"\(batch, 3, 16, 16\), not \(1, 3, 32, 32\)"):
        ImageEncoder(CONFIG)(torch.rand(1, 3, 32, 32))


class Dino(nn.Module):
    """As DINOv2 of torch.hub: with `is_training` it gives a dictionary."""

    def prepare_tokens_with_masks(self):
        raise NotImplementedError

    def forward(self, images, is_training=False):
        self.seen = images
        tokens = images[:, :, ::14, ::14].flatten(2).transpose(1, 2)
        return {"x_prenorm": 3 * tokens + 1} if is_training else tokens[:, 0]


def test_dino_sees_normalized_images_of_518_pixels_and_its_unnormalized_tokens_are_normalized():
    model, images = Dino(), torch.rand(2, 3, 518, 518)
    tokens = DINOTokens(model)(images)
    expected = (images[1, 2] - 0.406) / 0.225
    torch.testing.assert_close(model.seen[1, 2], expected)
    raw = model.seen[:, :, ::14, ::14].flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokens, nn.functional.layer_norm(3 * raw + 1, (3,)))
    assert not tokens.requires_grad


def test_a_mask_of_one_channel_and_another_size_is_repeated_and_resized():
    model = Dino()
    assert DINOTokens(model)(torch.ones(1, 1, 60, 60)).shape == (1, 37 * 37, 3)
    assert model.seen.shape == (1, 3, 518, 518)


def test_a_users_own_module_gives_the_tokens():
    class Patches(nn.Conv2d):
        def forward(self, images):
            return super().forward(images).flatten(2).transpose(1, 2)

    torch.manual_seed(0)
    assert DINOTokens(Patches(3, 12, 14, 14))(torch.rand(1, 3, 518, 518)).shape == (1, 1369, 12)
    # A map of features will do for the scene.
    assert SceneTokens(nn.Conv2d(3, 12, 14, 14))(torch.rand(1, 3, 259, 259)).shape == (1, 1369, 12)


class MoGe(nn.Module):
    """As MoGe-2: an encoder, and a neck that takes features and coordinates at five scales."""

    def encoder(self, images, rows, columns, return_class_token):
        assert not return_class_token
        return nn.functional.interpolate(images, (rows, columns))

    def neck(self, levels):
        assert [level.shape[-1] for level in levels] == [37, 74, 148, 296, 592]
        self.levels = levels
        return levels


def test_the_scene_is_encoded_by_the_first_output_of_moges_neck():
    model = MoGe()
    tokens = SceneTokens(model)(torch.rand(2, 3, 518, 518))
    assert tokens.shape == (2, 1369, 5)
    # Coordinates of pixel centers, of which the outer corners of the image would be at a distance of one.
    x, y = model.levels[0][0, 3:]
    torch.testing.assert_close(x[5, 0], torch.tensor(-(0.5**0.5) * 36 / 37))
    assert (y[5] == y[5, 0]).all()
    assert y[6, 0] > y[5, 0]


def test_dino_that_cannot_be_had_is_said_in_a_sentence():
    def fail(*_):
        raise OSError("no network\nand more")

    with pytest.raises(FileNotFoundError, match=r"dinov2_vits14 could not be loaded .*\(no network\); pass your own"):
        load_dino("dinov2_vits14", load=fail)


def test_moge_that_is_not_installed_or_found_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "moge.model.v2", None)
    with pytest.raises(FileNotFoundError, match="needs the package moge"):
        load_moge()

    def fail(name):
        raise OSError("no such file")

    absent = SimpleNamespace(MoGeModel=SimpleNamespace(from_pretrained=fail))
    for name in ("moge", "moge.model"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "moge.model.v2", absent)
    with pytest.raises(FileNotFoundError, match=r"could not be loaded from x.pt \(no such file\)"):
        load_moge("x.pt")
    absent.MoGeModel.from_pretrained = lambda name: MoGe()
    assert isinstance(load_moge("x.pt"), SceneTokens)


def test_tokens_of_different_images_differ_before_any_training():
    """Of the energy of tokens, what differs between images; PyTorch's own initialization leaves under 3 % of it."""
    config = SceneConfig(n_objects=(3, 4), n_views=1, image_size=64)
    views = [generate_scene(config, i).views[0] for i in range(6)]
    images = torch.stack([view.rgb.permute(2, 0, 1) for view in views]).float() / 255
    torch.manual_seed(0)
    with torch.no_grad():
        tokens = ImageEncoder(EncoderConfig())(images)
    apart = tokens - tokens.mean(0)
    assert apart.square().sum() > 0.1 * tokens.square().sum()
