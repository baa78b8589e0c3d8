"""Trials: inputs that somebody might give, or accidents that might happen, each with promises that must hold.

A `Kind` draws inputs (Hypothesis) and tries them; a `Tally` counts tries and failures of each promise, and keeps the
smallest input of each failure. Inputs are plain data, so that a printed one can be tried again.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

Checked = Mapping[str, str | None]
"""By promise what is wrong; None where it is kept."""
_SHRINKING = 60
"""Tries after a failure that look for a smaller input."""
_LONGEST_INPUT, _LONGEST_MESSAGE = 2000, 600


@dataclass(frozen=True)
class Kind:
    """A kind of input, and how one is tried."""

    name: str
    inputs: Callable[[], SearchStrategy[Any]]
    """Made when it is needed: some kinds look at artefacts that have to be made first."""
    attempt: Callable[[Any], Checked]
    """Tries an input; returns the promises that were looked at. What it raises is a failure of the suite."""
    share: float = 1.0
    """Of the time of a run, beside that of the other kinds."""
    group: Callable[[Any], str] = lambda _: ""
    """What a row of the table is counted by, such as the kind of artefact that is altered."""
    shrinks: bool = True
    """Whether an input that fails fails again, so that a smaller one can be looked for."""
    batch: int = 50
    """Inputs drawn at a time."""
    events: Callable[[Any], int] = lambda _: 1
    """How many things happen in a try of an input, such as kills."""


@dataclass
class Failure:
    """Ways to fail that have the same message, but for names and numbers."""

    message: str
    smallest: str
    """The smallest input, as Python shows it."""
    count: int = 1


@dataclass
class Row:
    """What is known of one promise for one group of inputs of one kind."""

    tries: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Tries that failed."""
        return sum(failure.count for failure in self.failures.values())


class Tally:
    """Counts by kind, group and promise."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], Row] = {}
        self.inputs: dict[tuple[str, str], int] = {}
        """Tries by kind and group, whatever was promised."""
        self.seconds: dict[str, float] = {}
        self.events: dict[str, int] = {}
        """What happened in all tries of a kind, such as kills."""

    def add(self, kind: str, group: str, value: Any, checked: Checked, events: int = 1) -> list[str]:
        """Count a try, and return the signatures of its failures."""
        self.inputs[kind, group] = self.inputs.get((kind, group), 0) + 1
        self.events[kind] = self.events.get(kind, 0) + events
        signatures = []
        for promise, message in checked.items():
            row = self.rows.setdefault((kind, group, promise), Row())
            row.tries += 1
            if message is None:
                continue
            signature = signature_of(message)
            signatures.append(signature)
            shown, message = repr(value)[:_LONGEST_INPUT], message[:_LONGEST_MESSAGE]
            known = row.failures.get(signature)
            if known is None:
                row.failures[signature] = Failure(message, shown)
                continue
            known.count += 1
            if len(shown) < len(known.smallest):
                known.message, known.smallest = message, shown
        return signatures

    @property
    def failed(self) -> int:
        """Tries that failed, over all promises."""
        return sum(row.failed for row in self.rows.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "inputs": [
                {"kind": kind, "group": group, "tries": count} for (kind, group), count in sorted(self.inputs.items())
            ],
            "promises": [
                {
                    "kind": kind,
                    "group": group,
                    "promise": promise,
                    "tries": row.tries,
                    "failed": row.failed,
                    "failures": [vars(failure) for failure in row.failures.values()],
                }
                for (kind, group, promise), row in sorted(self.rows.items())
            ],
            "events": dict(sorted(self.events.items())),
            "seconds": {kind: round(seconds, 1) for kind, seconds in sorted(self.seconds.items())},
        }

    def markdown(self) -> str:
        """Return the table of tries and failures, and below it the smallest input of each failure."""
        lines = ["| kind | of | promise | tries | failed |", "|---|---|---|--:|--:|"]
        for (kind, group, promise), row in sorted(self.rows.items()):
            lines.append(f"| {kind} | {group or '-'} | {promise} | {row.tries:,} | {row.failed:,} |")
        total = sum(self.inputs.values())
        lines.append(f"| all | | | {total:,} inputs | {self.failed:,} |")
        kills = sum(count for kind, count in self.events.items() if kind.startswith("kill"))
        lines += ["", f"Kills, of which a try may have several: {kills:,}."]
        for (kind, group, promise), row in sorted(self.rows.items()):
            for failure in row.failures.values():
                lines += ["", f"**{kind} {group}: {promise}** ({failure.count} times)", ""]
                lines += ["```text", failure.smallest, "", failure.message, "```"]
        return "\n".join(lines) + "\n"


def signature_of(message: str) -> str:
    """Return a message without names, numbers and quoted values, so that equal failures are counted together."""
    shortened = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", message)
    shortened = re.sub(r"(/[\w.+{}-]+)+", "PATH", shortened)
    return re.sub(r"[-\d.]+", "0", shortened)[-300:]


class Broken(AssertionError):
    """A promise was not kept."""


def run_batch(kind: Kind, tally: Tally, number: int, until: float = float("inf"), examples: int | None = None) -> None:
    """Draw and try inputs of a kind, and look for a smaller one where a new failure is met.

    Args:
        kind: the kind.
        tally: counts; a failure that it knows already is counted, and not looked at again.
        number: seeds the draws.
        until: time of `time.monotonic` after which nothing more is tried.
        examples: inputs; `kind.batch` if None.
    """
    known = {signature for row in tally.rows.values() for signature in row.failures}
    looking: list[str] = []
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples or kind.batch,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if kind.shrinks else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(kind.inputs())
    def try_one(value: Any) -> None:
        nonlocal tried
        if time.monotonic() > until or (looking and tried >= _SHRINKING):
            return
        tried += bool(looking)
        signatures = tally.add(kind.name, kind.group(value), value, kind.attempt(value), kind.events(value))
        if not kind.shrinks:
            return
        if looking:
            if looking[0] in signatures:
                raise Broken(looking[0])
        elif new := [signature for signature in signatures if signature not in known]:
            looking.append(new[0])
            raise Broken(new[0])

    start = time.monotonic()
    try:
        try_one()
    except (Broken, Flaky):  # the second where the search for a smaller input was cut short
        pass
    finally:
        tally.seconds[kind.name] = tally.seconds.get(kind.name, 0.0) + time.monotonic() - start


def run(
    kinds: list[Kind], tally: Tally, *, seconds: float, master: int, most: Mapping[str, int] | None = None
) -> Iterator[Kind]:
    """Divide time among kinds by their shares; yields after each batch.

    Args:
        kinds: what to try.
        tally: counts.
        seconds: how long.
        master: seed of everything that is drawn.
        most: by kind the inputs after which it gives its time to the others.
    """
    until = time.monotonic() + seconds
    numbers = {kind.name: 0 for kind in kinds}
    left = list(kinds)
    while left and time.monotonic() < until:
        kind = min(left, key=lambda kind: tally.seconds.get(kind.name, 0.0) / kind.share)
        drawn = np.random.SeedSequence([master, kinds.index(kind), numbers[kind.name]]).generate_state(1)[0]
        numbers[kind.name] += 1
        run_batch(kind, tally, int(drawn), until)
        done = sum(count for (name, _), count in tally.inputs.items() if name == kind.name)
        if most and done >= most.get(kind.name, done + 1):
            left.remove(kind)
        yield kind


def write(tally: Tally, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `torture.json` and `torture.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "torture.json").write_text(json.dumps({**about, **tally.to_dict()}, indent=2) + "\n")
    heading = "\n".join(f"- {name}: {value}" for name, value in about.items())
    (folder / "torture.md").write_text(f"# Torture\n\n{heading}\n\n{tally.markdown()}")
