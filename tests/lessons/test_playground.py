"""The playground lessons: workbooks that verify, a boundary that is live, answers that follow the numbers."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from simulator import nn
from simulator.book.network import network_workbook
from simulator.book.plane import PLANE, POINTS, SIDE, TABLE_ROW
from simulator.book.playground import playground_workbook
from simulator.book.workbook import Workbook
from simulator.errors import SettingError
from simulator.lessons.playground import PLAYGROUND, Outcome, find_playground, ideal_loss
from simulator.nn.runs import Runs
from simulator.report.playground import build_playground, draw_outcome, page_of
from simulator.xlsx.build import verify_file
from simulator.xlsx.recalculate import EMBEDDED, LIBREOFFICE
from simulator.xlsx.report import lines_of
from simulator.xlsx.verify import verify
from simulator.xlsx.writer import write_workbook

QUICK = 2  # runs and epochs


@cache
def outcome(name: str) -> Outcome:
    lesson = PLAYGROUND[name]
    return replace(lesson, rivals=lesson.rivals[:1], draws=lesson.draws[:1]).run(QUICK, QUICK)


def ending(name: str, *tests: float, rival: tuple[float, ...] = ()) -> Outcome:
    """An outcome whose runs ended at these test losses."""
    lesson = PLAYGROUND[name]
    tried = {lesson.hidden: Runs(np.zeros((len(tests), 1)), np.array(tests), [])}
    if rival:
        tried[lesson.rivals[0]] = Runs(np.zeros((len(rival), 1)), np.array(rival), [])
    return Outcome(lesson, lesson.halves(), tried)


@pytest.mark.parametrize("name", PLAYGROUND)
def test_every_lessons_workbook_verifies(name: str, tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    done = build_playground(PLAYGROUND[name], outcome(name), path, "embedded", epochs=3)
    assert done.agrees, "\n".join(lines_of(done))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[0] == "Question" and PLANE in book.sheetnames and POINTS in book.sheetnames
    assert outcome(name).sentence in {cell.value for cell in book["Question"]["A"]}


def small(
    changed: dict[tuple[str, int, int], float] | None = None, *, forward: bool = False, **options: int
) -> Workbook:
    layers = [nn.Input((2,)), nn.Dense(2, "tanh"), nn.BatchNormalization(), nn.Dense(1, "sigmoid")]
    model = nn.Sequential(layers, seed=1).compile(nn.Adam(0.1), "binary_crossentropy")
    X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    return network_workbook(model, X, None if forward else Y, 3, changed=changed, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("forward", [False, True])
def test_a_networks_boundary_is_the_same_in_every_engine(forward: bool, engine: str, tmp_path: Path) -> None:
    workbook = small(forward=forward)
    done = verify(write_workbook(workbook, tmp_path / "network.xlsx"), workbook, [engine])
    assert done.agrees, "\n".join(lines_of(done))
    if engine != LIBREOFFICE:
        assert done.findings[-1].max_ulp == 0


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_another_epoch_shows_its_weights(epoch: int, tmp_path: Path) -> None:
    workbook = small({(PLANE, 3, 1): epoch}, batch_size=2)
    done = verify(write_workbook(workbook, tmp_path / "network.xlsx"), workbook, EMBEDDED)
    assert done.agrees, "\n".join(lines_of(done))


@pytest.mark.parametrize("epoch", [0, 3])
def test_the_pictures_answers_are_those_of_predict(epoch: int) -> None:
    lesson = PLAYGROUND["playground-three-relu"]
    model = lesson.model(rate=lesson.shown_rate, seed=lesson.shown_seed)
    data = lesson.shown_data()
    x, y = model.inputs_checked(data.points), data.labels[:, None]
    sheets = {s.name: s for s in network_workbook(model, x, y, 3, None, {(PLANE, 3, 1): epoch}, (-6, 6)).sheets}
    if epoch:
        model.fit(x, y, epochs=epoch, backend="expressions")
    at = np.linspace(-6, 6, SIDE)
    expected = model.predict(np.array([[x1, x2] for x2 in at for x1 in at]), backend="expressions")[:, 0]
    [table] = sheets[POINTS].tables
    answers = [block[-1] for block in table.blocks()]
    assert answers == pytest.approx(expected, abs=1e-12)


def test_a_planted_fault_in_a_boundary_formula_is_found(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    lesson = PLAYGROUND["playground-two-relu"]
    workbook = playground_workbook(lesson, outcome(lesson.name), 3)
    write_workbook(workbook, path)
    part = f"xl/worksheets/sheet{[s.name for s in workbook.sheets].index(POINTS) + 1}.xml"
    cell = f"E{TABLE_ROW + 101}"  # Z1 of the first unit at point 101
    broken = tmp_path / "broken.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            if name == part:
                changed = re.sub(f'(<c r="{cell}"[^>]*><f>[^<]*?)[+]', r"\1-", text.decode(), count=1)
                assert changed != text.decode(), "the fault was not planted"
                text = changed.encode()
            new.writestr(name, text)
    done = verify(broken, workbook, EMBEDDED)
    wrong = {(f.source, m.sheet, m.cell) for f in done.findings for m in f.mismatches}
    assert {(engine, POINTS, cell) for engine in EMBEDDED} <= wrong


def test_a_lessons_workbook_is_verified_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    build_playground(PLAYGROUND["playground-linear"], outcome("playground-linear"), path, epochs=3)
    assert verify_file(path, EMBEDDED).agrees


def test_a_network_of_other_inputs_has_no_boundary() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1)]).compile(nn.SGD(0.1), "mse")
    names = [s.name for s in network_workbook(model, np.eye(3), np.ones((3, 1)), 2).sheets]
    assert PLANE not in names


def test_the_answers_follow_the_numbers() -> None:
    no, better = ending("playground-linear", 0.52, 0.5), ending("playground-linear", 0.3, 0.5)
    assert no.sentence.startswith("No: 2 runs end at test losses of 0.500 at best, 0.500 in the middle, 0.520 at worst")
    assert better.sentence.startswith("It does better than a constant: 2 runs")
    words = {
        (0.2, 0.3): "Only in part: 0 of 2",
        (0.47, 0.5): "No: 0 of 2",
        (0.177, 0.3): "Yes, but not every time: 1 of 2",
    }
    for tests, start in words.items():
        assert ending("playground-two-relu", *tests).sentence.startswith(start)
    assert ending("playground-three-relu", 0.1, 0.1).sentence.startswith("Yes, every time: 2 of 2 runs")
    runs = ending("playground-runs", 0.1, 0.2, 0.3, 0.5).sentence
    assert "1 of 4 runs end at 0.177 or below" in runs and "1 stay above 0.45" in runs


def test_the_smallest_network_is_the_first_by_size_that_reached_the_goal() -> None:
    found = ending("playground-smallest", 0.17, 0.2, rival=(0.18, 0.3))  # the rival has one neuron
    assert found.sentence.startswith(
        "3 hidden neurons in 1 layer (3) is the smallest that reached 0.177, in 1 of 2 runs."
    )
    assert "1: 0 (0.180), 3: 1 (0.170)" in found.sentence
    found = ending("playground-smallest", 0.17, 0.2, rival=(0.1, 0.3))
    assert found.sentence.startswith("1 hidden neuron in 1 layer (1) is the smallest")
    none = ending("playground-smallest", 0.2, rival=(0.3,))
    assert none.sentence == "None of 2 networks reaches 0.177 in 1 runs. Best test losses: 1: 0 (0.300), 3: 0 (0.200)."


@pytest.mark.parametrize(
    ("mine", "rival", "word"),
    [((0.1, 0.1), (0.2, 0.2), "Yes:"), ((0.2, 0.2), (0.1, 0.2), "No:"), ((0.1, 0.3), (0.15, 0.16), "Yes and no:")],
)
def test_the_deeper_network_is_better_when_it_is(mine: tuple[float], rival: tuple[float], word: str) -> None:
    assert ending("playground-332", *mine, rival=rival).sentence.startswith(word)


def test_runs_are_named_by_their_test_loss() -> None:
    found = ending("playground-runs", 0.3, 0.1, 0.2, 0.5)
    assert (found.best, found.typical, found.worst) == (1, 2, 3)


def test_the_ideal_loss_is_nothing_without_noise_and_grows_with_it() -> None:
    lesson = PLAYGROUND["playground-runs"]
    losses = [ideal_loss(replace(lesson, noise=noise).halves().test, noise) for noise in (0.0, 0.2, 0.35, 0.5)]
    assert losses[0] == 0 and losses == sorted(losses)


def test_the_playgrounds_steps_are_half_the_rate_of_keras() -> None:
    """A step by hand of the playground: one linear tanh unit, its loss and its penalty."""
    lesson = replace(PLAYGROUND["playground-linear"], l2=0.1, l1=0.05, rate=0.3)
    x = nn.Input((2,))
    model = nn.Model(x, nn.Dense(1, "tanh", kernel_regularizer=nn.L1L2(2 * lesson.l1, lesson.l2))(x))
    model.set_weights([[[0.4], [-0.2]], [0.1]])
    model.compile(lesson.model().optimizer, "mean_squared_error").fit([[1.0, 2.0]], [[-1.0]], backend="expressions")
    p = np.tanh(0.4 - 0.4 + 0.1)
    slope = (p + 1) * (1 - p**2)  # of 0.5*(p - label)^2
    w = np.array([0.4, -0.2])
    expected = w - 0.3 * (slope * np.array([1, 2]) + 0.05 * np.sign(w) + 0.1 * w)
    kernel, bias = model.get_weights()
    assert kernel[:, 0] == pytest.approx(expected, abs=1e-12)
    assert bias == pytest.approx([0.1 - 0.3 * slope], abs=1e-12)


def test_the_same_outcome_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("playground-runs", "playground-332", "playground-linear"):
        one, two = (draw_outcome(outcome(name), tmp_path / f"{k}.png").read_bytes() for k in range(2))
        assert one == two and one.startswith(b"\x89PNG")


def test_the_page_has_every_question_answer_and_picture() -> None:
    page = page_of([outcome("playground-linear")], lambda lesson: f"{lesson.name}.xlsx")
    assert PLAYGROUND["playground-linear"].question in page and outcome("playground-linear").sentence in page
    assert "(playground-linear.png)" in page and "(playground-linear.xlsx)" in page


def test_an_unknown_lesson_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"Received: 'playground-three'. Did you mean 'playground-three-relu'\?"):
        find_playground("playground-three")
