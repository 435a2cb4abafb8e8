"""Networks of your own, in Keras's words: layers, optimizers, models, and workbooks made of them.

>>> from simulator import nn
>>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation="tanh"), nn.Dense(1, activation="sigmoid")])
>>> model.compile(optimizer=nn.SGD(learning_rate=3.0), loss="binary_crossentropy").count_params()
13
"""

from simulator.nn.convolution import (
    AveragePooling1D,
    AveragePooling2D,
    Conv1D,
    Conv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from simulator.nn.features import Features
from simulator.nn.layers import (
    ELU,
    Activation,
    Add,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    LeakyReLU,
    MultiHeadAttention,
    ReLU,
    Reshape,
    Softmax,
)
from simulator.nn.model import Model, Sequential
from simulator.nn.optimizer import SGD, Adagrad, Adam, ExponentialDecay, InverseTimeDecay, RMSprop
from simulator.nn.recurrent import GRU, LSTM, SimpleRNN
from simulator.nn.regularizer import L1, L1L2, L2

__all__ = [
    "ELU",
    "GRU",
    "L1",
    "L1L2",
    "L2",
    "LSTM",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "ExponentialDecay",
    "Features",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "Input",
    "InverseTimeDecay",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Model",
    "MultiHeadAttention",
    "RMSprop",
    "ReLU",
    "Reshape",
    "Sequential",
    "SimpleRNN",
    "Softmax",
]
