"""The line that shows how far a training is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from simulator.nn.callback import Callback, Logs
from simulator.nn.option import require

if TYPE_CHECKING:  # loaded where it is used, for commands that draw no line
    from rich.console import Console
    from rich.progress import Progress

OFTEN = 0.1  # seconds between two drawings


class ProgbarLogger(Callback):
    """A line per epoch, and in a terminal, while the epoch runs, steps, rate, time left and running numbers.

    `fit` makes one: verbose 1, or "auto", as above; 2 the lines alone; 0 nothing.
    """

    def __init__(self, live: bool = True, console: Console | None = None) -> None:
        from rich.console import Console

        self.console = console or Console()
        self.live = live and self.console.is_terminal
        self.bar: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.begun = self.drawn = time.perf_counter()
        if self.live:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            rate, numbers = TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[numbers]}")
            columns = TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), rate, TimeRemainingColumn()
            self.bar = Progress(*columns, numbers, console=self.console, transient=True, refresh_per_second=4)
            self.bar.add_task(self._title(epoch), total=self.params.get("steps"), rate="", numbers="")
            self.bar.start()

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        now = time.perf_counter()
        if self.bar is not None and now - self.drawn > OFTEN:
            rate = f"{(batch + 1) / (now - self.begun):.4g}/s"
            self.bar.update(self.bar.task_ids[0], completed=batch + 1, rate=rate, numbers=shown(logs))
            self.drawn = now

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.stop()
        print(f"{self._title(epoch)}: {time.perf_counter() - self.begun:.1f} s, {shown(logs)}", flush=True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.stop()

    def _title(self, epoch: int) -> str:
        return f"Epoch {epoch + 1}/{self.params['epochs']}"

    def stop(self) -> None:
        """Take the live line away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def shown(logs: Logs | None) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())


def progress_of(verbose: Any) -> list[Callback]:
    """What verbose asks for: 0 nothing, 1 or "auto" a live line, 2 a line per epoch."""
    good = verbose == "auto" or (isinstance(verbose, int) and 0 <= verbose <= 2)
    require(good, "verbose is 0, 1, 2 or 'auto'.", repr(verbose))
    return [ProgbarLogger(live=verbose != 2)] if verbose else []
