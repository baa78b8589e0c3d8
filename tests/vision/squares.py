"""Small images with one known object each."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SHAPE = (16, 16, 3)


class Frames:
    """A wall with one bright square: kind is its color, bearing its place, distance its size.

    Args:
        count: images.
        seed: names them.
        shape: height, width, channels.
        painted: whether each image's wall has a color of its own.
    """

    def __init__(self, count: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE, painted: bool = True) -> None:
        rng = np.random.default_rng(seed)
        height, width, channels = shape
        colors = np.array([[250, 20, 20], [20, 250, 20], [250, 250, 20]])
        kind, size = rng.integers(0, 3, count), rng.integers(3, 7, count)
        left = rng.integers(0, width - size + 1)
        walls = rng.integers(60, 160, (count, 1, 1, channels)) if painted else 90
        self.images = np.broadcast_to(walls, (count, *shape)).astype(np.uint8)
        for image, which, side, start in zip(self.images, kind, size, left, strict=True):
            image[height // 2 : height // 2 + side, start : start + side] = colors[which]
        self.state = {
            "kind": kind,
            "bearing": (width / 2 - left - size / 2) / width,
            "distance": 6.0 / size,
            "visible": np.ones(count, dtype=bool),
        }
        self.digest = f"squares-{count}-{seed}-{shape}-{painted}"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> Array:
        return self.images[rows]


class KnownFrames(Frames):
    """Squares with everything that a model can need beside images. Four frames in a row are a unit of every kind."""

    unit_size = 4
    group_parts = ("kind", "rest")

    def __init__(self, count: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> None:
        super().__init__(count, seed, shape)
        rows, rng = np.arange(count), np.random.default_rng(seed + 1)
        self.contexts = {name: self.state[name] for name in ("kind", "bearing")}
        self.pairs = self.transitions = rows.reshape(-1, 2)
        self.actions = rng.integers(0, 3, count // 2)
        self.groups = rows.reshape(-1, 4)
        self.varied = rng.integers(0, 2, count // 4)
        self.domain_ids = rows % 2
