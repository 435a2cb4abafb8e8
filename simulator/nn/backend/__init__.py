"""What computes a network: the same operations on expressions, on NumPy arrays and on CuPy arrays."""

from simulator.nn.option import chosen

BACKENDS = ("numpy", "expressions")


def backend_named(name: object) -> str:
    """The name of a backend that is there. Raises SettingError for another one."""
    chosen("A backend", name, dict.fromkeys(BACKENDS))
    return str(name)
