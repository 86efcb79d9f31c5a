"""From text to a diagram."""

from circuit_diagrams.ir import Diagram

from .calls import expand
from .compiler import Compiler
from .syntax import Reader


def parse(text: str) -> Diagram:
    """The diagram of a text; its parameters have no values yet.

    Raises:
        TextError: if the text is wrong; a `ValueError` that says the line and the column.
    """
    return Compiler(Reader(text).module(), expand).diagram()
