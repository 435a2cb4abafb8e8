"""Operations on NumPy arrays in float32, forward and backward, planned for one size of batch."""
