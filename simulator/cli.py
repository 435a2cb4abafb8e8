"""The command line. Exit status: 0 fine, 1 a disagreement was found, 2 wrong use."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from simulator.errors import SettingError, SimulatorError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from simulator.report.paper import Result
    from simulator.xlsx.verify import Verification
    from simulator.xlsx.writer import Progress

app = typer.Typer(
    name="simulator",
    help="The spreadsheet in which students work backpropagation by hand: written, proved, and played with.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
WORKBOOKS, REPORT = Path("workbooks"), Path("reports/verification.md")
GALLERY_REPORT = Path("reports/gallery.md")
PROGRESS_FROM = 100_000  # cells; less than that is written before a bar could be read
INTERRUPTED = 130
BYTES_A_CELL = 13  # of a finished file
FEW = 5  # files of which all is said on the screen; of more there is a line each

Epochs = Annotated[int | None, typer.Option("--epochs", help="How far to count the epochs; 70 for most lessons.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Another value for a given number, such as learning_rate=0.5."),
]
BACKEND = "numpy, cupy, or expressions: step by step as equations. Otherwise SIMULATOR_BACKEND's, or numpy."
Engine = Annotated[str, typer.Option("--engine", help="ironcalc, formualizer, libreoffice, embedded, all or none.")]


@app.command()
def lessons() -> None:
    """List the lessons."""
    from simulator.lessons import LESSONS
    from simulator.lessons.playground import PLAYGROUND

    width = max(map(len, (*LESSONS, *PLAYGROUND)))
    for lesson in LESSONS.values():
        typer.echo(f"{lesson.name:<{width}}  {lesson.title}")
    typer.echo("\nfor 'simulator playground':")
    for question in PLAYGROUND.values():
        typer.echo(f"{question.name:<{width}}  {question.question}")


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LESSON|FILE]...", help="Lessons to build, or networks: a .py or a .toml file."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Build every lesson.")] = False,
    epochs: Epochs = None,
    changes: Changes = None,
    out: Annotated[Path, typer.Option("--out", help="A folder, or a file that ends in .xlsx.")] = WORKBOOKS,
    engine: Engine = "ironcalc",
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Samples in a batch of a network.")] = None,
    what: Annotated[str | None, typer.Option("--what", help="training or forward, of a network.")] = None,
    layout: Annotated[str, typer.Option("--layout", help="sheets or ledger, of a network.")] = "sheets",
) -> None:
    """Write lessons or networks of your own as workbooks with live formulas, and verify them."""
    from simulator.lessons import LESSONS, find_lesson
    from simulator.xlsx.build import build_lesson

    if everything == bool(names):
        received = f"both --all and {', '.join(names)}" if names else "neither"
        raise SettingError(f"build needs a lesson or --all. Received: {received}. 'simulator lessons' lists them.")
    files = [Path(name) for name in names or () if Path(name).suffix.lower() in (".py", ".toml")]
    if files:
        others = [name for name in names or () if Path(name) not in files]
        if others or changes:
            received = f"--set {changes[0]}" if changes else f"'{others[0]}' beside {files[0]}"
            raise SettingError(
                f"Networks are built by themselves, without --set. Received: {received}. Write numbers in the file."
            )
        _build_networks(files, out, epochs, batch_size, what, layout, engine)
    for name in names or ():
        found = [p for p in (Path(f"{name}.py"), Path(f"{name}.toml")) if p.exists()]
        if name not in LESSONS and (found or Path(name).is_file()):
            hint = f"Did you mean '{found[0]}'?" if found else "Describe the network that is to learn from it in one."
            raise SettingError(f"A network is built from a .py or .toml file. Received: '{name}'. {hint}")
    chosen = list(LESSONS.values()) if everything else [find_lesson(name) for name in names or ()]
    if (batch_size, what, layout) != (None, None, "sheets"):
        raise SettingError("--batch-size, --what and --layout are for networks. Received: a lesson. Leave them out.")
    settings = _settings(changes)
    for lesson in chosen:
        lesson.run(epochs, settings)  # refuses what is impossible before the first file is written
    agrees = True
    for lesson, path in zip(chosen, _targets(out, [lesson.name for lesson in chosen], "lesson"), strict=True):
        with _progress(lesson.name) as progress:
            agrees = _handed_over(build_lesson(lesson, path, epochs, settings, engine, progress)) and agrees
    raise typer.Exit(0 if agrees else 1)


def _build_networks(
    files: list[Path],
    out: Path,
    epochs: int | None,
    batch_size: int | None,
    what: str | None,
    layout: str,
    engine: str,
) -> NoReturn:
    from simulator.nn.description import read_network
    from simulator.xlsx.build import build_network

    networks = [read_network(file) for file in files]
    agrees = True
    for n, file, path in zip(networks, files, _targets(out, [f.stem for f in files], "network"), strict=True):
        if n.model.name == "network":
            n.model.name = file.stem
        size = batch_size if batch_size is not None else n.batch_size
        kind = what or ("forward" if n.forward else "training")
        if n.Y is None and not what and n.model.loss:
            typer.echo(f"{file}: no labels, so the forward pass is written")
        count = next(e for e in (epochs, n.epochs, 10) if e is not None)
        with _progress(file.stem) as progress:
            done = build_network(n.model, path, n.X, n.Y, count, size, kind, layout, engine=engine, progress=progress)
            agrees = _handed_over(done) and agrees
    raise typer.Exit(0 if agrees else 1)


def _targets(out: Path, names: list[str], what: str) -> list[Path]:
    """A path for every workbook: --out is a folder, or a file for a single one."""
    one_file = out.suffix.lower() == ".xlsx"
    if out.suffix and not one_file:
        raise SettingError(f"--out takes a folder, or a file that ends in .xlsx. Received: '{out}'.")
    if one_file and len(names) > 1:
        raise SettingError(
            f"--out can be a file for one {what} only. Received: {len(names)} {what}s and '{out}'. Give a folder."
        )
    if len(set(names)) < len(names):
        raise SettingError(f"Every {what} needs a file of its own. Received: {', '.join(names)}. Build them apart.")
    return [out if one_file else out / f"{name}.xlsx" for name in names]


def _handed_over(verification: Verification, *, short: bool = False) -> bool:
    if not _say(verification, short=short):
        typer.echo(f"  not handed over: '{verification.path}' is as it was; --engine none writes it all the same")
    return verification.agrees


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="WORKBOOK...", help="Workbooks that build wrote.")],
    engine: Engine = "ironcalc",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of text.")] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Also write a report, a Markdown file.")] = None,
) -> None:
    """Recalculate workbooks in independent engines and compare every cell."""
    from simulator.xlsx.build import verify_file
    from simulator.xlsx.recalculate import choose_engines
    from simulator.xlsx.report import record_of, write_report

    engines = choose_engines(engine)
    results = []
    for path in paths:
        with _progress(str(path)) as progress:
            size = path.stat().st_size // BYTES_A_CELL if path.exists() else 0
            progress(size, size)
            results.append(verify_file(path, engines))
        if not as_json:
            _say(results[-1])
    if as_json:
        import json

        typer.echo(json.dumps([record_of(v) for v in results], indent=2))
    if report:
        write_report(results, report)
    raise typer.Exit(0 if all(v.agrees for v in results) else 1)


@app.command()
def template(
    name: Annotated[str, typer.Argument(metavar="LESSON")],
    blank: Annotated[
        str, typer.Option("--blank", metavar="COLUMNS", help="all, backward, or columns with commas between them.")
    ] = "all",
    epochs: Epochs = None,
    roster: Annotated[
        Path | None, typer.Option("--variants", metavar="ROSTER", help="A file for every line, with other numbers.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Draws other given numbers; 1 for variants.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show whether a column is right so far.")] = False,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Write nothing; print which mistakes the numbers show.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="A folder.")] = Path("handout"),
    engine: Engine = "formualizer",
) -> None:
    """Write a lesson with empty cells to fill in, and its answers."""
    from simulator.check.hand_out import STUDENTS, answers_name, hand_out
    from simulator.lessons import find_lesson
    from simulator.lessons.variant import read_roster

    lesson = find_lesson(name)
    if out.suffix.lower() in (".xlsx", ".xlsm"):
        raise SettingError(f"--out takes a folder for the template and its answers. Received: '{out}'.")
    if diagnose:
        from simulator.check.diagnose import best_draw, diagnosis_lines

        typer.echo("\n".join(diagnosis_lines(lesson, best_draw(lesson, seed)[1] if seed is not None else None)))
        return
    students = read_roster(roster) if roster else []
    with _counted("writing") as progress:
        done, blind_spots = hand_out(lesson, out, students, blank, epochs, seed, reveal, engine, progress)
    refused = [v for v in done if not v.agrees]
    if len(students) > FEW and not refused:
        formulas = sum(v.formulas for v in done[:-1])
        typer.echo(f"{out / STUDENTS}: {len(students):,} templates, {formulas:,} formulas, all agree")
        done = done[-1:]
    for verification in done:
        _handed_over(verification, short=True)
    if refused:
        raise typer.Exit(1)
    given = f"a file to each student from {out / STUDENTS}" if students else str(out / f"{lesson.name}.xlsx")
    answers = out / answers_name(lesson.name)
    typer.echo(f"\nHand out {given}; keep {answers}.")
    typer.echo("What comes back is marked by: simulator check FOLDER")
    if blind_spots:
        seeded = "" if seed is None or students else f" --seed {seed}"
        other = "" if students else "; another --seed draws other numbers"
        typer.echo("\n" + "\n".join(blind_spots))
        typer.echo(f"All of it is shown by: simulator template {lesson.name} --diagnose{seeded}{other}")


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Workbooks, and folders of them.")],
    lesson: Annotated[str, typer.Option("--lesson", help="The lesson of files that don't say.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="Answers with the right given numbers.")] = None,
    out: Annotated[Path, typer.Option("--out", help="A folder for copies, pages and the gradebook.")] = Path("marked"),
    rubric: Annotated[Path | None, typer.Option("--rubric", help="Points and penalties, a .toml file.")] = None,
    feedback: Annotated[str | None, typer.Option("--feedback", help="none, cell, hint or full.")] = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="How far a computed number may be off, as a part of it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of text.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Mark files anew that have not changed.")] = False,
) -> None:
    """Mark what students filled in: where each one first goes wrong, and by which mistake."""
    from simulator.report.folder import find_papers, lines_of, mark_papers, prepare, write_class
    from simulator.report.paper import task_of

    task = task_of(out, lesson, key, rubric, feedback, tolerance)
    papers = find_papers(paths, task, key)
    prepare(task, rubric)
    few = len(papers) <= FEW
    found: dict[int, Result] = {}
    with _counted("marking") as progress:
        for place, result in mark_papers(papers, again):
            found[place] = result if few or as_json else result.brief
            progress(len(found), len(papers))
    results = [found[place] for place in range(len(papers))]
    summaries = write_class([result.summary for result in results], out)
    if as_json:
        import json

        typer.echo(json.dumps([result.record for result in results], indent=2, allow_nan=False))
    else:
        typer.echo("\n".join(lines_of(results, summaries, few, out)))
    right = all(s.row.score == s.row.maximum and not s.row.own_errors for s in summaries)
    raise typer.Exit(0 if right else 1)


@app.command()
def audit(
    workbook: Annotated[Path, typer.Argument(metavar="WORKBOOK", help="A sheet that nobody here generated.")],
    network: Annotated[
        str, typer.Option("--network", metavar="SPEC", help="A lesson, or a ledger such as '2-2-2 tanh'.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Check a training sheet from elsewhere: wrong columns, drift, typed numbers, an inconsistent rate."""
    from simulator.check.audit import audit as audited
    from simulator.check.audit import audit_lines, record_of
    from simulator.xlsx.submission import read_submission

    found = audited(read_submission(workbook), network)
    if as_json:
        import json

        typer.echo(json.dumps(record_of(found), indent=2, allow_nan=False))
    else:
        typer.echo("\n".join(audit_lines(found)))
    raise typer.Exit(1 if any(table.findings for table in found.tables) else 0)


@app.command()
def table(
    name: Annotated[str, typer.Argument(metavar="LESSON")],
    epochs: Epochs = None,
    changes: Changes = None,
) -> None:
    """Print a lesson's training table as CSV: epoch, quantity, index, value, cell."""
    import csv

    from simulator.lessons import find_lesson
    from simulator.lessons.run import Row

    run = find_lesson(name).run(epochs, _settings(changes))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    try:
        writer.writerow(Row._fields)
        writer.writerows(run.rows())
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for example, has seen enough
        sys.stderr.close()


@app.command()
def demo(engine: Engine = "embedded") -> None:
    """Build and verify every lesson, write the report, and say where to look."""
    from simulator.lessons import LESSONS
    from simulator.xlsx.build import build_lesson
    from simulator.xlsx.report import write_report

    results = []
    for lesson in LESSONS.values():
        results.append(build_lesson(lesson, WORKBOOKS / f"{lesson.name}.xlsx", engine=engine))
        _say(results[-1], short=True)
    write_report(results, REPORT)
    typer.echo(f"\nOpen {WORKBOOKS / 'and.xlsx'} in Excel, and change learning_rate on the sheet Parameters.")
    typer.echo(f"What was compared, and how closely: {REPORT}")
    raise typer.Exit(0 if all(v.agrees for v in results) else 1)


@app.command()
def gallery(engine: Engine = "embedded") -> None:
    """Build and verify the gallery: small networks with every kind of layer."""
    from simulator.lessons.gallery import EXHIBITS
    from simulator.xlsx.report import write_report

    results = []
    for name, e in EXHIBITS.items():
        path = WORKBOOKS / "gallery" / f"{name}.xlsx"
        with _progress(name) as progress:
            results.append(e.build(path, engine, progress))
        _say(results[-1], short=True)
    write_report(results, GALLERY_REPORT)
    raise typer.Exit(0 if all(v.agrees for v in results) else 1)


@app.command()
def playground(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Lessons; all when none is named.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for workbooks/ and reports/.")] = Path(),
    runs: Annotated[int, typer.Option("--runs", min=1, help="How many first weights to train from.")] = 100,
    engine: Engine = "embedded",
) -> None:
    """Run the playground lessons many times: a workbook, a picture and an answer each."""
    from simulator.lessons.playground import PLAYGROUND, find_playground
    from simulator.report.output import write_text
    from simulator.report.playground import build_playground, draw_outcome, page_of

    workbooks, reports = out / "workbooks" / "playground", out / "reports" / "playground"
    agrees, outcomes = True, []
    for lesson in [find_playground(name) for name in names or PLAYGROUND]:
        outcome = lesson.run(runs)
        with _progress(lesson.name) as progress:
            done = build_playground(lesson, outcome, workbooks / f"{lesson.name}.xlsx", engine, progress)
        draw_outcome(outcome, reports / f"{lesson.name}.png")
        agrees = _say(done, short=True) and agrees
        typer.echo(f"  {lesson.question}\n  {outcome.sentence}")
        outcomes.append(outcome)
    if not names:
        link = "../../workbooks/playground/{}.xlsx"
        write_text(reports / "README.md", page_of(outcomes, lambda lesson: link.format(lesson.name)))
    raise typer.Exit(0 if agrees else 1)


@app.command()
def experiments() -> None:
    """List the larger experiments, with what the log book reports of them and what --set changes.

    'simulator run NAME' trains one by fused operations, with --backend expressions step by step as equations.
    """
    from simulator.experiments import EXPERIMENTS
    from simulator.experiments.experiment import listed

    for e in EXPERIMENTS.values():
        usual = e.reported_for({**e.settings, "fused": True})
        reported = ", ".join(f"{name} {value:,g}" for name, value in usual.items()) or e.remark
        typer.echo(f"{e.name:<22} {e.title}; {e.data}, {e.epochs} epochs. Log book: {reported}")
        others = "".join(f"; {name} is {' or '.join(map(str, words))}" for name, words in e.choices.items())
        typer.echo(f"{'':<22} --set {listed(e.settings)}{others}")


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment of 'simulator experiments'.")],
    epochs: Annotated[int | None, typer.Option("--epochs", help="Otherwise as many as in the log book.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="Train and test on so many samples at most.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of first weights and of the order of data.")] = 0,
    changes: Changes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    backend: Annotated[str, typer.Option("--backend", help=BACKEND)] = "",
    out: Annotated[Path, typer.Option("--out", help="The folder for NAME/ with its results.")] = Path("reports"),
) -> None:
    """Run an experiment at full size and report it: figures, a page, a workbook."""
    from simulator.experiments import find_experiment
    from simulator.experiments.run import CHECKPOINT, run_experiment
    from simulator.report.experiment import compared, write_report

    experiment = find_experiment(name)
    folder = out / experiment.name
    settings = _settings(changes, words=True)
    try:
        outcome = run_experiment(experiment, folder, epochs, samples, seed, settings, resume, typer.echo, backend)
    except KeyboardInterrupt:
        if (folder / CHECKPOINT).exists():
            typer.echo(f"What is trained is kept in {folder / CHECKPOINT}; --resume goes on from there.", err=True)
        raise
    page, *_ = write_report(outcome, folder)
    for what, reported, here, verdict in compared(outcome.record):
        typer.echo(f"{what}: {here}" + (f", log book {reported} ({verdict})" if reported else ""))
    typer.echo(f"Open {page}; figures, record.json and a workbook lie beside it.")


@app.command()
def trace(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment of 'simulator experiments'.")],
    layer: Annotated[str, typer.Option("--layer", help="Its number or name.")],
    at: Annotated[str, typer.Option("--at", help="The place in its result, from 0: ROW,COLUMN,CHANNEL, UNIT, STEP.")],
    sample: Annotated[int, typer.Option("--sample", help="Of the test, or of a text's first epoch, from 0.")] = 0,
    model: Annotated[Path | None, typer.Option("--model", help="A run's folder or a saved model.")] = None,
    engine: Engine = "ironcalc",
    out: Annotated[Path | None, typer.Option("--out", help="The workbook.")] = None,
) -> None:
    """Open one place of a trained network as live formulas with its gradient, beside what the backend computed."""
    from simulator.experiments import find_experiment
    from simulator.experiments.run import trained
    from simulator.xlsx.build import build_place

    experiment = find_experiment(name)
    place = at.replace(" ", "").split(",")
    if not all(part.isdecimal() for part in place):
        raise SettingError(f"--at takes whole numbers from 0, with commas between. Received: '{at}'.")
    network, task = trained(experiment, model or Path("reports") / experiment.name)
    x, y = task.sample(sample)
    path = out or Path("-".join([experiment.name, layer, *place]) + ".xlsx")
    found = build_place(network, path, x, y, layer, [int(part) for part in place], task.named(sample), engine)
    if not _say(found):
        raise typer.Exit(1)


def _settings(changes: list[str] | None, *, words: bool = False) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for change in changes or ():
        name, equals, value = change.partition("=")
        try:
            settings[name.strip()] = float(value)
        except ValueError:
            if words and equals:
                settings[name.strip()] = value.strip()
            else:
                equals = ""
        if not equals:
            raise SettingError(
                f"--set takes NAME=NUMBER. Received: '{change}'. Write for example --set learning_rate=0.5."
            )
    return settings


def _say(verification: Verification, *, short: bool = False) -> bool:
    from simulator.xlsx.report import lines_of

    lines = lines_of(verification)
    typer.echo("\n".join(lines[:1] if short and verification.agrees else lines))
    return verification.agrees


@contextmanager
def _progress(title: str) -> Iterator[Progress]:
    """A bar of cells written, on a terminal and for long work only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    bars = ExitStack()
    bar: Bar | None = None

    def advance(done: int, total: int) -> None:
        nonlocal bar
        if bar is None and total > PROGRESS_FROM:
            bar = bars.enter_context(_bar())
            bar.add_task(title, total=total)
        if bar is not None:
            if done < total:
                bar.update(bar.task_ids[0], completed=done, description=f"{title}: writing")
            else:
                bar.update(bar.task_ids[0], total=None, description=f"{title}: recalculating and comparing")

    with bars:
        yield advance


@contextmanager
def _counted(what: str) -> Iterator[Progress]:
    """A bar of files with their number a minute and the time left, on a terminal and for more than a few only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    begun = time.monotonic()
    with _bar() as bar:
        task = bar.add_task(what, total=None, visible=False)

        def advance(done: int, total: int) -> None:
            rate = 60 * done / max(time.monotonic() - begun, 1e-3)
            said = f"{what}: {done:,} of {total:,} files, {rate:,.0f} a minute"
            bar.update(task, completed=done, total=total, visible=total > FEW, description=said)

        yield advance


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]  # has no public name


def _command() -> str:
    """The command that was typed, for a hint, or nothing."""
    return (
        f"{sys.argv[1]} "
        if sys.argv[1:] and sys.argv[1] in {c.callback.__name__ for c in app.registered_commands if c.callback}
        else ""
    )


def _given(error: typer.BadParameter) -> str:
    """What stands behind the option that an error is of, where it doesn't say so itself."""
    options = getattr(getattr(error, "param", None), "opts", ())
    value = next((after for option, after in pairwise(sys.argv) if option in options), "")
    return f". Received: '{value}'" if value and repr(value) not in error.format_message() else ""


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit status 2."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # leave by the way that cleans up
            signal.signal(getattr(signal, name), lambda number, frame: sys.exit(128 + number))
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except UsageError as error:
        said = error.format_message().rstrip(".?") + _given(error)
        sys.stderr.write(f"simulator: {said}. 'simulator {_command()}--help' shows what it takes.\n")
        status = 2
    except SimulatorError as error:
        sys.stderr.write(f"simulator: {error}\n")
        status = 2
    except OSError as error:  # standard output is full or gone
        sys.stderr.write(
            f"simulator: The output must go somewhere that takes it. Received: {error.strerror or error}.\n"
        )
        status = 2
    except MemoryError as error:
        advice = "Close other programs, or ask for less: fewer samples, smaller batches."
        said = str(error).rstrip(".") or "none left"
        sys.stderr.write(f"simulator: There must be memory for what is asked. Received: {said}. {advice}\n")
        status = 2
    except KeyboardInterrupt:  # that comes while Typer handles another
        status = INTERRUPTED
    if status == INTERRUPTED:  # what Typer makes of Ctrl-C
        sys.stderr.write("simulator: interrupted; what was not finished is removed, earlier workbooks are untouched.\n")
    sys.exit(status)
