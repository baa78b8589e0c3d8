"""Images that users have: an array in memory, a folder of image files, or an array in a file (npy, npz, HDF5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig, checked_arguments_but, shown_value
from darla.envs.domains.env_setup import FITS, Fit
from darla.envs.frames.frame_set import Images
from darla.envs.image_size import SIDE_UNIT, encoders_read, fit_images, readable_sizes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""Of image files."""
ARRAY_SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
"""Of files that hold arrays."""
CHANNELS = (1, 3, 4)
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB",
          "RGBA": "RGBA", "LA": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "RGBA"}  # fmt: skip
"""Pillow's mode of a file, and the mode that it is read in."""
_MODE_OF = {1: "L", 3: "RGB", 4: "RGBA"}
_CHANNELS_OF = {mode: channels for channels, mode in _MODE_OF.items()}
_AT_ONCE = 64
"""Images of the original size in memory while they get another."""
_SAMPLED = 1_000
"""Images whose values are looked at to say what is wrong with them."""


@dataclass(frozen=True)
class ImageOptions(CheckedConfig):
    """How images that are not frames of `darla collect` are read.

    Raises:
        InputError: a value that cannot be used.
    """

    resize: tuple[int, ...] | None = None
    """Height and width that the images get, or one number for both. None leaves their size as it is."""
    fit: Fit = "stretch"
    """How they get it: `stretch` changes their proportions, `pad` adds black borders, `crop` cuts their edges off.
    `pad` and `crop` never enlarge an image."""
    channels: Literal[1, 3, 4] | None = None
    """Channels of the images: 1 is gray, 3 RGB, 4 RGBA. None leaves them as they are."""
    factors: str | None = None
    """Table of factors, one row for each image: a CSV file with a line of names, or a npy, npz or HDF5 file. A column
    with the names of the files says which row belongs to which image; without one they are in the same order."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        if self.fit not in FITS:
            raise unknown_name("value of fit:", str(self.fit), FITS)
        if self.resize is not None and (len(self.resize) not in (1, 2) or min(self.resize) < 1):
            raise InputError(f"resize is {self.resize}, but must be height and width, or one number for both")
        if self.fit != "stretch" and self.resize is None:
            raise InputError(f"fit {self.fit!r} would be ignored: it says how images get the size of 'resize'")
        if self.channels not in (None, *CHANNELS):
            raise InputError(f"channels is {self.channels}, but must be 1 (gray), 3 (RGB) or 4 (RGBA)")

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that the images get; None leaves them as they are."""
        return None if self.resize is None else (self.resize[0], self.resize[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return what is done to the images, as plain data; empty if nothing is."""
        done: dict[str, Any] = {} if self.size is None else {"resize": list(self.size), "fit": self.fit}
        return done | ({} if self.channels is None else {"channels": self.channels})


@dataclass(frozen=True)
class OwnImages:
    """Images that can be read in parts."""

    count: int
    """N."""
    shape: tuple[int, int, int]
    """Height, width, channels."""
    read: Callable[[int, int], Images]
    """From first and last row to uint8 (n, height, width, channels)."""
    names: tuple[str, ...] | None = None
    """Of image files their paths below the folder; None of arrays."""
    where: str = "images"
    """What messages call them."""


def is_own_images(source: Any) -> TypeGuard[Images | Path | str]:
    """Return whether something is an array, or an existing path that could hold images and is no artefact of darla."""
    if not isinstance(source, Path | str):
        return isinstance(source, np.ndarray) or hasattr(source, "__array__")
    path, _ = split_key(source)
    if path.is_dir():
        return not any((path / name).is_file() for name in ("config.json", "card.json", "index.json"))
    return path.is_file()


@checked_arguments_but("source")
def open_images(source: Images | Path | str, options: ImageOptions | None = None) -> OwnImages:
    """Open images of a user.

    Args:
        source: an array, uint8 (N, height, width, channels), also (N, height, width) and (N, channels, height, width);
            a folder of image files, read in the order of their names, numbers in them as numbers; or a npy, npz or HDF5
            file with such an array. `FILE:KEY` names an array of several in a file.
        options: how they are read.

    Raises:
        InputError: no images, files that are no images or of different sizes or channels, or an array of another type
            or shape; says what to do.
    """
    options = options or ImageOptions()
    if not isinstance(source, Path | str):
        return _fitted(_of_array(source, "images"), options)
    path, key = split_key(source)
    if path.is_dir():
        return _of_folder(path, options)
    if not path.exists():
        raise InputError(f"{source} does not exist; images are a folder of image files or a file that holds an array")
    return _fitted(_of_array(open_array(path, key, "images"), str(source)), options)


def require_readable(images: OwnImages, option: str = "--resize") -> None:
    """Refuse images of a size that encoders do not read.

    Args:
        images: of a user.
        option: how to give a size.

    Raises:
        InputError: says which sizes are close.
    """
    height, width, _ = images.shape
    if not encoders_read(images.shape):
        closest, roomy = readable_sizes(images.shape)
        raise InputError(
            f"{images.where}: images are {height} x {width} pixels (height x width), but encoders read sides that are "
            f"multiples of {SIDE_UNIT}: add {option} {closest[0]} {closest[1]}, or {option} {roomy[0]} {roomy[1]} with "
            "fit pad, which adds black borders"
        )


def split_key(source: Path | str) -> tuple[Path, str]:
    """Return the file and the key of `FILE:KEY`; the key is empty where there is none."""
    path = Path(source)
    file, colon, key = str(source).rpartition(":")
    return (Path(file), key) if colon and not path.exists() and Path(file).is_file() else (path, "")


def open_array(path: Path, key: str, what: str) -> Any:
    """Open an array of a file: a memory map, an array in memory, or a data set of HDF5. Nothing is unpickled.

    Args:
        path: a npy, npz or HDF5 file.
        key: which array of several; empty for the only one that has rows.
        what: it is, for messages: `images` or `factors`.

    Raises:
        InputError: the file is of another kind or damaged, or has no such array, or several.
    """
    suffix = path.suffix.lower()
    if suffix not in ARRAY_SUFFIXES:
        others = "folders of image files" if what == "images" else "csv files"
        raise InputError(f"{path} cannot be read as {what}: known are {', '.join(ARRAY_SUFFIXES)} files, and {others}")
    if suffix == ".npy":
        if key:
            raise InputError(f"{path} holds one array, so the key {key!r} would be ignored")
        return _numpy_file(path, mapped=True)
    if suffix == ".npz":
        archive = _numpy_file(path, mapped=False)
        with archive:
            return _read_member(archive, _chosen(path, key, _shapes_of_npz(archive, path), what), path)
    return _of_hdf5(path, key, what)


def _fitted(images: OwnImages, options: ImageOptions) -> OwnImages:
    """Return images with the channels and the size that the options ask for."""
    channels, size = options.channels or images.shape[2], options.size or images.shape[:2]
    if (*size, channels) == images.shape:
        return images

    def read(start: int, end: int) -> Images:
        fitted = np.empty((end - start, *size, channels), np.uint8)
        for first in range(start, end, _AT_ONCE):
            last = min(first + _AT_ONCE, end)
            rows = images.read(first, last)
            if channels != rows.shape[3]:
                rows = np.stack([_converted(image, channels) for image in rows])
            fitted[first - start : last - start] = fit_images(rows, size, options.fit)
        return fitted

    read(0, 1)  # a size that cannot be cropped is refused here
    return OwnImages(images.count, (*size, channels), read, images.names, images.where)


def _converted(image: Images, channels: int) -> npt.NDArray[np.uint8]:
    mode = _MODE_OF[image.shape[2]]
    drawn = Image.fromarray(np.ascontiguousarray(image[:, :, 0] if mode == "L" else image))
    return np.asarray(drawn.convert(_MODE_OF[channels])).reshape(*image.shape[:2], channels)


def _of_array(array: Any, where: str) -> OwnImages:
    """Describe an array, a memory map or a data set of HDF5."""
    try:
        if not hasattr(array, "shape") or not hasattr(array, "dtype") or not isinstance(array.dtype, np.dtype):
            array = np.asarray(array)  # a tensor of PyTorch, nested lists
    except Exception as error:  # a tensor that has a gradient or no numbers, lists of different lengths
        raise InputError(f"{where} are {shown_value(array)}, which is no array: {error}") from error
    if array.dtype != np.uint8:
        raise InputError(
            f"{where} are {array.dtype} {tuple(array.shape)}, but must be uint8 from 0 to 255{_advice(array)}"
        )
    shape = tuple(array.shape)
    order: tuple[int, ...] = tuple(range(len(shape)))
    image: tuple[int, ...] = (*shape[1:], 1) if len(shape) == 3 else shape[1:]
    if len(shape) == 4 and shape[3] not in CHANNELS and shape[1] in CHANNELS:
        order, image = (0, 2, 3, 1), (*shape[2:], shape[1])
    if len(image) != 3 or image[2] not in CHANNELS or not all(shape):
        raise InputError(
            f"{where} are uint8 {shape}, but must be (N, height, width), or (N, height, width, channels) with 1, 3 or "
            "4 channels, and N at least 1"
        )

    def read(start: int, end: int) -> Images:
        rows = np.asarray(array[start:end])
        return np.ascontiguousarray(rows.transpose(order)).reshape(len(rows), *image)

    return OwnImages(shape[0], (image[0], image[1], image[2]), read, None, where)


def _advice(array: Any) -> str:
    """Return how values that are no bytes become bytes."""
    if array.dtype.kind not in "biuf" or not len(array.shape):
        return ""
    sample = np.asarray(array[:_SAMPLED])
    if not sample.size:
        return ""
    if sample.dtype.kind == "b":
        return ": 255 * images.astype('uint8')"
    if not np.isfinite(sample).all():
        return "; some are not finite"
    low, high = float(sample.min()), float(sample.max())
    change = {
        low >= 0 and high <= 1: "(255 * images).round().astype('uint8')",
        low >= 0 and 1 < high <= 255: "images.round().astype('uint8')",
        -1 <= low < 0 and high <= 1: "(127.5 * (images + 1)).round().astype('uint8')",
    }.get(True, "scale them first, then images.round().astype('uint8')")
    return f"; they run from {low:g} to {high:g}: {change}"


def _of_folder(folder: Path, options: ImageOptions) -> OwnImages:
    files = sorted(
        (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not _is_hidden(path, folder)),
        key=lambda path: _natural(path.relative_to(folder).as_posix()),
    )
    if not files:
        raise InputError(f"{folder} holds no image files ({', '.join(SUFFIXES)}), and no frames of darla collect")
    height, width, mode = _header(files[0])
    size = options.size
    for file in files:
        own = _header(file)
        if size is None and own[:2] != (height, width):
            raise InputError(
                f"{file} is {own[0]} x {own[1]} pixels (height x width), but {files[0]} is {height} x {width}; all "
                "images must have one size, which resize gives them"
            )
        if options.channels is None and own[2] != mode:
            raise InputError(
                f"{file} has {_CHANNELS_OF[own[2]]} channels, but {files[0]} has {_CHANNELS_OF[mode]}; all images must "
                "have as many, which channels gives them"
            )
    channels = options.channels or _CHANNELS_OF[mode]

    def read_one(file: Path) -> Images:
        image = _read(file, _MODE_OF[channels])
        return image if size is None else fit_images(image[None], size, options.fit)[0]

    names = tuple(file.relative_to(folder).as_posix() for file in files)
    return OwnImages(len(files), (*(size or (height, width)), channels),
                     lambda start, end: np.stack([read_one(file) for file in files[start:end]]), names,
                     str(folder))  # fmt: skip


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names as numbers: `frame2` before `frame10`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), part) if part.isdigit() and part.isascii() else (1, 0, part) for part in parts]


def _read(file: Path, mode: str) -> Images:
    try:
        with Image.open(file) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert(mode))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}") from error
    return pixels.reshape(*pixels.shape[:2], -1)


def _header(file: Path) -> tuple[int, int, str]:
    """Return height and width, as shown, and the mode that a file is read in."""
    try:
        with Image.open(file) as image:
            turned = (
                image.getexif().get(0x0112, 1) >= 5
            )  # the tag of the orientation; from 5 on the sides change places
            size, mode = image.size, image.mode
            if mode == "P" and "transparency" in image.info:
                mode = "PA"
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}") from error
    if mode not in _MODES:
        raise InputError(
            f"{file} has pixels of more than 8 bits (Pillow's mode {mode}); save the images with 8 bits a channel"
        )
    width, height = size[::-1] if turned else size
    return height, width, _MODES[mode]


def _numpy_file(path: Path, *, mapped: bool) -> Any:
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror or error}") from error
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise InputError(_not_an_array(path, error)) from error


def _not_an_array(path: Path, error: Exception) -> str:
    if any(words in str(error) for words in ("allow_pickle", "Object arrays", "Python objects")):
        return f"{path} holds Python objects, which darla does not read, since that would run code; save a plain array"
    return f"{path} is damaged: it is not a complete {path.suffix} file ({error})"


def _shapes_of_npz(archive: Any, path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays that can be read; Python objects are left out."""
    shapes = {}
    for name in archive.files:
        try:
            with archive.zip.open(f"{name}.npy") as member:
                version = np.lib.format.read_magic(member)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = header[version](member)
        except Exception as error:  # a damaged archive
            raise InputError(_not_an_array(path, error)) from error
        if not dtype.hasobject:
            shapes[name] = shape
    return shapes


def _read_member(archive: Any, name: str, path: Path) -> Any:
    try:
        return archive[name]
    except Exception as error:
        raise InputError(_not_an_array(path, error)) from error


def _of_hdf5(path: Path, key: str, what: str) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path} is an HDF5 file, which needs h5py: pip install 'darla[data]'") from error
    try:
        file = h5py.File(path, "r")  # stays open: images are read in parts
        sets: dict[str, tuple[int, ...]] = {}
        file.visititems(lambda name, item: sets.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None)
    except OSError as error:
        raise InputError(f"{path} is not a complete HDF5 file ({error})") from error
    return file[_chosen(path, key, sets, what)]


def _chosen(path: Path, key: str, shapes: dict[str, tuple[int, ...]], what: str) -> str:
    """Return which array of a file is meant: the one that is named, or the only one that can be images or factors."""
    if key:
        if key not in shapes:
            raise unknown_name(f"array of {path}:", key, shapes)
        return key
    ranks = (3, 4) if what == "images" else (1, 2)
    fitting = [name for name, shape in shapes.items() if len(shape) in ranks and shape[0] > 0]
    if len(fitting) != 1:
        listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items()) or "nothing"
        raise InputError(
            f"{path} has {len(fitting) or 'no'} array{'s' * (len(fitting) != 1)} that can be {what}; it holds {listed}"
            + (f"; name one, as {path}:{fitting[0]}" if fitting else "")
        )
    return fitting[0]
