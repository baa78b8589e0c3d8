"""Files that are either complete or absent: written under a temporary name, flushed, then renamed."""

import errno
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors

from darla.common.errors import InputError

if TYPE_CHECKING:  # PyTorch takes a second to import, and much of darla does without it
    from torch import Tensor


def write_aside(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` write a temporary file beside `path`, then rename it to `path`.

    Raises:
        InputError: the file could not be written (disk full, no permission); `path` is unchanged.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"could not write {path}: {why_not_written(error)}") from error
    finally:
        aside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where it is not there.

    Raises:
        InputError: it cannot be made (disk full, no permission, a file in its place).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"could not make the folder {folder}: {why_not_written(error)}") from error


def why_not_written(error: Exception) -> str:
    """Return why a file could not be written, and what to do about it."""
    reason = getattr(error, "strerror", None) or str(error)
    number = getattr(error, "errno", None)
    if number is None and (match := re.search(r"os error (\d+)", reason)):  # safetensors keeps it in its text
        number = int(match[1])
        reason = os.strerror(number)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}; free some space and give the same command again, what is finished is kept"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{reason}; choose a folder that you may write to"
    return reason


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step; see `write_aside`."""
    write_aside(path, lambda aside: _write_all(aside, data))


def _write_all(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, so that equal values give equal bytes.

    Raises:
        ValueError: `value` holds NaN or infinity, which JSON does not have.
    """
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return what `write_json` writes."""
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # the second for lists in lists in lists
        raise InputError(f"{path} is damaged: it is not JSON ({error})") from error


def save_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write a `.npy` file that can be memory-mapped; object arrays, which would be pickled, are refused."""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    write_bytes(path, data.getvalue())


def load_array(path: Path, *, mapped: bool = False) -> np.ndarray[Any, Any]:
    """Read a `.npy` file into memory or as a read-only memory map.

    Raises:
        InputError: the file is missing, truncated, or not an array of plain numbers.
    """
    try:
        array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged: it is not a complete .npy array ({error})") from error
    return array


def save_tensors(path: Path, tensors: "Mapping[str, Tensor]") -> None:
    """Write named tensors as safetensors, in the order of their names, so that equal tensors give equal bytes."""
    from safetensors.torch import save_file

    plain = {name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)}
    write_aside(path, lambda aside: save_file(plain, str(aside)))


def load_tensors(path: Path) -> "dict[str, Tensor]":
    """Read a safetensors file, which cannot contain code.

    Raises:
        InputError: the file is missing, truncated or not safetensors.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"could not read {path}: no such file")
    try:
        return load_file(str(path))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: it is not a complete safetensors file ({error})") from error


def hash_tensors(digest: "hashlib._Hash", tensors: "Mapping[str, Tensor]") -> None:
    """Feed the names and the bytes of tensors into a hash, in the order of their names."""
    import torch

    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())


def json_sha256(value: Any) -> str:
    """Return the SHA-256, in hexadecimal, of a value as JSON with sorted keys: equal for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
