"""What computes a network: the same operations on expressions, on NumPy arrays and on CuPy arrays."""
