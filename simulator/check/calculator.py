"""What a student's formula gives: computed in NumPy, in several trial runs at once.

A value is an array (rows, columns, runs); a single cell has one row and one column. An empty cell counts as 0 in
arithmetic and not at all in SUM, AVERAGE and their kin; an error, overflow too, is NaN and spreads. Functions follow
Microsoft's pages; POWER, LOG and ROUND differ from NumPy's in argument order and in rounding half away from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.check.formula import Cell, Constant, DefinedName, Function, NotUnderstood, Operation, Text, Tree
from simulator.tape.vector import Vector

MOST_CELLS = 20_000  # in one range
MOST_RESULTS = 200_000  # of one operation on ranges
Found = Vector | float | str | None  # of one cell: its value in every run, a text, or nothing
Lookup = Callable[[str, int, int], Found]


class Value(NamedTuple):
    """numbers (rows, columns, runs); absent (rows, columns) marks empty cells and texts, which SUM passes over."""

    numbers: NDArray[np.float64]
    absent: NDArray[np.bool_]


def calculate(
    tree: Tree,
    home: tuple[str, int, int],
    at: Lookup,
    names: Callable[[str], tuple[str, int, int] | None],
    runs: int,
    offset: tuple[int, int] | None = None,
) -> Vector:
    """The value of a formula in the cell home (sheet, row, col), in every run.

    offset is the cell's place in an array formula's range, of which home is the first cell. Raises NotUnderstood.
    """
    with np.errstate(all="ignore"):
        value = _Calculator(home, at, names, runs).value(tree).numbers
    rows, columns = value.shape[:2]
    if offset is None and (rows, columns) != (1, 1):
        raise NotUnderstood("a range where one value belongs")
    r, c = offset or (0, 0)
    r, c = (0 if rows == 1 else r), (0 if columns == 1 else c)
    if r >= rows or c >= columns:
        return np.full(runs, np.nan)
    return np.asarray(np.broadcast_to(value[r, c], (runs,)))


class _Calculator:
    def __init__(
        self,
        home: tuple[str, int, int],
        at: Lookup,
        names: Callable[[str], tuple[str, int, int] | None],
        runs: int,
    ) -> None:
        self.home, self.at, self.names, self.runs = home, at, names, runs

    def value(self, tree: Tree | None) -> Value:
        match tree:
            case None:
                return _plain(np.zeros((1, 1, 1)))
            case Constant(x):
                return _plain(np.full((1, 1, 1), x))
            case Text():
                return _plain(np.full((1, 1, 1), np.nan))
            case Cell(sheet, first, last):
                return self.cells(sheet or self.home[0], *first.at(*self.home[1:]), *(last or first).at(*self.home[1:]))
            case DefinedName(name):
                place = self.names(name)
                if place is None:
                    raise NotUnderstood(name)
                return self.cells(*place, *place[1:])
            case Operation("neg", (x,)):
                return _plain(-self.numbers(x))
            case Operation("%", (x,)):
                return _plain(self.numbers(x) / 100)
            case Operation("=" | "<>" as operator, (x, Text(""))) | Operation("=" | "<>" as operator, (Text(""), x)):
                empty = self.value(x).absent[..., None]
                return _plain((empty if operator == "=" else ~empty).astype(float))
            case Operation(operator, (a, b)):
                if operator not in OPERATORS or isinstance(a, Text) or isinstance(b, Text):
                    raise NotUnderstood(operator)
                return _plain(_fitting(OPERATORS[operator], self.numbers(a), self.numbers(b)))
            case Function(name, args):
                return self.call(name.removeprefix("_XLFN."), args)
        raise NotUnderstood(str(tree))

    def numbers(self, tree: Tree | None) -> NDArray[np.float64]:
        return self.value(tree).numbers

    def cells(self, sheet: str, row: int, col: int, last_row: int, last_col: int) -> Value:
        row, last_row = sorted((row, last_row))
        col, last_col = sorted((col, last_col))
        rows, columns = last_row - row + 1, last_col - col + 1
        if rows * columns > MOST_CELLS:
            raise NotUnderstood("a long range")
        numbers = np.zeros((rows, columns, self.runs))
        absent = np.zeros((rows, columns), dtype=bool)
        for r in range(rows):
            for c in range(columns):
                found = self.at(sheet, row + r, col + c)
                if found is None:
                    absent[r, c] = True
                elif isinstance(found, str):
                    absent[r, c], numbers[r, c] = True, np.nan
                else:
                    numbers[r, c] = found
        return Value(numbers, absent)

    def call(self, name: str, args: Sequence[Tree | None]) -> Value:
        if name in ELEMENTWISE:
            function, low, high = ELEMENTWISE[name]
            if not low <= len(args) <= high:
                raise NotUnderstood(name)
            return _plain(_fitting(function, *(self.numbers(a) for a in args)))
        if name in AGGREGATES:
            values = [self.value(a) for a in args]
            kept = [v.numbers[r, c] for v in values for r, c in np.argwhere(~v.absent)]
            if name == "COUNTA":
                kept += [
                    np.zeros(1) for v in values for r, c in np.argwhere(v.absent) if np.isnan(v.numbers[r, c]).any()
                ]
            stack = np.array([np.broadcast_to(k, (self.runs,)) for k in kept]).reshape(-1, self.runs)
            return _plain(np.asarray(AGGREGATES[name](stack), dtype=float).reshape(1, 1, -1))
        if name in SPECIAL:
            special, low, high = SPECIAL[name]
            if not low <= len(args) <= high:
                raise NotUnderstood(name)
            return special(self, args)
        raise NotUnderstood(name)

    # Functions of ranges

    def sumproduct(self, args: Sequence[Tree | None]) -> Value:
        values = [self.value(a) for a in args]
        if len({v.absent.shape for v in values}) != 1:
            return _plain(np.full((1, 1, 1), np.nan))
        product = np.ones((1, 1, 1))
        for v in values:
            product = product * np.where(v.absent[..., None], 0.0, v.numbers)
        return _plain(product.sum(axis=(0, 1), keepdims=True))

    def mmult(self, args: Sequence[Tree | None]) -> Value:
        a, b = (self.numbers(x) for x in args)
        if a.shape[1] != b.shape[0]:
            return _plain(np.full((1, 1, 1), np.nan))
        runs = max(a.shape[2], b.shape[2])
        if a.shape[0] * b.shape[1] > MOST_RESULTS:
            raise NotUnderstood("MMULT")
        a, b = (np.broadcast_to(x, (*x.shape[:2], runs)) for x in (a, b))
        return _plain(np.einsum("ijw,jkw->ikw", a, b))

    def transpose(self, args: Sequence[Tree | None]) -> Value:
        v = self.value(args[0])
        return Value(v.numbers.swapaxes(0, 1), v.absent.T)

    def index(self, args: Sequence[Tree | None]) -> Value:
        v = self.value(args[0])
        numbers = [self.numbers(a).flat[0] for a in args[1:]]
        if not np.isfinite(numbers).all():
            return _plain(np.full((1, 1, 1), np.nan))
        places = [int(number) - 1 for number in numbers]
        rows, columns = v.absent.shape
        if len(places) == 1:
            places = [0, places[0]] if rows == 1 else [places[0], 0]
        r, c = places
        if not (0 <= r < rows and 0 <= c < columns):
            raise NotUnderstood("INDEX")
        return Value(v.numbers[r : r + 1, c : c + 1], v.absent[r : r + 1, c : c + 1])

    def choose(self, args: Sequence[Tree | None]) -> Value:
        test, then, *rest = args
        otherwise = self.numbers(rest[0]) if rest else np.zeros((1, 1, 1))

        def pick(holds: Any, x: Any, y: Any) -> Any:
            return np.where(np.isnan(holds), np.nan, np.where(holds != 0, x, y))

        return _plain(_fitting(pick, self.numbers(test), self.numbers(then), otherwise))

    def if_error(self, args: Sequence[Tree | None]) -> Value:
        value, instead = (self.numbers(a) for a in args)
        return _plain(_fitting(lambda x, y: np.where(np.isfinite(x), x, y), value, instead))

    def is_number(self, args: Sequence[Tree | None]) -> Value:
        v = self.value(args[0])
        return _plain((np.isfinite(v.numbers) & ~v.absent[..., None]).astype(float))

    def is_blank(self, args: Sequence[Tree | None]) -> Value:
        return _plain(self.value(args[0]).absent[..., None].astype(float))

    def sum_of_pairs(self, pair: Callable[[Any, Any], Any], args: Sequence[Tree | None]) -> Value:
        a, b = (self.numbers(x) for x in args)
        if a.shape[:2] != b.shape[:2]:
            return _plain(np.full((1, 1, 1), np.nan))
        return _plain(pair(a, b).sum(axis=(0, 1), keepdims=True))


def _plain(numbers: NDArray[np.float64]) -> Value:
    return Value(np.where(np.isfinite(numbers), numbers, np.nan), np.zeros(numbers.shape[:2], dtype=bool))


def _fitting(function: Callable[..., Any], *arrays: NDArray[Any]) -> NDArray[np.float64]:
    """The function entry by entry; a row, a column or a single cell goes with any range."""
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError as error:
        raise NotUnderstood("ranges of different sizes") from error
    if len(shape) > 1 and shape[0] * shape[1] > MOST_RESULTS:
        raise NotUnderstood("large ranges")
    return np.asarray(function(*arrays), dtype=float)


def _round(x: Any, digits: Any) -> Any:
    scale = 10.0 ** np.trunc(digits)
    scaled = np.abs(x) * scale * (1 + 4e-16)  # 2.675 is stored as a little less and is a half all the same
    return np.sign(x) * np.floor(scaled + 0.5) / scale  # halves go away from zero


def _toward_zero(x: Any, digits: Any = 0.0) -> Any:
    scale = 10.0 ** np.trunc(digits)
    return np.sign(x) * np.floor(np.abs(x) * scale * (1 + 4e-16)) / scale


def _from_zero(x: Any, digits: Any) -> Any:
    scale = 10.0 ** np.trunc(digits)
    return np.sign(x) * np.ceil(np.abs(x) * scale * (1 - 4e-16)) / scale


def _compared(relation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.nan, relation(a, b))


OPERATORS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "=": _compared(np.equal),
    "<>": _compared(np.not_equal),
    "<": _compared(np.less),
    ">": _compared(np.greater),
    "<=": _compared(np.less_equal),
    ">=": _compared(np.greater_equal),
}
# name -> function, fewest and most arguments
ELEMENTWISE: dict[str, tuple[Callable[..., Any], int, int]] = {
    "EXP": (np.exp, 1, 1),
    "LN": (np.log, 1, 1),
    "LOG10": (np.log10, 1, 1),
    "LOG": (lambda x, base=10.0: np.log(x) / np.log(base), 1, 2),
    "SQRT": (np.sqrt, 1, 1),
    "ABS": (np.abs, 1, 1),
    "TANH": (np.tanh, 1, 1),
    "SINH": (np.sinh, 1, 1),
    "COSH": (np.cosh, 1, 1),
    "SIN": (np.sin, 1, 1),
    "COS": (np.cos, 1, 1),
    "SIGN": (np.sign, 1, 1),
    "POWER": (np.power, 2, 2),
    "ROUND": (_round, 2, 2),
    "ROUNDDOWN": (_toward_zero, 2, 2),
    "ROUNDUP": (_from_zero, 2, 2),
    "TRUNC": (_toward_zero, 1, 2),
    "INT": (np.floor, 1, 1),
    "MOD": (np.mod, 2, 2),
    "PI": (lambda: np.full((1, 1, 1), np.pi), 0, 0),
    "TRUE": (lambda: np.ones((1, 1, 1)), 0, 0),
    "FALSE": (lambda: np.zeros((1, 1, 1)), 0, 0),
    "NA": (lambda: np.full((1, 1, 1), np.nan), 0, 0),
    "NOT": (lambda x: np.where(np.isnan(x), np.nan, x == 0), 1, 1),
    "N": (lambda x: x, 1, 1),
    "VALUE": (lambda x: x, 1, 1),
}
# over the entries that are there, shape (entries, runs)
AGGREGATES: dict[str, Callable[[NDArray[np.float64]], Any]] = {
    "SUM": lambda s: s.sum(axis=0),
    "PRODUCT": lambda s: s.prod(axis=0) if len(s) else np.zeros(s.shape[1]),
    "AVERAGE": lambda s: s.sum(axis=0) / len(s) if len(s) else np.full(s.shape[1], np.nan),
    "MAX": lambda s: s.max(axis=0) if len(s) else np.zeros(s.shape[1]),
    "MIN": lambda s: s.min(axis=0) if len(s) else np.zeros(s.shape[1]),
    "SUMSQ": lambda s: (s**2).sum(axis=0),
    "COUNT": lambda s: np.isfinite(s).sum(axis=0),
    "COUNTA": lambda s: np.full(s.shape[1], float(len(s))),
    "AND": lambda s: np.where(np.isnan(s).any(axis=0) | (len(s) == 0), np.nan, (s != 0).all(axis=0)),
    "OR": lambda s: np.where(np.isnan(s).any(axis=0) | (len(s) == 0), np.nan, (s != 0).any(axis=0)),
}
# name -> function, fewest and most arguments
SPECIAL: dict[str, tuple[Callable[[_Calculator, Sequence[Tree | None]], Value], int, int]] = {
    "SUMPRODUCT": (_Calculator.sumproduct, 1, 255),
    "MMULT": (_Calculator.mmult, 2, 2),
    "TRANSPOSE": (_Calculator.transpose, 1, 1),
    "INDEX": (_Calculator.index, 2, 3),
    "IF": (_Calculator.choose, 2, 3),
    "IFERROR": (_Calculator.if_error, 2, 2),
    "ISNUMBER": (_Calculator.is_number, 1, 1),
    "ISBLANK": (_Calculator.is_blank, 1, 1),
    "SUMXMY2": (lambda c, args: c.sum_of_pairs(lambda a, b: (a - b) ** 2, args), 2, 2),
    "SUMX2MY2": (lambda c, args: c.sum_of_pairs(lambda a, b: a**2 - b**2, args), 2, 2),
    "SUMX2PY2": (lambda c, args: c.sum_of_pairs(lambda a, b: a**2 + b**2, args), 2, 2),
}
