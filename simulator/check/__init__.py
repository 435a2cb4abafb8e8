"""Hand out, mark, audit: which cell of a student's workbook is wrong first, and which mistake makes its number."""
