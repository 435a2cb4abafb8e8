"""Mark the files of a class: find them, mark them in processes that may crash, and write the class's page.

What a run has finished a later one finds again: a file that hasn't changed is not marked twice.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from simulator.check.gradebook import Row, write_gradebook
from simulator.check.hand_out import STUDENTS, answers_name
from simulator.errors import SettingError
from simulator.lessons import LESSONS
from simulator.lessons.variant import file_name
from simulator.report.marking import Summary, class_figure, class_page, count_text, points_text
from simulator.report.output import write_text
from simulator.report.paper import RESULTS, Paper, Result, Task, earlier, failed, mark_paper
from simulator.report.pool import SECONDS, Lost, outcomes

WORKBOOKS = (".xlsx", ".xlsm")
SPREADSHEETS = (*WORKBOOKS, ".xls", ".xlsb", ".ods", ".numbers")  # handed in all the same, and told what they are
LOCKS = ("~$", ".~lock.")
PROCESSES = 2
LONGEST_NAME = 100  # characters of a result's file, without its ending
OURS = {"index", "gradebook", "rubric"}  # the class's own files


def find_papers(paths: Iterable[Path], task: Task, key: Path | None = None) -> list[Paper]:
    """The workbooks of files and folders, and of the folders in them, each with a name of its own.

    Its name is the file's; where that repeats, as in what Moodle exports, the folder's. Hidden files, lock files, the
    key, folders with results, and answers beside what was handed out are passed over. Raises SettingError for a path
    that isn't there, and when there is nothing to mark.
    """
    files: dict[Path, Path] = {}
    locks = []
    passed = {task.out.resolve(), *([key.resolve()] if key else [])}
    for path in paths:
        if not path.exists():
            raise SettingError(
                f"check takes workbooks and folders of them. Received: '{path}', which is not there. "
                "Give the folder that the files were handed in to."
            )
        for file in _below(path, passed) if path.is_dir() else [path]:
            if file.name.startswith(LOCKS) and path.is_dir():
                locks.append(file)
            elif file.resolve() not in passed:
                files.setdefault(file.resolve(), file)
    if not files:
        received = ", ".join(f"'{path}'" for path in paths)
        why = f"nothing but {locks[0].name}, which a spreadsheet program keeps beside an open workbook" if locks else ""
        raise SettingError(f"check needs workbooks (.xlsx or .xlsm). Received: {received} with {why or 'none'}.")
    return [Paper(file, name, task) for file, name in zip(files.values(), _names(list(files.values())), strict=True)]


def _below(folder: Path, passed: set[Path]) -> Iterator[Path]:
    """The spreadsheets of a folder and of those in it, in the order of their names."""
    for where, folders, files in os.walk(folder):
        here = Path(where)
        kept = [f for f in folders if not f.startswith((".", "__MACOSX")) and (here / f).resolve() not in passed]
        handed_out = [lesson for lesson in LESSONS if STUDENTS in folders or f"{lesson}.xlsx" in files]
        answers = set(map(answers_name, handed_out))
        folders[:] = sorted(f for f in kept if not (here / f / RESULTS).is_dir())
        for name in sorted(files):
            hidden = name in answers or (name.startswith(".") and not name.startswith(LOCKS))
            if Path(name.rstrip("#")).suffix.lower() in SPREADSHEETS and not hidden and (here / name).is_file():
                yield here / name


def _names(files: Sequence[Path]) -> list[str]:
    """A name for every file that no other one has, whatever the case.

    >>> _names([Path("ada/xor.xlsx"), Path("bob/xor.xlsx"), Path("bob/and.xlsx"), Path("c/a.xlsm"), Path("c/a.xlsx")])
    ['ada', 'bob', 'and', 'c', 'c a']
    """
    choices = [
        [file_name(name)[:LONGEST_NAME] for name in (f.stem, f.resolve().parent.name, f"{f.parent.name} {f.stem}")]
        for f in files
    ]
    stems = Counter(choice[0].casefold() for choice in choices)
    taken, names = set(OURS), []
    for first, *others in choices:
        numbered = (f"{others[-1]} {n}" for n in range(2, len(files) + 3))
        free = [first] if stems[first.casefold()] == 1 else []
        name = next(name for name in (*free, *others, *numbered) if name.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names


def prepare(task: Task, rubric: Path | None = None) -> None:
    """Make the folder for the results, with a copy of the rubric. Raises WorkbookError when that can't be done."""
    write_text(task.out / RESULTS / "README.txt", "What simulator check has marked, so that it isn't marked twice.\n")
    if rubric:
        write_text(task.out / "rubric.toml", rubric.read_text(encoding="utf-8-sig"))


def mark_papers(papers: Sequence[Paper], again: bool = False, seconds: float = SECONDS) -> Iterator[tuple[int, Result]]:
    """The place of every paper in the list and its result, as they are done; those of an earlier run first.

    again marks all of them anew. Two processes are at work, with one paper none. A paper gets so many seconds.
    """
    due = []
    for place, paper in enumerate(papers):
        result = None if again else earlier(paper)
        if result is None:
            due.append(place)
        else:
            yield place, result
    if len(due) == 1:
        yield due[0], mark_paper(papers[due[0]])
        return
    tasks = [papers[place] for place in due]
    for n, outcome in outcomes(mark_paper, tasks, min(PROCESSES, os.cpu_count() or 1), seconds):
        if isinstance(outcome, Lost):
            for part in tasks[n].task.out.rglob(f".*.{outcome.process}.part*"):
                part.unlink(missing_ok=True)
            outcome = failed(tasks[n], f"This file could not be marked ({outcome.reason}).")
        yield due[n], outcome


def write_class(summaries: Sequence[Summary], out: Path, figure: Callable[..., bytes] = class_figure) -> list[Summary]:
    """Write gradebook.csv and index.html; returns the summaries, with a remark where two have one identifier."""
    summaries = _with_doubles(summaries)
    write_gradebook([s.row for s in summaries], out / "gradebook.csv")
    picture = figure(summaries) if sum(bool(s.mistakes) for s in summaries) > 1 else None
    write_text(out / "index.html", class_page(summaries, picture))
    return summaries


def _with_doubles(summaries: Sequence[Summary]) -> list[Summary]:
    files: dict[str, list[str]] = {}
    for s in summaries:
        files.setdefault(s.row.identifier, []).append(s.row.file)
    result = []
    for s in summaries:
        others = len(files[s.row.identifier]) - 1
        if others:
            said = f"{others} more {'file has' if others == 1 else 'files have'} this identifier."
            s = s._replace(row=s.row._replace(remark=f"{s.row.remark} {said}".strip()))
        result.append(s)
    return result


def lines_of(results: Sequence[Result], summaries: Sequence[Summary], few: bool, out: Path) -> list[str]:
    """What the screen shows: a line per file, of a few files the sentences about their mistakes too, and a sum."""
    lines = list[str]()
    for result, summary in zip(results, summaries, strict=True):
        lines += _few_lines(result, summary.row) if few else [_line(summary)]
    marked = sum(s.row.score is not None for s in summaries)
    earlier = sum(r.is_earlier for r in results)
    unread = f", {len(summaries) - marked:,} not" if marked < len(summaries) else ""
    lines.append(f"\n{count_text(marked, 'file')} marked{unread}.")
    if earlier:
        lines[-1] += f" {earlier:,} of {len(results):,} had not changed since an earlier run; --again marks them anew."
    lines.append(f"Open {out / 'index.html'}; pages, marked copies and gradebook.csv lie beside it.")
    return ["".join(c if c.isprintable() or c == "\n" else "?" for c in line) for line in lines]


def _few_lines(result: Result, row: Row) -> list[str]:
    if row.score is None:
        return [f"{row.identifier}: not marked", f"  {row.remark}"]
    lines = [f"{row.identifier}: {_verdict(row)}", *(f"  {sentence}" for sentence in result.sentences)]
    rest = (row.own_errors or 0) - len(result.sentences)
    if result.sentences and rest > 0:
        lines.append(f"  {count_text(rest, 'more mistake')}; the page has all of them.")
    return [*lines, *([f"  {row.remark}"] if row.remark else [])]


def _line(summary: Summary) -> str:
    row = summary.row
    if row.score is None:
        return f"{row.identifier}: not marked. {row.remark}"
    first = f"; first {row.first_wrong_cell}, {summary.mistakes[0]}" if summary.mistakes else ""
    return f"{row.identifier}: {_verdict(row)}{first}"


def _verdict(row: Row) -> str:
    mistakes = count_text(row.own_errors, "mistake") if row.own_errors else "no mistake"
    return f"{points_text(row.score or 0)} of {points_text(row.maximum)} points, {mistakes}"
