"""Everything that is measured of an encoder without any policy: what may, or may not, predict transfer.

scores    of the metric suite, on frames of the D_U that the encoder learnt from
probes    kind, bearing and distance of the nearest object, read from held-out codes by a small network
kl, active latents, reconstruction error    as `probes.json` of the encoder has them
drift     how far codes move from source to target (`darla.analysis.latent_drift`)
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from darla.analysis.latent_drift import Drift, latent_drift
from darla.common import Artefact, InputError, complete_artefact, is_complete, start_artefact
from darla.common.files import read_json, write_json
from darla.envs import TransferTask
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.factor_table import factor_table
from darla.vision import load, metrics
from darla.vision.encoders.encode import encode_frames
from darla.vision.metrics.names import check_metrics

KIND = "measures"
MEASURES = "measures.json"
DRIFT = "drift"
"""The measure that is the mean relative drift over all targets."""
LABELS = {
    "mig": "MIG",
    "dci": "DCI disentanglement",
    "sap": "SAP",
    "factor_vae_score": "FactorVAE score",
    "modularity": "modularity",
    "beta_vae_score": "BetaVAE score",
    "kind": "probe of kind",
    "bearing": "probe of bearing",
    "distance": "probe of distance",
    "kl": "KL, nats",
    "active": "active latents",
    "error": "reconstruction error",
    DRIFT: "latent drift",
}
"""What figures and tables call a measure; one that is missing here is called by its name."""
_PROBES = ("kind", "bearing", "distance")


@dataclass(frozen=True)
class MeasuresConfig:
    """What is measured, and on how much."""

    scores: tuple[str, ...] = ("mig", "dci", "sap", "factor_vae_score", "modularity")
    """Metrics of the suite."""
    rows: int = 6_000
    """Frames of D_U that they are computed on."""
    states: int = 256
    """States that drift is measured on, for each target."""
    seed: int = 0
    """Names frames and states; encoders that are compared have the same."""

    def __post_init__(self) -> None:
        check_metrics(self.scores)
        for name in ("rows", "states"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}, but at least 2 are needed")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, but must not be negative")


def measure(
    encoder: Artefact | Path | str,
    frames: FrameSet | Artefact | Path | str,
    out: Path | str,
    tasks: Sequence[TransferTask],
    config: MeasuresConfig | None = None,
) -> Artefact:
    """Measure one encoder.

    Args:
        encoder: what `darla.see` made.
        frames: the D_U that it learnt from.
        out: folder of the artefact.
        tasks: between whose source and targets drift is measured; none for no drift.
        config: what to measure.

    Returns:
        An artefact of kind `measures`; `measures.json` holds numbers by name, and each target's drift.

    Raises:
        InputError: a damaged encoder, frames of another D_U, a task whose states cannot be shown in other looks, or
            something else in `out`.
    """
    started = time.monotonic()
    config = config or MeasuresConfig()
    found = encoder if isinstance(encoder, Artefact) else Artefact.load(encoder, "encoder")
    shown = frames if isinstance(frames, FrameSet) else FrameSet.open(_folder(frames))
    if shown.digest != found.card["inputs"].get("frames"):
        raise InputError(
            f"{found.folder} has not learnt from the frames in {shown.artefact.folder}; it is measured on its own D_U"
        )
    record = {"encoder": found.digest, "tasks": [task.to_dict() for task in tasks], **asdict(config)}
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    model = load(found.folder)
    table = factor_table(shown, config.rows, config.seed)
    results = metrics.evaluate(encode_frames(model, shown, table.rows), table.factors, config.scores, seed=config.seed)
    drifts = {task.name: latent_drift(model, task, states=config.states, seed=config.seed) for task in tasks}
    every = [drift.relative for by_target in drifts.values() for drift in by_target.values()]
    numbers = {name: result.score for name, result in results.items()} | _probed(found)
    if every:
        numbers[DRIFT] = sum(every) / len(every)
    told = {
        "measures": numbers,
        "chance": {name: result.chance for name, result in results.items()},
        "drift": {task: {target: drift.to_dict() for target, drift in each.items()} for task, each in drifts.items()},
    }
    write_json(folder / MEASURES, told)
    return complete_artefact(
        folder,
        KIND,
        record,
        seed=config.seed,
        inputs={"encoder": found.digest, "frames": shown.digest},
        wall_seconds=time.monotonic() - started,
        extra={"encoder_path": os.path.relpath(found.folder.resolve(), folder.resolve())},
    )


def read_measures(artefact: Artefact) -> dict[str, float]:
    """Return what `measure` found, by name."""
    numbers: Mapping[str, float] = read_json(artefact.folder / MEASURES)["measures"]
    return dict(numbers)


def read_drifts(artefact: Artefact) -> dict[str, dict[str, Drift]]:
    """Return the drift from the source of each task to each of its targets."""
    told = read_json(artefact.folder / MEASURES)["drift"]
    return {task: {name: Drift.from_dict(data) for name, data in each.items()} for task, each in told.items()}


def _probed(encoder: Artefact) -> dict[str, float]:
    """Return what was found of an encoder when it was trained."""
    probes = read_json(encoder.folder / "probes.json")
    numbers = {name: float(probes[name]["nonlinear"]) for name in _PROBES if name in probes}
    numbers["kl"] = float(probes["kl"]["total"])
    numbers["active"] = float(probes["kl"]["active_units"])
    if "mean_squared_error" in probes.get("reconstruction", {}):
        numbers["error"] = float(probes["reconstruction"]["mean_squared_error"])
    return numbers


def _folder(given: Artefact | Path | str) -> Path:
    return given.folder if isinstance(given, Artefact) else Path(given)
