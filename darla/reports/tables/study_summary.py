"""One sentence above a study's table: which methods keep their source score in the targets, and which do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from darla.reports.tables.transfer import listed, number

_LEARNT = 0.5
"""Share of successful source episodes from which on a method counts as having learnt its task at all."""
_KEPT = 0.8
"""Share of the source return that a method must reach in the targets to have kept its score."""
_FALLEN = 0.5
"""Share of the source return below which its score has fallen."""


@dataclass(frozen=True)
class MethodSummary:
    """Mean returns of one learnt method, over its policy seeds."""

    name: str
    source: float
    """Mean return in the source."""
    targets: float
    """Mean return over all targets."""
    source_success: float | None
    """Share of successful episodes in the source; None where the environment does not define success."""


def summary_sentence(task: str, methods: Sequence[MethodSummary], digits: int = 1) -> str | None:
    """Return what a reader of the table should see first.

    Args:
        task: name of the transfer task.
        methods: those whose policies acted in the source alone. The random agent and methods that were trained in the
            targets say nothing about transfer and must be left out.
        digits: decimals of returns.

    Returns:
        A sentence if one method has kept its source score and another one's has fallen; else None. Methods that have
        not learnt in the source count for neither.
    """
    learnt = [method for method in methods if (method.source_success or 0.0) >= _LEARNT and method.source > 0]
    kept = [method for method in learnt if method.targets >= _KEPT * method.source]
    fallen = [method for method in learnt if method.targets < _FALLEN * method.source]
    if not kept or not fallen:
        return None
    verb, score = ("keeps", "score") if len(kept) == 1 else ("keep", "scores")
    falls = [(method.name, number(method.source, digits), number(method.targets, digits)) for method in fallen]
    keeps = [(method.name, number(method.source, digits), number(method.targets, digits)) for method in kept]
    ends = listed([f"{name} falls from {source} to {targets}" for name, source, targets in falls])
    start = listed([f"{name} ({source} and {targets})" for name, source, targets in keeps])
    return f"In `{task}`, {start} {verb} the source {score} in the targets, while {ends}."
