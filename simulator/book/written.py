"""A sheet of what a network has written after two prefixes, epoch by epoch."""

from __future__ import annotations

from typing import Any

from simulator.sheet.sheet import Sheet
from simulator.sheet.style import BODY, SUBTITLE, TITLE, header, restyled

WRITTEN = "Written"
TOP = 4


def written_sheet(record: dict[str, Any]) -> Sheet:
    """Of the epochs that a record has notes of, and of the last one."""
    sheet = Sheet(WRITTEN, "#059669")
    sheet.put(0, 0, "What the network writes", TITLE)
    sheet.put(1, 0, "After each prefix, always the most probable character.", SUBTITLE)
    sheet.put(TOP - 1, 0, "epoch", header("given", level=2))
    for col, prefix in enumerate(record["prefixes"], 1):
        sheet.put(TOP - 1, col, f"after '{prefix}'", header("forward", level=2))
    rows = {int(epoch): texts for epoch, texts in record["notes"].items()} | {record["epochs"]: record["written"]}
    for row, (epoch, texts) in enumerate(sorted(rows.items()), TOP):
        sheet.put(row, 0, epoch, restyled(BODY, number_format="0", align="center"))
        for col, text in enumerate(texts, 1):
            sheet.put(row, col, text)
    sheet.widths = {0: 9} | dict.fromkeys(range(1, 1 + len(record["prefixes"])), 70.0)
    sheet.freeze = (TOP, 1)
    return sheet.check()
