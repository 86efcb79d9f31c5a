"""The policies that come with the package."""

import pytest

from revibranch import AuctionConfig, SetCoverConfig, cli, evaluate, load, make_instances
from revibranch.checkpoints import SHIPPED, find, shipped
from revibranch.learning.runs import RunConfig
from revibranch.paper import PAPER
from separata import configs, files
from separata.runs import read_csv
from separata.testing import Commands

FAMILIES = {"auction": AuctionConfig(30, 150), "setcover": SetCoverConfig(180, 360)}


def test_a_name_that_comes_with_the_package_always_means_its_policy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "auction").write_bytes(b"other")
    assert shipped() == ["auction", "setcover"]
    assert find("auction") == SHIPPED / "auction" / "model.safetensors"
    assert find("./auction").read_bytes() == b"other"


@pytest.mark.parametrize("name", FAMILIES)
def test_policies_say_how_they_were_trained(name):
    config = configs.from_plain(RunConfig, files.read_json(SHIPPED / name / "config.json"), SHIPPED)
    assert load(name, "cpu").config == config.policy
    history = read_csv(SHIPPED / name / "history.csv")
    assert len(history) == config.train.n_episodes
    held_out = [row["validation_nodes"] for row in history if row["validation_nodes"] > 0]
    assert min(held_out) < 0.7 * held_out[0]
    assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) < 500_000


@pytest.mark.parametrize(
    ("name", "config", "n", "seed"),
    [
        ("auction", FAMILIES["auction"], 2, 77),
        ("setcover", SetCoverConfig(170, 340), 1, 79),
        pytest.param("setcover", FAMILIES["setcover"], 2, 77, marks=pytest.mark.slow),
    ],
)
def test_policies_need_fewer_nodes_than_chance(name, config, n, seed):
    report = evaluate({"trained": name, "random": "random"}, list(make_instances(config, n, seed=seed)))
    assert report.disagreements() == []
    trained, random = report.summary()
    assert trained.nodes < 0.9 * random.nodes


def test_commands_take_the_names(tmp_path):
    call = Commands(PAPER, [cli.solve])
    next(iter(make_instances(FAMILIES["auction"], 1, seed=5))).write(tmp_path / "one.lp")
    done = call("solve", tmp_path / "one.lp", "--policy", "auction")
    assert (done.code, "optimal" in done.out) == (0, True)
    refused = call("solve", tmp_path / "one.lp", "--policy", "auctions")
    assert (refused.code, "auction, setcover" in refused.err) == (2, True)
