"""Losses, entry by entry or row by row, each with its gradient; both times share, what a loss counts.

# K classes; p predictions or z logits, y labels; probabilities are kept 1e-7 away from 0 and 1, as in Keras
"""

from __future__ import annotations

from functools import cache

import numpy as np

from simulator.nn.backend.gpu.device import Array, Launch, cupy, entries, number, sum_to, zeros

KEPT = "(q < 1e-7f ? 1e-7f : q > 1.0f - 1e-7f ? 1.0f - 1e-7f : q)"
ENTRY = {
    "mean_squared_error": """float e = p[i] - y[i];
    losses[i] = e * e * share;
    d[i] = 2.0f * e * share;""",
    "mean_absolute_error": """float e = p[i] - y[i];
    losses[i] = fabsf(e) * share;
    d[i] = e > 0.0f ? share : e < 0.0f ? -share : 0.0f;""",
    "huber": """float e = p[i] - y[i], size = fabsf(e);
    losses[i] = (size <= DELTA ? 0.5f * e * e : DELTA * size - 0.5f * DELTA * DELTA) * share;
    d[i] = share * (e > DELTA ? DELTA : e < -DELTA ? -DELTA : e);""",
    "binary_crossentropy": f"""float q = p[i];
    q = {KEPT};
    losses[i] = -(y[i] * logf(q) + (1.0f - y[i]) * logf(1.0f - q)) * share;
    d[i] = (q - y[i]) / (q * (1.0f - q)) * share;""",
    "binary_crossentropy of logits": """float z = p[i];
    losses[i] = ((z < 0.0f ? 0.0f : z) - z * y[i] + log1pf(expf(-fabsf(z)))) * share;
    d[i] = (1.0f / (1.0f + expf(-z)) - y[i]) * share;""",
}
ROW = {
    "": f"""float total = 0.0f, loss = 0.0f;
    for (int k = 0; k < K; ++k) total += p[i * K + k];
    for (int k = 0; k < K; ++k) {{
      float q = p[i * K + k] / total;
      q = {KEPT};
      loss -= LABEL * logf(q);
      d[i * K + k] = (1.0f - LABEL / q) / total * share;
    }}
    losses[i] = loss * share;""",
    " of logits": """const float* z = p + i * K;
    float top = z[0], total = 0.0f, dot = 0.0f, weight = 0.0f;
    for (int k = 1; k < K; ++k) top = fmaxf(top, z[k]);
    for (int k = 0; k < K; ++k) {
      d[i * K + k] = expf(z[k] - top);
      total += d[i * K + k];
      dot += LABEL * (z[k] - top);
      weight += LABEL;
    }
    for (int k = 0; k < K; ++k) d[i * K + k] = (d[i * K + k] * weight / total - LABEL) * share;
    losses[i] = (logf(total) * weight - dot) * share;""",
}
SPARSE = "(y[i] == k ? 1.0f : 0.0f)"


def takes_classes(loss: str) -> bool:
    return loss == "sparse_categorical_crossentropy"


def by_rows(loss: str) -> bool:
    return loss.endswith("categorical_crossentropy")


@cache
def loss_of(loss: str, of_logits: bool, delta: float) -> Launch:
    """A launch(n, K, each, factor, weights, labels, result, losses, gradient); n counts entries, or rows of K classes.

    each of them has a weight.
    """
    kind = " of logits" if of_logits else ""
    label = "int" if takes_classes(loss) else "float"
    if by_rows(loss):
        body = ROW[kind].replace("LABEL", SPARSE if takes_classes(loss) else "y[i * K + k]")
    else:
        body = ENTRY[loss + kind].replace("DELTA", number(delta))
    parameters = f"int K, int each, float factor, const float* weights, const {label}* y, const float* p, "
    body = "float share = factor * weights[i / each];\n    " + body
    return entries("loss", parameters + "float* losses, float* d", body)


class Loss:
    """The mean loss of a batch's result and its gradient."""

    def __init__(self, loss: str, of_logits: bool, delta: float, result: Array) -> None:
        self.classes, self.result = int(result.shape[-1]), result
        self.count = int(result.size // self.classes if by_rows(loss) else result.size)
        self.of = loss_of(loss, of_logits, delta)
        self.losses, self.mean = zeros(self.count), zeros(1)
        self.weighed = False
        self.rows = int(result.size // self.classes)
        self.weights = cupy().full(self.rows, 1, np.float32)  # of every vector of results

    def __call__(self, labels: Array, gradient: Array) -> None:
        each, share = self.count // self.rows, 1 / self.count
        self.of(self.count, self.classes, each, share, self.weights, labels, self.result, self.losses, gradient)
        sum_to(self.losses, 1.0, self.mean)
