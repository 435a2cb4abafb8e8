"""Equations on arrays, written once and read as values, formulas, gradients and text."""
