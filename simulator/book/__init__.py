"""The workbook that a lecturer opens: one file per sheet, knowing nothing of the file format."""
