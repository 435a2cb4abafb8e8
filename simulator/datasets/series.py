"""The weather of Jena, measured every ten minutes at the roof of the Max Planck Institute for Biogeochemistry.

# N rows, F = 14 features
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.datasets.source import existing, file_of
from simulator.errors import DataError

NAME = "jena-climate"
FEATURES = (
    "p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)", "VPact (mbar)", "VPdef (mbar)",
    "sh (g/kg)", "H2OC (mmol/mol)", "rho (g/m**3)", "wv (m/s)", "max. wv (m/s)", "wd (deg)",
)  # fmt: skip
TEMPERATURE = FEATURES.index("T (degC)")
WHOLE, ROWS = "jena_climate_2009_2016.csv", 420_451  # the file of Keras's examples; its makers give no checksum
PART, ZIPPED = "mpi_roof.csv", "mpi_roof_2024.csv.gz"
CHECKSUMS = {
    PART: "3a412dc1d411244bd0583f99ced81c30a20283fadb7b204e781de9f78878f912",
    ZIPPED: "88a3700b4ddbc62e3e32efbf632f057e0fd9d4ef4a8583bb60977d601de91c9a",
}
ADDRESS = (
    "https://raw.githubusercontent.com/suchitha2403/Wind-Speed-Prediction/"
    "de843304b9a08584d5f2abda87db4a4d2175d709/mpi_roof.csv"
)


class Climate(NamedTuple):
    """numbers (N, 14), as FEATURES has them; first and last time; part says what of the station's series this is."""

    numbers: NDArray[np.float64]
    first: str
    last: str
    part: str


def load_climate() -> Climate:
    """The years 2009 to 2016 where jena_climate_2009_2016.csv is at hand, otherwise four months of 2024.

    Raises DataError when neither can be had, or a file isn't what it should be.
    """
    whole = existing(NAME, WHOLE)
    if whole is not None:
        numbers, first, last = read_climate(whole)
        if len(numbers) != ROWS:
            raise DataError(f"{WHOLE} has {ROWS:,} rows. Received: '{whole}' with {len(numbers):,}.")
        return Climate(numbers, first, last, "all of 2009 to 2016")
    file = PART if existing(NAME, ZIPPED) is None else ZIPPED
    numbers, first, last = read_climate(file_of(NAME, file, CHECKSUMS[file], ADDRESS))
    return Climate(numbers, first, last, f"{len(numbers):,} rows of 2024 in place of {ROWS:,} of 2009 to 2016")


def read_climate(path: Path) -> tuple[NDArray[np.float64], str, str]:
    """Numbers (N, 14), first and last time. Raises DataError where the file has other columns or words for numbers."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("latin-1").splitlines()
    names = [name.strip('"') for name in lines[0].split(",")] if lines else []
    if not set(FEATURES) <= set(names):
        absent = ", ".join(sorted(set(FEATURES) - set(names)))
        raise DataError(f"A file of Jena's weather has a column for {absent}. Received: '{path}' without.")
    columns = [names.index(name) for name in FEATURES]
    try:
        numbers = np.loadtxt(lines[1:], delimiter=",", usecols=columns, ndmin=2)
    except ValueError as error:
        raise DataError(f"Jena's weather is a number in every column. Received: '{path}' ({error}).") from None
    return numbers, lines[1].partition(",")[0], lines[-1].partition(",")[0]
