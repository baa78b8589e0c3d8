"""The explorer of an encoder inside a report: the page decodes by itself, or shows pictures drawn beforehand."""

from typing import Any

import numpy as np
from PIL import Image

from darla.reports.explorer.encoder_view import EncoderView, Latent, rgba, shown_frames
from darla.reports.explorer.network import decoder_network
from darla.reports.explorer.page_data import Explored, page_data
from darla.reports.inline import data_url

Array = np.ndarray[Any, Any]
BUDGET = 4_500_000
"""Bytes, at most, of all explorers of a page together."""
_FRAMES = 12
_SHEETS, _VALUES, _LATENTS = 3, 11, 40
"""Images, values of a latent and latents where pictures are drawn beforehand."""
_QUALITY = 80


def embedded_explorer(view: EncoderView, budget: int) -> dict[str, Any] | None:
    """Return the data of an explorer that needs no server; None if it would take more than a budget.

    Args:
        view: of an encoder whose model is on the CPU.
        budget: bytes, at most; `BUDGET` for the only explorer of a page.
    """
    network = decoder_network(view.model)
    if network is not None and network.size < 0.9 * budget:
        data = page_data([Explored(view)], shown_frames(view.frames, _FRAMES))
        data["decoders"] = [network.to_json(view.model.image_shape[2])]
        return data
    images = shown_frames(view.frames, _SHEETS)
    codes = view.encode(images) if len(images) else view.model.codes_mean.cpu().numpy()[None]
    data = page_data([Explored(view)], images)
    latents = view.latents(view.encode(images) if len(images) else np.empty((0, view.model.latent_dim)))[:_LATENTS]
    data["encoders"][0]["latents"] = data["encoders"][0]["latents"][: len(latents)]
    urls = [_sheet(view, code, latents) for code in codes]
    if sum(map(len, urls)) > budget:
        return None
    data["decoders"] = [{"kind": "sheets", "values": _VALUES, "urls": urls}]
    return data


def _sheet(view: EncoderView, code: Array, latents: list[Latent]) -> str:
    """Draw the image of a code, and below it each latent at its values, as a data URL."""
    codes = np.repeat(code[None], (1 + len(latents)) * _VALUES, axis=0)
    for row, latent in enumerate(latents, start=1):
        codes[row * _VALUES : (row + 1) * _VALUES, latent.index] = np.linspace(latent.low, latent.high, _VALUES)
    images = rgba(view.decode(codes))
    height, width = images.shape[1:3]
    tiles = images.reshape(-1, _VALUES, height, width, 4).swapaxes(1, 2)
    sheet = Image.fromarray(tiles.reshape(-1, _VALUES * width, 4)[..., : 4 if view.model.image_shape[2] == 4 else 3])
    return data_url(sheet, _QUALITY)
