"""LibreOffice Calc over UNO, with a private profile and pipe; runs in the Python that has `uno`.

LibreOffice trusts the values that a file stores, so everything is recalculated after loading. Macros and
links are off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))

from simulator.xlsx.engines.protocol import serve

RESTART = 81  # what soffice exits with once, when it has set up a fresh profile


def recalculate(path, request):  # type: ignore[no-untyped-def]
    import uno

    soffice = sys.argv[3]
    with tempfile.TemporaryDirectory() as profile:
        pipe = f"simulator{os.getpid()}"
        command = [
            soffice,
            f"-env:UserInstallation={uno.systemPathToFileUrl(profile)}",
            "--headless",
            "--norestore",
            "--nologo",
            "--nodefault",
            f"--accept=pipe,name={pipe};urp;",
        ]
        process = start(command)
        try:
            resolver = uno.getComponentContext().ServiceManager.createInstance("com.sun.star.bridge.UnoUrlResolver")
            context = None
            for _ in range(600):
                try:
                    context = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
                    break
                except uno.getClass("com.sun.star.connection.NoConnectException"):
                    if process.poll() == RESTART:
                        process = start(command)
                    time.sleep(0.1)
            if context is None:
                raise SystemExit("LibreOffice did not answer within a minute")
            desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
            options = {"Hidden": True, "MacroExecutionMode": 0, "UpdateDocMode": 0}
            url = uno.systemPathToFileUrl(os.path.abspath(path))
            document = desktop.loadComponentFromURL(
                url, "_blank", 0, tuple(_property(k, v) for k, v in options.items())
            )
            document.calculateAll()
            yield from read(document, request)
            document.close(True)
            desktop.terminate()
        finally:
            process.kill()


def start(command):  # type: ignore[no-untyped-def]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def read(document, request):  # type: ignore[no-untyped-def]
    from com.sun.star.sheet.FormulaResult import ERROR

    for sheet, (rows, columns) in request.items():
        if not document.Sheets.hasByName(sheet):
            yield sheet, ([None] * columns for _ in range(rows))
            continue
        cells = document.Sheets.getByName(sheet)
        found = [list(row) for row in cells.getCellRangeByPosition(0, 0, columns - 1, rows - 1).getDataArray()]
        wrong = cells.getCellRangeByPosition(0, 0, columns - 1, rows - 1).queryFormulaCells(ERROR)
        for area in wrong.RangeAddresses:
            for r in range(area.StartRow, area.EndRow + 1):
                for c in range(area.StartColumn, area.EndColumn + 1):
                    found[r][c] = "#ERROR"
        yield sheet, iter(found)


def _property(name, value):  # type: ignore[no-untyped-def]
    from com.sun.star.beans import PropertyValue

    p = PropertyValue()
    p.Name, p.Value = name, value
    return p


if __name__ == "__main__":
    serve(recalculate)
