"""Films: episodes side by side as an animated GIF, in rows of agents and columns of domains."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from darla.envs.pictures import to_rgb
from darla.evaluation.film_strips import RecordedEpisode, font

_SCALE, _GAP, _MARGIN = 3, 10, 10
_HEADER, _CAPTION = 24, 22
_PAPER, _INK, _MUTED = (255, 255, 255), (30, 30, 30), (110, 110, 110)
_GOOD, _BAD = (0, 148, 110), (213, 94, 0)
_FRAME_MS, _LAST_MS = 90, 2_500
_COLORS = 128  # of the palette: enough for rooms of few colors, and a third smaller than 256


def film_gif(rows: Mapping[str, Sequence[RecordedEpisode]], *, interval: int = 2) -> bytes:
    """Return an animated GIF of episodes that run at the same time.

    Args:
        rows: by the name of an agent its episodes, one for each column; the columns of all rows have the same labels.
        interval: environment steps between two images of the film.

    Returns:
        The file's content. An episode that is over keeps its last image and its return.
    """
    first = next(iter(rows.values()))
    height, width = (side * _SCALE for side in first[0].images[0].shape[:2])
    names = max(font(15).getlength(name) for name in rows) + _GAP
    size = (
        int(2 * _MARGIN + names + len(first) * (width + _GAP) - _GAP),
        2 * _MARGIN + _HEADER + len(rows) * (height + _CAPTION + _GAP) - _GAP,
    )
    steps = max(len(episode.rewards) for episodes in rows.values() for episode in episodes)
    frames = []
    for step in [*range(0, steps, interval), steps]:
        canvas = Image.new("RGB", size, _PAPER)
        pen = ImageDraw.Draw(canvas)
        for column, episode in enumerate(first):
            pen.text((_MARGIN + names + column * (width + _GAP), _MARGIN), episode.label, _INK, font(14))
        for row, (name, episodes) in enumerate(rows.items()):
            top = _MARGIN + _HEADER + row * (height + _CAPTION + _GAP)
            pen.text((_MARGIN, top + height // 2 - 10), name, _INK, font(15))
            for column, episode in enumerate(episodes):
                corner = int(_MARGIN + names + column * (width + _GAP)), top
                canvas.paste(_image(episode, step, (width, height)), corner)
                _caption(pen, episode, step, (corner[0], top + height + 3))
        frames.append(canvas)
    palette = frames[len(frames) // 2].quantize(_COLORS)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    data = io.BytesIO()
    durations = [_FRAME_MS] * (len(indexed) - 1) + [_LAST_MS]
    indexed[0].save(data, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, optimize=True)
    return data.getvalue()


def _image(episode: RecordedEpisode, step: int, size: tuple[int, int]) -> Image.Image:
    image = np.asarray(episode.images[min(step, len(episode.images) - 1)])
    return Image.fromarray(to_rgb(image)).resize(size, Image.Resampling.NEAREST)


def _caption(pen: ImageDraw.ImageDraw, episode: RecordedEpisode, step: int, corner: tuple[int, int]) -> None:
    """Write the return so far, and the numbers of positive and negative rewards."""
    rewards = episode.rewards[:step]
    x, y = corner
    text = f"return {sum(rewards):g}"
    pen.text((x, y), text, _INK if step < len(episode.rewards) else _MUTED, font(14))
    x += int(font(14).getlength("return -00   "))
    for sign, color in (("+", _GOOD), ("−", _BAD)):
        count = sum((reward > 0) == (sign == "+") for reward in rewards if reward)
        pen.text((x, y), f"{sign}{count}", color, font(14))
        x += int(font(14).getlength("+00  "))
