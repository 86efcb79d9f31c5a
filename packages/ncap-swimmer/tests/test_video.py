"""Pictures of the swim."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ncap_swimmer import video

DRAW = """
from ncap_swimmer import video
video.choose_renderer()
import sys
from pathlib import Path
from ncap_swimmer import circuit_for, make_env
env = make_env("swim", 4)
for name in sys.argv[1:]:
    pictures = video.frames(circuit_for(env), env, seconds=0.6, height=64, width=96)
    video.write(pictures, Path(name), 33)
"""


def test_the_swim_is_drawn(tmp_path):
    """In a process of its own: MuJoCo chooses its renderer when it is imported."""
    names = [str(tmp_path / name) for name in ("swim.gif", "swim.mp4", "swim.png")]
    done = subprocess.run([sys.executable, "-c", DRAW, *names], capture_output=True, text=True)
    if "no renderer" in done.stderr:
        assert "apt-get install libosmesa6" in done.stderr
        pytest.skip("MuJoCo finds no renderer here")
    assert done.returncode == 0, done.stderr
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
    monkeypatch.setattr(video, "find_library", lambda name: None)
    with pytest.raises(ValueError, match="apt-get install libosmesa6"):
        video.choose_renderer()


def test_a_renderer_that_someone_chose_is_kept(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.setattr(video, "find_library", lambda name: None)
    video.choose_renderer()


@pytest.mark.parametrize(
    ("path", "seconds", "height", "words"),
    [
        ("x.avi", 1, 100, r"\.gif, \.mp4, \.png"),
        ("x.gif", 0, 100, "more than 0"),
        ("x.gif", float("nan"), 100, "more than 0"),
        ("x.gif", 31, 100, "at most 30"),
        ("x.gif", 1, 4, "16 to 2000"),
    ],
)
def test_impossible_videos_are_refused(path, seconds, height, words):
    with pytest.raises(ValueError, match=words):
        video.check(Path(path), seconds, height, 100)
