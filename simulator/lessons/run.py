"""A lesson trained: its values epoch by epoch, as numbers, rows or a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.lessons.lesson import Lesson
from simulator.lessons.setting import PARAMETERS, Settings, settings_of
from simulator.lessons.training import Epoch, check_epochs, training_table
from simulator.sheet.table import Table
from simulator.tape.expression import Expression

if TYPE_CHECKING:
    import pandas as pd


class Row(NamedTuple):
    """One cell of the training table, as `simulator table` prints it."""

    epoch: int
    quantity: str
    index: str  # type: ignore[assignment]  # the column's name, over tuple.index
    value: float
    cell: str


@dataclass(frozen=True)
class Run:
    lesson: Lesson
    epochs: int
    settings: Settings
    table: Table
    epoch: Epoch
    number: Expression

    @staticmethod
    def of(lesson: Lesson, epochs: int | None, changed: Mapping[str, float], *, strict: bool = True) -> Run:
        n = lesson.epochs if epochs is None else epochs
        check_epochs(lesson, n)
        settings = settings_of(lesson, n, changed, strict=strict)
        table, epoch, number = training_table(lesson, settings, n)
        return Run(lesson, n, settings, table, epoch, number)

    @property
    def count(self) -> int:
        """How many epochs the table shows."""
        return self.table.count

    @property
    def first_epoch(self) -> int:
        return int(self.settings["first_epoch"])

    @property
    def is_changed(self) -> bool:
        """True when this is not the lesson as it stands, of which its story speaks."""
        own = settings_of(self.lesson, self.lesson.epochs, {})
        same = all(s.value == own[name] for name, s in self.settings.items.items() if s.sheet == PARAMETERS)
        return self.epochs != self.lesson.epochs or not same

    def block_of(self, picker: str) -> int:
        """The number of the block that a setting such as boundary_epoch picks, or of the nearest there is."""
        return max(0, min(self.count - 1, int(self.settings[picker]) - self.first_epoch))

    def column(self, name: str) -> NDArray[np.float64]:
        """A quantity at every epoch, shape (epochs, *its shape).

        Raises SettingError when the table has no such quantity.
        """
        node = self.table.find(name).node
        slots = self.table.slots(node)
        return np.array([[block[i] for i in slots] for block in self.table.blocks()]).reshape(-1, *node.shape)

    def rows(self) -> Iterator[Row]:
        """Every cell of the training table, epoch by epoch."""
        cells = [(i, c, c.name()) for i, c in enumerate(self.table.computed) if c.quantity]
        cells = [(i, c, name) for i, c, name in cells if c.quantity and c.quantity.node is not self.number]
        for k, block in enumerate(self.table.blocks()):
            for i, c, name in cells:
                assert c.quantity
                address = self.table.address(c.quantity.node, c.index, k)
                yield Row(self.first_epoch + k, c.quantity.node.name, name, block[i], address)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame with the columns epoch, quantity, index, value, cell."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(Row._fields))
