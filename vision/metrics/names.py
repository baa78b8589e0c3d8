"""What can be asked for by name. Importing this is cheap: no metric, and no PyTorch, comes with it."""

from collections.abc import Iterable
from typing import Literal

from darla.common import unknown_name

NAMES = (
    "mig",
    "mig_sup",
    "mig_posterior",
    "modularity",
    "med",
    "infomec",
    "irs",
    "jemmig",
    "dcimig",
    "mcc",
    "dci",
    "sap",
    "beta_vae_score",
    "factor_vae_score",
    "explicitness",
    "r2",
    "unsupervised_scores",
    "factorised_support",
    "active_units",
    "distance_to_orthogonality",
    "udr",
    "explicitness_curve",
    "snc_nk",
    "downstream_accuracy",
)
"""Metrics in the order in which they are shown; each has a module of its name."""
Preset = Literal["robust", "dlib"]
PRESETS = ("robust", "dlib")


def check_metrics(names: Iterable[str]) -> None:
    """Refuse a name that no metric has.

    Raises:
        InputError: with the closest known name.
    """
    for name in names:
        if name not in NAMES:
            raise unknown_name("metric", str(name), NAMES)


def check_preset(name: str) -> None:
    """Refuse a preset that there is not.

    Raises:
        InputError: with the closest known name.
    """
    if name not in PRESETS:
        raise unknown_name("preset", str(name), PRESETS)
