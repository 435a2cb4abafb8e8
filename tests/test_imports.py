"""Imports run one way: datasets, tape <- sheet <- nn <- lessons <- book <- xlsx <- check <- report <- cli."""

from __future__ import annotations

import ast
from pathlib import Path

import simulator

ROOT = Path(simulator.__file__).parent
ORDER = ["datasets", "tape", "sheet", "nn", "experiments", "lessons", "book", "xlsx", "check", "report"]
HANDS_OVER = {
    "nn/model.py": {"simulator.xlsx.build", "simulator.xlsx.verify"},
    "nn/utils.py": {"simulator.report.diagram"},
    "lessons/gallery.py": {"simulator.xlsx.verify"},
}  # to_workbook and plot_model, the calls against the current
FOREIGN = {"xlsxwriter": {"xlsx/writer.py"}, "ironcalc": {"xlsx/engines/ironcalc.py"}}
FOREIGN |= {"formualizer": {"xlsx/engines/formualizer.py"}, "python_calamine": {"xlsx/engines/stored.py"}}
FOREIGN |= {
    "openpyxl": {"xlsx/reader.py"},
    "typer": {"cli.py"},
    "rich": {"cli.py", "nn/progress.py"},
    "pandas": {"lessons/run.py"},
}
FOREIGN |= {"matplotlib": {"report/figure.py"}, "threadpoolctl": {"nn/backend/cpu/network.py"}}
FOREIGN |= {"psutil": {"nn/memory.py"}}
FOREIGN |= {"PIL": {"nn/picture.py"}}
FOREIGN |= {"cupy": {"nn/backend/gpu/device.py"}}
FOREIGN |= {"numba": {"nn/backend/cpu/kernels.py"}}
FOREIGN |= {"safetensors": {"nn/store.py", "experiments/run.py"}}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_imports_run_one_way() -> None:
    wrong = []
    for file in ROOT.rglob("*.py"):
        part = file.relative_to(ROOT).parts[0]
        for name in imported(file):
            words = name.split(".")
            known = words[0] == "simulator" and len(words) > 1 and part in ORDER and words[1] in ORDER
            excused = name in HANDS_OVER.get(file.relative_to(ROOT).as_posix(), ())
            if known and not excused and ORDER.index(words[1]) > ORDER.index(part):
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_a_foreign_library_enters_through_one_module() -> None:
    for library, places in FOREIGN.items():
        users = {
            f.relative_to(ROOT).as_posix()
            for f in ROOT.rglob("*.py")
            if any(n.split(".")[0] == library for n in imported(f))
        }
        assert users == places, library
