"""Models on disk, the classifier of two lines, and ONNX."""

import numpy as np
import pytest
import torch
from noprop_own import Attentive, OwnBlock, bars, blobs

from noprop import ModelConfig, NoPropClassifier, SamplerConfig, SampleShape, load, make_model, save, save_onnx

IMAGES = SampleShape((1, 8, 8), ("a", "b", "c"))


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(n_steps=2, channels="3,4", width=8, head="radial", sigma=0.5),
        ModelConfig("ct", channels="3,4", width=8, gamma=3.0),
        ModelConfig("fm", channels="3,4", width=8, embedding="learned", dim=5),
        ModelConfig("backprop", n_steps=2, channels="3,4", width=8, embedding="prototype"),
        ModelConfig("adjoint", channels="3,4", width=8),
    ],
    ids=lambda config: config.variant,
)
def test_a_saved_model_is_loaded(config, tmp_path):
    data = bars(30)
    torch.manual_seed(0)
    model = make_model(config, IMAGES, prototypes=(data.x, data.y)).eval()
    save(model, tmp_path / "model", config, IMAGES)
    trained = load(tmp_path / "model" / "model.safetensors", "cpu")
    assert (trained.config.model, trained.shape) == (config, IMAGES)
    for one in (model, trained.model):
        inner = getattr(one, "model", one)
        inner.sampler = inner.with_sampler(steps=3)
    with torch.no_grad():
        assert torch.equal(trained.model(data.x), model(data.x))
    with pytest.raises(ValueError, match="already holds"):
        save(model, tmp_path / "model", config, IMAGES)


def test_a_model_of_one_s_own_blocks_is_not_saved_as_another(tmp_path):
    config = ModelConfig(n_steps=2)
    model = make_model(config, IMAGES, block_factory=OwnBlock)
    with pytest.raises(ValueError, match="blocks of your own"):
        save(model, tmp_path / "model", config, IMAGES)
    assert not (tmp_path / "model").exists()


def test_fit_and_predict_in_two_lines():
    data, test = blobs(240), blobs(90, seed=1)
    names = np.array(["ash", "elm", "oak"])
    classifier = NoPropClassifier("dt", n_steps=2, width=16, epochs=10, lr=2e-2, batch_size=24).fit(
        data.x.numpy(), names[data.y]
    )
    found = classifier.predict(test.x.numpy())
    assert (found == names[test.y]).mean() > 0.9
    assert classifier.score(test.x, names[test.y]) == (found == names[test.y]).mean()
    assert classifier.predict_proba(test.x).shape == (90, 3)
    assert set(classifier.model.state_dict()) > {"head.f_out.weight", "embedding.weight"}


def test_blocks_of_one_s_own_and_labels_as_numbers():
    data = blobs(240)
    classifier = NoPropClassifier(
        block_factory=Attentive, n_steps=2, epochs=10, lr=2e-2, batch_size=24, sampler=SamplerConfig(n_runs=2)
    )
    with pytest.raises(ValueError, match=r"call fit\(x, y\) first"):
        classifier.predict(data.x)
    classifier.fit(data.x, data.y + 5)
    assert classifier.classes.tolist() == [5, 6, 7]
    assert classifier.score(data.x, data.y + 5) > 0.8


def test_bytes_are_intensities():
    data = bars(60)
    stored = (255 * data.x.clamp(0, 1)).byte()
    settings = {"n_steps": 2, "channels": "3,4", "width": 8, "epochs": 1}
    of_bytes = NoPropClassifier(**settings).fit(stored[:, 0].numpy(), data.y)
    of_floats = NoPropClassifier(**settings).fit(stored / 255, data.y)
    assert np.array_equal(of_bytes.predict_proba(stored), of_floats.predict_proba(stored / 255))


def test_what_cannot_be_fitted():
    data, classifier = blobs(30), NoPropClassifier(epochs=1)
    with pytest.raises(ValueError, match="one label for each of 30 samples"):
        classifier.fit(data.x, data.y[:4])
    with pytest.raises(ValueError, match="at least 2 classes"):
        classifier.fit(data.x, torch.zeros(30))
    with pytest.raises(ValueError, match="NaN"):
        classifier.fit(data.x * torch.nan, data.y)
    with pytest.raises(ValueError, match="samples along the first axis"):
        classifier.fit(data.x[:, 0], data.y)
    for setting in ("depth", "n_train"):  # of the commands' data, which is no setting here
        with pytest.raises(TypeError, match=setting):
            NoPropClassifier(**{setting: 3})


def test_what_cannot_be_predicted():
    data = blobs(30)
    classifier = NoPropClassifier(n_steps=2, width=8, epochs=1).fit(data.x, data.y)
    with pytest.raises(ValueError, match=r"samples of shape \(6,\), as in fit, not \(5,\)"):
        classifier.predict(data.x[:, :5])
    for labels in (data.y[:1], data.y[:, None]):
        with pytest.raises(ValueError, match="one label for each of 30 samples"):
            classifier.score(data.x, labels)


@pytest.mark.slow
def test_a_flow_is_exported(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    torch.manual_seed(0)
    model = make_model(ModelConfig("fm", width=8), SampleShape((6,), ("a", "b", "c"))).eval()
    save_onnx(model, tmp_path / "flow.onnx", (6,), steps=2)
    x = blobs(7).x
    session = onnxruntime.InferenceSession(tmp_path / "flow.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy()})
    model.sampler = model.with_sampler(steps=2)
    np.testing.assert_allclose(found, model(x).detach(), atol=1e-5, rtol=1e-4)
