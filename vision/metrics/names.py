"""Names of metrics and presets, without importing a metric or PyTorch."""

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from darla.common import InputError, unknown_name
from darla.common.checked_config import shown_value

PRESETS = ("robust", "dlib")


@cache
def metric_names() -> tuple[str, ...]:
    """Return the name of every metric: the modules of `scores`, and entry points of the group `darla.metrics`."""
    own = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "scores")])}
    return (*sorted(own), *sorted({point.name for point in metadata.entry_points(group="darla.metrics")} - own))


def check_metrics(names: Iterable[str]) -> None:
    """Refuse a name that no metric has.

    Raises:
        InputError: with the closest known name.
    """
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"names has {shown_value(name)} in it, but must be names of metrics")
        if name not in metric_names():
            raise unknown_name("metric", name, metric_names())


def check_preset(name: str) -> None:
    """Refuse a preset that there is not.

    Raises:
        InputError: with the closest known name.
    """
    if name not in PRESETS:
        raise unknown_name("preset", str(name), PRESETS)
