"""Films: agents in a grid, each in source and target at the same time, as an animated GIF or as MP4.

Of each episode a film shows the image, below it what the agent's encoder makes of the image, and then the return so
far with the rewards, and the action.
"""

import importlib.util
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from darla.common import InputError
from darla.evaluation.film_strips import RecordedEpisode, font

_SIDE = 192
"""Height of an image in the film, as nearly as a whole-number magnification gives it."""
_GAP, _BETWEEN, _MARGIN = 8, 26, 12
_NAME, _LABEL, _CURVE, _CAPTION = 26, 20, 40, 22
_PAPER, _INK, _MUTED, _RULE = (255, 255, 255), (30, 30, 30), (110, 110, 110), (205, 205, 200)
_LINE, _GOOD, _BAD = (31, 111, 178), (0, 148, 110), (213, 94, 0)
_FRAME_MS, _LAST_MS = 90, 2_500
_COLORS = 128  # of the palette: enough for rooms of few colors, and a third smaller than 256
_CRF = 20  # constant quality of x264; 18 is said to be visually lossless
KINDS = (".gif", ".mp4")
"""Ends of file names that a film can have."""
Rows = Mapping[str, Sequence[RecordedEpisode]]
"""By the name of an agent its episodes, one for each domain; the domains of all agents have the same labels."""


@dataclass(frozen=True)
class _Layout:
    """Where the parts of a film are, in pixels."""

    scale: int
    image: tuple[int, int]
    """Width and height of an image."""
    episodes: int
    decoded: bool
    """Whether images of encoders are shown below those of the environment."""
    columns: int
    """Agents side by side."""
    agents: int

    @classmethod
    def of(cls, rows: Rows) -> "_Layout":
        first = next(iter(rows.values()))
        height, width = first[0].images[0].shape[:2]
        scale = max(1, round(_SIDE / height))
        decoded = any(len(episode.decoded) for episodes in rows.values() for episode in episodes)
        columns = 1 if len(rows) == 1 else 2 if len(rows) <= 4 else 3
        return cls(scale, (width * scale, height * scale), len(first), decoded, columns, len(rows))

    @property
    def block(self) -> tuple[int, int]:
        """Width and height of an agent's part."""
        width, height = self.image
        pictures = height + (_GAP // 2 + height if self.decoded else 0)
        wide = self.episodes * (width + _GAP) - _GAP
        return wide, _NAME + _LABEL + pictures + _CURVE + _CAPTION

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the film, both even, as video codecs need them."""
        rows = -(-self.agents // self.columns)
        width, height = self.block
        wide = 2 * _MARGIN + self.columns * (width + _BETWEEN) - _BETWEEN
        high = 2 * _MARGIN + rows * (height + _BETWEEN) - _BETWEEN
        return wide + wide % 2, high + high % 2

    def corner(self, agent: int, episode: int) -> tuple[int, int]:
        """Return the upper left corner of an episode's part."""
        width, height = self.block
        left = _MARGIN + agent % self.columns * (width + _BETWEEN) + episode * (self.image[0] + _GAP)
        return left, _MARGIN + agent // self.columns * (height + _BETWEEN)


def film_size(rows: Rows) -> tuple[int, int]:
    """Return width and height of the film of some agents, in pixels."""
    return _Layout.of(rows).size


def can_write_mp4() -> bool:
    """Return whether `imageio-ffmpeg` is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def film_gif(rows: Rows, *, interval: int = 2) -> bytes:
    """Return a film as an animated GIF.

    Args:
        rows: the agents.
        interval: environment steps between two images of the film.

    Returns:
        The file's content. An episode that is over keeps its last image and its return.
    """
    frames = list(_frames(rows, interval))
    palette = frames[len(frames) // 2].quantize(_COLORS)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    data = io.BytesIO()
    durations = [_FRAME_MS] * (len(indexed) - 1) + [_LAST_MS]
    indexed[0].save(data, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, optimize=True)
    return data.getvalue()


def film_mp4(rows: Rows, *, interval: int = 1) -> bytes:
    """Return a film as MP4 (H.264), which every browser plays.

    Args:
        rows: the agents.
        interval: environment steps between two images of the film.

    Raises:
        InputError: `imageio-ffmpeg` is not installed.
    """
    require_mp4()
    from imageio_ffmpeg import write_frames

    size = _Layout.of(rows).size
    rate = 1_000 * 2 // (_FRAME_MS * interval)  # as fast as the GIF
    frames = list(_frames(rows, interval))
    last = [frames[-1]] * (rate * _LAST_MS // 1_000)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        # One thread, and no time of making in the file: the same film has the same bytes.
        settings = ["-crf", str(_CRF), "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
                    "-movflags", "+faststart"]  # fmt: skip
        writer = write_frames(
            str(file), size, fps=rate, codec="libx264", pix_fmt_out="yuv420p", macro_block_size=2, quality=None,
            output_params=settings, ffmpeg_log_level="error",
        )  # fmt: skip
        writer.send(None)
        for frame in (*frames, *last):
            writer.send(frame.tobytes())
        writer.close()
        return file.read_bytes()


def require_mp4() -> None:
    """Check that MP4 can be written.

    Raises:
        InputError: `imageio-ffmpeg` is not installed.
    """
    if not can_write_mp4():
        raise InputError("an MP4 needs the package imageio-ffmpeg: pip install 'darla[film]'; a GIF needs nothing")


def _frames(rows: Rows, interval: int) -> Iterator[Image.Image]:
    """Yield the images of a film, the last one after the last step of the longest episode."""
    layout = _Layout.of(rows)
    episodes = [episode for of_agent in rows.values() for episode in of_agent]
    steps = max(len(episode.rewards) for episode in episodes)
    returns = [np.concatenate([[0.0], np.cumsum(episode.rewards)]) for episode in episodes]
    lowest, highest = min(float(each.min()) for each in returns), max(float(each.max()) for each in returns)
    ground = _ground(rows, layout)
    for step in [*range(0, steps, interval), steps]:
        canvas = ground.copy()
        pen = ImageDraw.Draw(canvas)
        for agent, of_agent in enumerate(rows.values()):
            for place, episode in enumerate(of_agent):
                left, top = layout.corner(agent, place)
                top += _NAME + _LABEL
                for images in (episode.images, episode.decoded) if layout.decoded else (episode.images,):
                    if len(images):
                        canvas.paste(_image(images[min(step, len(images) - 1)], layout.image), (left, top))
                    top += layout.image[1] + _GAP // 2
                top -= _GAP // 2
                box = left, top + 6, left + layout.image[0], top + _CURVE
                _curve(pen, episode, step, steps, (lowest, highest), box)
                _caption(pen, episode, step, (left, top + _CURVE + 3), layout.image[0])
        yield canvas


def _ground(rows: Rows, layout: _Layout) -> Image.Image:
    """Draw what is the same in every image of a film: names and labels."""
    canvas = Image.new("RGB", layout.size, _PAPER)
    pen = ImageDraw.Draw(canvas)
    for agent, (name, episodes) in enumerate(rows.items()):
        for place, episode in enumerate(episodes):
            left, top = layout.corner(agent, place)
            if place == 0:
                pen.text((left, top), name, _INK, font(16))
            pen.text((left, top + _NAME), episode.label, _MUTED, font(13))
            if layout.decoded and not len(episode.decoded):
                middle = top + _NAME + _LABEL + layout.image[1] * 3 // 2
                pen.text((left, middle), "no encoder" if place == 0 else "", _MUTED, font(13))
    return canvas


def _image(image: np.ndarray[Any, Any], size: tuple[int, int]) -> Image.Image:
    pixels = np.asarray(image)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return Image.fromarray(np.ascontiguousarray(pixels[..., :3])).resize(size, Image.Resampling.NEAREST)


def _curve(
    pen: ImageDraw.ImageDraw,
    episode: RecordedEpisode,
    step: int,
    steps: int,
    limits: tuple[float, float],
    box: tuple[int, int, int, int],
) -> None:
    """Draw the return up to a step, on axes that all episodes share, with a mark for each reward."""
    left, top, right, bottom = box
    low, high = limits
    span = high - low or 1.0

    def place(at: int, value: float) -> tuple[float, float]:
        return left + (right - left - 1) * at / max(1, steps), bottom - 4 - (bottom - top - 8) * (value - low) / span

    if low <= 0 <= high:
        pen.line([place(0, 0.0), place(steps, 0.0)], _RULE, 1)
    total, points = 0.0, [place(0, 0.0)]
    marks = []
    for at, reward in enumerate(episode.rewards[:step], start=1):
        points.append(place(at, total))
        total += reward
        points.append(place(at, total))
        if reward:
            marks.append((place(at, total), reward > 0))
    if len(points) > 1:
        pen.line(points, _LINE, 2)
    for (x, y), good in marks:
        pen.ellipse([x - 2.5, y - 2.5, x + 2.5, y + 2.5], _GOOD if good else _BAD)


def _caption(
    pen: ImageDraw.ImageDraw, episode: RecordedEpisode, step: int, corner: tuple[int, int], width: int
) -> None:
    """Write the return so far, and the action that follows the image."""
    x, y = corner
    running = step < len(episode.rewards)
    pen.text((x, y), f"return {sum(episode.rewards[:step]):.4g}", _INK if running else _MUTED, font(14))
    if not running:
        text = "over"
    elif len(episode.actions) > step:
        text = episode.actions[step]
    else:
        return
    pen.text((x + width, y), text, _MUTED, font(13), anchor="ra")
