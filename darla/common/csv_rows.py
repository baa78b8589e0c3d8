"""Tables as CSV, written in one step and read with every error naming file, line and column.

Floats are written with as many digits as give the same float back; None is an empty cell, True and False are 1 and 0.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from darla.common.errors import ArtefactError
from darla.common.files import write_bytes

T = TypeVar("T")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV; the same values give the same text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def write_rows(path: Path, rows: Iterable[Any], columns: Sequence[str] | None = None) -> None:
    """Write rows of named values.

    Args:
        path: of the file.
        rows: dataclasses, or mappings by column; a mapping that lacks a column leaves its cell empty.
        columns: in order; if None, all that the rows have, in the order in which they first appear.
    """
    plain = [_mapping(row) for row in rows]
    names = list(dict.fromkeys(name for row in plain for name in row)) if columns is None else columns
    write_bytes(path, csv_text(names, ([row.get(name) for name in names] for row in plain)).encode())


def read_rows(path: Path, parse: Callable[[Mapping[str, str]], T]) -> list[T]:
    """Read a table with a header.

    Args:
        path: of the file.
        parse: makes a row from its cells by column; it may raise KeyError for a missing column and ValueError for a
            cell of another kind.

    Raises:
        ArtefactError: the file cannot be read, or `parse` raised one of these.
    """
    rows: list[T] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for cells in csv.DictReader(file):
                rows.append(parse(cells))
    except OSError as error:
        raise ArtefactError(f"could not read {path}: {error.strerror}") from error
    except KeyError as error:
        raise ArtefactError(f"{path} is damaged: it has no column {error}") from error
    except (TypeError, ValueError, csv.Error) as error:
        raise ArtefactError(f"{path} is damaged in line {len(rows) + 2}: {error}") from error
    return rows


def write_numbers(path: Path, rows: Sequence[Mapping[str, float]], first: Sequence[str] = ()) -> None:
    """Write rows of named numbers with six significant digits.

    Args:
        path: of the file.
        rows: in order; one that lacks a number leaves its cell empty.
        first: names of the columns at the left; the others follow in alphabetical order, since rows that went through a
            checkpoint have lost theirs.
    """
    present = {name for row in rows for name in row}
    names = [*(name for name in first if name in present), *sorted(present - set(first))]
    write_rows(path, [{name: f"{value:.6g}" for name, value in row.items()} for row in rows], names)


def read_numbers(path: Path) -> list[dict[str, float]]:
    """Read what `write_numbers` wrote; a number that is not there is not in the row.

    Raises:
        ArtefactError: the file is missing, or a cell is no number.
    """
    return read_rows(path, lambda cells: {name: float(value) for name, value in cells.items() if value})


def _mapping(row: Any) -> Mapping[str, Any]:
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    mapping: Mapping[str, Any] = row
    return mapping


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value
