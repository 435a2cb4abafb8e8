"""Pictures that are sorted into classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.image import Images, load_images
from simulator.experiments.activity import activity_of
from simulator.experiments.experiment import Experiment, Settings, at_once, in_range, whole
from simulator.experiments.task import History, Measure, Task, Tested
from simulator.nn.callback import Callback
from simulator.nn.metric import confusion_matrix
from simulator.nn.model import Model
from simulator.nn.option import require

TESTED = 500  # samples at most of a batch in which the test data are answered


class Pictures(Task):
    """images as the experiment has them; answers (N, classes) for those of the test, once it is tested."""

    kind = "pictures"
    measure = Measure("accuracy", "share that is right", rises=True, threshold=0.8)
    images: Images
    answers: NDArray[Any]

    def __init__(self, experiment: Experiment, settings: Settings, seed: int, samples: int | None) -> None:
        images = experiment.prepare(load_images(experiment.data), settings, seed)
        there = len(images.x_train)
        self.all = there
        self.samples = there if samples is None else min(whole(samples, "--samples"), there)
        self.images = images._replace(x_test=images.x_test[: self.samples], y_test=images.y_test[: self.samples])
        self.an_epoch = int(self.samples * (1 - experiment.validation))
        rule = f"{experiment.validation:.0%} of the samples are held back, and others are trained on."
        require(self.an_epoch > 0, rule, f"--samples {self.samples}", "Take 2 or more.")
        self.batch, self.shuffle = at_once(settings), bool(settings.get("shuffle", 1))

    def fit(self, model: Model, begun: int, epochs: int, keeper: Callback) -> None:
        x, y, cut = self.images.x_train[: self.samples], self.images.y_train[: self.samples], self.an_epoch
        model.fit(
            x[:cut],
            y[:cut],
            batch_size=self.batch,
            epochs=epochs,
            verbose=0,
            initial_epoch=begun,
            validation_data=(x[cut:], y[cut:]) if cut < self.samples else None,
            shuffle=self.shuffle,
            callbacks=[keeper],
        )

    def sample(self, number: int) -> tuple[Any, Any]:
        k = in_range(number, len(self.images.x_test), "a picture of the test")
        return self.images.x_test[k], self.images.y_test[k]

    def named(self, number: int) -> str:
        return f"{number}, labelled {self.images.classes[int(self.images.y_test[number])]}"

    def test(self, model: Model, history: History) -> Tested:
        images = self.images
        size, network = min(TESTED, self.batch), model.network()
        parts = [slice(a, a + size) for a in range(0, len(images.x_test), size)]
        judged = [network.assess(images.x_test[part], images.y_test[part]) for part in parts]
        self.answers = np.concatenate([p for _, p in judged])
        right = float(np.mean(self.answers.argmax(-1) == images.y_test))
        loss = sum(part for part, _ in judged) / len(self.answers)
        found = {"test accuracy": right, "test loss": loss}
        found |= {"training accuracy": history["accuracy"][-1], "training loss": history["loss"][-1]}
        found["first training accuracy"] = history["accuracy"][0]
        if "val_accuracy" in history:
            found["best validation accuracy"] = max(history["val_accuracy"])
        counts = confusion_matrix(images.y_test, self.answers, len(images.classes))
        activity = [layer._asdict() for layer in activity_of(model, images.x_test)]
        return Tested(found, {"confusion": counts.tolist(), "classes": list(images.classes), "activity": activity})
