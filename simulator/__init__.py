"""The spreadsheet in which students work backpropagation by hand: written, proved, and played with."""

__version__ = "0.5.0"
