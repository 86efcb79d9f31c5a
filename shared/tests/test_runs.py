import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from separata import files
from separata.loop import Loop
from separata.progress import Reporter
from separata.runs import History, RunFolder, read_csv
from separata.testing import contents, interrupted_after, write_bomb


@dataclass(frozen=True)
class FitConfig:
    """A line through points."""

    lr: float = 0.125
    n_steps: int = 6
    seed: int = 0


class Stop(Exception):
    """Something went wrong."""


def fit(out, config, *, resume=False, interrupt_at=None, error_at=None, every=2):
    """Fit a line on disk, as a package's command would."""
    folder = RunFolder.begin(out, config, resume=resume, may_change=("n_steps",))
    x = torch.linspace(-1, 1, 16)[:, None]
    torch.manual_seed(config.seed)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.Adam(model.parameters(), config.lr)
    done = 0
    if (state := folder.load_checkpoint()) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["done"]
    folder.history.resume(lambda row: row["step"] <= done)
    with folder.training(Reporter()):
        for step in range(done + 1, config.n_steps + 1):
            if step == interrupt_at:
                raise KeyboardInterrupt
            if step == error_at:
                raise Stop
            optimizer.zero_grad()
            loss = (model(x) - 2 * x - 1).square().mean()
            loss.backward()
            optimizer.step()
            folder.history.add({"step": step, "loss": loss.item()})
            if step % every == 0:
                folder.save_checkpoint({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": step})
    folder.save_weights(model)
    return model


def test_a_training_is_kept_and_opened(tmp_path):
    model = fit(tmp_path / "run", FitConfig())
    assert contents(tmp_path / "run").keys() == {
        *("config.json", "history.csv", "checkpoint.safetensors", "model.safetensors")
    }
    folder = RunFolder.open(tmp_path / "run")
    assert folder.config(FitConfig) == FitConfig()
    assert [row["step"] for row in read_csv(folder.path / "history.csv")] == [1, 2, 3, 4, 5, 6]
    loaded = nn.Linear(1, 1)
    folder.load_weights(loaded)
    assert torch.equal(loaded.weight, model.weight)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 6])
def test_an_interrupted_training_goes_on_to_what_an_undisturbed_one_gives(tmp_path, at, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["line", "fit", "--out", "broken"])
    fit(tmp_path / "whole", FitConfig())
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken", FitConfig(), interrupt_at=at)
    told = capsys.readouterr().err
    assert f"Stopped; {tmp_path / 'broken'} has" in told
    assert told.endswith("Continue with: line fit --out broken --resume\n")
    assert ("no checkpoint yet" in told) == (at <= 2)
    with pytest.raises(FileNotFoundError, match="has not ended; continue it with --resume"):
        RunFolder.open(tmp_path / "broken").load_weights(nn.Linear(1, 1))
    fit(tmp_path / "broken", FitConfig(), resume=True)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_resuming_what_has_ended_changes_nothing(tmp_path):
    fit(tmp_path, FitConfig())
    before = contents(tmp_path)
    fit(tmp_path, FitConfig(), resume=True)
    assert contents(tmp_path) == before


def test_resuming_where_nothing_is_begins(tmp_path):
    fit(tmp_path / "one", FitConfig(), resume=True)
    fit(tmp_path / "other", FitConfig())
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_training_may_be_made_longer_where_that_is_allowed(tmp_path):
    fit(tmp_path / "run", FitConfig(n_steps=4))
    fit(tmp_path / "run", FitConfig(n_steps=6), resume=True)
    fit(tmp_path / "whole", FitConfig(n_steps=6))
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.parametrize("changes", [{"lr": 0.5}, {"lr": 0.5, "seed": 1}])
def test_other_settings_are_refused(tmp_path, changes):
    fit(tmp_path, FitConfig())
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"begun with another {' and '.join(changes)}; resume it with the same"):
        fit(tmp_path, replace(FitConfig(), **changes), resume=True)
    assert contents(tmp_path) == before


def test_a_folder_that_holds_a_training_is_left_as_it_is(tmp_path):
    fit(tmp_path, FitConfig())
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="already holds a training; continue it with --resume, or choose another"):
        fit(tmp_path, FitConfig())
    assert contents(tmp_path) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ValueError, match="is a file; name a folder"):
        fit(tmp_path / "run", FitConfig())


def test_nothing_is_written_before_training(tmp_path):
    RunFolder.begin(tmp_path / "run", FitConfig())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_before_the_first_checkpoint_leaves_nothing(tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path / "run", FitConfig(), error_at=2)
    assert list(tmp_path.iterdir()) == []
    fit(tmp_path / "run", FitConfig())


def test_a_failure_takes_nothing_that_was_there_before(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Stop):
        fit(tmp_path, FitConfig(), error_at=2)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_failure_after_a_checkpoint_can_be_resumed(tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path / "run", FitConfig(), error_at=4)
    fit(tmp_path / "run", FitConfig(), resume=True)
    fit(tmp_path / "whole", FitConfig())
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_failure_of_what_was_resumed_leaves_the_training(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, FitConfig(), interrupt_at=2)
    with pytest.raises(Stop):
        fit(tmp_path, FitConfig(), resume=True, error_at=2)
    assert RunFolder.open(tmp_path).config(FitConfig) == FitConfig()


class Trainer:
    """Fits the same line, with a loop."""

    def __init__(self, model, config, checkpoint, log, track=None):
        self.model, self.optimizer = model, torch.optim.SGD(model.parameters(), config.lr)
        self.x = torch.linspace(-1, 1, 16)[:, None]
        self.loop = Loop(
            self, config.n_steps, checkpoint=checkpoint, checkpoint_every=2, log_every=1, track=track, log=log
        )

    def fit(self):
        self.loop.run()

    def gradients(self, step):
        self.model.zero_grad()
        loss = (self.model(self.x) - 2 * self.x - 1).square().mean()
        loss.backward()
        return {"loss": loss}

    def update(self):
        self.optimizer.step()

    def row(self, losses):
        return losses

    def state_dict(self):
        return self.model.state_dict()

    def load_state_dict(self, state):
        self.model.load_state_dict(state)


def fit_by_loop(out, config, *, resume=False, dtype=None):
    """Fit a line on disk with a trainer, as a package's command would."""
    reporter = Reporter()
    folder = RunFolder.begin(out, config, resume=resume)
    torch.manual_seed(config.seed)
    model = nn.Linear(1, 1)
    trainer = Trainer(model, config, folder.checkpoint, folder.log(reporter), reporter.track)
    folder.fit(trainer, model, reporter, dtype)
    return model


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_trainer_goes_on_to_what_an_undisturbed_one_gives(tmp_path, at, capsys):
    model = fit_by_loop(tmp_path / "whole", FitConfig())
    told = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[0] for line in told] == [f"  step {step}" for step in range(1, 7)]
    with pytest.raises(KeyboardInterrupt), interrupted_after(at):
        fit_by_loop(tmp_path / "broken", FitConfig())
    assert "--resume" in capsys.readouterr().err
    fit_by_loop(tmp_path / "broken", FitConfig(), resume=True)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    loaded = nn.Linear(1, 1)
    RunFolder.open(tmp_path / "broken").load_weights(loaded)
    assert torch.equal(loaded.weight, model.weight)


def test_rows_that_were_logged_after_the_last_checkpoint_are_logged_again(tmp_path):
    fit_by_loop(tmp_path / "whole", FitConfig())
    fit_by_loop(tmp_path / "part", FitConfig(n_steps=4))
    folder = RunFolder.open(tmp_path / "part")
    folder.history.resume(lambda _: True)
    folder.history.add({"step": 5, "loss": 99.0})
    (tmp_path / "part/config.json").write_bytes((tmp_path / "whole/config.json").read_bytes())
    fit_by_loop(tmp_path / "part", FitConfig(), resume=True)
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")


def test_a_training_that_diverges_is_an_error_of_a_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="diverged: the loss is not finite.*lower the learning rate"):
        fit_by_loop(tmp_path / "run", FitConfig(lr=1e30))
    assert not (tmp_path / "run").exists()


def test_what_is_logged_is_said_in_words(tmp_path, capsys):
    RunFolder(tmp_path).log(Reporter())({"step": 12_000, "test_loss": 0.123456, "rate": 0.0, "left": math.nan})
    assert capsys.readouterr().err == "  step 12,000, test loss 0.1235, rate 0, left nan\n"
    assert read_csv(tmp_path / "history.csv")[0]["test_loss"] == 0.123456


def test_a_trainer_may_leave_weights_in_another_format(tmp_path):
    model = fit_by_loop(tmp_path, FitConfig(), dtype=torch.float16)
    tensors, _ = files.load_tensors(tmp_path / "model.safetensors")
    assert torch.equal(tensors["weight"], model.weight.half())


def test_the_version_may_change_when_a_training_goes_on(tmp_path):
    for version in ("1.0", "2.0"):
        RunFolder.begin(tmp_path, {"version": version, "lr": 1}, resume=True)._write_config()
    with pytest.raises(ValueError, match="begun with another lr;"):
        RunFolder.begin(tmp_path, {"version": "3.0", "lr": 2}, resume=True)


def test_a_folder_without_a_training_cannot_be_opened(tmp_path):
    for name in ("gone", "gone/model.safetensors"):
        with pytest.raises(FileNotFoundError, match="gone holds no training: there is no config.json in it"):
            RunFolder.open(tmp_path / name)


def test_a_training_is_opened_by_the_file_of_its_weights(tmp_path):
    place = tmp_path / "model.safetensors"
    RunFolder.save(place, FitConfig(0.5), nn.Linear(1, 1))
    for path in (place, place / "model.safetensors", str(place / "model.safetensors")):
        assert RunFolder.open(path).path == place
        assert RunFolder.open(path).config(FitConfig) == FitConfig(0.5)


def test_a_part_of_a_configuration_is_read_by_its_name(tmp_path):
    RunFolder.save(tmp_path, {"line": FitConfig(0.5), "version": "1.0"}, nn.Linear(1, 1))
    folder = RunFolder.open(tmp_path)
    assert folder.config(FitConfig, "line") == FitConfig(0.5)
    with pytest.raises(ValueError, match="does not hold a network of this kind: its config.json has no curve$"):
        folder.config(FitConfig, "curve")
    with pytest.raises(ValueError, match="config.json"):
        folder.config(FitConfig, "version")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"lr": "fast"}', '{"rate": 1}', '{"lr": '])
def test_a_damaged_configuration_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json"):
        RunFolder.open(tmp_path).config(FitConfig)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_weights_may_be_kept_in_another_format(tmp_path, dtype):
    model = nn.BatchNorm1d(3)
    nn.init.normal_(model.weight)
    folder = RunFolder(tmp_path)
    folder.save_weights(model, dtype)
    loaded = nn.BatchNorm1d(3)
    folder.load_weights(loaded)
    expected = model.weight if dtype is None else model.weight.to(dtype).float()
    assert torch.equal(loaded.weight, expected)
    assert loaded.num_batches_tracked.dtype == torch.int64


def test_a_model_is_saved_as_a_training_leaves_it(tmp_path):
    model = nn.Linear(1, 1)
    RunFolder.save(tmp_path / "run", FitConfig(0.5), model)
    assert contents(tmp_path / "run").keys() == {"config.json", "model.safetensors"}
    folder, loaded = RunFolder.open(tmp_path / "run"), nn.Linear(1, 1)
    folder.load_weights(loaded)
    assert folder.config(FitConfig) == FitConfig(0.5)
    assert torch.equal(loaded.weight, model.weight)
    with pytest.raises(ValueError, match="already holds a training; choose another folder$"):
        RunFolder.save(tmp_path / "run", FitConfig(), model)
    with pytest.raises(ValueError, match="holds a model, but no checkpoint to go on from"):
        fit(tmp_path / "run", FitConfig(0.5), resume=True)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (nn.Linear(2, 1), r"1 of another shape \(weight \(1, 1\) instead of \(1, 2\)\)"),
        (nn.Linear(1, 1, bias=False), r"1 unexpected \(bias\)"),
        (nn.ReLU(), r"2 unexpected \(bias, weight\)"),
        (
            nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)),
            r"4 missing \(0.weight, 0.bias, 1.weight, ...\); 2 unexpected \(bias, weight\)",
        ),
    ],
)
def test_weights_of_another_model_are_refused_with_the_first_keys_that_differ(tmp_path, other, difference):
    fit(tmp_path, FitConfig())
    with pytest.raises(ValueError, match=f"weights of another model than config.json describes: {difference}$"):
        RunFolder.open(tmp_path).load_weights(other)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    fit(tmp_path, FitConfig())
    files.save_tensors(tmp_path / "model.safetensors", {"weight": torch.full((1, 1), math.nan), "bias": torch.ones(1)})
    with pytest.raises(ValueError, match="not finite"):
        RunFolder.open(tmp_path).load_weights(nn.Linear(1, 1))


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors"])
@pytest.mark.parametrize("by_torch", [False, True])
def test_a_pickle_is_never_run(tmp_path, name, by_torch):
    fit(tmp_path, FitConfig())
    write_bomb(tmp_path / name, tmp_path / "mark", by_torch=by_torch)
    folder = RunFolder.open(tmp_path)
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        folder.load_weights(nn.Linear(1, 1)) if name.startswith("model") else folder.load_checkpoint()
    assert not (tmp_path / "mark").exists()


def test_history_has_the_same_bits_when_it_is_read(tmp_path):
    history = History(tmp_path / "history.csv")
    rows = [
        {"step": 1, "loss": 0.1 + 0.2},
        {"step": 20_000, "loss": math.nan, "return": -1e-300},
        {"step": -3, "loss": 5.0},
    ]
    for row in rows:
        history.add(row)
    assert (tmp_path / "history.csv").read_text().splitlines()[:2] == ["step,loss,return", "1,0.30000000000000004,"]
    again = History(tmp_path / "history.csv")
    again.resume(lambda row: row["step"] != -3)
    assert [row["step"] for row in again.rows] == [1, 20_000]
    assert [type(row["step"]) for row in again.rows] == [int, int]
    assert again.rows[0]["loss"] == 0.1 + 0.2
    assert math.isnan(again.rows[1]["loss"])
    assert again.rows[1]["return"] == -1e-300
    again.resume(lambda _: False)
    assert again.rows == []


def test_a_history_that_is_none_is_refused(tmp_path):
    for text in ("step\nx\n", "step,loss\n1,2,3\n", "step,loss\n1\n", "", "step\n\0\n", "step\n1\u00b2\n"):
        (tmp_path / "history.csv").write_text(text)
        with pytest.raises(ValueError, match="is not the history of a training"):
            read_csv(tmp_path / "history.csv")
