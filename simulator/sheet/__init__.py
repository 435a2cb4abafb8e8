"""Placed tables: which cell holds what, knowing nothing of files."""
