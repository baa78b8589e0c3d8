"""The learning curve of a run: mean return and length of its training episodes, as `Monitor` reports them."""

from dataclasses import dataclass, field
from typing import Any

HEADER = ("env_steps", "mean_return", "mean_length", "episodes")


@dataclass
class LearningCurve:
    """Averages finished episodes into rows.

    Args:
        window: environment steps that a row covers at least; more, if no episode ends in them.
    """

    window: int
    rows: list[tuple[int, float, float, int]] = field(default_factory=list)
    pending: list[tuple[float, int]] = field(default_factory=list)

    def add(self, episode_return: float, length: int) -> None:
        """Add a finished training episode."""
        self.pending.append((float(episode_return), int(length)))

    def advance(self, env_steps: int, *, last: bool = False) -> None:
        """Set the environment steps so far, and write a row if the window is over.

        Args:
            env_steps: environment steps since the beginning of the run.
            last: whether the run ends here, so that all remaining episodes become a row.
        """
        start = self.rows[-1][0] if self.rows else 0
        if self.pending and (last or env_steps - start >= self.window):
            returns, lengths = zip(*self.pending, strict=True)
            count = len(self.pending)
            self.rows.append((env_steps, round(sum(returns) / count, 6), round(sum(lengths) / count, 6), count))
            self.pending = []

    def to_dict(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""
        return {"rows": self.rows, "pending": self.pending}

    def restore(self, record: dict[str, Any]) -> None:
        """Resume from what `to_dict` returned."""
        self.rows = [(row[0], row[1], row[2], row[3]) for row in record["rows"]]
        self.pending = [(episode[0], episode[1]) for episode in record["pending"]]
