"""Every lesson agrees in every engine, and a planted fault is found with its sheet and cell."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simulator.book.workbook import workbook_of
from simulator.errors import EngineError, WorkbookError
from simulator.lessons import LESSONS
from simulator.xlsx import build
from simulator.xlsx.build import build_lesson, verify_file
from simulator.xlsx.recalculate import EMBEDDED, find_libreoffice
from simulator.xlsx.tolerance import COMPENSATED, EXACT, disagrees, policy_of
from simulator.xlsx.verify import Finding, Verification, expected_grid, verify
from simulator.xlsx.writer import write_workbook

TRAINING = "xl/worksheets/sheet3.xml"  # after Read me and Parameters


def complaints(verification: Verification) -> list[str]:
    return [str(m) for f in verification.findings for m in f.mismatches]


@pytest.mark.parametrize("name", LESSONS)
def test_every_cell_of_a_lesson_is_recalculated_to_the_reference(name: str, engine: str, tmp_path: Path) -> None:
    verification = build_lesson(LESSONS[name], tmp_path / "lesson.xlsx", engine=engine)
    assert verification.agrees, complaints(verification)
    found = next(f for f in verification.findings if f.source == engine)
    assert found.cells > 5_000
    if policy_of(engine).rule == "0 ULP":
        assert found.max_ulp == 0


# Parameters that bring |Z| up to 700, where 1 - p is lost and probabilities vanish.
EXTREME = [
    ("and", {"W_0": 350, "W_1": 350, "b": 0}),
    ("and", {"W_0": -350, "W_1": -350, "b": 0}),
    ("and", {"W_0": 700, "W_1": -700, "b": 0}),
    ("and", {"W_0": 20, "W_1": 20, "b": 20}),
    ("and", {"W_0": 16, "W_1": 16, "b": 0.5}),
    ("decoder", {f"W_{i}_{j}": 350 if i % 2 else -350 for i in range(4) for j in range(2)} | {"b_0": 0, "b_1": 0}),
    ("decoder-sigmoid", {f"W_{i}_{j}": 349 if i % 2 else -349 for i in range(4) for j in range(2)}),
    ("xor", {"W_0": 690, "W_1": -600, "W_2": 20}),
    ("xor", {"W_0": -230, "W_1": -230, "W_2": -230}),
    ("xor-tanh", {"W_0": 230, "W_1": 230, "W_2": 230, "V_0_0": 350, "V_0_1": 350}),
    ("linear-regression", {"W": 350, "b": 100}),
]


@pytest.mark.parametrize(("name", "changed"), EXTREME)
def test_no_cell_shows_an_error_up_to_700(name: str, changed: dict[str, float], tmp_path: Path) -> None:
    workbook = workbook_of(LESSONS[name].run(settings=changed))
    for sheet in workbook.sheets:
        assert [at for at, text in expected_grid(sheet).texts.items() if text == "#"] == [], sheet.name
    verification = verify(write_workbook(workbook, tmp_path / "extreme.xlsx"), workbook, EMBEDDED)
    assert verification.agrees, complaints(verification)


def test_errors_beyond_that_are_the_spreadsheets_own(tmp_path: Path) -> None:
    workbook = workbook_of(LESSONS["xor"].run(epochs=4, settings={"W_0": 5000, "W_1": 5000, "W_2": -9000}))
    grid = expected_grid(next(s for s in workbook.sheets if s.name == "Training"))
    assert "#" in grid.texts.values()
    verification = verify(write_workbook(workbook, tmp_path / "beyond.xlsx"), workbook, ["formualizer"])
    assert verification.agrees, complaints(verification)


@pytest.mark.parametrize("name", LESSONS)
def test_everything_follows_when_given_numbers_change(name: str, tmp_path: Path) -> None:
    """The formulas of a file, recalculated for other numbers typed into its cells, give the other run."""
    import openpyxl

    path = tmp_path / "lesson.xlsx"
    run = LESSONS[name].run(epochs=12)
    write_workbook(workbook_of(run), path)
    book = openpyxl.load_workbook(path)
    for setting in run.settings.items.values():
        if setting.kind == "integer":  # the epochs that views pick, and the number of the first one
            book[setting.sheet].cell(setting.row + 1, setting.col + 1).value = 4
        elif setting.kind == "decimal" and not setting.name.startswith("check"):
            book[setting.sheet].cell(setting.row + 1, setting.col + 1).value = round(setting.value * 0.75 + 0.015, 6)
    save_without_notes(book, path)  # and without any stored values: openpyxl keeps none
    verification = verify_file(path, ["ironcalc"])
    recalculated = next(f for f in verification.findings if f.source == "ironcalc")
    assert recalculated.wrong == 0, [str(m) for m in recalculated.mismatches]
    changed = next(f for f in verification.findings if f.source == "stored")
    assert changed.wrong > 400  # the stored values are gone, and that is seen


def save_without_notes(book, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Save through openpyxl, which stores notes where IronCalc does not look for them."""
    from openpyxl.cell.cell import MergedCell

    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if not isinstance(cell, MergedCell):
                    cell.comment = None
        sheet.legacy_drawing = None
    book.save(path)


def planted(tmp_path: Path, change: Callable[[str], str], part: str = TRAINING) -> Verification:
    """Build `and`, change the XML of one part, verify."""
    path, broken = tmp_path / "and.xlsx", tmp_path / "broken.xlsx"
    build_lesson(LESSONS["and"], path, epochs=10, engine="none")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            if name == part:
                changed = change(text.decode())
                assert changed != text.decode(), "the fault was not planted"
                text = changed.encode()
            new.writestr(name, text)
    return verify_file(broken, EMBEDDED)


def test_an_unchanged_copy_agrees(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: xml + " ")
    assert verification.agrees, complaints(verification)


def test_a_wrong_stored_value_is_reported_and_does_not_reach_the_engines(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: re.sub(r'(r="J15"[^>]*><f>[^<]*</f><v>)[^<]*', r"\g<1>3.25", xml))
    found = {f.source: f for f in verification.findings}
    assert [str(m) for m in found["stored"].mismatches] == [
        "Training!J15: stored: value, expected 19.000011351013086, found 3.25"
    ]
    assert all(found[e].wrong == 0 for e in EMBEDDED)


@pytest.mark.parametrize("engine", EMBEDDED)
def test_stale_values_in_every_cell_do_not_reach_an_engine(engine: str, tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: re.sub(r"(</f><v>)[^<]*", r"\g<1>-999", xml))
    found = {f.source: f for f in verification.findings}
    assert found["stored"].wrong > 500
    assert found[engine].wrong == 0


def test_stale_values_in_every_cell_do_not_reach_libreoffice(tmp_path: Path) -> None:
    planted(tmp_path, lambda xml: re.sub(r"(</f><v>)[^<]*", r"\g<1>-999", xml))
    verification = verify_file(tmp_path / "broken.xlsx", ["libreoffice"])
    assert {f.source: f.wrong for f in verification.findings}["libreoffice"] == 0


def test_a_wrong_formula_is_reported_first_among_its_consequences(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: xml.replace("C16*F14+D16*G14+H14</f>", "C16*F14+D16*G14</f>"))
    for engine in EMBEDDED:
        finding = next(f for f in verification.findings if f.source == engine)
        assert str(finding.mismatches[0]).startswith(f"Training!J16: {engine}: value, expected ")
        assert finding.wrong > 10


def test_a_missing_cell_is_reported_by_every_source(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: re.sub(r'<c r="Q13"[^>]*>.*?</c>', "", xml))
    said = complaints(verification)
    assert "Training!Q13: formulas: not a formula, expected a formula, found none" in said
    assert any(s.startswith("Training!Q13: stored: missing, expected ") for s in said)
    assert any(s.startswith("Training!Q13: ironcalc: missing, expected ") for s in said)


def test_a_number_typed_over_a_formula_is_reported_even_when_it_is_right(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: re.sub(r'(r="Z10"[^>]*>)<f>[^<]*</f>', r"\1", xml))
    assert complaints(verification) == ["Training!Z10: formulas: not a formula, expected a formula, found none"]


def test_a_formula_that_is_right_for_these_numbers_only_is_reported(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: re.sub(r'(r="J11"[^>]*><f>)[^<]*', r"\g<1>20", xml))
    assert complaints(verification) == [
        "Training!J11: formulas: another formula, expected =C11*F10+D11*G10+H10, found =20"
    ]


def test_the_same_formula_in_another_spelling_is_accepted(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: xml.replace("C11*F10+D11*G10+H10<", "$C11 * F$10 + (D11*G10) + H10<"))
    assert verification.agrees, complaints(verification)


def test_a_typed_over_cell_is_found_even_when_a_formula_was_added_elsewhere(tmp_path: Path) -> None:
    def swap(xml: str) -> str:
        xml = re.sub(r'(r="Z10"[^>]*>)<f>[^<]*</f>', r"\1", xml)
        return re.sub(r'(<row r="10">.*?)(</row>)', r'\1<c r="AC10"><f>1+1</f><v>2</v></c>\2', xml)

    assert complaints(planted(tmp_path, swap)) == [
        "Training!Z10: formulas: not a formula, expected a formula, found none"
    ]


def test_what_a_reader_writes_beside_the_table_is_theirs(tmp_path: Path) -> None:
    note = '<c r="AC10" t="str"><f>"mine"</f><v>mine</v></c>'
    verification = planted(tmp_path, lambda xml: re.sub(r'(<row r="10">.*?)(</row>)', rf"\1{note}\2", xml))
    assert verification.agrees, complaints(verification)


def test_a_workbook_that_libreoffice_saved_is_verified(tmp_path: Path) -> None:
    """Other text, other cached digits, the same workbook."""
    found = find_libreoffice()
    assert found is not None
    soffice = shutil.which("soffice", path=str(Path(found[0]).parent))  # the .bin asks for a restart on a new profile
    path = tmp_path / "and.xlsx"
    build_lesson(LESSONS["and"], path, epochs=20, engine="none")
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    target = ["--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path / "saved"), str(path)]
    subprocess.run([str(soffice), profile, "--headless", *target], check=True, capture_output=True)
    verification = verify_file(tmp_path / "saved" / "and.xlsx", ["formualizer"])
    assert verification.agrees, complaints(verification)
    assert next(f for f in verification.findings if f.source == "stored").max_ulp > 0


def test_an_error_value_must_be_stored_as_one(tmp_path: Path) -> None:
    path, broken = tmp_path / "beyond.xlsx", tmp_path / "broken.xlsx"
    workbook = workbook_of(LESSONS["xor"].run(epochs=4, settings={"W_0": 5000, "W_1": 5000, "W_2": -9000}))
    write_workbook(workbook, path)
    assert verify(path, workbook, ["ironcalc"]).agrees
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == TRAINING:
                text = re.sub(rb' t="e">(<f>[^<]*</f>)<v>#NUM!</v>', rb">\1<v>7</v>", text, count=1)
            new.writestr(name, text)
    found = {f.source: f for f in verify(broken, workbook, ["ironcalc"]).findings}
    assert found["stored"].wrong == 1
    assert found["ironcalc"].skipped > 100


def test_a_missing_sheet_is_reported(tmp_path: Path) -> None:
    verification = planted(tmp_path, lambda xml: xml.replace('name="Sweep"', 'name="Swept"'), "xl/workbook.xml")
    assert any(s.startswith("Sweep!") and "missing" in s for s in complaints(verification))


def test_a_crashing_engine_costs_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "and.xlsx"
    build_lesson(LESSONS["and"], path, epochs=2, engine="none")
    workbook = workbook_of(LESSONS["and"].run(epochs=2))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "deep.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == TRAINING:  # IronCalc's parser dies of thousands of brackets
                text = re.sub(rb'(r="J15"[^>]*><f>)[^<]*', b"\\g<1>" + b"(" * 100_000 + b"1" + b")" * 100_000, text)
            new.writestr(name, text)
    with pytest.raises(EngineError, match=r"^ironcalc must be able to read the workbook. Received: exit status "):
        verify(tmp_path / "deep.xlsx", workbook, ["ironcalc"])


def test_a_build_that_does_not_verify_leaves_the_earlier_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "and.xlsx"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(build, "verify", lambda p, w, e: Verification(p, "and", 1, [Finding("ironcalc", 1, wrong=1)]))
    assert not build_lesson(LESSONS["and"], path, epochs=2).agrees
    assert path.read_bytes() == b"earlier"

    def interrupted(*_: object) -> Verification:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_lesson(LESSONS["and"], path, epochs=2)
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["and.xlsx"]


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    import openpyxl

    other, text = tmp_path / "other.xlsx", tmp_path / "text.xlsx"
    openpyxl.Workbook().save(other)
    text.write_text("no zip")
    with pytest.raises(WorkbookError, match=r"verify takes workbooks that 'simulator build' wrote"):
        verify_file(other, [])
    for path in (text, tmp_path / "absent.xlsx"):
        with pytest.raises(WorkbookError, match=r"^A workbook must be an .xlsx file that opens. Received: "):
            verify_file(path, [])


def test_a_given_number_that_became_text_is_refused(tmp_path: Path) -> None:
    import openpyxl

    path = tmp_path / "and.xlsx"
    build_lesson(LESSONS["and"], path, epochs=2, engine="none")
    book = openpyxl.load_workbook(path)
    book["Parameters"]["B5"] = "0,5"
    book.save(path)
    with pytest.raises(WorkbookError, match=r"must be a number in its cell. Received: '0,5' for learning_rate"):
        verify_file(path, [])


def test_the_policy_sees_what_it_must() -> None:
    one = np.array([1.0, np.nan, 1e-3, np.nan])
    assert disagrees(np.array([np.nextafter(1, 2), 2.0, np.nan, np.nan]), one, EXACT).tolist() == [
        True,
        True,
        True,
        False,
    ]
    assert disagrees(np.array([1 + 1e-13, np.nan, 1e-3 + 1e-12, np.nan]), one, COMPENSATED).tolist() == [
        False,
        False,
        True,
        False,
    ]
