import numpy as np
import pytest
import torch

from udc_solver import Coordinates, Matrix, Routing, Salesmen
from udc_solver.instances import Batch


def routing(**changes):
    held = {"points": np.random.default_rng(0).random((4, 2)), "demands": [0, 1, 2, 3], "capacity": 5.0}
    return Routing.from_arrays({name: np.asarray(value) for name, value in (held | changes).items()}, "it")


def test_instances_come_back_from_their_files(tmp_path):
    many = Salesmen(torch.rand(3, 5, 2), torch.full((3,), 2))
    for instance in (many, routing(), Matrix(torch.rand(2, 4, 4))):
        instance.save(tmp_path / "some.npz")
        again = type(instance).load(tmp_path / "some.npz")
        for name in instance.DIMENSIONS:
            torch.testing.assert_close(getattr(again, name), getattr(instance, name), rtol=0, atol=0)


def test_one_instance_may_leave_out_the_batch(tmp_path):
    np.savez(tmp_path / "one.npz", points=np.arange(10).reshape(5, 2))
    assert Coordinates.load(tmp_path / "one.npz").points.shape == (1, 5, 2)


def test_batches_are_sliced_and_joined_along_their_first_dimension():
    whole = Salesmen(torch.rand(5, 4, 2), torch.arange(1, 6))
    part = whole[1:3]
    assert len(part) == 2
    assert part.n_salesmen.tolist() == [2, 3]
    joined = Batch.cat([whole[:2], whole[2:]])
    torch.testing.assert_close(joined.points, whole.points)
    assert whole[torch.tensor([4, 0])].n_salesmen.tolist() == [5, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": np.full((4, 2), np.nan)}, "not finite"),
        ({"points": np.zeros((4, 3))}, "2 coordinates each, not 3"),
        ({"points": np.zeros((1, 2)), "demands": [0]}, "at least 2 points, not 1"),
        ({"demands": [0, 1, 6, 3]}, "the demand 6 of customer 2 is above the capacity 5"),
        ({"demands": [0, 1, -2, 3]}, "not be negative"),
        ({"demands": [1, 1, 2, 3]}, "depot"),
        ({"demands": [0, 1, 2]}, "as many demands as points, 4, not 3"),
        ({"capacity": 0.0, "demands": [0, 0, 0, 0]}, "positive"),
        ({"demands": np.array(["a", "b", "c", "d"])}, "real numbers"),
        ({"demands": np.array([0, 1, 2, 3j])}, "real numbers"),
        ({"points": np.zeros((2, 4, 2))}, "different numbers of instances"),
        ({"points": np.zeros((2, 2, 4, 2))}, "2 dimensions, or 3 with a batch, not 4"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        routing(**changes)
    assert "\n" not in str(caught.value)


def test_a_number_of_salesmen_is_whole():
    with pytest.raises(ValueError, match="n_salesmen must be whole numbers"):
        Salesmen.from_arrays({"points": np.zeros((3, 2)), "n_salesmen": np.asarray(1.5)}, "it")
    with pytest.raises(ValueError, match="as many salesmen"):
        Salesmen(torch.rand(2, 4, 2), torch.tensor([1, 2])).check()


def test_missing_arrays_are_named(tmp_path):
    np.savez(tmp_path / "some.npz", points=np.zeros((4, 2)))
    with pytest.raises(ValueError, match="no array demands and capacity; the arrays needed are points, demands"):
        Routing.load(tmp_path / "some.npz")


def test_fewer_than_three_points_make_no_tour():
    with pytest.raises(ValueError, match="at least 3 points, not 2"):
        Coordinates(torch.rand(1, 2, 2)).check()
