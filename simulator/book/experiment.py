"""An experiment's workbook: its history with charts and live answers, and what its kind of data adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.book.architecture import architecture_sheet
from simulator.book.forecast import forecast_sheet
from simulator.book.workbook import Workbook
from simulator.book.written import written_sheet
from simulator.experiments.activity import SAMPLES
from simulator.experiments.experiment import listed
from simulator.nn.model import Model
from simulator.sheet.address import a1
from simulator.sheet.chart import Area, Chart, Series
from simulator.sheet.sheet import Highlight, Sheet
from simulator.sheet.style import BODY, COST, HEADING, INPUT, LABEL, SUBTITLE, TITLE, header, restyled

HISTORY, CONFUSION, ACTIVITY = "History", "Confusion", "Activity"
FIRST = 12  # row of the first epoch, from 0
ANSWER = 6  # column of the answers


def experiment_workbook(record: dict[str, Any], model: Model | None = None) -> Workbook:
    """The workbook of a record: every summary is a formula over the numbers beside it; of a model its layers too."""
    sheets = [_history(record), *(sheet(record) for sheet in SHEETS[record["kind"]])]
    if record.get("activity"):
        sheets.append(_activity(record))
    if model is not None:
        sheets.append(architecture_sheet(model, int(record["settings"]["batch_size"])))
    origin = {"experiment": record["experiment"]}
    return Workbook(record["title"], record["experiment"], record["epochs"], tuple(sheets), {}, origin=origin)


def _history(record: dict[str, Any]) -> Sheet:
    history = record["history"]
    sheet = Sheet(HISTORY, "#2563EB")
    sheet.put(0, 0, f"{record['title']}: epoch by epoch", TITLE)
    settings = listed(record["settings"])
    sheet.put(1, 0, f"{record['data']}, {record['samples']:,} samples, {settings}, seed {record['seed']}", SUBTITLE)
    epochs, last = len(history["loss"]), FIRST + len(history["loss"]) - 1
    columns = {name: 1 + k for k, name in enumerate(history)}
    sheet.put(FIRST - 1, 0, "epoch", header("given", level=2))
    for name, col in columns.items():
        sheet.put(FIRST - 1, col, name, header("cost", level=2))
    for k in range(epochs):
        sheet.put(FIRST + k, 0, k + 1, restyled(BODY, number_format="0"))
        for name, col in columns.items():
            sheet.put(FIRST + k, col, history[name][k], restyled(BODY, number_format=COST))

    def area(name: str) -> str:
        col = columns[name]
        return f"{a1(FIRST, col, absolute=True)}:{a1(last, col, absolute=True)}"

    numbers = f"{a1(FIRST, 0, absolute=True)}:{a1(last, 0, absolute=True)}"
    watched = "val_loss" if "val_loss" in columns else "loss"
    measure, rises, threshold = (record["measure"][key] for key in ("name", "rises", "threshold"))
    measured = f"val_{measure}" if f"val_{measure}" in columns else measure
    most, best_of, reached = ("MAX", max, ">=") if rises else ("MIN", min, "<=")
    losses, best = history[watched], min(history[watched])
    sheet.put(3, 0, "Answers", HEADING)
    _answer(sheet, 4, f"best epoch, by {watched}", losses.index(best) + 1,
            f"INDEX({numbers},MATCH(MIN({area(watched)}),{area(watched)},0))", "0")  # fmt: skip
    _answer(sheet, 5, f"best {measured}", best_of(history[measured]), f"{most}({area(measured)})", COST)
    sheet.put(6, 0, "threshold", LABEL)
    goal = a1(*sheet.put(6, ANSWER, threshold, restyled(INPUT, number_format="0.00")), absolute=True)
    there = [int(x >= threshold if rises else x <= threshold) for x in history[measured]]
    formulas = [f"IF({a1(FIRST + k, columns[measured])}{reached}{goal},1,0)" for k in range(epochs)]
    flags = {f"first epoch with {measured} at the threshold, 0 for none": ("reached", there, formulas)}
    if watched == "val_loss":
        falls, at = history["loss"], losses.index(best)
        past = [int(k > at and falls[k] < falls[at]) for k in range(epochs)]
        epoch = a1(4, ANSWER, absolute=True)
        then, col = f"INDEX({area('loss')},{epoch})", columns["loss"]
        formulas = [f"IF(AND({a1(r, 0)}>{epoch},{a1(r, col)}<{then}),1,0)" for r in range(FIRST, last + 1)]
        said = "first epoch over-fitting: past the best val_loss, loss falls, 0 for none"
        flags[said] = ("over-fits", past, formulas)
    else:
        sheet.put(8, 0, "over-fitting shows in a validation loss, and this run held no data back for one", LABEL)
    for k, (said, (name, values, formulas)) in enumerate(flags.items()):
        col = 1 + len(columns) + k
        sheet.put(FIRST - 1, col, name, header("given", level=2))
        for row, (value, formula) in enumerate(zip(values, formulas, strict=True)):
            sheet.put(FIRST + row, col, value, restyled(BODY, number_format="0"), formula=formula)
        those = f"{a1(FIRST, col, absolute=True)}:{a1(last, col, absolute=True)}"
        first = values.index(1) + 1 if 1 in values else 0
        _answer(sheet, 7 + k, said, first, f"IFERROR(INDEX({numbers},MATCH(1,{those},0)),0)", "0")
    x = Area(HISTORY, FIRST, 0, last, 0)
    for place, kind in enumerate(("loss", measure)):
        curves = tuple(
            Series(
                name,
                x,
                Area(HISTORY, FIRST, columns[name], last, columns[name]),
                tuple(float(k + 1) for k in range(epochs)),
                tuple(history[name]),
            )
            for name in (kind, f"val_{kind}")
            if name in columns
        )
        sheet.charts.append(Chart(kind, "epoch", kind, curves, 2 + 20 * place, 9, width=620, height=360, x_min=0))
    sheet.widths = {0: 9} | dict.fromkeys(range(1, 8), 13.0)
    sheet.freeze = (FIRST, 1)
    return sheet.check()


def _answer(sheet: Sheet, row: int, said: str, value: float, formula: str, number_format: str) -> None:
    sheet.put(row, 0, said, LABEL)
    sheet.put(row, ANSWER, value, restyled(BODY, number_format=number_format), formula=formula)


def _confusion(record: dict[str, Any]) -> Sheet:
    counts, classes = record["confusion"], record["classes"]
    sheet, size, top = Sheet(CONFUSION, "#059669"), len(classes), 5
    sheet.put(0, 0, "Test pictures: what was taken for what", TITLE)
    sheet.put(
        1, 0, "Rows are what a picture shows, columns what it was taken for; recall and precision follow.", SUBTITLE
    )
    right, total = sum(counts[k][k] for k in range(size)), sum(map(sum, counts))
    whole = f"{a1(top, 1, absolute=True)}:{a1(top + size - 1, size, absolute=True)}"
    diagonal = "+".join(a1(top + k, 1 + k) for k in range(size))
    sheet.put(2, 0, "accuracy", LABEL)
    sheet.put(2, 1, right / total, restyled(BODY, number_format=COST), formula=f"({diagonal})/SUM({whole})")
    for k, name in enumerate(classes):
        sheet.put(top - 1, 1 + k, name, header("given", level=2))
        sheet.put(top + k, 0, name, header("given", level=2))
        for j in range(size):
            sheet.put(top + k, 1 + j, counts[k][j], restyled(BODY, number_format="0"))
        row, col = f"{a1(top + k, 1)}:{a1(top + k, size)}", f"{a1(top, 1 + k)}:{a1(top + size - 1, 1 + k)}"
        hit, in_row = counts[k][k], sum(counts[k])
        in_col = sum(counts[j][k] for j in range(size))
        cell = a1(top + k, 1 + k)
        style = restyled(BODY, number_format="0.0%")
        sheet.put(
            top + k, 1 + size, hit / in_row if in_row else 0, style, formula=f"IF(SUM({row})=0,0,{cell}/SUM({row}))"
        )
        sheet.put(
            top + size, 1 + k, hit / in_col if in_col else 0, style, formula=f"IF(SUM({col})=0,0,{cell}/SUM({col}))"
        )
    sheet.put(top - 1, 1 + size, "recall", header("cost", level=2))
    sheet.put(top + size, 0, "precision", header("cost", level=2))
    sheet.highlights.append(Highlight((top, 1), (top + size - 1, size), "shade"))
    sheet.widths = {0: 13} | dict.fromkeys(range(1, size + 2), 10.5)
    sheet.freeze = (top, 1)
    return sheet.check()


def _activity(record: dict[str, Any]) -> Sheet:
    sheet, top = Sheet(ACTIVITY, "#7C3AED"), 4
    sheet.put(0, 0, "After ReLU: how much is zero", TITLE)
    said = f"Counted over {SAMPLES} test pictures at most; a dead unit is zero for every one of them, at every place."
    sheet.put(1, 0, said, SUBTITLE)
    names = ("layer", "numbers", "of them zero", "share", "units", "of them dead", "share")
    for col, name in enumerate(names):
        sheet.put(top - 1, col, name, header("given" if col in (0, 1, 4) else "forward", level=2))
    for row, layer in enumerate(record["activity"], top):
        sheet.put(row, 0, layer["layer"])
        for col, whole, part in ((1, layer["numbers"], layer["zeros"]), (4, layer["units"], layer["dead"])):
            for k, count in enumerate((whole, part)):
                sheet.put(row, col + k, count, restyled(BODY, number_format="#,##0"))
            formula = f"{a1(row, col + 1)}/{a1(row, col)}"
            sheet.put(row, col + 2, part / whole, restyled(BODY, number_format="0.0%"), formula=formula)
    last = top + len(record["activity"]) - 1
    for col in (3, 6):
        sheet.highlights.append(Highlight((top, col), (last, col), "shade"))
    sheet.widths = {0: 26} | dict.fromkeys(range(1, 7), 13.0)
    sheet.freeze = (top, 1)
    return sheet.check()


SHEETS: dict[str, tuple[Callable[[dict[str, Any]], Sheet], ...]] = {
    "pictures": (_confusion,),
    "text": (written_sheet,),
    "series": (forecast_sheet,),
}  # by the kind of data
