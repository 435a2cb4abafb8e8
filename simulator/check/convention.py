"""Equivalent conventions: gradients that carry another factor on the way and give the same updates in the end.

Who divides by m only in the weights' gradients, or only in the update, or writes label minus prediction and adds the
update, is right. A convention multiplies the columns of gradients by a factor; the equations between them then say
what each cell must be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.check.reference import Array, Reference


@dataclass(frozen=True)
class Convention:
    """on_the_way multiplies the gradients of activations and sums, at_the_weights those of weights and biases."""

    remark: str
    on_the_way: float
    at_the_weights: float

    def scale(self, reference: Reference) -> Array:
        """The factor of every element."""
        kinds = reference.kinds
        factors = np.ones(len(reference.elements))
        for k, e in enumerate(reference.elements):
            if e.node.serial in kinds.gradients:
                factors[k] = self.at_the_weights
            elif e.quantity.role == "backward" and e.node.serial not in (*kinds.slopes, *kinds.factors):
                factors[k] = self.on_the_way
        return factors


USUAL = Convention("", 1, 1)


def conventions(samples: int) -> list[Convention]:
    """Every convention that is judged as right, the lesson's own first."""
    m = float(samples)
    turned = "The gradients have the opposite sign and the update adds them: the same steps, judged as right."
    others = [Convention(turned, -1, -1)]
    if samples > 1:
        late = "The division by m stands in the gradients of the weights: the same steps, judged as right."
        last = "The division by m stands in the update: the same steps, judged as right."
        others += [Convention(late, m, 1), Convention(last, m, m)]
        others += [Convention(f"{turned} {late}", -m, -1), Convention(f"{turned} {last}", -m, -m)]
    return [USUAL, *others]
