"""Pictures of the swim."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from house import python
from ncap_swimmer import make_circuit_policy, make_env, rendering, video

DRAW = """
from ncap_swimmer import rendering, video
rendering.choose_renderer()
import sys
from pathlib import Path
from ncap_swimmer import make_circuit_policy, make_env
env = make_env("swim", 4)
pictures = list(video.frames(make_circuit_policy(env), env, seconds=0.6, height=64, width=96))
for name in sys.argv[1:]:
    video.write(iter(pictures), Path(name), 33)
"""


class Renderer:
    """Draws a grey that is brighter with each step."""

    def __init__(self, model, height, width):
        self.size, self.step, self.is_closed = (height, width, 3), 0, False

    def update_scene(self, data, camera):
        assert camera == "above"
        self.step += 1

    def render(self):
        return np.full(self.size, 10 * self.step, np.uint8)

    def close(self):
        self.is_closed = True


def test_pictures_are_of_the_steps_asked_for(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(video, "make_renderer", lambda *args: drawn.append(Renderer(*args)) or drawn[-1])
    env = make_env("swim", 4)
    pictures = list(video.frames(make_circuit_policy(env), env, first=5, seconds=0.6, height=64, width=96))
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 20
    assert drawn[0].is_closed
    assert env.t == 5 + 20 + 1
    for name in ("swim.gif", "swim.mp4", "swim.png"):
        video.write(iter(pictures), tmp_path / name, 33)
    with Image.open(tmp_path / "swim.gif") as gif:
        assert gif.n_frames == 10  # every second of 20 steps
        assert gif.size == (96, 64)
    with Image.open(tmp_path / "swim.png") as strip:
        assert strip.size == (6 * 96 + 5 * 4, 64)
        levels = [np.asarray(strip.convert("L"))[0, i * 100] for i in range(6)]
    assert levels == [10, 50, 90, 120, 160, 200]  # evenly spread
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "swim.mp4"))
    assert next(frames)["size"] == (96, 64)
    assert len(list(frames)) == 20


def test_a_strip_draws_its_own_pictures_only(monkeypatch):
    monkeypatch.setattr(video, "make_renderer", Renderer)
    env = make_env("swim", 4)
    pictures = list(video.frames(make_circuit_policy(env), env, first=5, seconds=0.6, n=6, height=16, width=16))
    assert len(pictures) == 6
    assert pictures[-1].max() == 60  # six were drawn


@pytest.mark.slow
def test_the_swim_is_drawn(tmp_path):
    """In a process of its own: MuJoCo chooses its renderer when it is imported."""
    names = [str(tmp_path / name) for name in ("swim.gif", "swim.mp4", "swim.png")]
    done = python("-c", DRAW, *names)
    if "no renderer" in done.err:
        assert "apt-get install libosmesa6" in done.err
        pytest.skip("MuJoCo finds no renderer here")
    assert done.code == 0, done.err
    with Image.open(names[0]) as gif:
        assert gif.n_frames == 10  # every second of 20 steps
        assert gif.size == (96, 64)
    with Image.open(names[2]) as strip:
        assert strip.size == (6 * 96 + 5 * 4, 64)
        picture = np.asarray(strip.convert("RGB"))[:, :96].reshape(-1, 3).astype(int)
    # The orange swimmer on blue ground.
    assert ((picture[:, 0] > 150) & (picture[:, 2] < 120)).any()
    assert (picture[:, 2] > picture[:, 0]).mean() > 0.5
    assert Path(names[1]).stat().st_size > 500


def test_a_machine_without_renderer_says_what_to_do(monkeypatch):
    for name in ("MUJOCO_GL", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rendering, "find_library", lambda name: None)
    with pytest.raises(ValueError, match="apt-get install libosmesa6"):
        rendering.choose_renderer()


def test_a_renderer_that_someone_chose_is_kept(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.setattr(rendering, "find_library", lambda name: None)
    rendering.choose_renderer()


def test_a_renderer_that_mujoco_does_not_know(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "foo")
    with pytest.raises(ValueError, match="MUJOCO_GL is foo; unset it"):
        rendering.choose_renderer()


@pytest.mark.parametrize(("chosen", "library"), [("osmesa", "OSMesa"), ("EGL", "EGL")])
def test_a_chosen_renderer_that_is_not_there(chosen, library, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", chosen)
    monkeypatch.setattr(rendering, "find_library", lambda name: None)
    with pytest.raises(ValueError, match=f"its library {library} is not on this machine"):
        rendering.choose_renderer()


@pytest.mark.parametrize(
    ("path", "seconds", "height", "words"),
    [
        ("x.avi", 1, 100, r"\.gif, \.mp4, \.png"),
        ("x.gif", 0, 100, "more than 0"),
        ("x.gif", float("nan"), 100, "more than 0"),
        ("x.gif", 28, 100, "at most 27"),
        ("x.gif", 1, 4, "16 to 2000"),
    ],
)
def test_impossible_videos_are_refused(path, seconds, height, words):
    with pytest.raises(ValueError, match=words):
        video.check(Path(path), seconds, height, 100)
