"""Measures of an encoder that need no policy, as candidates for what predicts transfer.

scores    of the metric suite, on frames of the D_U that the encoder was trained on
probes    each fact about the state behind a frame, predicted from held-out codes by a small network
kl, active latents, reconstruction error    as in the encoder's `probes.json`
drift     how far codes move from source to target (`darla.analysis.latent_drift`)
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from darla.analysis.encoder_probes import EncoderProbes
from darla.analysis.latent_drift import Drift, folder_of, latent_drift
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.artefact import ENCODER_PATH
from darla.common.checked_config import CheckedConfig
from darla.common.files import write_json
from darla.common.json_records import load_json, to_json
from darla.envs import TransferTask
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.factor_table import factor_table
from darla.vision import load, metrics
from darla.vision.encoders.encode import encode_frames
from darla.vision.metrics.names import check_metrics

KIND = "measures"
MEASURES = "measures.json"
DRIFT = "drift"
"""Name of the mean relative drift over all targets."""
LABELS = {
    "mig": "MIG",
    "dci": "DCI disentanglement",
    "sap": "SAP",
    "factor_vae_score": "FactorVAE score",
    "modularity": "modularity",
    "beta_vae_score": "BetaVAE score",
    "kl": "KL, nats",
    "active": "active latents",
    "error": "reconstruction error",
    DRIFT: "latent drift",
}
"""Labels of measures in figures and tables, in that order; `measure_label` has one for every name."""
PROBE = "probe_"
"""How the name of a measure begins that is the score of a probe; the fact that it predicts follows."""


@dataclass(frozen=True)
class MeasuresConfig(CheckedConfig):
    """What is measured, and on how much."""

    scores: tuple[str, ...] = ("mig", "dci", "sap", "factor_vae_score", "modularity")
    """Metrics of the suite."""
    rows: int = 6_000
    """Frames of D_U that they are computed on."""
    states: int = 256
    """States that drift is measured on, for each target."""
    seed: int = 0
    """Seed of frames and states; compare encoders that were measured with the same."""

    def __post_init__(self) -> None:
        check_metrics(self.scores)
        for name in ("rows", "states"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}, but at least 2 are needed")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, but must not be negative")


@dataclass(frozen=True)
class EncoderMeasures:
    """The content of `measures.json`."""

    measures: Mapping[str, float]
    """By name."""
    chance: Mapping[str, float]
    """Chance level of each metric."""
    drift: Mapping[str, Mapping[str, Drift]]
    """By task, from its source to each of its targets."""


@writes_nothing_if_refused
def measure(
    encoder: Artefact | Path | str,
    frames: FrameSet | Artefact | Path | str,
    out: Path | str,
    tasks: Sequence[TransferTask],
    config: MeasuresConfig | None = None,
) -> Artefact:
    """Measure one encoder.

    Args:
        encoder: an encoder artefact.
        frames: the D_U that it was trained on.
        out: folder of the artefact.
        tasks: between whose source and targets drift is measured; none for no drift.
        config: what to measure.

    Returns:
        An artefact of kind `measures`; `measures.json` holds `EncoderMeasures`.

    Raises:
        InputError: a damaged encoder, frames of another D_U, a task whose states cannot be rendered in another
            appearance, or something else in `out`.
    """
    started = time.monotonic()
    config = config or MeasuresConfig()
    encoder = open_artefact(encoder, "encoder")
    frames = frames if isinstance(frames, FrameSet) else FrameSet.open(folder_of(frames))
    if frames.digest != encoder.card["inputs"].get("frames"):
        raise InputError(
            f"{encoder.folder} was not trained on the frames in {frames.artefact.folder}; it is measured on its own D_U"
        )
    record = {"encoder": encoder.digest, "tasks": [task.to_dict() for task in tasks], **asdict(config)}
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    model = load(encoder.folder)
    table = factor_table(frames, config.rows, config.seed)
    codes = encode_frames(model, frames, table.rows)
    results = metrics.evaluate(codes, table.factors, config.scores, seed=config.seed, continuous=table.continuous)
    drifts = {task.name: latent_drift(model, task, states=config.states, seed=config.seed) for task in tasks}
    relative = [drift.relative for by_target in drifts.values() for drift in by_target.values()]
    numbers = {name: result.score for name, result in results.items()} | _probe_measures(encoder)
    if relative:
        numbers[DRIFT] = sum(relative) / len(relative)
    content = EncoderMeasures(numbers, {name: result.chance for name, result in results.items()}, drifts)
    write_json(folder / MEASURES, to_json(content))
    return complete_artefact(
        folder,
        KIND,
        record,
        seed=config.seed,
        inputs={"encoder": encoder.digest, "frames": frames.digest},
        wall_seconds=time.monotonic() - started,
        paths={ENCODER_PATH: os.path.relpath(encoder.folder.resolve(), folder.resolve())},
    )


def read_measures(artefact: Artefact) -> EncoderMeasures:
    """Read what `measure` wrote.

    Raises:
        ArtefactError: the file is damaged.
    """
    return load_json(EncoderMeasures, artefact.folder / MEASURES)


def measure_label(name: str) -> str:
    """Return the label of a measure in figures and tables."""
    if name.startswith(PROBE):
        name = f"probe of {name.removeprefix(PROBE)}"
    return LABELS.get(name, name.replace("_", " "))


def measure_order(names: Iterable[str]) -> list[str]:
    """Return names of measures in the order of tables: metrics, then probes, then what is measured of the codes."""
    last = ("kl", "active", "error", DRIFT)
    known = [name for name in LABELS if name not in last]

    def place(name: str) -> int:
        if name in last:
            return len(known) + 2 + last.index(name)
        return len(known) + 1 if name.startswith(PROBE) else known.index(name) if name in known else len(known)

    return sorted(dict.fromkeys(names), key=place)


def _probe_measures(encoder: Artefact) -> dict[str, float]:
    """Return the measures that were taken when the encoder was trained."""
    probes = EncoderProbes.load(encoder.folder)
    numbers = {f"{PROBE}{name}": score.nonlinear for name, score in probes.targets.items()}
    if probes.kl is not None:
        numbers |= {"kl": probes.kl.total, "active": float(probes.kl.active_units)}
    if "mean_squared_error" in probes.reconstruction:
        numbers["error"] = probes.reconstruction["mean_squared_error"]
    return numbers
