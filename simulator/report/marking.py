"""Pages about marked workbooks: one for every student, one for the class. Each is a single HTML file.

A page loads nothing and runs nothing, so names stay on the machine; whatever comes from a file or a roster is escaped.
"""

from __future__ import annotations

import base64
import html
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple
from urllib.parse import quote

from simulator.check.feedback import Feedback, advice, label, moment, numbers, surroundings
from simulator.check.gradebook import Row, row_of
from simulator.check.marking import Marking, OwnError, Status
from simulator.errors import SettingError
from simulator.report.figure import Bars, figure_of
from simulator.sheet.style import BAD, BAD_INK, GOOD, GOOD_INK, INK, LINE, LINK

FIRST_EPOCHS, MOST_CARDS, BINS = 20, 40, 10

# from the least to the most serious: a map's cell shows the most serious status of what it stands for;
# the cells of a marked copy have these colours too
# status              sign  background  ink       legend
SIGNS = {
    Status.CORRECT: ("✓", GOOD, GOOD_INK, "right"),
    Status.CARRIED: ("→", "#CFE8F7", "#1E3A8A", "right by your own numbers"),
    Status.NOT_REACHED: ("·", "#E5E7EB", "#374151", "not reached"),
    Status.MISSING: ("?", "#FFF3A3", "#6B5900", "empty"),
    Status.TYPED_OVER: ("#", "#FFC98A", "#6B3A00", "a number instead of a formula"),
    Status.WRONG: ("✗", BAD, BAD_INK, "wrong"),
}
SERIOUSNESS = list(SIGNS)

STYLE = f"""
*{{box-sizing:border-box}}
body{{margin:0 auto;max-width:46rem;padding:1rem 1rem 3rem;background:#FFF;color:{INK};
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}}
h1{{font-size:1.4rem;line-height:1.25;margin:.5rem 0 .25rem}}
h2{{font-size:1.1rem;margin:2rem 0 .5rem}}
h3{{font-size:1rem;margin:0 0 .25rem}}
p{{margin:.25rem 0 .5rem}}
a{{color:{LINK}}}
.soft{{color:#4B5563;font-size:.9rem}}
.score{{font-size:2.4rem;font-weight:700;line-height:1.2;margin:.75rem 0 .25rem}}
.score small{{font-size:1.1rem;font-weight:400;color:#4B5563}}
.wide{{overflow-x:auto;margin:0 -1rem;padding:0 1rem}}
table{{border-collapse:collapse;font-size:.9rem}}
.list{{width:100%}}
.list th,.list td{{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid {LINE}}}
.list .n{{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}}
.map{{border-collapse:separate;border-spacing:2px;font-size:.8rem;line-height:1}}
.map th{{font-weight:400;color:#4B5563;padding:0 .25rem;white-space:nowrap}}
.map th[scope=row]{{position:sticky;left:0;background:#FFF}}
.map .gap{{text-align:left}}
.map thead .name th{{height:4.5rem;vertical-align:bottom}}
.map thead .name span{{writing-mode:vertical-rl;transform:rotate(180deg)}}
.map td{{min-width:1.4rem;height:1.4rem;text-align:center;border-radius:3px;border:1px solid transparent}}
.legend{{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;margin:.75rem 0;font-size:.85rem}}
.legend b{{display:inline-block;width:1.4rem;line-height:1.3rem;text-align:center;border-radius:3px;margin-right:.4rem;
border:1px solid transparent;font-weight:400}}
.card{{border:1px solid {LINE};border-left:5px solid #B91C1C;border-radius:6px;padding:.75rem 1rem;margin:.75rem 0}}
.card dl{{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.5rem 0}}
.card dt{{color:#4B5563}}
.card dd{{margin:0}}
.ask{{font-weight:600}}
code,.number{{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.9em}}
.bar{{display:inline-block;height:.9rem;background:{LINK};border-radius:2px;vertical-align:middle;margin-right:.4rem}}
td.who{{min-width:7rem}}
.graph{{width:100%}}
.graph th{{font-weight:400;text-align:right;white-space:nowrap;padding-right:.6rem;color:#4B5563;width:1%}}
img{{max-width:100%;height:auto}}
"""


class Summary(NamedTuple):
    """What the class page needs to know of one file; `to_json` keeps it for a run that goes on later.

    row: the gradebook's line, whose score is None when the file could not be read; page: the student's page, relative
    to the class page, "" for none; mistakes: what the own errors are called, each once; quantity: where it first goes
    wrong.
    """

    row: Row
    page: str = ""
    mistakes: tuple[str, ...] = ()
    quantity: str = ""

    def to_json(self) -> str:
        return json.dumps({**self._asdict(), "row": self.row._asdict()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Summary:
        """Raises SettingError when the text is not a whole summary, for example because its writing was interrupted."""
        try:
            given = json.loads(text)
            return cls(Row(**given["row"]), given["page"], tuple(given["mistakes"]), given["quantity"])
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(
                f"A summary has row, page, mistakes and quantity. Received: {type(error).__name__}: {error}. "
                "Mark this file again."
            ) from None


def summary_of(marking: Marking, score: float, maximum: float, page: str = "") -> Summary:
    """The summary of a marked workbook."""
    quantity = marking.errors[0].first.quantity if marking.errors else ""
    return Summary(row_of(marking, score, maximum), page, tuple(dict.fromkeys(map(label, marking.errors))), quantity)


def student_page(marking: Marking, score: float, maximum: float, level: Feedback, carried: float = 1.0) -> str:
    """A student's page as HTML: score, map of the table, own errors as cards, remarks.

    carried: the part of their points that cells get which agree with a wrong one.
    """
    body = [
        f"<h1>{_e(marking.title)}</h1>",
        f'<p class="soft"><bdi>{_e(marking.identifier)}</bdi> · <bdi>{_e(marking.file)}</bdi></p>',
        f'<p class="score">{points_text(score)} <small>of {points_text(maximum)} points</small></p>',
        f"<p>{_outcome(marking)}</p>",
    ]
    if level is not Feedback.NONE:
        body += ["<h2>Your table</h2>", *_map(marking)]
        if marking.errors:
            body.append("<h2>What to look at, in the order of computation</h2>")
            body += [
                _card(error, level, marking.before if n == 1 else 0, carried, n)
                for n, error in enumerate(marking.errors[:MOST_CARDS], 1)
            ]
        if len(marking.errors) > MOST_CARDS:
            body.append(f"<p>And {len(marking.errors) - MOST_CARDS:,} more. Mend these first.</p>")
    if marking.remarks:
        body += ["<h2>Remarks</h2>", "<ul>", *(f"<li>{_e(remark)}</li>" for remark in marking.remarks), "</ul>"]
    return _page(marking.title, body)


def class_page(summaries: Sequence[Summary], figure_png: bytes | None = None, title: str = "Marked workbooks") -> str:
    """The class's page as HTML: scores, mistakes by number of students, where it first goes wrong, and all students."""
    marked = [s for s in summaries if s.row.score is not None]
    unread = len(summaries) - len(marked)
    body = [
        f"<h1>{_e(title)}</h1>",
        f"<p>{count_text(len(marked), 'file')} marked, {unread:,} could not be read.</p>",
        *_scores(marked),
    ]
    if figure_png is not None:
        data = base64.b64encode(figure_png).decode()
        alt = "Bar charts: mistakes by number of students; column of the first wrong cell. The tables say the same."
        body += ["<h2>At a glance</h2>", f'<img alt="{alt}" src="data:image/png;base64,{data}">']
    body += ["<h2>Mistakes</h2>", *_table(("mistake", "students"), _mistakes(marked))]
    body += ["<h2>Where it first goes wrong</h2>", *_table(("column", "students"), _first_columns(marked))]
    body += ["<h2>Students</h2>", *_students(summaries)]
    return _page(title, body)


def class_figure(summaries: Sequence[Summary]) -> bytes:
    """A PNG of two bar charts: mistakes by number of students, and the column of the first wrong cell."""
    panels = [
        Bars("Mistakes", _mistakes(summaries), "students"),
        Bars("Column of the first wrong cell", _first_columns(summaries), "students"),
    ]
    return figure_of("Where the class goes wrong", panels, stacked=True)


# Parts of a student's page


def _outcome(marking: Marking) -> str:
    judged = marking.judged
    counts = Counter(mark.status for mark in judged)
    right, carried = counts[Status.CORRECT] + counts[Status.CARRIED], counts[Status.CARRIED]
    own = f", {carried:,} of them by your own numbers" if carried else ""
    mistakes = count_text(len(marking.errors), "own mistake") if marking.errors else "No mistake"
    asked = len(judged) + sum(marking.absent.values())
    return f"{mistakes}. {right:,} of {count_text(asked, 'cell')} {'is' if right == 1 else 'are'} right{own}."


def _map(marking: Marking) -> list[str]:
    """Columns x epochs: the first epochs, and those in which a mistake begins."""
    begun = {error.first.epoch for error in marking.errors}
    shown_too = marking.to_fill | {error.first.quantity for error in marking.errors}
    worst: dict[tuple[str, str], dict[int, Status]] = defaultdict(dict)
    for mark in marking.cells:
        if mark.quantity in shown_too:
            at = worst[mark.sheet, mark.quantity]
            at[mark.epoch] = max(at.get(mark.epoch, Status.CORRECT), mark.status, key=SERIOUSNESS.index)
    sheets = list(dict.fromkeys(sheet for sheet, _ in worst))
    columns = sorted(worst, key=lambda key: sheets.index(key[0]))
    epochs = sorted({epoch for at in worst.values() for epoch in at})
    rows, before = list[str](), None
    for number, epoch in enumerate(epochs):
        if number >= FIRST_EPOCHS and epoch not in begun:
            continue
        if before is not None and number != before + 1:
            rows.append(_gap(number - before - 1, len(columns)))
        rows.append(f'<tr><th scope="row">{epoch}</th>{"".join(_spot(worst[c].get(epoch)) for c in columns)}</tr>')
        before = number
    if before is not None and before + 1 < len(epochs):
        rows.append(_gap(len(epochs) - before - 1, len(columns)))
    names = "".join(f'<th scope="col"><span>{_e(quantity)}</span></th>' for _, quantity in columns)
    head = [f'<tr class="name"><th scope="col">epoch</th>{names}</tr>']
    if len(sheets) > 1:
        widths = Counter(sheet for sheet, _ in columns)
        head.insert(0, "<tr><th></th>" + "".join(f'<th colspan="{widths[s]}">{_e(s)}</th>' for s in sheets) + "</tr>")
    there = {status for at in worst.values() for status in at.values()}
    return [
        '<div class="wide" tabindex="0" role="region" aria-label="Map of your table"><table class="map">',
        f"<thead>{''.join(head)}</thead><tbody>",
        *rows,
        "</tbody></table></div>",
        '<ul class="legend">',
        *(f"<li><b{_colours(s)}>{SIGNS[s][0]}</b>{SIGNS[s][3]}</li>" for s in SERIOUSNESS if s in there),
        "</ul>",
    ]


def _spot(status: Status | None) -> str:
    if status is None:
        return "<td></td>"
    return f'<td{_colours(status)} title="{SIGNS[status][3]}">{SIGNS[status][0]}</td>'


def _colours(status: Status) -> str:
    _, background, ink, _ = SIGNS[status]
    return f' style="background:{background};color:{ink}"'


def _gap(epochs: int, columns: int) -> str:
    return f'<tr><th scope="row">⋮</th><th class="gap" colspan="{columns}">{count_text(epochs, "more epoch")}</th></tr>'


def _card(error: OwnError, level: Feedback, before: int, carried: float, number: int) -> str:
    first = error.first
    expected, found = numbers(first)
    typed = error.status is Status.TYPED_OVER
    what = _number(found) if found else "nothing: the cell is empty"
    facts = [("found", what + (", typed where the cells around it hold a formula" if typed else ""))]
    if expected and level is Feedback.FULL:
        facts.append(("expected", _number(expected)))
    if error.formula and not typed:
        facts.append(("your formula", f"<code>{_e(error.formula)}</code>"))
    ask, around = advice(error, level), surroundings(error, before, carried)
    return (
        f'<div class="card"><h3>{number}. {_e(first.address)}</h3>'
        f'<p class="soft">{_e(first.quantity)}, {_e(moment(first))}</p>'
        f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"
        + (f'<p class="ask">{_e(ask)}</p>' if ask else "")
        + (f'<p class="soft">{_e(around)}</p>' if around else "")
        + "</div>"
    )


# Parts of the class's page


def _mistakes(summaries: Iterable[Summary]) -> list[tuple[str, int]]:
    return _sorted(mistake for s in summaries for mistake in s.mistakes)


def _first_columns(summaries: Iterable[Summary]) -> list[tuple[str, int]]:
    return _sorted(s.quantity for s in summaries if s.quantity)


def _sorted(names: Iterable[str]) -> list[tuple[str, int]]:
    """How often each occurs, the most frequent first, equally frequent ones by name."""
    return sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))


def _scores(marked: Sequence[Summary]) -> list[str]:
    if not marked:
        return []
    scores = [(s.row.score or 0.0, s.row.maximum) for s in marked]
    points = [score for score, _ in scores]
    bins = Counter(min(int(BINS * score / maximum), BINS - 1) for score, maximum in scores)
    most, step = max(bins.values()), 100 // BINS
    rows = (
        f'<tr><th scope="row">{k * step}–{(k + 1) * step} %</th><td>'
        f'<span class="bar" style="width:{80 * bins[k] / most:.0f}%"></span>{bins[k]:,}</td></tr>'
        for k in reversed(range(BINS))
    )
    return [
        "<h2>Scores</h2>",
        f"<p>Lowest {points_text(min(points))}, middle {points_text(median(points))}, "
        f"highest {points_text(max(points))} of {points_text(max(maximum for _, maximum in scores))} points.</p>",
        '<table class="graph"><tbody>',
        *rows,
        "</tbody></table>",
    ]


def _table(header: tuple[str, str], counts: Sequence[tuple[str, int]]) -> list[str]:
    if not counts:
        return ["<p>None.</p>"]
    return [
        '<table class="list">',
        f'<thead><tr><th scope="col">{header[0]}</th><th scope="col" class="n">{header[1]}</th></tr></thead><tbody>',
        *(f'<tr><td>{_e(name)}</td><td class="n">{count:,}</td></tr>' for name, count in counts),
        "</tbody></table>",
    ]


def _students(summaries: Sequence[Summary]) -> list[str]:
    lines = []
    for row, page, mistakes, _ in summaries:
        name = f"<bdi>{_e(row.identifier or row.file)}</bdi>"
        # Quoted, a page's name can't be a scheme such as javascript: either.
        who = f'<a href="{quote(page, errors="replace")}">{name}</a>' if page else name
        points = "not read" if row.score is None else points_text(row.score)
        what = [part for part in (row.first_wrong_cell, "; ".join(mistakes), row.remark) if part]
        said = "<br>".join(map(_e, what)) or "no mistake"
        lines.append(f'<tr><td class="who">{who}</td><td class="n">{points}</td><td>{said}</td></tr>')
    return [
        '<table class="list"><thead><tr><th scope="col">student</th><th scope="col" class="n">points</th>'
        '<th scope="col">first wrong cell, mistakes, remarks</th></tr></thead><tbody>',
        *lines,
        "</tbody></table>",
    ]


# Parts of any page


def _page(title: str, body: Iterable[str]) -> str:
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            # The browser, too, is told to load and run nothing.
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
            f"<title>{_e(title)}</title><style>{STYLE}</style></head><body><main>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


def _e(text: str) -> str:
    """Escaped for HTML; what can't be written as UTF-8, as in some files' names, becomes a question mark."""
    return html.escape(text.encode("utf-8", "replace").decode())


def _number(text: str) -> str:
    return f'<span class="number">{_e(text)}</span>'


def points_text(points: float) -> str:
    """
    >>> points_text(93.5), points_text(100.0), points_text(66.6667)
    ('93.5', '100', '66.67')
    """
    return f"{points:.2f}".rstrip("0").rstrip(".")


def count_text(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
