"""A sheet of a forecast, hour by hour, with live errors beside those of the naive one."""

from __future__ import annotations

from typing import Any

from simulator.sheet.address import a1
from simulator.sheet.chart import Area, Chart, Series
from simulator.sheet.sheet import Sheet
from simulator.sheet.style import BODY, LABEL, SUBTITLE, TITLE, header, restyled

FORECAST = "Forecast"
TOP = 7  # row of the first hour, from 0
MEASURED, FOUND, NAIVE = 1, 2, 3  # columns
DEGREES = "0.00"


def forecast_sheet(record: dict[str, Any]) -> Sheet:
    """The hours that a record keeps: measured, forecast a day before, naive, and both errors as formulas."""
    sheet, shown = Sheet(FORECAST, "#059669"), record["shown"]
    hours = len(shown["measured"])
    last = TOP + hours - 1
    sheet.put(0, 0, "The temperature, forecast a day before", TITLE)
    sheet.put(1, 0, f"{record['part']}; the first {hours} hours of the test. Naive: as warm as a day before.", SUBTITLE)
    for col, name in enumerate(("hour", "measured", "forecast", "naive", "error", "naive error")):
        sheet.put(TOP - 1, col, name, header("given" if col < FOUND else "forward", level=2))
    errors: dict[int, list[float]] = {4: [], 5: []}
    for k in range(hours):
        row = TOP + k
        sheet.put(row, 0, k + 1, restyled(BODY, number_format="0"))
        for col, name in ((MEASURED, "measured"), (FOUND, "forecast"), (NAIVE, "naive")):
            sheet.put(row, col, shown[name][k], restyled(BODY, number_format=DEGREES))
        for col, of, name in ((4, FOUND, "forecast"), (5, NAIVE, "naive")):
            error = abs(shown[name][k] - shown["measured"][k])
            errors[col].append(error)
            formula = f"ABS({a1(row, of)}-{a1(row, MEASURED)})"
            sheet.put(row, col, error, restyled(BODY, number_format=DEGREES), formula=formula)
    for row, col, said in ((3, 4, "mean error of the forecast"), (4, 5, "mean error of the naive forecast")):
        sheet.put(row, 0, said, LABEL)
        mean = sum(errors[col]) / hours
        formula = f"AVERAGE({a1(TOP, col)}:{a1(last, col)})"
        sheet.put(row, 4, mean, restyled(BODY, number_format="0.000"), formula=formula)
    x, numbers = Area(FORECAST, TOP, 0, last, 0), tuple(float(k + 1) for k in range(hours))
    curves = tuple(
        Series(name, x, Area(FORECAST, TOP, col, last, col), numbers, tuple(shown[name]))
        for col, name in ((MEASURED, "measured"), (FOUND, "forecast"), (NAIVE, "naive"))
    )
    sheet.charts.append(Chart("a day ahead", "hour", "degrees Celsius", curves, 2, 7, width=900, height=420, x_min=0))
    sheet.widths = {0: 9} | dict.fromkeys(range(1, 6), 12.0)
    sheet.freeze = (TOP, 1)
    return sheet.check()
