"""One network of a workbook: its step, where it stands, its values."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.book.layout import Plan
from simulator.nn.model import Model
from simulator.nn.trace import Step
from simulator.sheet.panel import Spread


@dataclass(frozen=True)
class Part:
    """suffix ends the names of its sheets; it is empty for the first network."""

    model: Model
    step: Step
    plan: Plan
    spread: Spread
    suffix: str = ""
