"""The commands on files, those of strangers among them."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from dendritic_backprop import add_dendrites, cli, load, num_dendrites
from dendritic_backprop.configs import DendriteConfig, NetworkConfig
from dendritic_backprop.networks import make_network
from dendritic_backprop.paper import PAPER
from dendritic_backprop.runs import DataShape, load_shape, save
from separata.testing import Commands, contents, interrupted_after, write_bomb

call = Commands(PAPER, [cli.train, cli.compare, cli.inspect, cli.predict, cli.export])
FAST = ("--hidden", "3", "--lr", "0.02", "--batch-size", "16")
PHASES = ("--first-epochs", "3", "--neuron-epochs", "2", "--dendrite-epochs", "2")
SHORT = (*FAST, *PHASES, "--max-dendrites", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A stranger's table with labels, its features alone, and a network that was trained on it."""
    place, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    y = rng.integers(3, size=150)
    x = (3 * rng.normal(size=(3, 4))[y] + rng.normal(size=(150, 4))).round(3)
    names = np.array(["ash", "birch", "oak"])[y]
    for name, head, rows in (
        ("trees.csv", "a,b,c,d,label", [[*row, kind] for row, kind in zip(x, names)]),
        ("unlabeled.csv", "a,b,c,d", x[:30]),
    ):
        with (place / name).open("w", newline="") as file:
            file.write(head + "\n")
            csv.writer(file).writerows(rows)
    np.save(place / "x.npy", x[:5])
    np.savetxt(place / "names.txt", names[:30], fmt="%s")
    done = call("train", place / "trees.csv", "--out", place / "run", "--json", *SHORT)
    assert done.code == 0, done.err
    (place / "told.json").write_text(done.out)
    return place


def test_a_training_answers_and_its_network_can_be_used(folder, tmp_path):
    told = json.loads((folder / "told.json").read_text())
    assert told["test_accuracy"] > 0.6
    history = list(csv.DictReader((folder / "run" / "history.csv").open()))
    assert told["epochs"] == int(history[-1]["epoch"]) >= 7
    model = load(folder / "run", "cpu")
    assert num_dendrites(model) == told["dendrites"]
    assert load_shape(folder / "run").classes == ("ash", "birch", "oak")

    code, out, _ = call(
        "inspect", folder / "run", "--json", "--data", folder / "trees.csv", "--plot", tmp_path / "a.svg"
    )
    found = json.loads(out)
    assert code == 0
    assert [row["layer"] for row in found["rows"]] == ["layers.0", "layers.2"]
    assert found["test_accuracy"] == found["accuracy"] == told["test_accuracy"]
    assert found["parameters"] == told["parameters"]
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert call("inspect", folder / "run").out.splitlines()[0].split()[:2] == ["layer", "kind"]

    code, out, _ = call("predict", folder / "run", folder / "unlabeled.csv", "--out", tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    truth = (folder / "names.txt").read_text().split()
    assert np.mean([row["class"] == kind for row, kind in zip(rows, truth)]) > 0.6
    with torch.no_grad():
        x = torch.from_numpy(np.load(folder / "x.npy")).float()
        expected = model(x).softmax(1).max(1).values
    shown = json.loads(call("predict", folder / "run", folder / "x.npy", "--json").out)["rows"]
    assert [row["probability"] for row in shown] == pytest.approx(expected.tolist(), abs=1e-6)
    assert len(call("predict", folder / "run", folder / "x.npy").out.splitlines()) == 6
    assert "--out" in call("predict", folder / "run", folder / "unlabeled.csv").out


def test_onnx_runtime_computes_what_the_grown_network_does(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = add_dendrites(make_network(NetworkConfig(hidden=3), (4,), 3))
    for _ in range(2):
        for module in (model.layers[0], model.layers[2]):
            module.start_candidates(1)
            module.candidates.initialize(1.0)
            module.accept(gain=torch.ones(3))
    save(model, tmp_path / "mine", DataShape((4,), ("a", "b", "c")), NetworkConfig(hidden=3))
    code, out, err = call("export", tmp_path / "mine", tmp_path / "net.onnx")
    assert (code, "(batch, 4)" in out) == (0, True), err
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    x = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-4, atol=1e-5)


def test_an_interrupted_training_goes_on_to_what_an_undisturbed_one_gives(folder, tmp_path):
    out = tmp_path / "part"
    with interrupted_after(35):
        code, _, err = call("train", folder / "trees.csv", "--out", out, *SHORT)
    assert code == 130
    assert "--resume" in err
    call("inspect", out).assert_refused("not ended", "--resume")
    assert call("train", folder / "trees.csv", "--out", out, "--resume", *SHORT).code == 0
    for name in ("model.safetensors", "history.csv", "report.json"):
        assert (out / name).read_bytes() == (folder / "run" / name).read_bytes(), name


def test_variants_are_compared_on_a_stranger_s_table(folder, tmp_path):
    words = ("compare", folder / "trees.csv", *FAST, *PHASES, "--max-dendrites", "1", "--seeds", "2")
    code, out, _ = call(*words, "--only", "dendrites", "continued", "--json", "--plot", tmp_path / "a.png")
    found = json.loads(out)
    assert code == 0
    assert [row["variant"] for row in found["rows"]] == ["dendrites", "continued"]
    assert all(0 <= row["test_error"] <= 1 for row in found["rows"])
    assert (found["seeds"], found["epochs"]) == (2, 7)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "trees.csv", "--out", "run"), ["already holds a training", "--resume"]),
        (("train", "trees.csv", "--out", "run", "--resume", "--lr", "0.5"), ["begun with another"]),
        (("train", "nothing.csv", "--out", "new"), ["nothing.csv"]),
        (("train", "trees.csv", "--out", "new", "--arch", "cnn"), ["takes images"]),
        (("train", "trees.csv", "--out", "new", "--lr", "-1"), ["lr must be positive"]),
        (("train", "trees.csv", "--out", "new", "--validation", "2"), ["between 0 and 1"]),
        (("train", "trees.csv", "--out", "trees.csv"), ["is a file"]),
        (("train", "bad.npz", "--out", "new"), ["bad.npz"]),
        (("compare", "trees.csv", "--only", "best"), ["the variants are dendrites"]),
        (("compare", "trees.csv", "--seeds", "0"), ["seeds must be at least 1"]),
        (("compare", "trees.csv", "--plot", "figure.gif"), [".svg, .png or .pdf"]),
        (("inspect", "absent"), ["no training"]),
        (("inspect", "run", "--data", "spirals"), ["spirals has 2 classes"]),
        (("inspect", "run", "--plot", "figure.txt"), [".svg"]),
        (("predict", "run", "wrong.npy"), ["wrong.npy", "made for 4"]),
        (("predict", "run", "x.npy", "--out", "out.txt"), [".csv"]),
        (("predict", "bomb", "x.npy"), ["not a whole safetensors file"]),
        (("export", "run", "net.pt"), [".onnx"]),
        (("inspect", "odd"), ["report.json", "does not hold the report"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_bad_input_costs_one_line_and_writes_nothing(folder, tmp_path, monkeypatch, words, message):
    for name in ("trees.csv", "x.npy"):
        shutil.copy(folder / name, tmp_path / name)
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.copytree(folder / "run", tmp_path / "bomb")
    shutil.copytree(folder / "run", tmp_path / "odd")
    (tmp_path / "odd/report.json").write_text('{"test": 0.5, "correlations": [3]}')
    write_bomb(tmp_path / "bomb/model.safetensors", tmp_path / "mark", by_torch=True)
    write_bomb(tmp_path / "bad.npz", tmp_path / "mark")
    np.save(tmp_path / "wrong.npy", np.zeros((3, 9)))
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    call(*words).assert_refused(*message)
    assert contents(tmp_path) == before


def test_pictures_that_are_not_square_or_not_alike(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=60)
    np.savez(tmp_path / "wide.npz", x=(rng.normal(size=(60, 4, 6)) + y[:, None, None]).astype("float32"), y=y)
    words = ("--arch", "gru", "--hidden", "2", *SHORT[2:])
    done = call("train", tmp_path / "wide.npz", "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    found = json.loads(call("inspect", tmp_path / "run", "--data", tmp_path / "wide.npz", "--json").out)
    assert found["accuracy"] == found["test_accuracy"]
    for i, kind in enumerate("ab" * 12):
        place = tmp_path / "pictures" / kind / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(120, size=(5 + i % 2, 5), dtype="uint8") + 120 * (kind == "a")).save(place)
    words = ("compare", tmp_path / "pictures", *SHORT, "--only", "continued", "--seeds", "1")
    call(*words).assert_refused("size")
    assert call(*words, "--size", "4").code == 0


def test_a_training_that_diverges_leaves_nothing(folder, tmp_path):
    words = ("train", folder / "trees.csv", "--out", tmp_path / "new", *SHORT, "--optimizer", "sgd")
    call(*words[:-2], "--optimizer", "sgd", "--weight-decay", "1e30").assert_refused("diverged", after_progress=True)
    assert not (tmp_path / "new").exists()


def test_weights_of_another_network_are_refused(folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    config["network"]["hidden"] = 9
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    call("inspect", tmp_path / "run").assert_refused("another model")
    save(
        add_dendrites(make_network(NetworkConfig("gru", hidden=2), (1, 4, 4), 2), types=(torch.nn.GRU,)),
        tmp_path / "gru",
        DataShape((1, 4, 4), ("0", "1")),
        NetworkConfig("gru", hidden=2),
        DendriteConfig(),
    )
    with pytest.raises(ValueError, match="another model"):
        load(tmp_path / "gru")
