"""What a network has written, epoch by epoch, as a part of its page."""

from __future__ import annotations

import html
from typing import Any


def written_table(record: dict[str, Any]) -> list[str]:
    """The prefixes in bold, each with what follows, in the epochs that were noted and in the last one."""
    prefixes = record["prefixes"]
    rows = [(epoch, record["notes"][epoch]) for epoch in record["notes"]]
    if str(record["epochs"]) not in record["notes"]:
        rows.append((str(record["epochs"]), record["written"]))
    lines = ["<h2>What it writes</h2>", "<table><thead><tr><th>epoch</th><th>always the most probable character</th>"]
    lines.append("</tr></thead><tbody>")
    for epoch, texts in rows:
        shown = "<br>".join(
            f"<b>{html.escape(prefix)}</b>{html.escape(text[len(prefix) :])}"
            for prefix, text in zip(prefixes, texts, strict=True)
        )
        lines.append(f'<tr><td class="n">{epoch}</td><td>{shown}</td></tr>')
    return [*lines, "</tbody></table>"]
