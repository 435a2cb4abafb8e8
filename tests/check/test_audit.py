"""Sheets as classes make them, by hand and with mistakes; openpyxl writes formulas without values."""

from __future__ import annotations

import json
from pathlib import Path

import formualizer
import pytest
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from simulator.check.audit import Audit, Finding, audit, audit_lines, record_of
from simulator.errors import SettingError, WorkbookError
from simulator.lessons import find_lesson
from simulator.xlsx.submission import read_submission

Formulas = dict[str, str]  # column -> formula with {h1} for this row's cell, {^w1} for the cell above, {lr}
WEIGHTS = [0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75]
INPUTS, TARGETS = [0.05, 0.1, 0.2], [0.01, 0.99]
ACTIVATIONS = {"sigmoid": "=1/(1+EXP(-{{{}}}))", "tanh": "=TANH({{{}}})", "linear": "={{{}}}"}
SLOPES = {"sigmoid": "{{{0}}}*(1-{{{0}}})", "tanh": "(1-{{{0}}}^2)", "linear": "1"}


def dense(*sizes: int, activations: tuple[str, ...] = (), bias: bool = False) -> Formulas:
    """The right formulas of a ledger, in the columns' order; an input's, target's and first weight's are numbers."""
    activations = activations or ("sigmoid",) * (len(sizes) - 1)
    letters = [*"hk"[: len(sizes) - 2], "o"]
    table = {f"t{n}": "={^}" for n in range(1, sizes[-1] + 1)} | {f"i{n}": "={^}" for n in range(1, sizes[0] + 1)}
    sources, layers, number = [f"i{n}" for n in range(1, sizes[0] + 1)], [], 0
    forward: Formulas = {}
    for i, (letter, size, activation) in enumerate(zip(letters, sizes[1:], activations, strict=True), 1):
        layer = []
        for u in range(1, size + 1):
            weights = [f"w{number + j}" for j in range(1, len(sources) + 1)]
            number += len(sources)
            total = "+".join(f"{{{w}}}*{{{s}}}" for w, s in zip(weights, sources, strict=True))
            forward[f"{letter}{u}"] = f"={total}" + (f"+{{b{i}}}" if bias else "")
            forward[f"a_{letter}{u}"] = ACTIVATIONS[activation].format(f"{letter}{u}")
            layer.append((f"a_{letter}{u}", weights, sources, activation))
        layers.append(layer)
        sources = [name for name, *_ in layer]
    table |= {f"w{n}": f"={{^w{n}}}-{{lr}}*{{^dE/dw{n}}}" for n in range(1, number + 1)}
    table |= {f"b{i}": "={^}" for i in range(1, len(sizes))} if bias else {}
    table |= forward
    table |= {f"E{n}": f"=0.5*({{t{n}}}-{{a_o{n}}})^2" for n in range(1, sizes[-1] + 1)}
    table["E_tot"] = "=" + "+".join(f"{{E{n}}}" for n in range(1, sizes[-1] + 1))
    deltas = {f"a_o{n}": f"({{a_o{n}}}-{{t{n}}})" for n in range(1, sizes[-1] + 1)}
    gradients: Formulas = {}
    for layer in reversed(layers):
        below: dict[str, list[str]] = {}
        for name, weights, inputs, activation in layer:
            delta = f"{deltas[name]}*{SLOPES[activation].format(name)}"
            for w, source in zip(weights, inputs, strict=True):
                gradients[f"dE/d{w}"] = f"={delta}*{{{source}}}"
                below.setdefault(source, []).append(f"{delta}*{{{w}}}")
        deltas = {source: f"({'+'.join(terms)})" for source, terms in below.items()}
    return table | {f"dE/dw{n}": gradients[f"dE/dw{n}"] for n in range(1, number + 1)}


def put_ledger(
    sheet: Worksheet,
    table: Formulas,
    *,
    row: int = 4,
    col: int = 1,
    rate: str = "$B$1",
    epochs: int = 12,
    headings: dict[str, str] | None = None,
    biases: tuple[float, ...] = (0.35, 0.6),
) -> dict[str, str]:
    """Write a ledger, its headings in `row`; returns the letters of its columns."""
    letters = {name: get_column_letter(col + j) for j, name in enumerate(table)}
    for name, letter in letters.items():
        sheet[f"{letter}{row}"] = (headings or {}).get(name, name)
        first = {"t": TARGETS, "i": INPUTS, "w": WEIGHTS, "b": biases}.get(name[0])
        for r in range(row + 1, row + 1 + epochs):
            text = table[name].replace("{^}", f"{{^{name}}}")
            for other, there in letters.items():
                text = text.replace(f"{{{other}}}", f"{there}{r}").replace(f"{{^{other}}}", f"{there}{r - 1}")
            given = first is not None and r == row + 1
            sheet[f"{letter}{r}"] = first[int(name[1:]) - 1] if given and first else text.replace("{lr}", rate)
    return letters


def class_book(table: Formulas | None = None, rate: float = 0.5, **options: object) -> Workbook:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    sheet["A1"], sheet["B1"] = "learning rate", rate
    put_ledger(sheet, table or dense(2, 2, 2), **options)  # type: ignore[arg-type]
    return book


def audited(book: Workbook, folder: Path, network: str = "", *, computed: bool = False) -> Audit:
    path = folder / "class.xlsx"
    book.save(path)
    if computed:
        path.write_bytes(formualizer.recalculate_xlsx_bytes(path.read_bytes())["bytes"])
    return audit(read_submission(path), network)


def kinds(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.kind, f.first.quantity) for f in findings]


@pytest.mark.parametrize("computed", [False, True])
def test_a_ledger_with_right_formulas_is_right(tmp_path: Path, computed: bool) -> None:
    lines = audit_lines(audited(class_book(), tmp_path, computed=computed))
    assert lines[:2] == [
        "Sheet1!A4:AE16: 2-2-2 sigmoid, learning rate 0.5 (Sheet1!B1), 12 epochs",
        "  all 372 cells are right by their own row",
    ]


def changed(**formulas: str) -> Formulas:
    """The 2-2-2 ledger with other formulas; dEdw1 stands for dE/dw1."""
    table = dense(2, 2, 2)
    return table | {name.replace("dEd", "dE/d"): formula for name, formula in formulas.items()}


G1, G2 = "({a_o1}-{t1})*{a_o1}*(1-{a_o1})", "({a_o2}-{t2})*{a_o2}*(1-{a_o2})"
# planted formulas,                                                                      misconception
MISTAKES = [
    ({"dEdw5": "=({a_o1}-{t1})*{a_h1}"}, "slope-forgotten-output"),
    ({"dEdw1": f"=({G1}*{{w5}}+{G2}*{{w7}})*{{i1}}"}, "slope-forgotten-hidden"),
    ({"dEdw1": f"=({G1}*{{w6}}+{G2}*{{w7}})*{{a_h1}}*(1-{{a_h1}})*{{i1}}"}, "wrong-weight"),
    ({"dEdw2": f"=({G1}*{{w5}})*{{a_h1}}*(1-{{a_h1}})*{{i2}}"}, "path-missing"),
    ({"dEdw3": f"={G1}*{{w6}}+{G2}*{{w8}}*{{a_h2}}*(1-{{a_h2}})*{{i1}}"}, "brackets-missing"),
    ({"w3": "={^w3}+{lr}*{^dE/dw3}"}, "update-sign"),
    ({"w4": "={^w4}-{lr}*{^dE/dw3}"}, "another-gradient"),
    ({"dEdw8": "=({t2}-{a_o2})*{a_o2}*(1-{a_o2})*{a_h2}"}, "label-first"),
    ({"E1": "=({t1}-{a_o1})^2"}, "factor-two"),
    ({"h1": "={w1}*{i1}+{w3}*{i2}"}, "wrong-weight"),
    ({"a_h2": "=1/(1+EXP({h2}))"}, "exponent-sign"),
]


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(("formulas", "name"), MISTAKES)
def test_a_planted_mistake_is_found_in_its_column_and_named(
    tmp_path: Path, formulas: dict[str, str], name: str, computed: bool
) -> None:
    (table,) = audited(class_book(changed(**formulas)), tmp_path, computed=computed).tables
    (column,) = formulas
    assert kinds(table.findings) == [("wrong", column.replace("dEd", "dE/d"))]
    assert name in [n.key for n in table.findings[0].names]
    assert len(table.findings[0].cells) == (11 if column.startswith("w") else 12)


def test_updated_weights_in_a_gradient_are_named(tmp_path: Path) -> None:
    book = class_book()
    sheet = book["Sheet1"]
    for row in range(5, 16):  # the row below has the next weights: w5 in I, w7 in K
        for letter in "IK":
            sheet[f"X{row}"] = sheet[f"X{row}"].value.replace(f"{letter}{row}", f"{letter}{row + 1}")
    (table,) = audited(book, tmp_path).tables
    assert kinds(table.findings) == [("wrong", "dE/dw1")]
    assert [n.key for n in table.findings[0].names] == ["updated-weights"]


def test_a_rate_without_dollar_signs_drifts(tmp_path: Path) -> None:
    book = class_book()
    sheet = book["Sheet1"]
    for row in range(6, 17):
        sheet[f"H{row}"] = sheet[f"H{row}"].value.replace("$B$1", f"B{row - 5}")
    (table,) = audited(book, tmp_path, computed=True).tables
    assert {f.kind for f in table.findings} == {"drift"}
    assert {f.first.quantity for f in table.findings} == {"w4"}


def test_a_number_typed_over_a_formula_is_found(tmp_path: Path) -> None:
    book = class_book()
    book["Sheet1"]["G9"] = 0.21
    lines = audit_lines(audited(book, tmp_path, computed=True))
    assert lines[1] == (
        "  Sheet1!G9 (w3, epoch 5): 0.21 is typed where the rows around it hold a formula; its own row gives 0.2498."
    )
    assert len([line for line in lines if not line.startswith("  Note")]) == 2


def test_a_column_with_another_learning_rate_is_reported(tmp_path: Path) -> None:
    table = changed(w5="={^w5}-0.05*{^dE/dw5}", w6="={^w6}-0.05*{^dE/dw6}")
    lines = audit_lines(audited(class_book(table), tmp_path))
    assert lines[1] == (
        "  Sheet1!I6 (w5, epoch 2): w5, w6 are updated with the learning rate 0.05 in rows 6 to 16, "
        "not with 0.5 (Sheet1!B1)."
    )


def test_a_rate_that_changes_on_the_way_is_reported_with_its_rows(tmp_path: Path) -> None:
    book = class_book()
    for row in range(10, 17):
        for col in "EFGHIJKL":
            cell = book["Sheet1"][f"{col}{row}"]
            cell.value = cell.value.replace("$B$1", "0.1")
    lines = audit_lines(audited(book, tmp_path))
    assert lines[1] == (
        "  Sheet1!E10 (w1, epoch 6): w1, w2, w3, w4, w5, w6, w7, w8 are updated with the learning rate 0.1 "
        "in rows 10 to 16, not with 0.5 (Sheet1!B1)."
    )


RATES = [
    # cells,                          in formulas, found
    ({"A1": "LR=0.5"}, "0.5", "Sheet1!A1"),
    ({"A1": "Learning Rate = 0,5"}, "0.5", "Sheet1!A1"),
    ({"A1": "η", "A2": 0.5}, "$A$2", "Sheet1!A2"),
    ({"C2": "eta:", "D2": 0.5}, "$D$2", "Sheet1!D2"),
    ({"A1": "learning rate (η)", "B1": "=1/2"}, "$B$1", "Sheet1!B1"),
    ({"A1": "nothing said", "D1": 0.5}, "$D$1", "Sheet1!D1"),
    ({"A1": "nothing said"}, "0.5", "from the updates"),
]


@pytest.mark.parametrize(("cells", "used", "found"), RATES)
def test_the_learning_rate_is_found(tmp_path: Path, cells: dict[str, object], used: str, found: str) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for at, value in cells.items():
        sheet[at] = value
    put_ledger(sheet, dense(2, 2, 2), rate=used)
    (table,) = audited(book, tmp_path).tables
    assert (table.rate, table.rate_from, table.findings) == (0.5, found, ())


GRADIENTS = ["dE/dw{}", "dE_total / dw{}", "∂E/∂w{}", "dEt/dw{}", "δE_total/δw{}", "dE/dw_{}", "dE/dW{}", "∂E_tot/∂w{}"]
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@pytest.mark.parametrize("spelling", GRADIENTS)
def test_gradients_are_found_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    headings = {f"dE/dw{n}": spelling.format(n) for n in range(1, 9)}
    (table,) = audited(class_book(headings=headings), tmp_path).tables
    assert (table.checked, table.findings) == (372, ())


# a whole sheet in one hand
HANDS = [
    {"t": "T{}", "i": "I{}", "w": "W{}", "h": "net_h{}", "a_h": "out_h{}", "o": "net_o{}", "a_o": "out_o{}"},
    {"a_h": "sigmoid(h{})", "a_o": "ŷ{}", "E": "E_o{}", "E_tot": "Total error"},
    {"t": "target{}", "i": "x{}", "h": "neth{}", "a_h": "outh{}", "o": "neto{}", "a_o": "outo{}", "E_tot": "E_total"},
    {"t": "y{}", "i": "x{}", "h": "h{}", "a_h": "σ(h{})", "a_o": "σ(o{})", "E_tot": "Error"},
    {"a_h": "ah{}", "a_o": "ao{}", "E_tot": "Etotal"},
    {"a_h": "a h{}", "a_o": "a o{}", "E_tot": "E"},
]


@pytest.mark.parametrize("hand", HANDS)
def test_labels_are_read_as_classes_write_them(tmp_path: Path, hand: dict[str, str]) -> None:
    headings = {}
    for name in dense(2, 2, 2):
        stem = name.rstrip("0123456789")
        headings[name] = hand.get(stem, f"{stem}{{}}").format(name[len(stem) :])
    (table,) = audited(class_book(headings=headings), tmp_path).tables
    assert (table.checked, table.findings) == (372, ())


def test_subscripts_are_read_as_numbers(tmp_path: Path) -> None:
    headings = {name: name.translate(SUBSCRIPTS) for name in dense(2, 2, 2)}
    (table,) = audited(class_book(headings=headings), tmp_path).tables
    assert (table.checked, table.findings) == (372, ())


@pytest.mark.parametrize(
    ("sizes", "activations", "network"),
    [
        ((2, 3, 1), (), "2-3-1 sigmoid"),
        ((3, 2, 2), (), "3-2-2 sigmoid"),
        ((2, 2, 2, 1), (), "2-2-2-1 sigmoid"),
        ((2, 2, 2), ("tanh", "linear"), "2-2-2 tanh-linear"),
        ((2, 1), (), "2-1 sigmoid"),
    ],
)
def test_the_network_is_inferred(
    tmp_path: Path, sizes: tuple[int, ...], activations: tuple[str, ...], network: str
) -> None:
    book = class_book(dense(*sizes, activations=activations))
    (table,) = audited(book, tmp_path).tables
    assert (table.network, table.findings) == (network, ())


def test_biases_stand_in_columns_or_beside_the_table(tmp_path: Path) -> None:
    (table,) = audited(class_book(dense(2, 2, 2, bias=True)), tmp_path).tables
    assert (table.checked, table.findings) == (396, ())
    formulas = {
        name: text.replace("{b1}", "$D$1").replace("{b2}", "$F$1")
        for name, text in dense(2, 2, 2, bias=True).items()
        if name[0] != "b"
    }
    book = class_book(formulas)
    for at, value in {"C1": "b1", "D1": 0.35, "E1": "b2", "F1": 0.6}.items():
        book["Sheet1"][at] = value
    (table,) = audited(book, tmp_path).tables
    assert (table.checked, table.findings) == (372, ())


def test_targets_that_only_formulas_know_and_absent_columns_are_worked_out(tmp_path: Path) -> None:
    table = {
        name: text.replace("{t1}", "0.01").replace("{t2}", "0.99")
        for name, text in dense(2, 2, 2).items()
        if name[0] != "t"
    }
    (found,) = audited(class_book(table), tmp_path).tables
    assert (found.checked, found.findings) == (348, ())
    total = {n: t for n, t in dense(2, 2, 2).items() if n not in ("E1", "E2")}
    total["E_tot"] = "=0.5*({t1}-{a_o1})^2+0.5*({t2}-{a_o2})^2"
    (found,) = audited(class_book(total), tmp_path).tables
    assert (found.checked, found.findings) == (348, ())


@pytest.mark.parametrize("place", ["below", "beside", "another sheet"])
def test_a_table_per_learning_rate_is_judged_by_its_own(tmp_path: Path, place: str) -> None:
    book = class_book(rate=0.5)
    table = changed(dEdw5="=({a_o1}-{t1})*{a_h1}")
    sheet = book.create_sheet("lr 1") if place == "another sheet" else book["Sheet1"]
    row, col, label = {"below": (22, 1, "A20"), "beside": (4, 35, "AI1"), "another sheet": (4, 1, "A1")}[place]
    sheet[label] = "learning rate"
    cell = sheet[label].offset(0, 1)
    cell.value = 1
    put_ledger(sheet, table, row=row, col=col, rate=f"${cell.column_letter}${cell.row}")
    first, second = audited(book, tmp_path).tables
    assert (first.rate, first.findings) == (0.5, ())
    assert (second.rate, kinds(second.findings)) == (1.0, [("wrong", "dE/dw5")])
    assert (first.checked, second.checked) == (372, 372)


def test_new_weights_to_the_right_are_no_second_table(tmp_path: Path) -> None:
    table = dense(2, 2, 2)
    book = class_book()
    sheet = book["Sheet1"]
    for n in range(1, 9):
        new, old, gradient = (get_column_letter(c + n) for c in (31, 4, 23))
        sheet[f"{new}4"] = f"w{n}"
        for row in range(5, 17):
            sheet[f"{new}{row}"] = f"={old}{row}-$B$1*{gradient}{row}"
            if row > 5:
                sheet[f"{old}{row}"] = f"={new}{row - 1}"
    (found,) = audited(book, tmp_path).tables
    assert (found.checked, found.findings) == (12 * len(table), ())


# The lecture's tables


def put_and(sheet: Worksheet, headings: list[str], change: dict[int, str], epochs: int = 4) -> None:
    """AND in columns C to Q from row 5 on, four rows per epoch; {r} is a sample's row, {s} the block's first one."""
    for j, text in enumerate(headings):
        sheet.cell(4, 3 + j, text)
    samples = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)]
    for e in range(epochs):
        s = 5 + 4 * e
        for i, (x1, x2, y) in enumerate(samples):
            r = s + i
            per_sample = {3: x1, 4: x2, 5: y, 9: f"=C{r}*$F${s}+D{r}*$G${s}+$H${s}", 10: f"=1/(1+EXP(-I{r}))"}
            per_sample |= {12: f"=(J{r}-E{r})/4"}
            for col, value in per_sample.items():
                sheet.cell(r, col, change.get(col, value).format(r=r, s=s) if col in change else value)
        given = {6: 0.5, 7: -0.3, 8: 0.1}
        updated = {6: f"=P{s - 4}", 7: f"=Q{s - 4}", 8: f"=R{s - 4}"}
        t = s + 3
        cost = "=-(" + "+".join(f"E{r}*LN(J{r})+(1-E{r})*LN(1-J{r})" for r in range(s, s + 4)) + ")/4"
        once = {2: e + 1, 11: cost, 13: f"=SUMPRODUCT(L{s}:L{t},C{s}:C{t})", 14: f"=SUMPRODUCT(L{s}:L{t},D{s}:D{t})"}
        once |= {15: f"=SUM(L{s}:L{t})", 16: f"=F{s}-$B$1*M{s}", 17: f"=G{s}-$B$1*N{s}", 18: f"=H{s}-$B$1*O{s}"}
        once |= updated if e else given
        for col, value in once.items():
            sheet.cell(s, col, change[col].format(s=s, t=t) if col in change else value)
    sheet["B4"], sheet["A1"], sheet["B1"] = "Epoch", "LR", 1


AND_HANDS = [
    ["X", "", "Y", "W", "", "b", "Z", "p", "cost", "dC/dZ", "dC/dW", "", "dC/db", "W'", "", "b'"],
    [
        "x1",
        "x2",
        "y",
        "w1",
        "w2",
        "b",
        "z",
        "ŷ",
        "J",
        "dJ/dz",
        "dJ/dw1",
        "dJ/dw2",
        "dJ/db",
        "w1 new",
        "w2 new",
        "b new",
    ],
    ["X", "", "label", "W", "", "b", "net", "a", "C", "∂C/∂Z", "∂C/∂W", "", "∂C/∂b", "W_new", "", "b_new"],
]


@pytest.mark.parametrize("headings", AND_HANDS)
def test_an_and_table_of_a_class_is_found_and_judged(tmp_path: Path, headings: list[str]) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    put_and(sheet, headings, {})
    (table,) = audited(book, tmp_path).tables
    assert (table.network, table.rate, table.rate_from, table.epochs) == ("and", 1.0, "Sheet!B1", 4)
    assert (table.checked, table.findings) == (4 * (6 * 4 + 3 + 1 + 3 + 3), ())
    put_and(sheet, headings, {13: "=SUM(L{s}:L{t})"})
    (table,) = audited(book, tmp_path).tables
    assert kinds(table.findings) == [("wrong", "dC/dW")]
    assert [n.key for n in table.findings[0].names] == ["input-missing"]


def put_numbers(sheet: Worksheet, lesson: str, headings: dict[str, str], wrong: str = "", epochs: int = 3) -> None:
    """The lesson's own numbers from row 6, column D on, under other headings; `wrong` has no 1/4."""
    columns: dict[str, int] = {}
    for row in find_lesson(lesson).run(epochs).rows():
        at = sheet[row.cell.rpartition("!")[2]].offset(-4, 3)
        at.value = row.value * (4 if row.quantity == wrong else 1)
        columns.setdefault(row.quantity, at.column)
    for name, col in columns.items():
        sheet.cell(3, col, headings.get(name, name))


NEURON = {
    "X": "inputs",
    "Y": "labels",
    "P": "ŷ",
    "cost": "J",
    "dW": "∂J/∂W",
    "db": "∂J/∂b",
    "W'": "W new",
    "b'": "b_new",
}
HIDDEN = {"V": "W1", "W": "W2", "dV": "∂C/∂W₁", "dW": "∂C/∂W₂", "V'": "W1'", "W'": "W2 new", "rate": "η", "cost": "C"}


@pytest.mark.parametrize(
    ("lesson", "headings", "wrong", "name"),
    [
        ("decoder", NEURON, "cost", "sum-for-mean"),
        ("decoder-sigmoid", NEURON, "dA", "mean-missing"),
        ("xor", HIDDEN, "dZ2", "mean-missing"),
        ("xor-tanh", HIDDEN, "dZ2", "mean-missing"),
    ],
)
def test_a_lesson_is_found_by_other_headings_and_without_parameters(
    tmp_path: Path, lesson: str, headings: dict[str, str], wrong: str, name: str
) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    put_numbers(sheet, lesson, headings)
    (table,) = audited(book, tmp_path).tables
    assert (table.network, table.epochs, table.findings) == (lesson, 3, ())
    assert table.rate == find_lesson(lesson).learning_rate
    put_numbers(sheet, lesson, headings, wrong)
    (table,) = audited(book, tmp_path).tables
    assert (table.network, table.findings[0].first.quantity) == (lesson, wrong)
    assert name in [n.key for n in table.findings[0].names]


# What is asked and said


def test_json_takes_the_record(tmp_path: Path) -> None:
    record = json.loads(
        json.dumps(record_of(audited(class_book(changed(dEdw5="=({a_o1}-{t1})*{a_h1}")), tmp_path)), allow_nan=False)
    )
    finding = record["tables"][0]["findings"][0]
    assert (finding["kind"], finding["address"], finding["quantity"]) == ("wrong", "Sheet1!AB5", "dE/dw5")
    assert len(finding["cells"]) == 12


def test_the_network_can_be_named(tmp_path: Path) -> None:
    for spec, network in (("2-2-2", "2-2-2 sigmoid"), ("ledger", "2-2-2 sigmoid"), ("2-2-2 tanh", "2-2-2 tanh")):
        (table,) = audited(class_book(), tmp_path, spec).tables
        assert table.network == network
        assert bool(table.findings) == ("tanh" in spec)


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        audited(class_book(), tmp_path, "2-2-2 softplus")
    assert str(caught.value) == (
        "A network is a lesson's name, or sizes and activations of a ledger such as '2-2-2' or '2-3-1 tanh-sigmoid', "
        "of sigmoid, tanh, linear. Received: '2-2-2 softplus'. The lessons are and, and-zeros, decoder, "
        "decoder-sigmoid, decoder-sigmoid-as-printed, xor, xor-tanh, linear-regression, ledger, ledger-bias."
    )


def test_a_sheet_without_a_table_says_what_it_lacks(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for col, text in enumerate(["w1", "w2", "E1"], 1):
        sheet.cell(3, col, text)
    with pytest.raises(WorkbookError) as caught:
        audited(book, tmp_path)
    assert str(caught.value) == (
        "A table is found by its row of headings: a ledger's are i1, w1, h1, a_h1, o1, a_o1, E_tot, dE/dw1, "
        "a lesson's X, Y, W, b, Z, P, cost, dW. Received: row 3 of 'Sheet' has w1, w2, E1; "
        "a ledger also needs i1, h1, o1, dE/dw1. Call the columns so, or name another network with --network."
    )


def test_an_empty_workbook_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkbookError) as caught:
        audited(Workbook(), tmp_path)
    assert "Received: no row of 'class.xlsx' with two of them." in str(caught.value)
