"""Parameters: every given number once, editable. Data holds X and Y of lessons with many samples."""

from __future__ import annotations

from simulator.lessons.run import Run
from simulator.lessons.setting import DATA, PARAMETERS, PICKERS, ArrayPlace, Setting
from simulator.lessons.training import entry_name
from simulator.sheet.sheet import Sheet, Validation
from simulator.sheet.style import HEADING, INPUT, KEY, LABEL, REMARK, SUBTITLE, TITLE, header, restyled

FORMAT = "General"


def put_setting(sheet: Sheet, setting: Setting) -> None:
    """An input cell with its limits and its defined name."""
    sheet.put(setting.row, setting.col, setting.value, restyled(INPUT, number_format=FORMAT))
    sheet.names[setting.name] = (setting.row, setting.col)
    kind = "A whole number" if setting.kind == "integer" else "A number"
    low: float | str
    high: float | str
    low, high, limits = setting.low, setting.high, f"from {setting.low:g} to {setting.high:g}"
    if setting.name in PICKERS:  # the limits move with the first epoch
        limits = "among the epochs of the table"
        low, high = "=first_epoch", f"=first_epoch+{setting.high - setting.low:.0f}"
    rule = Validation(setting.row, setting.col, setting.kind, low, high, f"{kind} {limits}.")
    sheet.validations.append(rule)


def put_labelled(sheet: Sheet, setting: Setting) -> None:
    """An input cell with its name on the left and its meaning on the right."""
    sheet.put(setting.row, setting.col - 1, setting.name, KEY)
    put_setting(sheet, setting)
    sheet.put(setting.row, setting.col + 1, setting.meaning, REMARK)


def parameters_sheet(run: Run) -> Sheet:
    sheet = Sheet(PARAMETERS, "#E0B93B")
    sheet.put(0, 0, f"{run.lesson.title}: given numbers", TITLE)
    sheet.put(
        1, 0, "Change any yellow cell; every sheet and chart follows. Names work in your own formulas too.", SUBTITLE
    )
    sheet.put_row(3, 0, ["name", "value", "meaning"], header("given", level=2))
    for setting in run.settings.items.values():
        if setting.sheet == PARAMETERS and setting.leaf not in [p.leaf for p in run.settings.arrays]:
            put_labelled(sheet, setting)
    for place in run.settings.arrays:
        if place.sheet == PARAMETERS:
            _put_array(sheet, run, place)
    sheet.widths |= {0: 18} | dict.fromkeys(range(1, 8), 12)
    sheet.one_page = True
    return sheet


def _put_array(sheet: Sheet, run: Run, place: ArrayPlace) -> None:
    rows, columns = place.leaf.shape[::-1] if place.across else place.leaf.shape
    mine = [s.name for s in run.settings.items.values() if s.leaf is place.leaf]
    names = f"{mine[0]} to {mine[-1]}" if len(mine) > 1 else mine[0]
    sheet.put(place.title_row, 0, f"{place.leaf.name}: {place.meaning}", HEADING)
    sheet.put(place.title_row, 2, f"names, row by row: {names}" if rows > 1 else f"named {names}", REMARK)
    row_axis, column_axis = run.lesson.axes.get(place.leaf.name, ("", ""))
    if not row_axis and place.leaf.name in run.lesson.given and rows > 1:
        row_axis = "sample"
    for c in range(columns):
        text = entry_name(column_axis, c) if column_axis else place.leaf.name
        sheet.put(place.row - 1, place.col + c, text, header("given", level=4))
    for r in range(rows):
        sheet.put(place.row + r, place.col - 1, entry_name(row_axis, r) if row_axis and rows > 1 else "", LABEL)
    for setting in run.settings.items.values():
        if setting.leaf is place.leaf:
            put_setting(sheet, setting)


def data_sheet(run: Run) -> Sheet:
    sheet = Sheet(DATA, "#E0B93B")
    sheet.put(0, 0, f"{run.lesson.title}: data", TITLE)
    sheet.put(1, 0, "One sample a row. Change any yellow cell; every sheet and chart follows.", SUBTITLE)
    for place in run.settings.arrays:
        if place.sheet == DATA:
            sheet.put(place.row - 1, place.col, f"{place.leaf.name}", header("given", level=2))
            sheet.put(place.row - 2, place.col, place.meaning, header("given", level=4))
            for setting in run.settings.items.values():
                if setting.leaf is place.leaf:
                    put_setting(sheet, setting)
                    if place.col == 1:
                        sheet.put(setting.row, 0, f"sample {setting.index[0] + 1}", LABEL)
    sheet.widths = {0: 12, 1: 12, 2: 12}
    sheet.freeze = (4, 0)
    return sheet
