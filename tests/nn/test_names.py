"""What the modules with Keras's names say of a name that they don't have."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from simulator import nn

MODULES = [nn.callbacks, nn.datasets, nn.initializers, nn.layers, nn.losses, nn.metrics]
MODULES += [nn.models, nn.optimizers, nn.regularizers, nn.utils]

# module, what is written, what was meant
MISTYPED = [
    (nn.layers, "Dens", "Dense"),
    (nn, "LTSM", "LSTM"),
    (nn.losses, "MeanSquareError", "MeanSquaredError"),
    (nn.optimizers, "Adagrd", "Adagrad"),
    (nn.optimizers, "sgd", "SGD"),
    (nn.callbacks, "EarlyStoping", "EarlyStopping"),
    (nn.metrics, "Recal", "Recall"),
    (nn.utils, "to_categoric", "to_categorical"),
    (nn.regularizers, "l1l2", "L1L2"),
    (nn.initializers, "HeNorm", "HeNormal"),
    (nn.datasets, "mnits", "mnist"),
    (nn.models, "load_models", "load_model"),
]


@pytest.mark.parametrize(("module", "written", "meant"), MISTYPED)
def test_a_mistyped_name_is_answered_with_the_nearest(module: ModuleType, written: str, meant: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, written)
    assert str(caught.value) == f"{module.__name__} has no {written}. Did you mean '{meant}'?"


def test_a_name_that_is_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(AttributeError) as caught:
        nn.regularizers.weightless  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == "simulator.nn.regularizers has no weightless. It has L1, L1L2, L2, l1, l1_l2, l2."


def test_python_adds_no_hint_of_its_own() -> None:
    script = "from simulator import nn; nn.layers.Dens"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    said = run.stderr.splitlines()[-1]
    assert said == "AttributeError: simulator.nn.layers has no Dens. Did you mean 'Dense'?"


@pytest.mark.parametrize("module", [nn, *MODULES], ids=lambda module: module.__name__)
def test_every_name_that_is_listed_is_there(module: ModuleType) -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_all_layers_stand_in_the_package_too() -> None:
    assert all(getattr(nn, name) is getattr(nn.layers, name) for name in nn.layers.__all__)
