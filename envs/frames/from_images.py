"""Frames from images that the user already has: an array, or a folder of image files."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.files import save_array, write_json
from darla.envs.frames.frame_set import INDEX, KIND, Images, shard_path
from darla.envs.frames.units import REST, UNITS, UnitKind, UnitPlan

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_SHARD_SIZE = 4_096  # images in memory at a time


@writes_nothing_if_refused
def frames_from_images(
    images: Images | Path | str,
    out: Path | str,
    *,
    factors: Mapping[str, npt.ArrayLike] | None = None,
    name: str = "images",
    domain_ids: npt.ArrayLike | None = None,
    unit: UnitKind = "image",
    actions: npt.ArrayLike | None = None,
    varied: Sequence[str] | None = None,
) -> Artefact:
    """Write images as a set of frames, which `darla.see` trains on.

    Args:
        images: uint8 (N, height, width, 3), or a folder of PNG, JPEG or BMP files of one size, which are read in the
            order of their names and converted to RGB.
        out: folder of the artefact.
        factors: by name a number or a string for each image, (N,); `darla.metrics(..., data=frames)` scores against
            them.
        name: what tables call these images.
        domain_ids: the domain of each image, integers from 0, (N,), for models that need them.
        unit: what belongs together, for models that need more than single images: `image`; `pair`, images 2i and 2i + 1
            share factors; `transition`, images 2i and 2i + 1 are before and after an action; `group`, in every N / G
            consecutive images one thing varies.
        actions: of transitions the action of each, integers (N / 2,) or numbers (N / 2, A).
        varied: of G groups what varies in each: the name of a factor, or `rest` for all others together.

    Returns:
        An artefact of kind `frames`.

    Raises:
        InputError: no images, files of different sizes, a file that is no image, an array of another type or shape, or
            factors, domains, actions or groups that do not fit the images.
    """
    count, shape, read = _source(images)
    table = _factor_table(factors or {}, count)
    domains = None if domain_ids is None else _domains(domain_ids, count)
    plan, known = _plan(unit, count, actions, varied)
    content = hashlib.sha256(repr((count, shape, [] if table is None else table.dtype.descr)).encode())
    for array in (domains, known):
        if array is not None:
            content.update(repr((array.dtype.str, array.shape, plan.to_dict())).encode() + array.tobytes())
    starts = range(0, count, _SHARD_SIZE)
    for start in starts:
        content.update(read(start, min(start + _SHARD_SIZE, count)).tobytes())
    if table is not None:
        content.update(table.tobytes())
    record = {"domain": {"name": name, "sha256": content.hexdigest()}, "frames": count, "unit": plan.to_dict()}
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    sizes = []
    shard_size = _SHARD_SIZE - _SHARD_SIZE % plan.size or plan.size  # whole units
    for shard, start in enumerate(range(0, count, shard_size)):
        end = min(start + shard_size, count)
        save_array(shard_path(folder, shard, "images"), read(start, end))
        parts = {
            "factors": None if table is None else table[start:end],
            "domains": None if domains is None else domains[start:end],
            "known": None if known is None else known[start // plan.size : end // plan.size],
        }
        for part, array in parts.items():
            if array is not None:
                save_array(shard_path(folder, shard, part), array)
        sizes.append(end - start)
    index = {"shards": sizes, "image_shape": list(shape), "factors": None, "facts": [], "unit": plan.to_dict()}
    write_json(folder / INDEX, index)
    return complete_artefact(folder, KIND, record, seed=0, inputs={}, wall_seconds=0.0)


def _domains(domain_ids: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    ids = np.asarray(domain_ids)
    if ids.shape != (count,) or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0:
        raise InputError(
            f"domain_ids are {ids.dtype} {ids.shape}, but must be integers from 0, one for each of {count} images"
        )
    return ids.astype(np.int64)


def _plan(
    unit: UnitKind, count: int, actions: npt.ArrayLike | None, varied: Sequence[str] | None
) -> tuple[UnitPlan, npt.NDArray[Any] | None]:
    """Return what belongs together, and what is known of each unit.

    Raises:
        InputError: it does not fit the images, or an argument belongs to another unit.
    """
    if unit not in UNITS:
        raise unknown_name("unit", str(unit), UNITS)
    for argument, values, owner in (("actions", actions, "transition"), ("varied", varied, "group")):
        if (values is not None) != (unit == owner):
            raise InputError(f"{argument} belong to unit {owner!r} and to no other; unit is {unit!r}")
    size = {"image": 1, "pair": 2, "transition": 2}.get(unit) or count // max(1, len(varied or ()))
    if size < 1 or count % size or (unit == "group" and (size < 2 or count != size * len(varied or ()))):
        raise InputError(f"{count} images cannot be divided into units of kind {unit!r}")
    if actions is not None:
        array = np.asarray(actions)
        if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or len(array) != count // 2:
            raise InputError(
                f"actions are {array.dtype} {array.shape}, but must be integers ({count // 2},) or numbers "
                f"({count // 2}, A)"
            )
        return UnitPlan(unit, size), array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
    if varied is not None:
        parts = tuple(sorted(set(varied), key=lambda name: (name == REST, list(varied).index(name))))
        return UnitPlan(unit, size, parts), np.array([parts.index(name) for name in varied], np.int64)
    return UnitPlan(unit, size), None


def _source(images: Images | Path | str) -> tuple[int, tuple[int, ...], Callable[[int, int], Images]]:
    """Return the number of images, the shape of one, and a function that reads rows `start` to `end`."""
    if not isinstance(images, Path | str):
        array = np.asarray(images)
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or not len(array):
            raise InputError(
                f"images are {array.dtype} {array.shape}, but must be uint8 (N, height, width, 3) with N of at least 1"
            )
        return len(array), array.shape[1:], lambda start, end: np.ascontiguousarray(array[start:end])
    files = sorted(path for path in Path(images).glob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise InputError(f"{images} holds no image files ({', '.join(_SUFFIXES)})")
    shape = _read(files[0]).shape
    for file in files:
        if (size := _size(file)) != shape[:2]:
            raise InputError(
                f"{file} is {size[0]} x {size[1]} pixels (height x width), but {files[0]} is {shape[0]} x {shape[1]}; "
                "all images must have one size"
            )
    return len(files), shape, lambda start, end: np.stack([_read(file) for file in files[start:end]])


def _read(file: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}") from error


def _size(file: Path) -> tuple[int, int]:
    """Return height and width from the file's header."""
    try:
        with Image.open(file) as image:
            return image.height, image.width
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}") from error


def _factor_table(factors: Mapping[str, npt.ArrayLike], count: int) -> npt.NDArray[Any] | None:
    """Return the factors as one structured array (N,), int64, float64 or strings; None where there are none."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, values in factors.items():
        column = np.asarray(values)
        if column.shape != (count,):
            raise InputError(f"factor {name!r} has shape {column.shape}, but there are {count} images: ({count},)")
        if column.dtype.kind not in "biufU":
            raise InputError(f"factor {name!r} holds {column.dtype}, but numbers or strings are needed")
        columns[name] = column.astype({"b": np.int64, "i": np.int64, "u": np.int64, "f": np.float64}.get(
            column.dtype.kind, column.dtype))  # fmt: skip
    if not columns:
        return None
    table = np.empty(count, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table
