"""Data sets that lessons train on."""
