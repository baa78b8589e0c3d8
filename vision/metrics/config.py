"""What `darla metrics` is asked for; apart from the work, so that the command line starts without the suite."""

from dataclasses import dataclass

from darla.common import InputError
from darla.common.checked_config import CheckedConfig
from darla.vision.metrics.names import check_metrics, check_preset


@dataclass(frozen=True)
class MetricsConfig(CheckedConfig):
    """Which metrics, on how many images."""

    names: tuple[str, ...] = ()
    """Metrics to compute; every one that codes, factors and posteriors suffice for if not given."""
    preset: str = "robust"
    """`robust`, or `dlib` for the numbers of disentanglement_lib, faults included."""
    rows: int = 15_000
    """Images, of which metrics that fit something score a third: the 10,000 and 5,000 of disentanglement_lib."""
    interval: int = 0
    """Resamples of a bootstrap interval over images, 2 or more; none if 0. Metrics that fit take as long again for
    each."""

    continuous: tuple[str, ...] = ()
    """Factors whose values are points on a line. Without this and `classes`, names are classes, and numbers are if they
    come five times each or more on average."""
    classes: tuple[str, ...] = ()
    """Factors whose values are classes."""

    def __post_init__(self) -> None:
        """Refuse what means nothing before an image is encoded."""
        check_metrics(self.names)
        check_preset(self.preset)
        if self.rows < 2:
            raise InputError(f"rows is {self.rows}, but at least 2 are needed")
        if self.interval < 0 or self.interval == 1:
            raise InputError(f"interval is {self.interval}, but must be 0, or at least 2 resamples")
        if both := sorted(set(self.continuous) & set(self.classes)):
            raise InputError(f"factor {both[0]!r} is named both by continuous and by classes")
