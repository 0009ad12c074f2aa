"""Reads columns of numbers from CSV files.

Every error that the user can mend is a ValueError whose message says how.
"""

import csv

# A component holds only the modules that were imported when it was built, and reading a file would
# look for this one.
import encodings.utf_8_sig  # noqa: F401
import math
from collections.abc import Iterator
from pathlib import Path

LARGEST_FILE_BYTES = 8 * 1024 * 1024

# A correlation multiplies four numbers and adds up millions of such products. Those of larger
# numbers would not fit a floating-point number.
LARGEST_NUMBER = 1e70


def column(file: str, name: str) -> tuple[list[float], int]:
    """Gives the numbers of a column, and how many of its cells are empty."""
    numbers = []
    missing = 0
    for line, (cell,) in _cells(file, [name]):
        if cell.strip():
            numbers.append(_number(cell, name, line))
        else:
            missing += 1
    return numbers, missing


def two_columns(file: str, x: str, y: str) -> tuple[list[float], list[float]]:
    """Gives the numbers of two columns, from the rows where both have one."""
    pairs = [
        (_number(x_cell, x, line), _number(y_cell, y, line))
        for line, (x_cell, y_cell) in _cells(file, [x, y])
        if x_cell.strip() and y_cell.strip()
    ]
    return [x_number for x_number, _ in pairs], [y_number for _, y_number in pairs]


def _cells(file: str, names: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Gives the cells of the named columns, with the line that their row starts on."""
    try:
        size = Path(file).stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise ValueError(
                f"{file}: larger than {LARGEST_FILE_BYTES} bytes, the most that is read"
            )
        # A byte order mark is skipped; the csv module wants line ends as they are.
        with Path(file).open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            header = next(rows, [])
            places = [_place(name, header, file) for name in names]
            line = rows.line_num + 1
            for row in rows:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"{file}, line {line}: cells in the row: {len(row)},"
                        f" in the header: {len(header)}"
                    )
                if row:
                    yield line, [row[place] for place in places]
                line = rows.line_num + 1
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 text") from error
    except csv.Error as error:
        raise ValueError(f"{file}, line {rows.line_num}: {error}") from error
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from error


def _place(name: str, header: list[str], file: str) -> int:
    if name not in header:
        there = ", ".join(repr(column_name) for column_name in header) or "none"
        raise ValueError(f"{file}: no column {name!r}; the columns are: {there}")
    return header.index(name)


def _number(cell: str, name: str, line: int) -> float:
    # Python alone reads 1_000 as a number.
    try:
        number = math.nan if "_" in cell else float(cell)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"line {line}, column {name!r}: {cell!r} is not a number")
    if abs(number) > LARGEST_NUMBER:
        raise ValueError(f"line {line}, column {name!r}: {cell!r} is beyond {LARGEST_NUMBER}")
    return number
