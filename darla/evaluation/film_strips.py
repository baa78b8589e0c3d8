"""Film strips: the same episode in source and target, as the agent saw it, with its rewards on a time line."""

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

from darla.agents import Actor, make_vec, rollout
from darla.common import rng_for, seed_for
from darla.common.files import write_bytes
from darla.envs import AnyDomain, Context, Domain
from darla.envs.domains.world import names_of_actions
from darla.envs.pictures import to_rgb
from darla.evaluation.score_types import AgentRecord, StripEpisode, StripRecord
from darla.evaluation.transfer_config import EvaluationProtocol

_SCALE, _GAP, _MARGIN = 2, 6, 8
_HEADER, _TIMELINE, _BETWEEN = 34, 40, 18
_FONT_SIZE = 22
# Gray that can be read on white and on black: the background of the strip is transparent.
_INK = (118, 118, 118, 255)
_GOOD, _BAD = (0, 148, 110, 255), (213, 94, 0, 255)
_FILM_INTERVAL, _FILM_MS = 2, 90
"""Environment steps between two images of the small film, and how long each is shown."""
_MARKED = 40
"""Steps of an episode of which each may have its mark on the time line."""
_TRIES = 64
"""Contexts of the source among which the one closest to the target's is chosen."""


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode with its images."""

    label: str
    images: Sequence[NDArray[np.uint8]]
    """What the agent saw before each step, and at the end, uint8 (H, W, C)."""
    rewards: Sequence[float]
    """Reward of each step."""
    context: Mapping[str, Any]
    """Values of the domain's factors, where it has some."""
    actions: Sequence[str] = ()
    """Name of each step's action; none if they were not named."""
    decoded: Sequence[NDArray[np.uint8]] = ()
    """What the agent's encoder makes of each image, uint8 (H, W, C); none without an encoder that decodes."""

    @property
    def return_(self) -> float:
        """Undiscounted sum of the rewards."""
        return float(sum(self.rewards))

    def summary(self) -> StripEpisode:
        """Return what a caption says."""
        return StripEpisode(
            return_=self.return_,
            length=len(self.rewards),
            positive_rewards=sum(reward > 0 for reward in self.rewards),
            negative_rewards=sum(reward < 0 for reward in self.rewards),
            context={name: value for name, value in self.context.items() if isinstance(value, str | int | float)},
        )


def write_strip(
    actor: Actor,
    agent: AgentRecord,
    source: AnyDomain,
    target: AnyDomain,
    target_name: str,
    protocol: EvaluationProtocol,
    columns: int,
    file: Path,
    film: Path,
) -> StripRecord:
    """Record one episode in the source and again in a target, and write both as one image and as a small film.

    In a world whose states can be rendered in any context, both start with the same state where the domains allow it,
    so that only the appearance differs.

    Args:
        actor: chooses the actions.
        agent: identifies it.
        source: the source domain.
        target: the target domain.
        target_name: name of the target in the task.
        protocol: gives the evaluation seed, and whether actions are deterministic.
        columns: images of each episode, at most.
        file: the PNG to write.
        film: the GIF to write, with the images of both episodes side by side.
    """
    seed = seed_for(protocol.evaluation_seed, "strip", target_name)
    source_context, target_context = paired_contexts(source, target, protocol.evaluation_seed, target_name)
    episodes = [
        record_episode(actor, source, "source", seed, source_context, protocol),
        record_episode(actor, target, target_name, seed, target_context, protocol),
    ]
    longest = max(len(episode.rewards) for episode in episodes)
    interval = max(1, ceil(longest / columns))
    columns = min(columns, longest // interval + 1)
    write_bytes(file, _png(draw(episodes, interval, columns)))
    write_bytes(film, _gif(episodes))
    return StripRecord(
        method=agent.method,
        seed=agent.seed,
        target=target_name,
        file=file.name,
        episode_seed=seed,
        frame_interval=interval,
        source_episode=episodes[0].summary(),
        target_episode=episodes[1].summary(),
    )


def record_episode(
    actor: Actor, domain: AnyDomain, label: str, seed: int, context: Context | None, protocol: EvaluationProtocol
) -> RecordedEpisode:
    """Run one episode and keep its images.

    Args:
        actor: chooses the actions.
        domain: where.
        label: what the strip calls the episode; also part of the seed of sampled actions.
        seed: the environment is reset with it.
        context: values of the domain's factors; None draws them at the reset.
        protocol: gives the evaluation seed, and whether actions are deterministic.
    """
    envs = make_vec(domain, 1)
    try:
        [episode] = rollout(
            actor,
            envs,
            [seed],
            lambda _: rng_for(protocol.evaluation_seed, "strip actions", label),
            deterministic=protocol.deterministic,
            options=[None if context is None else {"context": context}],
            record_images=True,
        )
    finally:
        envs.close()
    actions = _named(episode.actions, domain.to_dict(), actor.n_actions)
    return RecordedEpisode(label, episode.images, episode.rewards, episode.first_info.get("context", {}), actions)


def _named(actions: Sequence[Any], domain: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return what a film calls each action: its name, or its numbers where it is not one of several."""
    names = names_of_actions(domain, count)
    return tuple(
        names[int(action)]
        if np.ndim(action) == 0 and 0 <= int(action) < len(names)
        else ", ".join(f"{value:.2f}" for value in np.ravel(action))
        for action in actions
    )


def in_words(value: float) -> str:
    """Return a sum of rewards with a true minus sign: a whole number, as in many worlds, or up to two decimals."""
    text = f"{value:.{2 if abs(value) < 10 else 1}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def is_dense(rewards: int, steps: int) -> bool:
    """Return whether so many of an episode's steps have a reward that marks of each would be one band.

    Args:
        rewards: steps with a reward other than zero.
        steps: of the episode.
    """
    return steps > _MARKED and rewards > steps / 2


def draw(episodes: Sequence[RecordedEpisode], interval: int, columns: int) -> Image.Image:
    """Draw episodes below each other on one time axis.

    Args:
        episodes: with images of one size.
        interval: environment steps between two images.
        columns: images of each episode.

    Returns:
        RGBA with a transparent background.
    """
    height, width = (side * _SCALE for side in episodes[0].images[0].shape[:2])
    row = _HEADER + height + _TIMELINE
    canvas = Image.new(
        "RGBA",
        (
            2 * _MARGIN + columns * (width + _GAP) - _GAP,
            2 * _MARGIN + len(episodes) * (row + _BETWEEN) - _BETWEEN,
        ),
        (0, 0, 0, 0),
    )
    pen = ImageDraw.Draw(canvas)
    for number, episode in enumerate(episodes):
        top = _MARGIN + number * (row + _BETWEEN)
        ups, downs = (sum(sign * reward > 0 for reward in episode.rewards) for sign in (1, -1))
        pen.text(
            (_MARGIN, top),
            f"{episode.label}:  return {in_words(episode.return_)}",
            _INK,
            font(_FONT_SIZE),
            stroke_width=0,
        )
        _legend(pen, canvas.width - _MARGIN, top, ups, downs)
        for column in range(columns):
            step = column * interval
            if step < len(episode.images):
                image = Image.fromarray(to_rgb(episode.images[step])).resize((width, height), Image.Resampling.BICUBIC)
                canvas.paste(image, (_MARGIN + column * (width + _GAP), top + _HEADER))
        _time_line(pen, episode, interval, columns, width, top + _HEADER + height)
    return canvas


def paired_contexts(
    source: AnyDomain, target: AnyDomain, seed: int, name: str
) -> tuple[Context | None, Context | None]:
    """Draw a context of the target, and take of 64 contexts of the source the one that shares most factors with it.

    Discrete factors count first: the same kinds of objects make the episodes comparable.
    """
    if not isinstance(source, Domain) or not isinstance(target, Domain) or not target.world.paired:
        return None, None
    rng, space = rng_for(seed, "strip contexts", name), target.world.space
    target_context = target.sample(rng)

    def in_common(context: Context) -> tuple[int, int]:
        shared = [factor for factor in space.values() if context[factor.name] == target_context[factor.name]]
        return sum(factor.kind == "discrete" for factor in shared), len(shared)

    return max((source.sample(rng) for _ in range(_TRIES)), key=in_common), target_context


def _time_line(
    pen: ImageDraw.ImageDraw, episode: RecordedEpisode, interval: int, columns: int, width: int, top: int
) -> None:
    """Draw a line with a tick below each image, and a mark for each reward at its step."""
    pitch, middle = width + _GAP, top + _TIMELINE // 2

    def x_of(step: float) -> float:
        return _MARGIN + width / 2 + step / interval * pitch

    end = min(x_of(len(episode.rewards)), _MARGIN + columns * pitch - _GAP)
    pen.line([(x_of(0), middle), (end, middle)], _INK, 2)
    for column in range(columns):
        if column * interval <= len(episode.rewards):
            x = x_of(column * interval)
            pen.line([(x, middle - 4), (x, middle + 4)], _INK, 2)
    if is_dense(sum(reward != 0 for reward in episode.rewards), len(episode.rewards)):
        return
    for step, reward in enumerate(episode.rewards, start=1):
        if reward and x_of(step) <= end:
            _mark(pen, x_of(step), middle, reward > 0)


def _mark(pen: ImageDraw.ImageDraw, x: float, y: float, good: bool) -> None:
    """Draw a triangle: above the line and up for a positive reward, below it and down for a negative one."""
    side, tip = (9, -16) if good else (9, 16)
    base = -3 if good else 3
    pen.polygon([(x - side, y + base), (x + side, y + base), (x, y + tip)], _GOOD if good else _BAD)


def _legend(pen: ImageDraw.ImageDraw, right: int, top: int, ups: int, downs: int) -> None:
    """Write the number of positive and negative rewards, right-aligned, beside their marks."""
    x = float(right)
    for count, good in ((downs, False), (ups, True)):
        x -= pen.textlength(str(count), font(_FONT_SIZE))
        pen.text((x, top), str(count), _INK, font(_FONT_SIZE))
        x -= 18
        _mark(pen, x, top + (22 if good else 6), good)
        x -= 30


def _gif(episodes: Sequence[RecordedEpisode]) -> bytes:
    """Return the images of episodes side by side as an animated GIF; one that is over keeps its last image."""
    longest = max(len(episode.images) for episode in episodes)
    frames = [
        Image.fromarray(
            np.hstack([to_rgb(episode.images[min(step, len(episode.images) - 1)]) for episode in episodes])
            .repeat(_SCALE, 0)
            .repeat(_SCALE, 1)
        )
        for step in range(0, longest, _FILM_INTERVAL)
    ]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=_FILM_MS, loop=0)
    return data.getvalue()


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of strips and films.

    Args:
        size: in pixels.
    """
    # Ships with Matplotlib, and has the Greek letters and signs that may occur in the names of domains.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)


def _png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data.getvalue()
