"""The same lines, run with Keras and here from the same first weights, lead to the same numbers."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import nn

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras", reason="Keras is in the extra [test]")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Keras with NumPy 2
    pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`"),
]

# Each leaves a result. alike(model) gives both the same weights; x (40, 4), y (40,) of three classes, z (40,) numbers
LINES = {
    "accuracy of softmax with squares": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
model.compile("sgd", "mse", metrics=["accuracy"])
result = alike(model).fit(x, utils.to_categorical(y), epochs=2, shuffle=False, verbose=0).history
""",
    "accuracy of several sigmoids": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="sigmoid")])
model.compile("sgd", "binary_crossentropy", metrics=["acc"])
result = alike(model).fit(x, utils.to_categorical(y), epochs=2, shuffle=False, verbose=0).history
""",
    "accuracy of a single number": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile("sgd", "mse", metrics=["accuracy"])
result = alike(model).fit(x, y, epochs=2, shuffle=False, verbose=0).history
""",
    "the optimizer of compile": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(loss="mse", run_eagerly=False, jit_compile=False)
result = alike(model).fit(x, z, epochs=3, shuffle=False, verbose=0).history
""",
    "metrics of one kind": """
keras.utils.clear_session()
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
both = [keras.metrics.Precision(class_id=0), keras.metrics.Precision(class_id=1)]
model.compile(optimizers.SGD(0.5), "categorical_crossentropy", metrics=both)
result = alike(model).fit(x, utils.to_categorical(y), epochs=3, shuffle=False, verbose=0).history
""",
    "a metric by hand": """
metric = keras.metrics.BinaryAccuracy()
metric.update_state(np.array([1.0, 0.0]), np.array([0.6, 0.7]))
result = [float(metric.result())]
metric.reset_state()
result.append(float(metric(np.array([1.0]), np.array([0.9]))))
""",
    "weights within an epoch": """
class Sums(callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.sums = []
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 3:
            self.model.set_weights([0.5 * w for w in self.model.get_weights()])
    def on_train_batch_end(self, batch, logs=None):
        self.sums.append(float(sum(w.sum() for w in self.model.get_weights())))
        if batch == 1:
            self.model.layers[-1].set_weights([2 * w for w in self.model.layers[-1].get_weights()])
    def on_epoch_end(self, epoch, logs=None):
        self.sums += [float(v) for v in self.model.predict(x[:2], verbose=0).ravel()]
sums = Sums()
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(1)])
model.compile(optimizers.Adam(0.01), "mse")
alike(model).fit(x, z, epochs=2, batch_size=8, shuffle=False, verbose=0, callbacks=[sums])
result = sums.sums + [float(sum(w.sum() for w in model.get_weights()))]
""",
    "early stopping with a baseline": """
stop = callbacks.EarlyStopping("loss", patience=2, baseline=BASE, verbose=1)
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(0.02), "mse")
result = [len(alike(model).fit(x, z, epochs=9, shuffle=False, verbose=0, callbacks=stop).history["loss"])]
""".replace("BASE", "0.001"),
    "a checkpoint in a new folder": """
best = callbacks.ModelCheckpoint(folder / "made" / "best.keras", monitor="loss", save_best_only=True, save_freq="epoch")
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(0.02), "mse")
alike(model).fit(x, z, epochs=3, shuffle=False, verbose=0, callbacks=[best])
again = keras.models.load_model(folder / "made" / "best.keras", compile=False)
result = again.predict(x, verbose=0).ravel()
""",
    "rates in steps": """
s = optimizers.schedules
every = [s.ExponentialDecay(0.3, 4, 0.5, staircase=True), s.InverseTimeDecay(0.3, 3, 0.5, staircase=True),
    s.PiecewiseConstantDecay([5, 10], [0.3, 0.1, 0.02]), s.CosineDecay(0.3, 20)]
result = [float(rate(step)) for rate in every for step in range(12)]
for rate in every:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizers.SGD(rate, momentum=0.5), "mse")
    result += alike(model).fit(x, z, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
""",
    "rows of single numbers, pictures without channels": """
model = keras.Sequential([keras.Input((1,)), layers.Dense(3, activation="tanh"), layers.Dense(1)])
model.compile("sgd", "mse")
result = alike(model).fit(z, z**2, epochs=2, shuffle=False, verbose=0).history["loss"]
result += [float(v) for v in model.predict(z, verbose=0).ravel()]
model = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(1)])
result += [float(v) for v in alike(model).predict(x.reshape(40, 2, 2), verbose=0).ravel()]
""",
    "an autoencoder whose pictures get their shape back": """
pictures = 1 / (1 + np.exp(-x.reshape(40, 2, 2)))
model = keras.Sequential([keras.Input((2, 2)), layers.Flatten(), layers.Dense(3, activation="relu", dtype="float32"),
    layers.Dense(4, activation="sigmoid"), layers.Reshape((2, 2))])
model.compile(optimizers.SGD(0.5), loss="binary_crossentropy")
result = alike(model).fit(pictures, pictures, epochs=3, shuffle=False, verbose=0).history
""",
    "lists of one, sums of tensors, validation as a list": """
i = keras.Input(shape=(4,), name=None)
h = layers.Dense(4, activation="relu", name=None)(i)
h = layers.Dense(4)(h) + i
o = layers.Dense(1)(h * h)
model = keras.Model(inputs=[i], outputs=[o])
model.compile(optimizers.SGD(0.001), keras.losses.MeanSquaredError)
options = {"validation_data": [x[:9], z[:9]], "validation_freq": 2}
result = alike(model).fit(x, z, epochs=4, shuffle=False, verbose=0, **options).history
""",
    "a layer by itself": """
layer = layers.Dense(2, activation="tanh")
first = layer(x)
layer.set_weights([np.full((4, 2), 0.1), np.array([0.5, -0.5])])
result = numbers(layer(x)) + numbers(layers.Rescaling(1 / 255, offset=0.1)(x))
""",
    "callbacks of evaluate and predict": """
got = []
class Noted(callbacks.Callback):
    def on_test_begin(self, logs=None): got.append(1)
    def on_test_batch_begin(self, batch, logs=None): got.append(10 + batch)
    def on_test_batch_end(self, batch, logs=None): got.append(float(logs["loss"]))
    def on_test_end(self, logs=None): got.append(2)
    def on_predict_begin(self, logs=None): got.append(3)
    def on_predict_batch_begin(self, batch, logs=None): got.append(20 + batch)
    def on_predict_batch_end(self, batch, logs=None): got.append(float(np.sum(logs["outputs"])))
    def on_predict_end(self, logs=None): got.append(4)
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile("sgd", "mse")
alike(model).evaluate(x, z, batch_size=20, verbose=0, callbacks=[Noted()])
model.predict(x, batch_size=20, verbose=0, callbacks=[Noted()])
result = got
""",
    "sequences of any length": """
i = keras.Input((None, 2))
h = layers.LSTM(3, return_sequences=True)(i)
model = keras.Model(i, layers.Dense(1)(layers.GlobalAveragePooling1D()(h)))
model.compile(optimizers.Adam(0.01), "mse")
result = alike(model).fit(x.reshape(40, 2, 2), z, epochs=2, shuffle=False, verbose=0).history["loss"]
result += model.predict(x.reshape(20, 4, 2), verbose=0).ravel().tolist()
result += model.fit(x.reshape(20, 4, 2), z[:20], epochs=2, shuffle=False, verbose=0).history["loss"]
model.save(folder.with_suffix(".keras"))
result += keras.models.load_model(folder.with_suffix(".keras")).predict(x.reshape(10, 8, 2), verbose=0).ravel().tolist()
""",
    "layers and weights in lists": """
keras.utils.clear_session()
i = keras.Input((4,))
h = layers.Dense(3)(layers.BatchNormalization()(i))
model = keras.Model(i, layers.Dense(2)(layers.LeakyReLU()(h)))
result = [len(model.layers), len(model.weights), len(model.trainable_weights), model.layers[2].count_params()]
result += [sum(int(np.prod(w.shape)) for w in model.weights), model.get_layer("dense_1").units]
result += [model.get_layer(index=1).count_params(), model.get_layer("leaky_re_lu").trainable]
inner = keras.Model(model.layers[0].output, model.layers[2].output)
alike(model)
result += inner.predict(x, verbose=0).ravel().tolist()
""",
    "the order of branches": """
i = keras.Input((4,))
a = layers.Dense(2, activation="tanh")(i)
b = layers.Dense(3, activation="tanh")(i)
c = layers.Dense(5, activation="tanh")(a)
d = layers.Add()([layers.Dense(3)(c), b])
model = keras.Model(i, layers.Dense(1)(layers.Concatenate()([b, c, layers.Dense(2)(d)])))
result = alike(model).predict(x, verbose=0).ravel().tolist() + [w.shape[-1] for w in model.get_weights()]
""",
    "models of models": """
keras.utils.clear_session()
i = keras.Input((4,))
both = keras.Model(i, layers.Concatenate()([layers.Dense(2, activation="tanh")(i), layers.Dense(3)(i)]), name="both")
twice = keras.Sequential([keras.Input((5,)), layers.Dense(5, activation="relu"), layers.Dense(5)])
j = keras.Input((4,))
first = both(layers.Dense(4)(j))
second = both(j)
model = keras.Model(j, layers.Dense(1)(layers.Add()([twice(first), second])))
alike(model)
model.get_layer("both").trainable = False
model.compile(optimizers.SGD(0.1), "mse")
result = model.fit(x, z, epochs=2, shuffle=False, verbose=0).history["loss"]
result += [len(model.layers), len(model.trainable_weights), len(twice.layers), len(model.get_layer("both").layers)]
result += [w.shape[-1] for w in model.get_weights()] + model.get_layer("both").predict(x, verbose=0).ravel().tolist()
chain = keras.Sequential([both, twice])
head, tail = chain.layers
result += [head.count_params(), tail.count_params(), chain.count_params(), len(chain.get_weights())]
""",
    "names of layers": """
keras.utils.clear_session()
stack = [layers.Dense(3), layers.Dense(2, name="mine"), layers.BatchNormalization(), layers.LSTM(2),
    layers.Conv2D(1, 2),
    layers.GlobalAveragePooling1D(), layers.Dense(4), layers.ReLU(), layers.SimpleRNN(2), layers.GRU(2)]
result = [float(sum(map(ord, layer.name)) + len(layer.name)) for layer in stack]
""",
    "weights of classes and held back samples": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
model.compile(optimizers.SGD(0.1), "BinaryCrossentropy", metrics=["BinaryAccuracy", "MSE"])
options = {"class_weight": {0: 1.0, 1: 10.0}, "validation_split": 0.25}
result = alike(model).fit(x, (y > 0) * 1.0, epochs=2, shuffle=False, verbose=0, **options).history
""",
    "soft labels": """
soft = np.exp(x[:, :3]) / np.exp(x[:, :3]).sum(1, keepdims=True)
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
model.compile(optimizers.SGD(0.1), ["categorical_crossentropy"])
result = alike(model).fit(x, soft, epochs=3, shuffle=False, verbose=0).history
""",
    "a rate that follows a schedule, in the history": """
plateau = callbacks.ReduceLROnPlateau("loss", patience=50)
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)), "MAE")
result = alike(model).fit(x, z, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[plateau]).history
result = result["learning_rate"] + result["loss"]
""",
    "losses and penalties by themselves": """
a, p = np.array([[0.0, 1.0], [1.0, 0.0]], "float32"), np.array([[0.2, 0.8], [0.6, 0.4]], "float32")
l = keras.losses
every = [l.MeanSquaredError(), l.MeanAbsoluteError(), l.Huber(0.3), l.BinaryCrossentropy(label_smoothing=0.1),
    l.CategoricalCrossentropy(), l.CategoricalCrossentropy(from_logits=True), l.BinaryCrossentropy(from_logits=True)]
result = [float(loss(a, p)) for loss in every] + [float(l.SparseCategoricalCrossentropy()(np.array([1, 0]), p))]
result += [float(penalty(p)) for penalty in (keras.regularizers.L1(0.1), keras.regularizers.l2(0.1))]
model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_regularizer="L2", bias_initializer="ones")])
model.compile("sgd", "mse")
result.append(alike(model).evaluate(x, z, verbose=0))
""",
    "metrics with weights": """
m = keras.metrics
a, p, w = np.array([[0], [1], [1], [1]]), np.array([[0.7], [0.2], [0.9], [0.8]]), np.array([1.0, 2.0, 0.5, 3.0])
result = []
for metric in (m.BinaryAccuracy(), m.MeanSquaredError(), m.Precision(), m.Recall()):
    metric.update_state(a, p, sample_weight=w)
    metric.update_state([[0], [1]], [[0.1], [0.9]])
    result.append(float(metric.result()))
""",
    "batches of one's own": """
class Batches(keras.utils.PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.ended = 0
    def __len__(self):
        return 5
    def __getitem__(self, k):
        return x[8 * k : 8 * k + 8], z[8 * k : 8 * k + 8]
    def on_epoch_end(self):
        self.ended += 1
batches = Batches()
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(0.1), "mse")
result = alike(model).fit(batches, epochs=2, shuffle=False, verbose=0).history["loss"] + [batches.ended > 0]
""",
    "options by older names": """
stack = [layers.Dense(6, input_dim=4), layers.LeakyReLU(negative_slope=0.2), layers.Reshape((-1, 2))]
stack += [layers.Conv1D(2, 3, padding="SAME"), layers.Flatten(), layers.Dense(1)]
model = keras.Sequential(stack)
model.compile(optimizers.SGD(0.01, nesterov=True), keras.losses.Huber())
result = alike(model).fit(x, z, epochs=2, shuffle=False, verbose=0).history["loss"]
result += [float(n or 0) for n in model.input_shape + model.output_shape] + [len(model.trainable_variables)]
result += [float(n or 0) for layer in model.layers for n in layer.output.shape] + [len(model.metrics_names) > 0]
model.pop()
result += alike(model).predict(x, verbose=0).ravel().tolist()
""",
    "weights of a GRU": """
model = keras.Sequential([keras.Input(batch_shape=(8, 2, 2)), layers.GRU(3, stateful=True), layers.Dense(1)])
kernel, recurrent, bias = alike(model).layers[0].get_weights()
result = [*kernel.shape, *recurrent.shape, *bias.shape, len(model.get_weights())]
result += model.predict(x[:16].reshape(16, 2, 2), batch_size=8, verbose=0).ravel().tolist()
""",
    "a loss that is no number ends quietly where that is asked for": """
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(1e12), "mse")
found = alike(model).fit(x, z, epochs=50, verbose=0, shuffle=False, callbacks=[callbacks.TerminateOnNaN()]).history
result = [len(found["loss"]), float(np.isfinite(found["loss"][-1]))]
""",
    "a monitor that isn't there": """
watched = [callbacks.EarlyStopping("val_loss", patience=1), callbacks.ReduceLROnPlateau("val_loss")]
model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizers.SGD(0.01), "mse")
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    result = alike(model).fit(x, z, epochs=3, verbose=0, shuffle=False, callbacks=watched).history["loss"]
result.append(len(found) > 0)
""",
    "an own metric": """
def largest(labels, answers):
    errors = abs(labels - answers)
    return errors.amax(-1) if hasattr(errors, "amax") else errors.max(-1)
model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
model.compile(optimizers.SGD(0.01), "mse", metrics=[largest])
stop = callbacks.EarlyStopping("largest", mode="min", patience=2)
result = alike(model).fit(x, x[:, :2], epochs=3, verbose=0, shuffle=False, callbacks=[stop]).history
model.save(folder.with_suffix(".keras"))
again = keras.models.load_model(folder.with_suffix(".keras"), custom_objects={"largest": largest})
result["again"] = again.predict(x, verbose=0).ravel().tolist()
""",
    "short names": """
stack = [layers.Conv2D(2, 2, data_format="channels_last"), layers.MaxPool2D(2), layers.GlobalAvgPool2D()]
model = keras.Sequential([keras.Input((6, 6, 1)), *stack, layers.Dense(1)])
result = alike(model).predict(np.resize(x, (5, 6, 6, 1)), verbose=0).ravel()
""",
}


@pytest.mark.parametrize("name", LINES)
def test_lines_lead_to_the_numbers_of_keras(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    data = {"x": rng.normal(size=(40, 4)).astype(np.float32), "y": rng.integers(0, 3, 40)}
    data["z"] = data["x"].sum(1).astype(np.float32)
    weights: list[Any] = []
    results = []
    for k, module in enumerate((keras, nn)):

        def alike(model: Any, ours: bool = k == 1) -> Any:
            if ours:
                model.set_weights(weights.pop(0))
            else:
                weights.append(model.get_weights())
            return model

        def numbers(tensor: Any) -> list[float]:
            return [float(v) for v in getattr(tensor, "detach", lambda tensor=tensor: tensor)().ravel()]

        names = "layers", "optimizers", "callbacks", "utils"
        scope: dict[str, Any] = {
            "keras": module,
            "np": np,
            "warnings": warnings,
            "alike": alike,
            "numbers": numbers,
            **data,
        }
        scope["folder"] = tmp_path / str(k)
        exec(LINES[name], scope := scope | {name: getattr(module, name) for name in names})
        results.append(scope["result"])
    theirs, ours = results
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        theirs, ours = ([v for key in sorted(found) for v in found[key]] for found in (theirs, ours))
    assert len(theirs) > 0
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=3e-6)
