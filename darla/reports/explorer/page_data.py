"""The data of an explorer's page, as JSON: latents, images with their codes, and the agent's actions."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from darla.reports.explorer.encoder_view import EncoderView, rgba
from darla.reports.explorer.policy_view import PolicyView

Array = np.ndarray[Any, Any]
_DIGITS = 4


@dataclass(frozen=True)
class Explored:
    """One column of the page: an encoder, and the agent that was trained on it, where the run is an agent."""

    view: EncoderView
    policy: PolicyView | None = None
    action_names: tuple[str, ...] = ()
    """Names of the agent's actions."""


def page_data(columns: Sequence[Explored], images: Array) -> dict[str, Any]:
    """Return what `explorer.js` draws the page from.

    Args:
        columns: one or more encoders that read images of the same shape.
        images: images to choose from, uint8 (n, H, W, C); n may be 0.
    """
    height, width, _ = columns[0].view.model.image_shape
    return {
        "height": height,
        "width": width,
        "frames": [image_url(image) for image in images],
        "encoders": [_column(column, images) for column in columns],
    }


def _column(column: Explored, images: Array) -> dict[str, Any]:
    view = column.view
    codes = view.encode(images) if len(images) else np.empty((0, view.model.latent_dim), np.float32)
    data: dict[str, Any] = {
        "label": view.label,
        "ordered": "KL" if view.is_ordered_by_kl else "standard deviation",
        "unit": "nats" if view.is_ordered_by_kl else "sd",
        "factors": [name.replace("_", " ") for name in view.factors],
        "latents": [
            {
                "index": latent.index,
                "low": _short(latent.low),
                "high": _short(latent.high),
                "amount": _short(latent.amount),
                "encodes": [_short(share) for share in latent.encodes.values()],
            }
            for latent in view.latents(codes)
        ],
        # What a latent is where there is no image: the mean of the codes over D_U, about the mean of the prior.
        "mean": [_short(value) for value in view.model.codes_mean.tolist()],
        "codes": [[_short(value) for value in code] for code in codes.tolist()],
    }
    if column.policy is not None:
        data["policy"] = {
            "actions": list(column.action_names),
            "valueBased": column.policy.is_value_based,
            "frameStack": column.policy.frame_stack,
        }
    return data


def image_url(image: Array) -> str:
    """Return an image, uint8 (H, W, C), as a data URL of a PNG."""
    data = io.BytesIO()
    Image.fromarray(rgba(image[None])[0][..., :3] if image.shape[-1] != 4 else image).save(data, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def _short(value: float) -> float:
    return round(float(value), _DIGITS)
