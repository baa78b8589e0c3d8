"""What a step of training draws: single images, or several that belong together, with what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError, rng_for
from darla.envs.image_data.factor_table import numbered
from darla.vision.models.registry import Supervision
from darla.vision.training.batches import Frames

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Units:
    """U units of k images each; `Supervision` says what a unit is."""

    rows: Array
    """Indices of the images, (U, k)."""
    per_unit: Mapping[str, Array] = field(default_factory=dict)
    """By name what is known of each unit, (U, ...)."""
    per_image: Mapping[str, Array] = field(default_factory=dict)
    """By name what is known of each frame, (number of frames, ...)."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """Images in each unit, k."""
        return int(self.rows.shape[1])

    def images_of(self, units: Array) -> Array:
        """Return the indices of the images of some units, those of one unit beside each other, (len(units) k,)."""
        images: Array = self.rows[units].reshape(-1)
        return images

    def supervision_of(self, units: Array, device: torch.device) -> dict[str, Tensor]:
        """Return what is known of some units beside their images, as `ImageModel.loss` takes it."""
        known = {name: values[units] for name, values in self.per_unit.items()}
        known |= {name: values[self.images_of(units)] for name, values in self.per_image.items()}
        return {name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in known.items()}


def single_images(rows: Array) -> Units:
    """Return units of one image each."""
    return Units(rows[:, None])


def units_of(needs: Supervision, frames: Frames, rows: Array, seed: int) -> Units:
    """Return the units that a model with these needs trains on.

    Args:
        needs: what the model needs beside images; the frames have it (`Supervision.check`).
        frames: images, with the attributes that `needs` names.
        rows: indices of the images that may be used. A unit is used if all its images are among them.
        seed: of the association of images from different domains.

    Raises:
        InputError: no unit is left.
    """
    per_image = {"labels": label_table(frames)} if needs.labels else {}
    per_unit: dict[str, Array] = {}
    if needs.domain_ids:
        table = _one_of_each_domain(np.asarray(frames.domain_ids), rows, seed)  # type: ignore[attr-defined]
    elif needs.pairs or needs.groups or needs.actions:
        kind = "pairs" if needs.pairs else "groups" if needs.groups else "transitions"
        table = np.asarray(getattr(frames, kind))
        kept = np.isin(table, rows).all(axis=1)
        if needs.groups:
            per_unit["varied"] = np.asarray(frames.varied, dtype=np.int64)[kept]  # type: ignore[attr-defined]
        if needs.actions:
            actions = np.asarray(frames.actions)[kept]  # type: ignore[attr-defined]
            per_unit["actions"] = actions.astype(np.int64 if np.issubdtype(actions.dtype, np.integer) else np.float32)
        table = table[kept]
    else:
        table = rows[:, None]
    if not len(table):
        raise InputError(f"there is no unit of {', '.join(needs.kinds()) or 'images'} to train on")
    return Units(table, per_unit, per_image)


def label_table(frames: Frames) -> Array:
    """Return the factors behind all frames as float32 (N, K): numbers as they are, names by alphabetical order."""
    contexts: Mapping[str, Any] = getattr(frames, "contexts", {})
    return np.stack([numbered(np.asarray(values)).astype(np.float32) for values in contexts.values()], axis=1)


def _one_of_each_domain(domain_ids: Array, rows: Array, seed: int) -> Array:
    """Return rows in which column j is of the j-th domain, in random order; small domains are gone through again."""
    members = [rows[domain_ids[rows] == domain] for domain in np.unique(domain_ids)]
    if min(map(len, members)) == 0:
        raise InputError(f"domain {int(np.argmin([len(each) for each in members]))} has no image to train on")
    longest = max(map(len, members))
    columns = []
    for number, each in enumerate(members):
        rng = rng_for(seed, "domain", number)
        passes = [rng.permutation(each) for _ in range(-(-longest // len(each)))]
        columns.append(np.concatenate(passes)[:longest])
    return np.stack(columns, axis=1)
