"""A student's formula as a tree: parsed from its relative form, so that a column filled down is parsed once.

Binding, from weak to strong: comparisons, &, + and -, * and /, ^, %, the sign in front. A sign binds tighter than ^,
as in every spreadsheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from simulator.sheet.relative import Reference, reference_of


@dataclass(frozen=True)
class Constant:
    """A number; NaN stands for an error value such as #REF!."""

    value: float


@dataclass(frozen=True)
class Text:
    value: str


@dataclass(frozen=True)
class Cell:
    """A cell, or a rectangle of them when there is a second corner; without a sheet it is the formula's own."""

    sheet: str | None
    first: Reference
    last: Reference | None = None


@dataclass(frozen=True)
class DefinedName:
    name: str


@dataclass(frozen=True)
class Operation:
    """operator is a sign between two operands, or "%", or "neg" for the sign in front."""

    operator: str
    operands: tuple[Tree, ...]


@dataclass(frozen=True)
class Function:
    name: str
    args: tuple[Tree | None, ...]  # None: left empty


Tree = Constant | Text | Cell | DefinedName | Operation | Function


class NotUnderstood(Exception):  # noqa: N818  # a state of affairs, not a failure
    """A formula that is judged by its number only."""


TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"]|"")*")
    | (?P<sheet>'(?:[^']|'')*'!|[^\W\d][\w.]*!)
    | (?P<ref>R(?:\[(?P<r>-?\d+)\]|(?P<ra>\d+))C(?:\[(?P<c>-?\d+)\]|(?P<ca>\d+))(?![\w(]))
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<error>\#[A-Z0-9/]+[!?]?)
    | (?P<function>[A-Za-z_][\w.]*)\(
    | (?P<name>(?:[^\W\d]|\\)[\w.]*)
    | (?P<operator><=|>=|<>|[-+*/^&%=<>(),;:])
    )""",
    re.VERBOSE,
)
_REFERENCE = re.compile(r"R(?:\[(-?\d+)\]|(\d+))C(?:\[(-?\d+)\]|(\d+))")
LEVELS = (("=", "<>", "<", ">", "<=", ">="), ("&",), ("+", "-"), ("*", "/"), ("^",))
DEEPEST, LONGEST = 64, 200  # brackets in brackets, Excel's own limit; operators on operators


@lru_cache(maxsize=65_536)
def parse(text: str) -> Tree:
    """The tree of a formula in relative form. Raises NotUnderstood.

    >>> parse("1/(1+EXP(-R[0]C[-1]))").operator
    '/'
    """
    try:
        tree = _Parser(text).whole()
    except RecursionError as error:
        raise NotUnderstood("nesting") from error
    if _depth(tree) > LONGEST:
        raise NotUnderstood("a deep formula")
    return tree


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise NotUnderstood(text[position : position + 20])
            kind = "ref" if match["ref"] else match.lastgroup
            self.tokens.append((kind, match[kind]))
            position = match.end()
        self.tokens.append(("end", ""))
        self.position = self.depth = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.position]

    def take(self) -> tuple[str, str]:
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, operator: str) -> None:
        if self.take() != ("operator", operator):
            raise NotUnderstood(operator)

    def whole(self) -> Tree:
        tree = self.level(0)
        if self.peek()[0] != "end":
            raise NotUnderstood(self.peek()[1])
        return tree

    def level(self, n: int) -> Tree:
        if n == len(LEVELS):
            return self.signed()
        left = self.level(n + 1)
        while self.peek()[0] == "operator" and self.peek()[1] in LEVELS[n]:
            operator = self.take()[1]
            left = Operation(operator, (left, self.level(n + 1)))
        return left

    def signed(self) -> Tree:
        signs = 0
        while self.peek() in (("operator", "-"), ("operator", "+")):
            signs += self.take()[1] == "-"
        tree = self.atom()
        while self.peek() == ("operator", "%"):
            self.take()
            tree = Operation("%", (tree,))
        return Operation("neg", (tree,)) if signs % 2 else tree

    def atom(self) -> Tree:
        kind, text = self.take()
        match kind:
            case "number":
                return Constant(float(text))
            case "text":
                return Text(text[1:-1].replace('""', '"'))
            case "error":
                return Constant(float("nan"))
            case "sheet":
                name = text[:-1]
                quoted = name.startswith("'")
                return self.area(name[1:-1].replace("''", "'") if quoted else name, self.take())
            case "ref":
                return self.area(None, (kind, text))
            case "name":
                if text.upper() in ("TRUE", "FALSE"):
                    return Constant(float(text.upper() == "TRUE"))
                return DefinedName(text)
            case "function":
                return self.call(text.upper())
            case "operator" if text == "(":
                self.deeper()
                tree = self.level(0)
                self.expect(")")
                self.depth -= 1
                return tree
        raise NotUnderstood(text)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotUnderstood("nesting")

    def area(self, sheet: str | None, token: tuple[str, str]) -> Tree:
        first = self.reference(token)
        if self.peek() == ("operator", ":"):
            self.take()
            return Cell(sheet, first, self.reference(self.take()))
        return Cell(sheet, first)

    @staticmethod
    def reference(token: tuple[str, str]) -> Reference:
        match = _REFERENCE.fullmatch(token[1])
        if token[0] != "ref" or match is None:
            raise NotUnderstood(token[1])
        return reference_of(match)

    def call(self, name: str) -> Tree:
        self.deeper()
        args: list[Tree | None] = []
        if self.peek() == ("operator", ")"):
            self.take()
            self.depth -= 1
            return Function(name, ())
        while True:
            empty = self.peek() in (("operator", ","), ("operator", ";"), ("operator", ")"))
            args.append(None if empty else self.level(0))
            kind, text = self.take()
            if (kind, text) == ("operator", ")"):
                self.depth -= 1
                return Function(name, tuple(args))
            if kind != "operator" or text not in ",;":
                raise NotUnderstood(text)


def cells_of(tree: Tree) -> list[Cell]:
    """The references of a formula, from left to right."""
    return [x for x in _parts(tree) if isinstance(x, Cell)]


@lru_cache(maxsize=65_536)
def cells_in(text: str) -> tuple[Cell, ...]:
    """The references of a formula in relative form. Raises NotUnderstood."""
    return tuple(cells_of(parse(text)))


def names_of(tree: Tree) -> list[str]:
    """The defined names in a formula, from left to right."""
    return [x.name for x in _parts(tree) if isinstance(x, DefinedName)]


def _parts(tree: Tree) -> Iterator[Tree]:
    """The tree and everything in it, from left to right; without recursion, for whatever depth."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(_inside(part)))


def _inside(tree: Tree) -> list[Tree]:
    match tree:
        case Operation(_, parts) | Function(_, parts):
            return [x for x in parts if x is not None]
    return []


def _depth(tree: Tree) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [x for part in level for x in _inside(part)]
    return depth


def skeleton(relative: str) -> str:
    """The formula with its references blanked out: what stays when they drift.

    >>> skeleton("R[0]C[-1]*R2C3")
    '#*#'
    """
    return _REFERENCE.sub("#", relative)
