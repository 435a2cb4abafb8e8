from __future__ import annotations

import struct
from html.parser import HTMLParser

import pytest

from simulator.check.feedback import Feedback
from simulator.check.gradebook import Row
from simulator.check.marking import CellMark, Marking, Name, OwnError, Status
from simulator.errors import SettingError
from simulator.report.marking import Summary, class_figure, class_page, student_page, summary_of

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(1)>&"
COLUMNS = {"Z": "forward", "dZ": "backward", "W new": "update"}
SLOPE = Name("slope", "slope left out", "Was the slope left out?")


class Page(HTMLParser):
    """The elements, the text, and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def marking(epochs: int = 70, wrong_from: int = 50, text: str = "Ada", errors: int = 1) -> Marking:
    """dZ is wrong from an epoch on, and what follows is carried."""
    cells = []
    for epoch in range(epochs):
        late = epoch >= wrong_from
        for col, (quantity, stage) in enumerate(COLUMNS.items()):
            follows = Status.CARRIED if late and col == 2 else Status.CORRECT
            status = Status.WRONG if late and col == 1 else follows
            cells.append(CellMark("Training", 5 + epoch, col, quantity, "", stage, epoch, status, 0.0616, 0.2495))
    wrong = tuple(c for c in cells if c.status is Status.WRONG)
    name = Name("slope", SLOPE.title, SLOPE.question if text == "Ada" else text)
    found = tuple(OwnError(wrong, (name,), "=A1" if text == "Ada" else text, 20) for _ in range(errors if wrong else 0))
    remarks = (text,)
    return Marking(text, text, "and", text, cells, found, frozenset(COLUMNS), 100, remarks)


def test_a_students_page_has_score_summary_card_and_remarks() -> None:
    text = Page(student_page(marking(), 60.5, 100, Feedback.FULL)).text
    assert "60.5 of 100 points" in text
    assert "1 own mistake. 190 of 210 cells are right, 20 of them by your own numbers." in text
    assert "1. Training!B56dZ, epoch 50" in text
    assert "found0.2495expected0.0616your formula=A1Was the slope left out?" in text
    assert "100 cells before it are right. 19 more cells of dZ go wrong in the same way." in text
    assert "20 cells follow from it; they agree with your own value, so they are not marked down." in text
    assert "Remarks\n\nAda" in text


# level,          shows the map, asks, and tells the expected number
LEVELS = [
    (Feedback.NONE, False, False, False),
    (Feedback.CELL, True, False, False),
    (Feedback.HINT, True, True, False),
    (Feedback.FULL, True, True, True),
]


@pytest.mark.parametrize(("level", "shows", "asks", "tells"), LEVELS)
def test_a_page_tells_no_more_than_its_level(level: Feedback, shows: bool, asks: bool, tells: bool) -> None:
    page = student_page(marking(), 60, 100, level)
    assert ("Training!B56" in page, SLOPE.question in page, "0.0616" in page) == (shows, asks, tells)
    assert "60 <small>of 100 points" in page


def test_the_map_has_the_first_epochs_and_those_in_which_a_mistake_begins() -> None:
    text = Page(student_page(marking(), 60, 100, Feedback.FULL)).text.replace("\n", " ")
    rows = " ".join(f"{epoch}✓✓✓" for epoch in range(20))
    assert f"epochZdZW new {rows} ⋮30 more epochs 50✓✗→ ⋮19 more epochs" in text


def test_a_map_cell_shows_the_most_serious_status_and_sheets_are_grouped() -> None:
    cells = [
        CellMark(sheet, row, 0, "Z", "", "forward", 1, status, 1.0, 1.0)
        for sheet, row, status in [
            ("dense", 1, Status.CORRECT),
            ("out", 1, Status.MISSING),
            ("dense", 2, Status.TYPED_OVER),
            ("dense", 3, Status.CARRIED),
            ("out", 2, Status.NOT_REACHED),
        ]
    ]
    page = Page(student_page(Marking("f", "i", "", "T", cells, (), frozenset("Z"), 0), 1, 1, Feedback.CELL))
    assert "denseoutepochZZ\n1#?" in page.text


def test_many_cards_are_cut() -> None:
    page = student_page(marking(errors=45), 0, 100, Feedback.CELL)
    assert page.count('class="card"') == 40
    assert "And 5 more. Mend these first." in page


def test_a_page_without_mistakes_says_so() -> None:
    text = Page(student_page(marking(wrong_from=99), 100, 100, Feedback.FULL)).text
    assert "No mistake. 210 of 210 cells are right." in text
    assert "What to look at" not in text


def students() -> list[Summary]:
    return [
        summary_of(marking(text="Ada"), 60, 100, "students/ada.html"),
        Summary(Row("bob", "b.xlsx", 100, 100, 0, 0, 0, 0), "students/bob smith.html"),
        Summary(Row("eve", "e.xlsx", 95, 100, 1, 0, 1, 0, "Training!A6"), "eve.html", ("cells left empty",), "Z"),
        Summary(Row("sam", "s.xlsx", 99, 100, 1, 0, 1, 0, "Training!A7"), "sam.html", ("cells left empty",), "Z"),
        Summary(Row("kim", "k.xlsx", None, 100, remark="A workbook is a zip file.")),
    ]


def test_the_class_page_counts_files_scores_mistakes_and_first_columns() -> None:
    page = Page(class_page(students(), title="AND"))
    text = page.text.replace("\n", " ")
    assert "4 files marked, 1 could not be read." in text
    assert "Lowest 60, middle 97, highest 100 of 100 points." in text
    assert "90–100 %3 80–90 %0 70–80 %0 60–70 %1 50–60 %0" in text
    assert "mistakestudents cells left empty2 slope left out1" in text
    assert "columnstudents Z2 dZ1" in text
    assert "kimnot readA workbook is a zip file." in text
    links = [value for name, value in page.attributes if name == "href"]
    assert links == ["students/ada.html", "students/bob%20smith.html", "eve.html", "sam.html"]


def test_a_class_of_none_or_of_broken_files_has_a_page_too() -> None:
    assert "0 files marked, 0 could not be read." in class_page([])
    assert "0 files marked, 1 could not be read." in class_page(students()[-1:], class_figure(students()[-1:]))


def hostile_pages() -> list[str]:
    bad = marking(text=HOSTILE)
    summary = Summary(Row(HOSTILE, HOSTILE, 1, 2, 1, 0, 0, 0, HOSTILE, HOSTILE, HOSTILE), HOSTILE, (HOSTILE,), HOSTILE)
    scheme = summary._replace(page="javascript:alert(1)")
    pages = [class_page([summary, scheme], class_figure([summary]), HOSTILE)]
    return pages + [student_page(bad, 1, 2, level) for level in Feedback]


def test_what_comes_from_a_file_is_text_and_never_an_element() -> None:
    for page in map(Page, hostile_pages()):
        assert "script" not in page.tags
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert HOSTILE in page.text
    for page in map(Page, hostile_pages()):
        assert not [
            value for name, value in page.attributes if name in ("href", "src") and value.startswith("javascript:")
        ]


def test_a_page_loads_nothing() -> None:
    for text in [*hostile_pages(), class_page(students(), class_figure(students()))]:
        page = Page(text)
        assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
        sources = [value for name, value in page.attributes if name in ("src", "srcset", "poster", "background")]
        assert all(value.startswith("data:image/png;base64,") for value in sources)
        assert "url(" not in text
        assert "@import" not in text
        assert "default-src 'none'" in text
        assert 'name="viewport" content="width=device-width,initial-scale=1"' in text


def test_a_page_can_be_written_though_a_files_name_is_not_unicode() -> None:
    assert "a?.xlsx" in student_page(marking(text="a\udcff.xlsx"), 1, 2, Feedback.FULL).encode().decode()
    assert class_page([Summary(Row("a\udcff", "f", 1, 2), "a\udcff.html")]).encode()


def test_a_summary_survives_its_json() -> None:
    for summary in students():
        assert Summary.from_json(summary.to_json()) == summary


def test_a_summary_that_was_cut_off_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        Summary.from_json("")
    assert str(caught.value) == (
        "A summary has row, page, mistakes and quantity. Received: JSONDecodeError: "
        "Expecting value: line 1 column 1 (char 0). Mark this file again."
    )
    with pytest.raises(SettingError) as caught:
        Summary.from_json("{}")
    assert str(caught.value) == (
        "A summary has row, page, mistakes and quantity. Received: KeyError: 'row'. Mark this file again."
    )


def test_the_figure_is_the_same_png_for_the_same_class_and_shows_its_numbers() -> None:
    first, again, other = class_figure(students()), class_figure(students()), class_figure(students()[:1])
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">2I", first[16:24]) == (484, 1023)  # narrow enough for a phone: panels one below the other
    assert first == again != other


def test_a_mistake_named_with_dollar_signs_is_drawn_as_text() -> None:
    many = [Summary(Row("a", "f", 1, 2), "", tuple(f"$x^{k}$ or $" for k in range(20)), "$\\frac$")]
    assert class_figure(many)[:4] == b"\x89PNG"
