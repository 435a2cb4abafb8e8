"""The course's larger experiments, each a short declaration."""

from simulator.experiments.alexnet import ALEXNET
from simulator.experiments.experiment import Experiment, find_experiment
from simulator.experiments.fashion import FASHION
from simulator.experiments.googlenet import GOOGLENET
from simulator.experiments.jena import JENA
from simulator.experiments.lenet import LENET
from simulator.experiments.mnist import MNIST
from simulator.experiments.resnet import RESNET
from simulator.experiments.timemachine import TIMEMACHINE
from simulator.experiments.vgg import VGG

PICTURES = (LENET, *ALEXNET, VGG, GOOGLENET, RESNET, *FASHION, *MNIST)
EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in (*PICTURES, *TIMEMACHINE, *JENA)}

__all__ = ["EXPERIMENTS", "Experiment", "find_experiment"]
