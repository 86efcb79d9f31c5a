import pytest
import torch

from dualformer import EncoderDecoderConfig, MazeTokenizer, Planner, SokobanTokenizer, load, make_model, save
from separata.testing import contents


@pytest.mark.parametrize("tokenizer", [MazeTokenizer(4, 5), SokobanTokenizer(6, 6, max_cost=50)])
def test_a_planner_comes_back_from_disk(tmp_path, tokenizer):
    planner = Planner(make_model(EncoderDecoderConfig(len(tokenizer.vocab), 16, 1, 2), 3), tokenizer)
    save(planner, tmp_path / "planner")
    loaded = load(tmp_path / "planner", "cpu")
    assert loaded.tokenizer.spec() == tokenizer.spec()
    assert loaded.model.config == planner.model.config
    assert loaded.model.state_dict().keys() == planner.model.state_dict().keys()
    assert all(map(torch.equal, loaded.model.state_dict().values(), planner.model.state_dict().values()))


def test_what_a_folder_holds_is_not_written_over(tmp_path):
    tokenizer = MazeTokenizer(4, 4)
    for seed in (0, 1):
        planner = Planner(make_model(EncoderDecoderConfig(len(tokenizer.vocab), 16, 1, 2), seed), tokenizer)
        if seed == 0:
            save(planner, tmp_path)
            before = contents(tmp_path)
    with pytest.raises(ValueError, match="already holds a training"):
        save(planner, tmp_path)
    assert contents(tmp_path) == before


def test_a_device_that_is_none_is_refused():
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        load("dualformer", "tpu")
