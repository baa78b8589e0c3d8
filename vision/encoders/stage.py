"""What training an encoder and training a DAE have in common: an artefact, written by one of several processes."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darla.common import Artefact, complete_artefact, is_complete, start_artefact
from darla.vision.training.devices import DistributedContext, choose_device


@dataclass(frozen=True)
class TrainingStage:
    """A training that writes an artefact; with `torchrun`, in the leading one of several processes."""

    out: Path
    """The artefact's folder."""
    kind: str
    record: Mapping[str, Any]
    """The artefact's configuration, `seed` among it."""
    processes: DistributedContext
    finished: Artefact | None
    """The artefact, where an earlier call has finished it."""

    @classmethod
    def open(cls, out: Path, kind: str, record: Mapping[str, Any], device: str) -> "TrainingStage":
        """Begin an artefact, or continue one that was begun with the same configuration.

        Args:
            out: the artefact's folder.
            kind: its kind.
            record: its configuration.
            device: the device to train on; it decides how processes communicate.

        Raises:
            InputError: the folder holds something else.
        """
        processes = DistributedContext.join(choose_device(device))
        if processes.leads:
            start_artefact(out, kind, record)
        # Asked before the others can finish it, by all processes, so that all take the same branch.
        complete = is_complete(out)
        processes.wait()
        return cls(out, kind, record, processes, Artefact.load(out, kind) if complete else None)

    def finish(
        self,
        describe: Callable[[], None],
        *,
        training_seconds: float,
        inputs: Mapping[str, str],
        extra: Mapping[str, Any] | None = None,
        paths: Mapping[str, Path] | None = None,
    ) -> Artefact:
        """Write what describes the trained model, and the card.

        Args:
            describe: writes weights, probes and images; called in the leading process.
            training_seconds: time of the training.
            inputs: digests of the artefacts that were used, by name.
            extra: further facts for the card.
            paths: where artefacts that were used lie, by name.

        Returns:
            The artefact.
        """
        artefact = None
        if self.processes.leads:
            started = time.monotonic()
            describe()
            seconds = training_seconds + time.monotonic() - started
            seed = int(self.record["seed"])
            places = {name: os.path.relpath(path.resolve(), self.out.resolve()) for name, path in (paths or {}).items()}
            artefact = complete_artefact(
                self.out,
                self.kind,
                self.record,
                seed=seed,
                inputs=inputs,
                wall_seconds=seconds,
                extra=extra,
                paths=places,
            )
        self.processes.wait()
        return artefact or Artefact.load(self.out, self.kind)
