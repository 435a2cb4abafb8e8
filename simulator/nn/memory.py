"""What training needs of a machine's memory."""

from __future__ import annotations

import numpy as np

from simulator.nn.backend.cpu.network import Memory
from simulator.nn.optimizer import Optimizer


def states_of(optimizer: Optimizer) -> int:
    """How many numbers an optimizer keeps for every weight, beside the weight and its gradient.

    >>> from simulator.nn.optimizer import SGD, Adam
    >>> states_of(SGD()), states_of(SGD(momentum=0.9)), states_of(Adam())
    (0, 1, 2)
    """
    one = np.ones(1, np.float32)
    memory = Memory(0.01, 1, {}, one, slice(None), {})
    optimizer.update(memory, one, one)
    return len(memory.states)
