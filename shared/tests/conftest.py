"""A whole paper's package at its smallest (Oja 1982), installed for the tests as a stranger's would be."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sample_evidence import SVG

PAPER = """
from separata import Claim, Paper

PAPER = Paper(
    name="oja-rule",
    title="A simplified neuron model as a principal component analyzer",
    year=1982,
    authors=("Erkki Oja",),
    venue="Journal of Mathematical Biology",
    doi="10.1007/BF00275687",
    claims=(
        Claim(
            "first-component",
            "A linear neuron under Oja's rule turns to the first principal component",
            metric="|cosine| with the leading eigenvector",
            paper={"oja": 1.0},
            labels={"oja": "Oja's rule"},
            criterion="above 0.99",
            holds=lambda m: m["oja"] > 0.99,
        ),
        Claim(
            "bounded",
            "Its weight stays bounded where plain Hebbian learning's grows without limit",
            metric="norm of the weight after training",
            paper={"oja": 1.0, "hebb": None},
            criterion="within 5 % of one, and plain Hebbian learning above 10; direction: smaller than Hebbian",
            holds=lambda m: abs(m["oja"] - 1) < 0.05 and m["hebb"] > 10,
            direction=lambda m: m["oja"] < m["hebb"],
        ),
        Claim(
            "fast",
            "It takes a millisecond in squid",
            metric="milliseconds",
            paper={"squid": 1.0},
            criterion="below 2",
            holds=lambda m: m["squid"] < 2,
            note="There is no squid here.",
        ),
    ),
)
"""

EXPERIMENTS = """
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import torch
from separata import Run, Unmeasured, experiment, plots


@dataclass(frozen=True)
class Cloud:
    passes: int = 2
    lr: float = 1e-3


def counted(name):
    with (Path(os.environ["OJA_COUNTS"]) / name).open("a") as file:
        file.write("x")


def final_norm(lr, seed, device):
    counted(f"norm-{seed}-{lr}")
    w = torch.randn(5, generator=torch.Generator().manual_seed(seed))
    return {"norm": (w / w.norm() * (1 + lr)).norm().item()}


@experiment("first-component", smoke=Cloud(), paper=Cloud(passes=9))
def leading_direction(config: Cloud, run: Run) -> None:
    counted("leading")
    for seed in run.seeds:
        scale = torch.tensor([3.0, 1, 1, 1, 1])
        x = torch.randn(4096, 5, generator=run.generator(seed, "data")) * scale
        w = torch.nn.functional.normalize(torch.randn(5, generator=run.generator(seed, "weight")), dim=0)
        for step in run.track(range(config.passes), "passes"):
            for batch in x.split(64):
                y = batch @ w
                w = w + 0.01 * ((y[:, None] * batch).mean(0) - y.square().mean() * w)
            run.log(step, alignment=w[0].abs() / w.norm())
        run.measure("first-component", oja=w[0].abs() / w.norm())
    figure = plots.curves(run.history, "alignment", ylabel="|cosine|")
    run.figure("alignment", figure, caption="The weight turns to the leading eigenvector.")


@experiment("bounded", smoke=Cloud(), gpu=Unmeasured("It wants no GPU."))
def norms(config: Cloud, run: Run) -> None:
    counted("norms")
    for seed in run.seeds:
        norm = run.once(final_norm, config.lr, seed, "cpu")["norm"]
        if os.environ.get("OJA_KILL") == str(seed):
            os.kill(os.getpid(), signal.SIGKILL)
        run.measure("bounded", oja=norm, hebb=20.0 + seed)
"""

WORK = """
import tempfile
from dataclasses import dataclass

import torch

CALLS = []


@dataclass(frozen=True)
class Setting:
    x: int
    y: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Folder:
    path: str
    seed: int = -1


@dataclass(frozen=True)
class OtherSetting:
    x: int
    y: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Seeded:
    x: int
    seed: int = -1


@dataclass(frozen=True)
class Around:
    part: Seeded
    x: int = 7


@dataclass(frozen=True)
class SeededAround:
    part: Seeded
    x: int = 7
    seed: int = -1


def digits_of_part(setting, device):
    return 100 * getattr(setting, "seed", 0) + digits(setting.part, device)


def digits(setting, device):
    return 10 * setting.x + setting.seed


def halved(setting, device):
    return {"score": None if setting.x == 13 else -abs(setting.x - 5) // 2}


def leave_a_file(setting, device):
    # Tells of each call, in whichever process it is.
    tempfile.mkstemp(dir=setting.path)
    return setting.seed


def square(setting, device="cpu"):
    CALLS.append(setting)
    return {"square": setting.x**2, "threads": torch.get_num_threads()}
"""

CLI = '''
from pathlib import Path

from separata import cli

from .paper import PAPER


def fit(inputs: Path, /, out: Path, *, passes: int = 20) -> None:
    """Learn the leading direction of the rows of a text file.

    Args:
        inputs: Numbers.
        out: Where to write.
        passes: Number of passes.
    """
    numbers = [float(word) for word in inputs.read_text().split()]
    out.write_text(str(sum(numbers) * passes))
    print("done")


def main() -> None:
    cli.main(PAPER, [fit])
'''


def install_oja(site: Path) -> None:
    """Lay the package and its metadata where Python finds them."""
    package, metadata = site / "oja_rule", site / "oja_rule-1.2.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    for name, text in {"__init__": "", "paper": PAPER, "experiments": EXPERIMENTS, "work": WORK, "cli": CLI}.items():
        (package / f"{name}.py").write_text(text)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: oja-rule\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text("[separata.papers]\noja-rule = oja_rule.paper:PAPER\n")


@pytest.fixture
def oja_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path with Oja's package; the package counts how often its work was done in `counts`."""
    site, counts = tmp_path / "site", tmp_path / "counts"
    install_oja(site)
    counts.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("OJA_COUNTS", str(counts))
    yield site
    for name in [name for name in sys.modules if name.startswith("oja_rule")]:
        del sys.modules[name]


@pytest.fixture
def oja(oja_site: Path):
    """Oja's paper."""
    from oja_rule.paper import PAPER as paper

    return paper


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the figures of the sample evidence."""
    for preset in ("smoke", "quick", "gpu"):
        (tmp_path / preset).mkdir()
        (tmp_path / preset / "steps.svg").write_text(SVG)
        (tmp_path / preset / "maze.png").write_bytes(b"\x89PNG")
    return tmp_path
