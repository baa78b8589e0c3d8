"""Factors that users have: by name in memory, or in a CSV, npy, npz or HDF5 file."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.frames.own_images import SUFFIXES, OwnImages, open_array, split_key

Column = npt.NDArray[Any]
_TYPES: Mapping[str, Any] = {"b": np.int64, "i": np.int64, "u": np.int64, "f": np.float64}


def factor_columns(factors: Mapping[str, npt.ArrayLike] | Path | str | None, images: OwnImages) -> Column | None:
    """Return the factors of images as one structured array (N,), int64, float64 or strings; None where there are none.

    Args:
        factors: by name a number or a string for each image; or a file with such a table.
        images: that they belong to, in this order.

    Raises:
        InputError: a file that cannot be read, a value that is missing or not finite, or another number of rows than
            images.
    """
    if factors is None:
        return None
    named = _of_file(factors, images) if isinstance(factors, Path | str) else factors
    columns: dict[str, Column] = {}
    for name, values in named.items():
        column = np.asarray(values)
        if column.shape != (images.count,):
            raise InputError(
                f"factor {name!r} has shape {column.shape}, but there are {images.count} images: ({images.count},)"
            )
        if column.dtype.kind in "SO" and all(isinstance(value, bytes | str) for value in column.tolist()):
            texts = [value.decode() if isinstance(value, bytes) else value for value in column.tolist()]
            column = np.array(texts, np.str_)
        if column.dtype.kind not in "biufU":
            raise InputError(f"factor {name!r} holds {column.dtype}, but numbers or strings are needed")
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise InputError(f"factor {name!r} is {column[row]} for image {row}, but must be finite")
        columns[name] = column.astype(_TYPES.get(column.dtype.kind, column.dtype))
    if not columns:
        return None
    table = np.empty(images.count, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table


def _of_file(source: Path | str, images: OwnImages) -> Mapping[str, Column]:
    path, key = split_key(source)
    if not path.is_file():
        raise InputError(
            f"factors {source} do not exist; a CSV, npy, npz or HDF5 file with a row for each image is needed"
        )
    if path.suffix.lower() in (".csv", ".tsv"):
        if key:
            raise InputError(f"{path} is one table, so the key {key!r} would be ignored")
        return _of_csv(path, images)
    if path.suffix.lower() == ".npz" and not key:
        with _archive(path) as archive:
            members = {name: archive[name] for name in archive.files if _has_rows(archive, name, images.count)}
        if not members:
            raise InputError(f"{path} has no array with a row for each of {images.count} images")
        return {name: column for member in members for name, column in _split(members[member], member).items()}
    array = np.asarray(open_array(path, key, "factors"))
    if len(array) != images.count:
        raise InputError(f"{source} has {len(array)} rows, but there are {images.count} images")
    return _split(array, "factor")


def _archive(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise InputError(f"{path} is damaged: it is not a complete npz file ({error})") from error


def _has_rows(archive: Any, name: str, count: int) -> bool:
    """Return whether a member is a column or a table of the images; Python objects are not read."""
    try:
        array = archive[name]
    except ValueError:
        return False
    return array.ndim in (1, 2) and len(array) == count


def _split(array: Column, name: str) -> dict[str, Column]:
    """Return the columns of an array: its fields, or those of (N,) and (N, K) by number."""
    if array.dtype.names:
        return {field: array[field] for field in array.dtype.names}
    if array.ndim == 1:
        return {name: array}
    if array.ndim != 2:
        raise InputError(f"factors have the shape {array.shape}, but must be (N,), (N, K) or have named fields")
    return {f"{name} {number}": array[:, number] for number in range(array.shape[1])}


def _of_csv(path: Path, images: OwnImages) -> dict[str, Column]:
    header, rows = _csv_rows(path)
    order = _rows_by_name(header, rows, images, path)
    if order is None:
        if len(rows) != images.count:
            raise InputError(f"{path} has {len(rows)} rows, but there are {images.count} images")
        return {name: _parsed([row[place] for row in rows], name, path) for place, name in enumerate(header)}
    place_of_names, numbers = order
    return {
        name: _parsed([rows[number][place] for number in numbers], name, path)
        for place, name in enumerate(header)
        if place != place_of_names
    }


def _csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows of a table.

    Raises:
        InputError: it is no table with a line of names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a CSV file: {error}") from error
    lines = text.splitlines()
    if not lines:
        raise InputError(f"{path} is empty; a line with the names of the factors is needed, and a row for each image")
    delimiter = max(",;\t", key=lines[0].count)
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if any(row)]
    header, rows = table[0], table[1:]
    if any(_number(cell) is not None for cell in header):
        raise InputError(f"the first line of {path} must name the factors, but is {', '.join(header)}")
    if len(set(header)) < len(header) or not all(header):
        raise InputError(f"the columns of {path} must have different names, and are {', '.join(map(repr, header))}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(f"line {number} of {path} has {len(row)} values, but there are {len(header)} columns")
        if "" in row:
            raise InputError(f"{header[row.index('')]!r} is missing in line {number} of {path}")
    return header, rows


def _rows_by_name(
    header: Sequence[str], rows: Sequence[Sequence[str]], images: OwnImages, path: Path
) -> tuple[int, list[int]] | None:
    """Return which column holds the names of the image files, and the row of each image; None if no column does."""
    if images.names is None:
        return None
    for place, title in enumerate(header):
        cells = [row[place].replace("\\", "/") for row in rows]
        are_files = any(_suffix(cell) in SUFFIXES for cell in cells)
        # Names without an ending may be whole numbers by chance: only a column that names every image counts.
        for spell in (_whole, _last) if are_files else (_stem,):
            wanted = [spell(name) for name in images.names]
            row_of = {spell(cell): number for number, cell in enumerate(cells)}
            missing = [name for name, key in zip(images.names, wanted, strict=True) if key not in row_of]
            if not missing and len(set(wanted)) == len(wanted):
                if len(row_of) < len(rows):
                    raise InputError(f"{path} has two rows with the same {title!r}")
                return place, [row_of[key] for key in wanted]
            if spell is _last and len(missing) < len(wanted):
                raise InputError(f"{path} has no row whose {title!r} is {missing[0]}")
    return None


def _whole(name: str) -> str:
    return PurePosixPath(name).as_posix()


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _stem(name: str) -> str:
    return PurePosixPath(name).stem if _suffix(name) in SUFFIXES else name


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _parsed(cells: Sequence[str], name: str, path: Path) -> Column:
    """Return a column as whole numbers, numbers, or text."""
    numbers = [_number(cell) for cell in cells]
    if any(number is None for number in numbers):
        return np.array(cells, np.str_)
    for cell, number in zip(cells, numbers, strict=True):
        if number is None or not math.isfinite(number):
            raise InputError(f"{name!r} is {cell} in {path}, but must be finite")
    if all(cell.lstrip("+-").isdigit() for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64)
    return np.array(numbers, np.float64)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
