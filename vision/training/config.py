"""How long and how fast a model is trained."""

import math
from dataclasses import dataclass

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig, require_at_least_one

SCHEDULES = ("one_cycle", "trapezoid", "constant")
_DECAY_FRACTION = 0.25
"""Fraction of the steps in which `trapezoid` falls."""


@dataclass(frozen=True)
class TrainingConfig(CheckedConfig):
    """How long and how fast a model is trained."""

    steps: int = 7000
    """Optimizer steps; encoders of rooms that were trained for half as many lost the objects. 0 keeps the initial
    weights."""
    batch_size: int = 64
    """Images a step, over all processes together; 64 as in the literature."""
    learning_rate: float = 2e-3
    """Adam's largest learning rate; papers use 1e-4 to 1e-3, constant, for many more steps."""
    schedule: str = "one_cycle"
    """`one_cycle`: up along a cosine for `warmup_fraction`, then down along one to almost nothing. `trapezoid`: up
    linearly for `warmup_fraction`, constant, and down linearly in the last quarter. `constant`: always the same."""
    warmup_fraction: float = 0.15
    """Fraction of the steps in which `one_cycle` and `trapezoid` rise."""
    gradient_clip: float | None = None
    """Largest norm of the gradient over all parameters; no clipping if not given. Losses are sums over pixels: norms of
    a thousand are usual."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW); 0 is Adam."""
    precision: str = "auto"
    """`auto`, `float32` or `bfloat16`."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ..."""
    micro_batches: int = 0
    """Into how many micro-batches each batch is split, each with noise of its own; the processes of `torchrun` divide
    them among themselves. 0 is one for each process. With the same number of micro-batches the result is the same, up
    to rounding, for any number of processes, and a batch that does not fit in memory can be accumulated."""
    log_every: int = 250
    """Steps between rows of `history.csv`."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.steps < 0:
            raise InputError(f"steps must not be negative, not {self.steps}")
        require_at_least_one(self, "batch_size", "log_every", "checkpoint_every")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0, not {self.learning_rate}")
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if not 0 <= self.warmup_fraction < 1:
            raise InputError(f"warmup_fraction must be a fraction in [0, 1), not {self.warmup_fraction}")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise InputError(f"gradient_clip must be above 0, not {self.gradient_clip}")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay must not be negative, not {self.weight_decay}")
        if self.micro_batches < 0 or (self.micro_batches and self.batch_size % self.micro_batches):
            raise InputError(f"a batch of {self.batch_size} cannot be split into {self.micro_batches} micro_batches")

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: a function of the step alone, so it has no state."""
        if self.schedule == "constant":
            return self.learning_rate
        rise = max(1.0, self.warmup_fraction * self.steps)
        if self.schedule == "trapezoid":
            up, down = (step + 1) / rise, (self.steps - step) / max(1.0, _DECAY_FRACTION * self.steps)
            return self.learning_rate * min(1.0, up, down)
        if step < rise:
            low, high, fraction = self.learning_rate / 25, self.learning_rate, step / rise
        else:
            low, high, fraction = (
                self.learning_rate,
                self.learning_rate / 1e4,
                (step - rise) / max(1.0, self.steps - rise),
            )
        return low + (high - low) * (1 - math.cos(math.pi * fraction)) / 2
