"""Tables of numbers as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from darla.common.errors import InputError
from darla.common.files import write_bytes


def write_numbers(path: Path, rows: Sequence[Mapping[str, float]], first: Sequence[str] = ()) -> None:
    """Write rows of named numbers with six significant digits.

    Args:
        path: of the file.
        rows: in order; one that lacks a number leaves its place empty.
        first: names of the columns that stand first; the others follow in alphabetical order, since rows that went
            through a checkpoint have lost theirs.
    """
    told = {name for row in rows for name in row}
    names = [*(name for name in first if name in told), *sorted(told - set(first))]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
    write_bytes(path, text.getvalue().encode())


def read_numbers(path: Path) -> list[dict[str, float]]:
    """Read what `write_numbers` wrote; a number that is not there is not in the row.

    Raises:
        InputError: the file is missing, or holds something else than numbers.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: it is not a table of numbers ({error})") from error
