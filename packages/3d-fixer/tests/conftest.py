"""Small scenes and untrained toys, made once."""

import pytest
import torch

from fixer3d.completion.fixer import Fixer
from fixer3d.completion.scene import Scene
from fixer3d.configs import ModelConfig, SceneConfig
from fixer3d.network.model import FixerModel
from fixer3d.scenes.generation import generate_scene


class Balls(FixerModel):
    """Networks whose result is always a ball in the middle of the cube."""

    radius = 0.3

    def decode(self, latent):
        line = (torch.arange(16) + 0.5) / 16 - 0.5
        x, y, z = torch.meshgrid(line, line, line, indexing="ij")
        return (self.radius - (x**2 + y**2 + z**2).sqrt()).expand(len(latent), -1, -1, -1) * 20


@pytest.fixture(scope="session")
def made():
    """A generated scene of three objects."""
    return generate_scene(SceneConfig(n_objects=(3, 3), n_views=1, image_size=64), 4)


@pytest.fixture(scope="session")
def scene(made):
    """What its camera sees."""
    return Scene.from_view(made.views[0], [one.name for one in made.objects])


@pytest.fixture(scope="session")
def toy():
    """Untrained networks in which control does something."""
    torch.manual_seed(0)
    model = FixerModel(ModelConfig.toy())
    for control in model.controls.values():
        for layer in control.control_path:
            torch.nn.init.normal_(layer.weight, std=0.1)
    torch.nn.init.normal_(model.prior.out_layer.weight, std=0.1)
    torch.nn.init.normal_(model.vae.decoder.input_layer.weight)
    torch.nn.init.zeros_(model.vae.decoder.out_layer[2].bias)
    return model.eval()


@pytest.fixture(scope="session")
def balls():
    """A fixer that always finds a ball."""
    torch.manual_seed(0)
    return Fixer(Balls(ModelConfig.toy()))


@pytest.fixture(scope="session")
def toy_fixer(toy):
    """A fixer with the untrained networks."""
    return Fixer(toy)
