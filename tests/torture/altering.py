"""Ways to alter a folder of files: every field of every JSON, bytes, lengths, swaps, additions."""

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10**30, 0.5, -0.5, 1e300, "", "x", "../elsewhere", "/", "x" * 300),
    *([], {}, [[]], [None], [1], ["a"], {"a": 1}),
)
OUTSIDE = {"versions", "hardware", "commit", "command", "wall_seconds", "paths", "tracked", "sha256"}
"""Keys of a card that its digest leaves out, as docs/reliability.md says."""
DELETED = "(deleted)"
"""In place of a value: the entry is taken out."""
Alteration = tuple[Any, ...]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of every value in JSON."""
    yield path
    for key in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield from places(data[key], (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return JSON with one value replaced, or taken out."""
    copy = json.loads(json.dumps(data))
    if not path:
        return value
    part = copy
    for key in path[:-1]:
        part = part[key]
    if value == DELETED:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return copy


def files_of(folder: Path) -> list[str]:
    """Return the names of the files that an artefact's hashes are to cover, and of its card."""
    return sorted(
        name
        for path in folder.rglob("*")
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith(("tensorboard/", "watched/", "logs/"))
        and "/tensorboard/" not in name
        and not any(part.startswith(".") for part in name.split("/"))
    )


@cache
def _fields(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: list(places(json.loads((folder / name).read_text())))
        for name in files_of(folder)
        if name.endswith(".json")
    }


def alterations(folder: Path) -> st.SearchStrategy[Alteration]:
    """Draw an alteration of a folder."""
    names = files_of(folder)
    fields = _fields(folder)
    number = st.one_of(st.integers(-5, 5), st.floats(allow_nan=False), st.integers())
    values = st.one_of(st.sampled_from(WRONG), st.just(DELETED), number, st.text(max_size=5))
    field = st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.tuples(st.just("field"), st.just(name), st.sampled_from(fields[name]), values)
    )
    name = st.sampled_from(names)
    part = st.floats(0.0, 1.0, exclude_max=True)
    return st.one_of(
        field,
        field,
        st.tuples(st.just("flip"), name, part, st.integers(1, 255)),
        st.tuples(st.just("cut"), name, part),
        st.tuples(st.just("append"), name, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("delete"), name),
        st.tuples(st.just("folder"), name),
        st.tuples(st.just("swap"), name, name),
        st.tuples(st.just("add"), st.sampled_from(["more.txt", "more.json", "snapshots/more", "shards/9.npy"])),
    )


def alter(folder: Path, alteration: Alteration) -> bool:
    """Alter a folder; returns whether anything is different now."""
    what, name, *more = alteration
    path = folder / name
    if what == "field":
        place, value = more
        if not place and value == DELETED:
            return False
        data = json.loads(path.read_text())
        altered = changed(data, place, value)
        path.write_text(json.dumps(altered))
        return json.dumps(altered, sort_keys=True) != json.dumps(data, sort_keys=True) and altered != data
    if what == "add":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"more")
        return True
    before = path.read_bytes()
    if what == "flip":
        where = int(more[0] * len(before))
        path.write_bytes(before[:where] + bytes([before[where] ^ more[1]]) + before[where + 1 :] if before else b"")
        return bool(before)
    if what == "cut":
        path.write_bytes(before[: int(more[0] * len(before))])
        return bool(before)
    if what == "append":
        path.write_bytes(before + more[0])
    elif what == "delete":
        path.unlink()
    elif what == "folder":
        path.unlink()
        path.mkdir()
    elif what == "swap":
        other = folder / more[0]
        after = other.read_bytes()
        path.write_bytes(after)
        other.write_bytes(before)
        return before != after
    return True


def copied(source: Path, target: Path) -> Path:
    """Copy an artefact, with links in place of those beside it, so that its relative paths hold."""
    target.mkdir(parents=True)
    for beside in source.parent.iterdir():
        if beside != source:
            (target / beside.name).symlink_to(beside)
    return Path(shutil.copytree(source, target / source.name))
