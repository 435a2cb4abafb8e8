"""The file format: writing, reading, recalculating, verifying."""
