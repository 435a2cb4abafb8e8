"""Work in processes of their own: a task that crashes, hangs or eats the memory costs itself and no other.

`concurrent.futures` can't say which task has broken a pool, nor end one task; a pipe per process can.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, TypeVar

from simulator.errors import EngineError

T = TypeVar("T")
R = TypeVar("R")
SECONDS = 60.0  # that a task may take
MEMORY = 3 << 30  # bytes of a process, where the system can limit them
READY = "ready"
CONTEXT = multiprocessing.get_context("spawn")


class Lost(NamedTuple):
    """A task without an answer, and why; process is the one that was at it."""

    reason: str
    process: int


def outcomes(
    work: Callable[[T], R], tasks: Sequence[T], processes: int = 2, seconds: float = SECONDS
) -> Iterator[tuple[int, R | Lost]]:
    """The place of every task in the list, with what work returns for it, as they are done.

    work is a module's function that doesn't raise.

    Raises EngineError when no process can be started. Whoever stops early ends the processes.
    """
    waiting = deque(enumerate(tasks))
    workers: list[_Worker[T]] = []
    try:
        workers = [_Worker(work) for _ in range(min(processes, len(waiting)))]
        while workers:
            left = min(w.deadline for w in workers) - time.monotonic()
            answered = wait([w.connection for w in workers], max(0.0, min(left, 3600.0)))
            for n, w in reversed(list(enumerate(workers))):
                if w.connection in answered:
                    answer = w.answer()
                elif w.deadline < time.monotonic():
                    answer = Lost(f"no answer within {seconds:g} seconds", w.process.pid or 0)
                else:
                    continue
                if answer != READY:
                    yield w.places.pop(), answer
                if isinstance(answer, Lost):
                    w.end()
                    workers[n : n + 1] = [_Worker(work)] if waiting else []
                elif waiting:
                    w.give(*waiting.popleft(), seconds)
                else:
                    w.end()
                    del workers[n]
    finally:
        for w in workers:
            w.end()


class _Worker(Generic[T]):
    """A process, its end of a pipe, and the place of the task that it has, if any."""

    def __init__(self, work: Callable[[T], Any]) -> None:
        self.places: list[int] = []
        self.deadline = float("inf")
        self.connection, other = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(other,), daemon=True)
        with _interrupt_blocked():
            self.process.start()
        other.close()
        with contextlib.suppress(OSError):  # answer() tells when it has ended already
            self.connection.send(work)

    def give(self, place: int, task: T, seconds: float) -> None:
        self.places, self.deadline = [place], time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def answer(self) -> Any:
        try:
            self.deadline, answer = float("inf"), self.connection.recv()
        except (EOFError, OSError):
            self.process.join(1)
            if not self.places:
                raise EngineError(
                    f"A process must start to mark files. Received: exit status {self.process.exitcode} at once. "
                    "Call from a script under: if __name__ == '__main__'."
                ) from None
            return Lost("the process ended", self.process.pid or 0)
        return answer

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextlib.contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """A process started within gets no Ctrl-C, which goes to all of them; the first one ends the others."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection[Any, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # by the way that cleans up
    gc.set_threshold(100_000)  # a workbook is many small objects that live together: 8 % of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy comes with the work; threads reserve memory
    try:
        work = connection.recv()
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        answer = READY
        while True:
            connection.send(answer)
            answer = work(connection.recv())
    except (EOFError, OSError):  # the first process has gone
        return
