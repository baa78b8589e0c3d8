"""RecordedEpisode strips: the same episode in source and target, as the agent saw it, with rewards on a time line."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from darla.agents import Actor
from darla.common import rng_for, seed_for
from darla.common.files import write_bytes
from darla.envs import AnyDomain, Context, Domain, make
from darla.evaluation.rollout import EvaluationProtocol

Picture = NDArray[np.uint8]

_SCALE, _GAP, _MARGIN = 2, 6, 8
_HEADER, _TIMELINE, _BETWEEN = 34, 40, 18
_FONT_SIZE = 22
# Grey that is read on white and on black: the strip is transparent and lies on either.
_INK = (118, 118, 118, 255)
_GOOD, _BAD = (0, 148, 110, 255), (213, 94, 0, 255)
_TRIES = 64


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode as it was seen."""

    label: str
    frames: list[Picture]
    """What the agent saw before each step, and at the end."""
    rewards: list[float]
    """What each step gave."""
    context: Mapping[str, Any]

    @property
    def total(self) -> float:
        """The return."""
        return float(sum(self.rewards))

    def to_dict(self) -> dict[str, Any]:
        """Return what a caption says, as plain data."""
        return {
            "return": self.total,
            "length": len(self.rewards),
            "rises": sum(reward > 0 for reward in self.rewards),
            "falls": sum(reward < 0 for reward in self.rewards),
            "context": {name: value for name, value in self.context.items() if isinstance(value, str | int | float)},
        }


def shoot(
    agent: Actor,
    source: AnyDomain,
    target: AnyDomain,
    name: str,
    plan: EvaluationProtocol,
    pictures: int,
    file: Path,
) -> dict[str, Any]:
    """RecordedEpisode one episode in the source and again in a target, and write both as one picture.

    In a world whose states can be rendered in any context both begin with the same state where the domains allow it,
    so that only the looks differ.

    Args:
        agent: who acts.
        source: the source domain.
        target: the target domain.
        name: what the target is called.
        plan: gives the evaluation seed and the way of choosing actions.
        pictures: in each strip.
        file: the PNG to write.

    Returns:
        File name, episode seed, steps between pictures, and what happened in both.
    """
    seed = seed_for(plan.evaluation_seed, "strip", name)
    looks = _contexts(source, target, plan.evaluation_seed, name)
    films = [
        _film(agent, domain, label, seed, look, plan)
        for domain, label, look in ((source, "source", looks[0]), (target, name, looks[1]))
    ]
    longest = max(len(film.rewards) for film in films)
    every = max(1, ceil(longest / pictures))
    pictures = min(pictures, longest // every + 1)
    write_bytes(file, _png(draw(films, every, pictures)))
    return {
        "file": file.name,
        "episode_seed": seed,
        "every": every,
        "source_episode": films[0].to_dict(),
        "target_episode": films[1].to_dict(),
    }


def draw(films: Sequence[RecordedEpisode], every: int, pictures: int) -> Image.Image:
    """Lay films out under each other on one time axis.

    Args:
        films: episodes.
        every: steps between pictures.
        pictures: columns.

    Returns:
        RGBA with a transparent ground.
    """
    height, width = (side * _SCALE for side in films[0].frames[0].shape[:2])
    row = _HEADER + height + _TIMELINE
    canvas = Image.new(
        "RGBA",
        (
            2 * _MARGIN + pictures * (width + _GAP) - _GAP,
            2 * _MARGIN + len(films) * (row + _BETWEEN) - _BETWEEN,
        ),
        (0, 0, 0, 0),
    )
    pen = ImageDraw.Draw(canvas)
    for number, film in enumerate(films):
        top = _MARGIN + number * (row + _BETWEEN)
        ups, downs = (sum(sign * reward > 0 for reward in film.rewards) for sign in (1, -1))
        pen.text((_MARGIN, top), f"{film.label}:  return {film.total:g}", _INK, _font(), stroke_width=0)
        _legend(pen, canvas.width - _MARGIN, top, ups, downs)
        for column in range(pictures):
            step = column * every
            if step < len(film.frames):
                picture = Image.fromarray(film.frames[step]).resize((width, height), Image.Resampling.BICUBIC)
                canvas.paste(picture, (_MARGIN + column * (width + _GAP), top + _HEADER))
        _time_line(pen, film, every, pictures, width, top + _HEADER + height)
    return canvas


def _film(
    agent: Actor, domain: AnyDomain, label: str, seed: int, look: Context | None, plan: EvaluationProtocol
) -> RecordedEpisode:
    env = make(domain)
    try:
        options = None if look is None else {"context": look}
        observation, info = env.reset(seed=seed, options=options)
        context = info.get("context", {})
        agent.reset(1)
        rng = rng_for(plan.evaluation_seed, "strip actions", label)
        frames, rewards, over = [observation], list[float](), False
        while not over:
            action = agent.act(observation[None], plan.actions == "greedy", rng, [info])[0]
            observation, reward, terminated, truncated, info = env.step(int(action))
            frames.append(observation)
            rewards.append(float(reward))
            over = terminated or truncated
        return RecordedEpisode(label, frames, rewards, context)
    finally:
        env.close()


def _contexts(source: AnyDomain, target: AnyDomain, seed: int, name: str) -> tuple[Context | None, Context | None]:
    """Draw a context of the target, and of the source the one that has most in common with it.

    What is discrete counts first: the same kinds of objects make the episodes comparable.
    """
    if not isinstance(source, Domain) or not isinstance(target, Domain) or not target.world.paired:
        return None, None
    rng, space = rng_for(seed, "strip contexts", name), target.world.space
    there = target.sample(rng)

    def in_common(here: Context) -> tuple[int, int]:
        shared = [factor for factor in space.values() if here[factor.name] == there[factor.name]]
        return sum(factor.kind == "discrete" for factor in shared), len(shared)

    return max((source.sample(rng) for _ in range(_TRIES)), key=in_common), there


def _time_line(
    pen: ImageDraw.ImageDraw, film: RecordedEpisode, every: int, pictures: int, width: int, top: int
) -> None:
    """Draw a line with a tick below each picture, and a mark for each reward at its step."""
    pitch, middle = width + _GAP, top + _TIMELINE // 2

    def across(step: float) -> float:
        return _MARGIN + width / 2 + step / every * pitch

    end = min(across(len(film.rewards)), _MARGIN + pictures * pitch - _GAP)
    pen.line([(across(0), middle), (end, middle)], _INK, 2)
    for column in range(pictures):
        if column * every <= len(film.rewards):
            x = across(column * every)
            pen.line([(x, middle - 4), (x, middle + 4)], _INK, 2)
    for step, reward in enumerate(film.rewards, start=1):
        if reward and across(step) <= end:
            _mark(pen, across(step), middle, reward > 0)


def _mark(pen: ImageDraw.ImageDraw, x: float, y: float, good: bool) -> None:
    """Draw a triangle: up above the line for a reward, down below it for a punishment."""
    side, tip = (9, -16) if good else (9, 16)
    base = -3 if good else 3
    pen.polygon([(x - side, y + base), (x + side, y + base), (x, y + tip)], _GOOD if good else _BAD)


def _legend(pen: ImageDraw.ImageDraw, right: int, top: int, ups: int, downs: int) -> None:
    """Write how many rewards and punishments there were, right-aligned, beside their marks."""
    x = float(right)
    for count, good in ((downs, False), (ups, True)):
        x -= pen.textlength(str(count), _font())
        pen.text((x, top), str(count), _INK, _font())
        x -= 18
        _mark(pen, x, top + (22 if good else 6), good)
        x -= 30


@cache
def _font() -> ImageFont.FreeTypeFont:
    # Matplotlib brings this font along; it has the Greek letters and signs that domain names may hold.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), _FONT_SIZE)


def _png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data.getvalue()
