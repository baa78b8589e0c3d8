"""Pictures for people: images of any number of channels as RGB, and drawing that never costs a result."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
_reported: set[str] = set()


def to_rgb(images: Images) -> Images:
    """Return images as a person is shown them.

    Args:
        images: uint8 (..., height, width, C). C = 1 is gray and 3 RGB; of 4 channels the first three are shown, as of
            RGBA; of any other number, such as stacked gray frames, the last one in gray.

    Returns:
        uint8 (..., height, width, 3).
    """
    channels = images.shape[-1]
    if channels in (3, 4):
        return images[..., :3]
    return np.repeat(images[..., -1:], 3, axis=-1)


@contextmanager
def only_a_picture(what: str) -> Iterator[None]:
    """Leave a picture out if it cannot be drawn: numbers that took hours must not depend on it.

    A warning on the standard error says so, once for each picture and process. A file that cannot be written, and
    memory that is full, concern more than the picture and are raised.

    Args:
        what: the picture, such as `the film strip of DARLA in red`.
    """
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # anything may go wrong in a picture of somebody's images
        if isinstance(error.__cause__, OSError):
            raise
        if what not in _reported:
            _reported.add(what)
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            print(f"warning: {what} was left out, all else is complete ({reason})", file=sys.stderr, flush=True)
