"""Engines that recalculate a workbook without knowing anything of NumPy, each in a child process."""
