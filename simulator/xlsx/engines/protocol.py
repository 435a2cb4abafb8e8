"""How a child process hands the cells of a workbook back; standard library only, any Python 3.

The child is called as `child WORKBOOK FOLDER`, where FOLDER/request.json maps sheets to [rows, columns]. It writes
FOLDER/N.f64, the numbers of sheet N row by row with NaN where there is none, and FOLDER/texts.json, which
maps a sheet to [[row, column, text], ...].
"""

from __future__ import annotations

import json
import os
import sys
from array import array

NAN = float("nan")
ERROR = "#"  # a text that starts so is an error value


def read_request(folder):  # type: ignore[no-untyped-def]
    with open(os.path.join(folder, "request.json")) as f:
        return json.load(f)


class Reply:
    """Collects one sheet after the other."""

    def __init__(self, folder: str) -> None:
        self.folder, self.count = folder, 0
        self.texts: dict[str, list[list[object]]] = {}

    def add(self, sheet: str, rows) -> None:  # type: ignore[no-untyped-def]
        """rows yields, for every row of the sheet, its values: numbers, texts, None."""
        numbers, texts = array("d"), []
        for r, row in enumerate(rows):
            try:
                numbers.extend(row)  # the fast way, when the row holds numbers only
            except TypeError:
                del numbers[r * len(row) :]
                for c, value in enumerate(row):
                    if isinstance(value, (int, float)) and not isinstance(value, bool):
                        numbers.append(value)
                    else:
                        numbers.append(NAN)
                        if value is not None and value != "":
                            texts.append([r, c, str(value)])
        with open(os.path.join(self.folder, f"{self.count}.f64"), "wb") as f:
            numbers.tofile(f)
        self.texts[sheet] = texts
        self.count += 1

    def close(self) -> None:
        with open(os.path.join(self.folder, "texts.json"), "w") as f:
            json.dump(self.texts, f)


def serve(recalculate) -> None:  # type: ignore[no-untyped-def]
    """Run a child: recalculate(path, request) yields (sheet, rows) in the order of the request."""
    path, folder = sys.argv[1:3]
    reply = Reply(folder)
    for sheet, rows in recalculate(path, read_request(folder)):
        reply.add(sheet, rows)
    reply.close()
