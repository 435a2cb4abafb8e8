"""Operations on CuPy arrays in float32, forward and backward, on an NVIDIA GPU."""
