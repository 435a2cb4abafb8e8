"""Colour roles and number formats: the same meaning has the same colour on every sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

INK, MUTED, LINK = "#1F2933", "#6B7280", "#1D4ED8"
LINE = "#D5DAE1"
BAND = "#F4F6F9"
SCALE = "#F8A5A5", "#FFFFFF", "#93B8F5"  # towards 0, in between, towards 1
GOOD, BAD = "#C6EFCE", "#FFC7CE"
GOOD_INK, BAD_INK = "#006100", "#9C0006"
BLANK, BLANK_BAND, BLANK_LINE = "#E0F5F1", "#C9ECE5", "#79C2B5"  # cells to fill in, and in every other block
PENDING = "#B8C0CA"  # an error that waits for cells to be filled in

# role        (header, light)        what it means
ROLES: dict[str, tuple[str, str, str]] = {
    "given": ("#FFE08A", "#FFF6D6", "given: inputs, labels, learning rate"),
    "parameter": ("#F7C59F", "#FDEBDD", "parameters at the start of the epoch"),
    "forward": ("#A9CDEE", "#E4F0FA", "forward pass"),
    "cost": ("#CDB9E8", "#F0E9F9", "loss and cost"),
    "backward": ("#B5DDB0", "#E7F5E5", "backward pass: gradients"),
    "update": ("#F2B5B5", "#FCE8E8", "updated parameters"),
}


@dataclass(frozen=True)
class Style:
    """How one cell looks. Empty strings and None mean the spreadsheet's default."""

    fill: str = ""
    color: str = INK
    bold: bool = False
    italic: bool = False
    size: int = 10
    number_format: str = ""
    align: str = ""
    valign: str = "vcenter"
    wrap: bool = False
    border: str = ""
    underline: bool = False
    indent: int = 0


def restyled(style: Style, **changes: Any) -> Style:
    """The same style with some of its fields changed."""
    return replace(style, **changes)


TEXT = Style()
WRAPPED = Style(wrap=True, valign="top")
TITLE = Style(bold=True, size=16)
SUBTITLE = Style(color=MUTED, italic=True)
HEADING = Style(bold=True, size=12)
LABEL = Style(color=MUTED)
REMARK = Style(color=MUTED, indent=1)
KEY = Style(bold=True)
HYPERLINK = Style(color=LINK, underline=True)
INPUT = Style(fill="#FFF6D6", color=LINK, border="#E0B93B", align="right")
ANSWER = Style(bold=True, border=LINE, align="right")
BODY = Style(align="right")


def blank(style: Style) -> Style:
    """The same cell, left empty for a reader to fill in."""
    return replace(style, fill=BLANK, border=BLANK_LINE)


def header(role: str, *, level: int) -> Style:
    """A table header: level 1 names the stage, 2 the quantity, 3 its meaning, 4 the entry."""
    strong, light, _ = ROLES[role]
    return Style(
        fill=strong if level < 3 else light,
        bold=level < 3,
        italic=level == 3,
        align="left" if level == 1 else "center",
        wrap=level > 1,
        border="#FFFFFF" if level < 3 else LINE,
        size=(10, 11, 9, 9)[level - 1],
    )


ENTRY = "0.000"
# A cost has no sign, so it may have a condition: LibreOffice drops the minus of a section without one.
COST = "[>=100000]0.00E+00;0.00000"
