from .backward import backward as backward
from .capture.exporting import trace as trace
from .code import to_torch as to_torch
from .configs import DrawConfig as DrawConfig
from .cost import Cost as Cost
from .cost import CostPolynomials as CostPolynomials
from .cost import CostTable as CostTable
from .cost import cost as cost
from .cost import cost_polynomials as cost_polynomials
from .drawing import Drawing as Drawing
from .drawing import draw as draw
from .elements import Array as Array
from .elements import Axis as Axis
from .elements import Link as Link
from .elements import Op as Op
from .gallery.registry import GALLERY as GALLERY
from .ir import Diagram as Diagram
from .ir import from_json as from_json
from .ir import to_json as to_json
from .memory import saved_bytes as saved_bytes
from .signatures.registry import register as register
from .simplify import simplify as simplify
from .sizes import Polynomial as Polynomial
from .sizes import fit_polynomial as fit_polynomial
from .sources import load as load
from .sources import save as save
from .text.lexer import TextError as TextError
from .text.parser import parse as parse
from .text.writer import to_text as to_text
from .verification import BroadcastReport as BroadcastReport
from .verification import check as check
from .verification import check_broadcasts as check_broadcasts
from .verification import infer_signature as infer_signature

__all__ = [
    "GALLERY",
    "Array",
    "Axis",
    "BroadcastReport",
    "Cost",
    "CostPolynomials",
    "CostTable",
    "Diagram",
    "DrawConfig",
    "Drawing",
    "Link",
    "Op",
    "Polynomial",
    "TextError",
    "backward",
    "check",
    "check_broadcasts",
    "cost",
    "cost_polynomials",
    "draw",
    "fit_polynomial",
    "from_json",
    "infer_signature",
    "load",
    "parse",
    "register",
    "save",
    "saved_bytes",
    "simplify",
    "to_json",
    "to_text",
    "to_torch",
    "trace",
]
