"""The checks of annotations that the tests run under."""

import dataclasses
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int
from torch import Tensor

import house
import shapes


def checked(item):
    return shapes.checked(item, house.typecheck)


def refused():
    return pytest.raises(BeartypeCallHintViolation)


def test_dimensions_of_arguments_and_of_the_result_must_fit():
    @checked
    def product(x: Float[Tensor, "n k"], y: Float[Tensor, "k m"], *, is_wrong: bool = False) -> Float[Tensor, "n m"]:
        return (x @ y)[:, :-1] if is_wrong else x @ y

    x, y = torch.ones(2, 3), torch.ones(3, 4)
    assert product(x, y).shape == (2, 4)
    assert product(y=torch.ones(1, 1), x=torch.ones(5, 1)).shape == (5, 1)
    for args in ((x, x), (x, y[0]), (x.int(), y)):
        with refused():
            product(*args)
    with refused():
        product(x, y, is_wrong=True)
    with refused():
        product(x, y, is_wrong=1)


def test_each_call_has_dimensions_of_its_own():
    @checked
    def twice(x: Float[Tensor, "n"], depth: int) -> Float[Tensor, "n"]:
        return x if depth == 0 else twice(x.repeat(2), depth - 1)[: len(x)]

    assert twice(torch.ones(3), 2).shape == (3,)


def test_what_has_no_dimensions_is_checked_too():
    @checked
    def count(n: int, scale: float = 1.0) -> list[int]:
        return list(range(n)) if scale else None

    assert count(2) == count(2, 3) == [0, 1]
    with refused():
        count("2")
    with refused():
        count(2, 0.0)


def test_names_for_type_checkers_only_are_passed_over():
    @checked
    def draw(figure: "Figure", n: "int") -> "Iterator[Figure]":
        return iter([figure] * n)

    assert list(draw("a", 2)) == ["a", "a"]
    with refused():
        draw("a", "b")


def test_methods_of_every_kind_are_checked():
    class Line:
        start = 1

        @property
        @checked
        def end(self) -> int:
            return self.start + 1

        @classmethod
        @checked
        def twice(cls, n: int) -> int:
            return n * cls.start * 2

        @staticmethod
        @checked
        def half(n: int) -> float:
            return n / 2

    class Longer(Line):
        @checked
        def reach(self, x: Int[Tensor, "n"]) -> int:
            return super().end + len(x)

    line = Longer()
    assert (line.end, line.twice(3), line.half(3), line.reach(torch.ones(2, dtype=torch.int))) == (2, 6, 1.5, 4)
    for call in (lambda: line.twice("3"), lambda: line.half("3"), lambda: line.reach(torch.ones(2))):
        with refused():
            call()
    line.start = 0.5
    with refused():
        line.end  # noqa: B018


def test_fields_of_dataclasses_are_checked():
    @checked
    @dataclasses.dataclass(frozen=True)
    class Interval:
        lower: Float[Tensor, "n"]
        upper: Float[Tensor, "n"]

    @checked
    @dataclasses.dataclass(frozen=True)
    class Named(Interval):
        name: str = ""

    assert Named(torch.zeros(2), torch.ones(2), "x").name == "x"
    with refused():
        Interval(torch.zeros(2), torch.ones(3))
    with refused():
        Named(torch.zeros(2), torch.ones(2), 3)
    checked(Interval)
    assert len(Interval(torch.zeros(2), torch.ones(2)).lower) == 2


def test_a_dimension_may_be_computed_from_the_arguments():
    @checked
    def square(size: int, given: int) -> Float[Tensor, "{size} {size}"]:
        return torch.ones(given, given)

    assert square(2, 2).shape == (2, 2)
    with pytest.raises(jaxtyping.TypeCheckError):
        square(2, 3)


def test_checks_can_be_off(unchecked):
    @checked
    def count(n: int) -> Float[Tensor, "n"]:
        return n

    assert count("2") == "2"


def test_the_packages_are_checked():
    from separata import training

    with refused():
        training.accuracy(torch.nn.Identity(), torch.ones(2, 3), torch.ones(3, dtype=torch.long))
