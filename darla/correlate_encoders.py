"""Does disentanglement predict transfer? Everything measured of encoders, against how their policies transfer.

runs/correlation/
encoders/      one artefact of measures for each encoder (`darla.analysis.encoder_measures`)
correlation/   an artefact: correlation.json, encoders.csv, correlations.csv, table.md, retention.png, return.png
"""

import csv
import io
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from darla.analysis.encoder_correlation import (
    KIND,
    MEASURE_PATHS,
    OUTCOMES,
    RESULT,
    CorrelationConfig,
    EncoderRecord,
    correlations,
    flat_record,
    outcomes_of,
)
from darla.analysis.encoder_measures import measure, read_measures
from darla.common import Artefact, InputError, begin, finish, is_complete
from darla.common.files import write_bytes, write_json
from darla.common.jobs.scheduler import Job, only_one, run_jobs
from darla.envs import Domain, TransferTask
from darla.envs.domains.task_files import task_from_dict
from darla.evaluation.transfer_files import TRANSFER
from darla.reports.tables.correlation import correlation_table

TABLE = "table.md"
_SECONDS = 120.0  # expected for one encoder; decides the estimate of the time left, nothing else


def correlate(
    encoders: Sequence[tuple[str, Artefact | Path | str]],
    transfers: Sequence[Artefact | Path | str],
    out: Path | str,
    *,
    frames: Artefact | Path | str | Sequence[Artefact | Path | str],
    config: CorrelationConfig | None = None,
    workers: int | None = None,
) -> Artefact:
    """Measure encoders, and correlate each measure with the transfer of the policies that stand on them.

    An interrupted call goes on where it stopped; an encoder is measured once.

    Args:
        encoders: pairs of a setting's name and what `darla.see` made.
        transfers: what `darla.transfer` made, one for each task, of agents on these encoders. Its tasks are also those
            whose drift is measured.
        out: folder for everything that is made.
        frames: the D_U, or all of them, that the encoders learnt from.
        config: what to correlate.
        workers: encoders measured at the same time, one thread each; one for each core if None.

    Returns:
        An artefact of kind `correlation`.

    Raises:
        InputError: fewer than four encoders, one on which no policy stands or whose frames are missing, or a damaged
            artefact.
    """
    started = time.monotonic()
    config = config or CorrelationConfig()
    out = Path(out)
    named = [(setting, _load(found, "encoder")) for setting, found in encoders]
    if len({encoder.digest for _, encoder in named}) < 4:
        raise InputError(f"{len(named)} encoders were given, but a correlation needs at least 4 different ones")
    shown = [frames] if isinstance(frames, Artefact | Path | str) else list(frames)
    by_digest = {each.digest: each for each in (_load(found, "frames") for found in shown)}
    found_transfers = [_load(found, TRANSFER) for found in transfers]
    if not found_transfers:
        raise InputError("there is no transfer to correlate with; name at least one")
    outcomes = outcomes_of(found_transfers, config)
    for setting, encoder in named:
        if encoder.digest not in outcomes:
            raise InputError(
                f"no policy of {config.algorithm!r} stands on {encoder.folder} ({setting}) in the transfers"
            )
    with only_one(out):
        jobs = {
            encoder.digest: _job(setting, encoder, by_digest, found_transfers, config, out)
            for setting, encoder in named
        }
        run_jobs(list(jobs.values()), workers, out / "logs")
        measured = {digest: Artefact.load(job.folder, "measures") for digest, job in jobs.items()}
        record = {
            "encoders": [[setting, encoder.digest] for setting, encoder in named],
            "measures": [measured[encoder.digest].digest for _, encoder in named],
            "transfers": [each.digest for each in found_transfers],
            "correlation": asdict(config),
        }
        folder = begin(out / "correlation", KIND, record)
        if is_complete(folder):
            return Artefact.load(folder, KIND)
        items = [
            EncoderRecord(
                setting,
                int(encoder.card["seed"]),
                encoder.digest,
                outcomes[encoder.digest][0],
                read_measures(measured[encoder.digest]),
                outcomes[encoder.digest][1],
            )
            for setting, encoder in named
        ]
        _write(folder, items, config)
    inputs = {f"encoder {setting} {encoder.digest[:8]}": encoder.digest for setting, encoder in named}
    inputs |= {f"transfer {each.config['task']['name']}": each.digest for each in found_transfers}
    lie = {each.digest: os.path.relpath(each.folder, folder) for each in measured.values()}
    return finish(
        folder,
        KIND,
        record,
        seed=config.measures.seed,
        inputs=inputs,
        wall_seconds=time.monotonic() - started,
        extra={MEASURE_PATHS: lie},
    )


def _job(
    setting: str,
    encoder: Artefact,
    frames: Mapping[str, Artefact],
    transfers: Sequence[Artefact],
    config: CorrelationConfig,
    out: Path,
) -> Job:
    learnt_from = encoder.card["inputs"].get("frames", "")
    if learnt_from not in frames:
        raise InputError(f"the frames that {encoder.folder} has learnt from are not among those given")
    folder = out / "encoders" / encoder.digest[:16]
    arguments = {
        "encoder": encoder.folder,
        "frames": frames[learnt_from].folder,
        "out": folder,
        "tasks": _tasks(transfers),
        "config": config.measures,
    }
    return Job(f"measures of {setting}, seed {encoder.card['seed']}", folder, measure, arguments, (), _SECONDS)


def _tasks(transfers: Sequence[Artefact]) -> list[TransferTask]:
    """Return the tasks whose states can be shown in other looks, each once."""
    found = {each.config["task"]["name"]: task_from_dict(each.config["task"]) for each in transfers}
    return [task for task in found.values() if isinstance(task.source, Domain) and task.source.world.paired]


def _write(folder: Path, items: Sequence[EncoderRecord], config: CorrelationConfig) -> None:
    # Not at the top: Matplotlib takes a second to import.
    from darla.reports.figures.correlation import correlation_figure
    from darla.reports.figures.style import to_png

    rows = correlations(items, config)
    told = {
        "confidence": config.confidence,
        "algorithm": config.algorithm,
        "encoders": [asdict(item) for item in items],
        "correlations": rows,
    }
    write_json(folder / RESULT, told)
    write_bytes(folder / TABLE, (correlation_table(told).markdown() + "\n").encode())
    write_bytes(folder / "correlations.csv", _csv(rows))
    write_bytes(folder / "encoders.csv", _csv([flat_record(item) for item in items]))
    for outcome in OUTCOMES:
        write_bytes(folder / f"{outcome}.png", to_png(correlation_figure(told, outcome)))


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV; what some of them lack is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _load(found: Artefact | Path | str, kind: str) -> Artefact:
    return found if isinstance(found, Artefact) else Artefact.load(found, kind)
