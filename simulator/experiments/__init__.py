"""The course's larger experiments, each a short declaration."""

from simulator.experiments.alexnet import ALEXNET_28
from simulator.experiments.experiment import Experiment, find_experiment
from simulator.experiments.lenet import LENET
from simulator.experiments.mnist import MNIST

EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in (LENET, ALEXNET_28, *MNIST)}

__all__ = ["EXPERIMENTS", "Experiment", "find_experiment"]
