"""Checks of the arguments that every environment of darla takes."""

from darla.common import InputError


def check_render_mode(render_mode: str | None) -> None:
    """Refuse a `render_mode` that no environment of darla has.

    Raises:
        InputError: it is neither None nor `"rgb_array"`.
    """
    if render_mode not in (None, "rgb_array"):
        raise InputError(f"render_mode is {render_mode!r}, but must be None or 'rgb_array'")


def check_steps(steps: int) -> None:
    """Refuse a length of an episode.

    Raises:
        InputError: it is less than 1.
    """
    if steps < 1:
        raise InputError(f"steps is {steps!r}, but an episode has at least 1 step")
