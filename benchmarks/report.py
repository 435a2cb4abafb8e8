"""reports/benchmarks.md: one section per benchmark, each written by its own run."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

REPORT = Path("reports/benchmarks.md")


def processor() -> str:
    """The processor's name, from where the system keeps it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def machine() -> str:
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def write_section(title: str, text: str) -> Path:
    """Replace or add the section of that title; the others stay as they are."""
    old = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    sections = {s.partition("\n")[0][2:]: s for s in re.split(r"^(?=# )", old, flags=re.MULTILINE) if s.strip()}
    sections[title] = f"# {title}\n\n{text.strip()}\n\n"
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("".join(sections.values()).rstrip() + "\n", encoding="utf-8")
    return REPORT
