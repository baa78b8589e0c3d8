"""Does disentanglement predict transfer? Measures of encoders against the transfer of the policies trained on them.

runs/correlation/
  encoders/      one artefact of measures for each encoder (`darla.analysis.encoder_measures`)
  correlation/   an artefact: correlation.json, encoders.csv, correlations.csv, table.md, retention.png, return.png
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from darla.analysis.encoder_correlation import (
    KIND,
    MEASURE_PATHS,
    OUTCOMES,
    RESULT,
    CorrelationConfig,
    CorrelationResult,
    EncoderRecord,
    correlations,
    flat_record,
    outcomes_of,
)
from darla.analysis.encoder_measures import measure, read_measures
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.checked_config import checked_arguments
from darla.common.csv_rows import write_rows
from darla.common.files import write_bytes, write_json
from darla.common.jobs.locks import only_one
from darla.common.jobs.scheduler import Job, run_jobs
from darla.common.json_records import to_json
from darla.envs import Domain, TransferTask
from darla.envs.domains.task_files import task_from_dict
from darla.envs.pictures import only_a_picture
from darla.evaluation.transfer_files import TRANSFER
from darla.reports.tables.correlation import correlation_table

TABLE = "table.md"
_SECONDS = 120.0
"""Expected for one encoder; only used to estimate the time left."""


@checked_arguments
@writes_nothing_if_refused
def correlate(
    encoders: Sequence[tuple[str, Artefact | Path | str]],
    transfers: Sequence[Artefact | Path | str],
    out: Path | str,
    *,
    frames: Artefact | Path | str | Sequence[Artefact | Path | str],
    config: CorrelationConfig | None = None,
    workers: int | None = None,
) -> Artefact:
    """Measure encoders, and correlate each measure with the transfer of the policies that were trained on them.

    An interrupted call resumes; an encoder is measured once.

    Args:
        encoders: pairs of a setting's name and an encoder artefact.
        transfers: transfer artefacts, one for each task, of agents on these encoders. Drift is measured in their tasks.
        out: folder for all results.
        frames: the D_U, or all of them, that the encoders were trained on.
        config: what to correlate.
        workers: encoders measured at the same time, one thread each; one for each core if None.

    Returns:
        An artefact of kind `correlation`.

    Raises:
        InputError: fewer than four encoders, one without a policy or whose frames are missing, or a damaged artefact.
    """
    started = time.monotonic()
    config = config or CorrelationConfig()
    out = Path(out)
    opened = [(setting, open_artefact(encoder, "encoder")) for setting, encoder in encoders]
    if len({encoder.digest for _, encoder in opened}) < 4:
        raise InputError(f"{len(opened)} encoders were given, but a correlation needs at least 4 different ones")
    frame_sets = [frames] if isinstance(frames, Artefact | Path | str) else list(frames)
    frames_by_digest = {each.digest: each for each in (open_artefact(frame_set, "frames") for frame_set in frame_sets)}
    opened_transfers = [open_artefact(transfer, TRANSFER) for transfer in transfers]
    if not opened_transfers:
        raise InputError("there is no transfer to correlate with; name at least one")
    outcomes = outcomes_of(opened_transfers, config)
    for setting, encoder in opened:
        if encoder.digest not in outcomes:
            raise InputError(
                f"no policy of {config.algorithm!r} in the transfers was trained on {encoder.folder} ({setting})"
            )
    with only_one(out):
        jobs = {
            encoder.digest: _job(setting, encoder, frames_by_digest, opened_transfers, config, out)
            for setting, encoder in opened
        }
        run_jobs(list(jobs.values()), workers, out / "logs")
        measured = {digest: Artefact.load(job.folder, "measures") for digest, job in jobs.items()}
        record = {
            "encoders": [[setting, encoder.digest] for setting, encoder in opened],
            "measures": [measured[encoder.digest].digest for _, encoder in opened],
            "transfers": [transfer.digest for transfer in opened_transfers],
            "correlation": asdict(config),
        }
        folder = start_artefact(out / "correlation", KIND, record)
        if is_complete(folder):
            return Artefact.load(folder, KIND)
        items = [
            EncoderRecord(
                setting,
                int(encoder.card["seed"]),
                encoder.digest,
                outcomes[encoder.digest][0],
                read_measures(measured[encoder.digest]).measures,
                outcomes[encoder.digest][1],
            )
            for setting, encoder in opened
        ]
        _write(folder, items, config)
    inputs = {f"encoder {setting} {encoder.digest[:8]}": encoder.digest for setting, encoder in opened}
    inputs |= {f"transfer {transfer.config['task']['name']}": transfer.digest for transfer in opened_transfers}
    paths = {artefact.digest: os.path.relpath(artefact.folder, folder) for artefact in measured.values()}
    return complete_artefact(
        folder,
        KIND,
        record,
        seed=config.measures.seed,
        inputs=inputs,
        wall_seconds=time.monotonic() - started,
        paths={MEASURE_PATHS: paths},
    )


def _job(
    setting: str,
    encoder: Artefact,
    frames: Mapping[str, Artefact],
    transfers: Sequence[Artefact],
    config: CorrelationConfig,
    out: Path,
) -> Job:
    digest = encoder.card["inputs"].get("frames", "")
    if digest not in frames:
        raise InputError(f"the frames that {encoder.folder} was trained on are not among those given")
    folder = out / "encoders" / encoder.digest[:16]
    arguments = {
        "encoder": encoder.folder,
        "frames": frames[digest].folder,
        "out": folder,
        "tasks": _tasks(transfers),
        "config": config.measures,
    }
    return Job(f"measures of {setting}, seed {encoder.card['seed']}", folder, measure, arguments, (), _SECONDS)


def _tasks(transfers: Sequence[Artefact]) -> list[TransferTask]:
    """Return the tasks whose states can be rendered in another appearance, each once."""
    by_name = {transfer.config["task"]["name"]: task_from_dict(transfer.config["task"]) for transfer in transfers}
    return [task for task in by_name.values() if isinstance(task.source, Domain) and task.source.world.paired]


def _write(folder: Path, items: Sequence[EncoderRecord], config: CorrelationConfig) -> None:
    # Not at the top: Matplotlib takes a second to import.
    from darla.reports.figures.correlation import correlation_figure
    from darla.reports.figures.style import to_png

    entries = correlations(items, config)
    result = CorrelationResult(config.confidence, config.algorithm, tuple(items), tuple(entries))
    write_json(folder / RESULT, to_json(result))
    write_bytes(folder / TABLE, (correlation_table(result).markdown() + "\n").encode())
    write_rows(folder / "correlations.csv", entries)
    write_rows(folder / "encoders.csv", [flat_record(item) for item in items])
    for outcome in OUTCOMES:
        with only_a_picture(f"the picture of {outcome} in {folder}"):
            write_bytes(folder / f"{outcome}.png", to_png(correlation_figure(result, outcome)))
