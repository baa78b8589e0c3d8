"""Frames from images that the user already has: an array, a folder of image files, or a file with an array."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import (
    Artefact,
    InputError,
    Progress,
    complete_artefact,
    is_complete,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.checked_config import checked_arguments_but
from darla.common.files import save_array, write_json
from darla.envs.frames.factor_columns import factor_columns
from darla.envs.frames.frame_set import INDEX, KIND, Images, shard_path
from darla.envs.frames.own_images import ImageOptions, OwnImages, open_images
from darla.envs.frames.units import REST, UNITS, UnitKind, UnitPlan

_SHARD_SIZE = 4_096  # images in memory at a time


@checked_arguments_but("images")
@writes_nothing_if_refused
def frames_from_images(
    images: Images | Path | str | OwnImages,
    out: Path | str,
    *,
    factors: Mapping[str, npt.ArrayLike] | Path | str | None = None,
    options: ImageOptions | None = None,
    name: str = "images",
    domain_ids: npt.ArrayLike | None = None,
    unit: UnitKind = "image",
    actions: npt.ArrayLike | None = None,
    varied: Sequence[str] | None = None,
) -> Artefact:
    """Write images as a set of frames, which `darla.see` trains on.

    Args:
        images: uint8 (N, height, width, channels) with 1, 3 or 4 channels, also (N, height, width) and (N, channels,
            height, width); a folder of PNG, JPEG or other image files, which are read in the order of their names,
            numbers in them as numbers; or a npy, npz or HDF5 file with such an array. Also what `open_images` made of
            them with the same options.
        out: folder of the artefact.
        factors: by name a number or a string for each image, (N,), or a file with a table of them;
            `darla.metrics(..., data=frames)` scores against them.
        options: how images are read, their size and channels for instance.
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
        InputError: no images, files of different sizes, a file that is no image, an array of another type or shape,
            values that run to 1 and not to 255, or factors, domains, actions or groups that do not fit the images.
    """
    options = options or ImageOptions()
    if factors is not None and options.factors is not None:
        raise InputError(f"factors {options.factors} would be ignored: they were given twice")
    opened = images if isinstance(images, OwnImages) else open_images(images, options)
    count, shape, read = opened.count, opened.shape, opened.read
    table = factor_columns(options.factors if factors is None else factors, opened)
    domains = None if domain_ids is None else _domains(domain_ids, count)
    plan, known = _plan(unit, count, actions, varied)
    content = hashlib.sha256(repr((count, shape, [] if table is None else table.dtype.descr)).encode())
    for array in (domains, known):
        if array is not None:
            content.update(repr((array.dtype.str, array.shape, plan.to_dict())).encode() + array.tobytes())
    starts = range(0, count, _SHARD_SIZE)
    brightest = 0
    with Progress(count, "reading", "image") as progress:
        for start in starts:
            rows = read(start, min(start + _SHARD_SIZE, count))
            brightest = max(brightest, int(rows.max()))
            content.update(rows.tobytes())
            progress.update(len(rows))
    if brightest == 1:
        raise InputError(
            f"{opened.where} hold only 0 and 1, which is nearly black; images run to 255: multiply them by 255"
        )
    if table is not None:
        content.update(table.tobytes())
    record: dict[str, Any] = {
        "domain": {"name": name, "sha256": content.hexdigest()},
        "frames": count,
        "unit": plan.to_dict(),
    }
    if done := options.to_dict():
        record["images"] = done
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
