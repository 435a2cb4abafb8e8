"""Networks of your own, in Keras's words: layers, optimizers, models, and workbooks made of them.

>>> from simulator import nn
>>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation="tanh"), nn.Dense(1, activation="sigmoid")])
>>> model.compile(optimizer=nn.SGD(learning_rate=3.0), loss="binary_crossentropy").count_params()
13
"""

from simulator.nn import callbacks, initializers, layers, losses, metrics, models, optimizers, regularizers, utils
from simulator.nn.basic import (
    ELU,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    Input,
    LayerNormalization,
    LeakyReLU,
    MultiHeadAttention,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)
from simulator.nn.convolution import (
    AveragePooling1D,
    AveragePooling2D,
    Conv1D,
    Conv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from simulator.nn.features import Features
from simulator.nn.model import Model, Sequential
from simulator.nn.optimizer import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    RMSprop,
    StepDecay,
)
from simulator.nn.recurrent import GRU, LSTM, SimpleRNN
from simulator.nn.regularizer import L1, L1L2, L2
from simulator.nn.store import load_model

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
    "AdamW",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "CosineDecay",
    "Dense",
    "Dropout",
    "Embedding",
    "ExponentialDecay",
    "Features",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InverseTimeDecay",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Model",
    "MultiHeadAttention",
    "RMSprop",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Sequential",
    "SimpleRNN",
    "Softmax",
    "StepDecay",
    "callbacks",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "utils",
]
