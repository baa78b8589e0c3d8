"""What the latent explorer shows of an encoder: its latents in order, the codes of images, what each latent encodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from darla.analysis.encoder_probes import EncoderProbes
from darla.common import Artefact, InputError
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.factor_table import factor_table
from darla.envs.pictures import to_rgb
from darla.vision import VisionModel, encode_images, metrics
from darla.vision.encoders.encode import decode_codes
from darla.vision.encoders.probes import FEWEST, usable_rows

Array = np.ndarray[Any, Any]
_ROWS = 2_000
"""Images, at most, from which it is estimated what each latent encodes."""
_MARGIN = 1.05
"""By how much a slider reaches beyond the largest code of the images shown."""


@dataclass(frozen=True)
class Latent:
    """One latent and its slider."""

    index: int
    low: float
    """Left end of the slider."""
    high: float
    """Right end."""
    amount: float
    """KL in nats; of a model without a prior, the standard deviation of its codes."""
    encodes: Mapping[str, float]
    """By factor or fact about the state, the mutual information with it as a share of its entropy."""


class EncoderView:
    """An encoder as the explorer shows it.

    Args:
        artefact: of kind `encoder`.
        model: its model, in eval mode.
        label: what the page calls it.
        frames: images that it reads, whose factors are compared with the latents; None where there are none.

    Raises:
        InputError: the model has no decoder, or reads other images than the frames.
    """

    def __init__(self, artefact: Artefact, model: VisionModel, label: str, frames: FrameSet | None = None) -> None:
        self.artefact, self.model, self.label, self.frames = artefact, model, label, frames
        if not model.has_decoder:
            raise InputError(f"{artefact.folder} has no decoder, so there is no image of a code to explore")
        if frames is not None and frames.image_shape != model.image_shape:
            raise InputError(
                f"{artefact.folder} reads images of shape {model.image_shape}, but {frames.artefact.folder} holds "
                f"images of shape {frames.image_shape}"
            )

    def encode(self, images: Array) -> Array:
        """Return the codes of images uint8 (N, H, W, C), float32 (N, D); not normalized."""
        return encode_images(self.model, images)

    def decode(self, codes: Array) -> Array:
        """Return the images of codes (N, D) as the model displays them, uint8 (N, H, W, C)."""
        return decode_codes(self.model, codes)

    def latents(self, shown: Array) -> list[Latent]:
        """Return the latents, the one with the largest KL first.

        Args:
            shown: codes of the images on the page, (n, D), which the sliders have to reach; n may be 0.
        """
        low, high = self.model.traversal_range().cpu().numpy().astype(np.float64)
        if len(shown):
            low, high = np.minimum(low, _MARGIN * shown.min(axis=0)), np.maximum(high, _MARGIN * shown.max(axis=0))
        amounts, encodes = self._amounts, self._encodes
        return [
            Latent(index, float(low[index]), float(high[index]), float(amounts[index]), encodes(index))
            for index in np.argsort(-amounts, kind="stable").tolist()
        ]

    @property
    def is_ordered_by_kl(self) -> bool:
        """Whether `Latent.amount` is a KL."""
        return self._kl is not None

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The factors and facts that latents are compared with; none without frames whose factors vary."""
        return self._relation[0]

    @cached_property
    def _kl(self) -> Array | None:
        kl = EncoderProbes.load(self.artefact.folder).kl
        if not self.model.has_prior or kl is None or len(kl.per_latent) != self.model.latent_dim:
            return None
        return np.array(kl.per_latent)

    @cached_property
    def _amounts(self) -> Array:
        return self.model.codes_std.cpu().numpy().astype(np.float64) if self._kl is None else self._kl

    @cached_property
    def _relation(self) -> tuple[tuple[str, ...], Array]:
        """Factors and facts about the state, and the share of each one's entropy that each latent has, (D, K)."""
        names: tuple[str, ...] = ()
        matrix = np.zeros((self.model.latent_dim, 0))
        if self.frames is None:
            return names, matrix
        try:
            table = factor_table(self.frames, _ROWS, seed=0)
        except InputError:
            return names, matrix  # no factor varies
        codes = np.concatenate([self.encode(images) for images in table.images()])
        facts = {name: values[table.rows] for name, values in self.frames.state.items()}
        usable = usable_rows(facts, len(codes))
        numbers = {name: values[usable] for name, values in facts.items() if values.dtype != np.bool_}
        varying = {name: values for name, values in numbers.items() if (values != values[:1]).any()}
        names, parts = table.names, [_shares(codes, table.factors)]
        if varying and usable.sum() >= FEWEST:
            names = (*names, *varying)
            parts.append(_shares(codes[usable], np.stack(list(varying.values()), axis=1)))
        return names, np.concatenate(parts, axis=1)

    def _encodes(self, latent: int) -> dict[str, float]:
        names, matrix = self._relation
        return {name: float(share) for name, share in zip(names, matrix[latent], strict=True)}


def _shares(codes: Array, factors: Array) -> Array:
    """Return the mutual information of latents and factors, as shares of the factors' entropy, (D, K)."""
    matrix = metrics.mig(codes, factors).matrix
    assert matrix is not None
    return matrix


def shown_frames(frames: FrameSet | None, count: int) -> Array:
    """Return images at even intervals from a set, uint8 (n, H, W, C) with n at most `count`; none without frames."""
    if frames is None:
        return np.empty((0, 1, 1, 3), np.uint8)
    rows = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(np.int64)
    return frames[rows]


def rgba(images: Array) -> Array:
    """Return images of 1, 3 or 4 channels as a page draws them, uint8 (N, H, W, 4)."""
    if images.shape[-1] == 4:
        return images
    color = to_rgb(images)
    return np.concatenate([color, np.full((*color.shape[:-1], 1), 255, np.uint8)], axis=-1)


def from_rgba(images: Array, image_shape: Sequence[int]) -> Array:
    """Return what a page drew, uint8 (N, H, W, 4), as an encoder reads it, uint8 (N, *image_shape)."""
    channels = image_shape[2]
    if channels == 4:
        return images
    color: Array = images[..., :3]
    if channels == 1:
        # Rec. 601 luma, as Pillow's conversion to gray has it.
        gray: Array = color.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return np.asarray(gray.round(), np.uint8)[..., None]
    return np.ascontiguousarray(color)
