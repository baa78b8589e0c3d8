"""Choose an encoder without labels: train several, and take the one on whose latents its siblings agree.

Unsupervised disentanglement ranking (UDR, Duan et al. 2020, arXiv 1905.12614): models that differ in their seed alone
are compared latent by latent. What disentangles, they hold in common; what is entangled, each entangles in its own way.

    runs/selection/
      denoisers/   what encoders on a perceptual loss compare with, one for each seed and setting
      encoders/    the candidates
      ranking/     selection.json, table.md, figure.png, and the card that makes them an artefact
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.base import Artefact, InputError, begin, finish, is_complete, rng_for
from darla.base.files import read_json, write_bytes, write_json
from darla.cells import Cell, only_one, run_cells
from darla.envs.frames import FrameSet
from darla.factor_tables import FactorTable, factor_table
from darla.learn_to_see import open_frames, see, see_denoised
from darla.vision import SeeConfig, VisionModel, encode_frames, load
from darla.vision.encoding import batches, posterior_of
from darla.vision.metrics.udr import METHODS

KIND = "selection"
RESULT, TABLE, FIGURE = "selection.json", "table.md", "figure.png"
_ROWS = 2048
"""Frames that the latents of two models are related on; the paper's 1,000 and a margin."""
_PROBES = ("kind", "bearing", "distance")
_SCORES = ("mig", "dci", "sap", "factor_vae_score")
_SCORED = 6000
"""Frames that scores with labels are computed on."""


@dataclass(frozen=True)
class Candidate:
    """One trained encoder, and how it was ranked."""

    name: str
    """Of the setting."""
    seed: int
    folder: Path
    lasso: float
    """UDR by Lasso: the median, over encoders of the same setting with other seeds."""
    spearman: float
    """UDR by rank correlation."""
    active: int
    """Active latents."""
    supervised: Mapping[str, float]
    """What labels say of it, by name; never part of the ranking."""


def select(
    frames: FrameSet | Artefact | Path | str,
    out: Path | str,
    settings: Mapping[str, SeeConfig] | Sequence[str] = ("beta-1", "beta-4"),
    *,
    seeds: Sequence[int] = (0, 1, 2),
    by: str = "lasso",
    processes: int | None = None,
) -> Artefact:
    """Train encoders and rank them by UDR; an interrupted call goes on where it stopped.

    Args:
        frames: what `darla.collect` made.
        out: folder for everything that is made.
        settings: configurations by name, or names of presets.
        seeds: one encoder of each setting for each; at least two.
        by: which UDR ranks, `lasso` or `spearman`; both are told.
        processes: encoders trained at the same time, one thread each; one for each core if None.

    Returns:
        An artefact of kind `selection`. Its `selection.json` lists the candidates, best first, and how well UDR agrees
        with what labels say of them, where the frames have any.

    Raises:
        InputError: fewer than two seeds, an unknown preset, or an encoder that failed.
    """
    from darla.experiments import presets  # not at the top: experiments stand on this package

    started = time.monotonic()
    named = settings if isinstance(settings, Mapping) else {name: presets.encoder(name) for name in settings}
    if by not in METHODS:
        raise InputError(f"by is {by!r}, but must be 'lasso' or 'spearman'")
    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds are {tuple(seeds)}, but at least two different ones are needed: siblings are compared")
    if not named:
        raise InputError("there is no setting to choose from")
    shown = open_frames(frames)
    out = Path(out)
    folders = {(name, seed): out / "encoders" / f"{name}-s{seed}" for name in named for seed in seeds}
    with only_one(out):
        run_cells(_cells(shown, out, named, folders), processes, out / "logs")
        encoders = {key: Artefact.load(folder, "encoder") for key, folder in folders.items()}
        record = {"frames": shown.digest, "by": by, "encoders": [encoder.digest for encoder in encoders.values()]}
        ranking = begin(out / "ranking", KIND, record)
        if is_complete(ranking):
            return Artefact.load(ranking, KIND)
        labelled = _labelled(shown)
        found = [candidate for name in named for candidate in _ranked(name, seeds, folders, shown, labelled)]
        found.sort(key=lambda candidate: -getattr(candidate, by))
        _write(found, ranking, by)
        inputs = {f"{name}-s{seed}": encoder.digest for (name, seed), encoder in encoders.items()}
        wall = time.monotonic() - started
        return finish(
            ranking, KIND, record, seed=min(seeds), inputs={"frames": shown.digest, **inputs}, wall_seconds=wall
        )


def _cells(
    frames: FrameSet, out: Path, settings: Mapping[str, SeeConfig], folders: Mapping[tuple[str, int], Path]
) -> list[Cell]:
    """Return the work: a denoiser for each seed and setting of one, and the encoders."""
    source = frames.artefact.folder
    cells: dict[Path, Cell] = {}
    for (name, seed), folder in folders.items():
        config = settings[name]
        arguments: dict[str, Any] = {"frames": source, "config": config, "seed": seed, "out": folder}
        needs: tuple[Path, ...] = ()
        if config.vae.needs_dae:
            alike = [other for other, known in settings.items() if _same_denoiser(known, config)]
            denoiser = out / "denoisers" / f"{alike[0]}-s{seed}"
            work = {"frames": source, "config": config, "seed": seed, "out": denoiser}
            label, steps = f"denoising autoencoder of {alike[0]}, seed {seed}", config.dae_training
            cells[denoiser] = Cell(label, denoiser, see_denoised, work, (), float(steps.steps * steps.batch_size))
            arguments["dae"], needs = denoiser, (denoiser,)
        cost = float(config.training.steps * config.training.batch_size)
        cells[folder] = Cell(f"encoder {name}, seed {seed}", folder, see, arguments, needs, cost)
    return list(cells.values())


def _same_denoiser(one: SeeConfig, other: SeeConfig) -> bool:
    return one.vae.needs_dae and (one.dae, one.dae_training, one.held_out, one.statistics_frames) == (
        other.dae,
        other.dae_training,
        other.held_out,
        other.statistics_frames,
    )


def _ranked(
    name: str,
    seeds: Sequence[int],
    folders: Mapping[tuple[str, int], Path],
    frames: FrameSet,
    labelled: FactorTable | None,
) -> list[Candidate]:
    """Compare the encoders of one setting."""
    from darla.vision import metrics

    rows = np.sort(rng_for(0, "selection").permutation(len(frames))[:_ROWS])
    models = [load(folders[name, seed]) for seed in seeds]
    codes, kls = zip(*(_codes(model, frames, rows) for model in models), strict=True)
    told = {method: metrics.udr(np.stack(codes), kls=np.stack(kls), method=method).values for method in METHODS}
    found = []
    for place, (seed, model) in enumerate(zip(seeds, models, strict=True)):
        probes = read_json(folders[name, seed] / "probes.json")
        labels = {probe: float(probes[probe]["nonlinear"]) for probe in _PROBES if probe in probes}
        if labelled is not None:
            results = metrics.evaluate(encode_frames(model, frames, labelled.rows), labelled.factors, _SCORES)
            labels = {score: result.score for score, result in results.items()} | labels
        udr = {method: float(values[f"model {place}"]) for method, values in told.items()}
        active = int(probes["kl"]["active_units"])
        found.append(Candidate(name, seed, folders[name, seed], udr["lasso"], udr["spearman"], active, labels))
    return found


def _labelled(frames: FrameSet) -> FactorTable | None:
    """Return frames with the factors behind them; None where they tell of none that varies."""
    try:
        return factor_table(frames, _SCORED, 0)
    except InputError:
        return None


def _codes(
    model: VisionModel, frames: FrameSet, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return an encoder's codes of the frames, (N, D), and the mean KL of each latent, (D,)."""
    posterior = posterior_of(model, batches(model, frames, rows))
    kl = posterior.kl_per_latent().mean(0)
    if not bool(kl.any()):  # codes without noise have none; what moves counts
        kl = posterior.mean.var(0, correction=0)
    return posterior.mean.numpy(), kl.numpy()


def _write(found: Sequence[Candidate], folder: Path, by: str) -> None:
    agreement = {
        label: {method: _rank_correlation(found, method, label) for method in METHODS}
        for label in found[0].supervised
        if all(label in each.supervised for each in found)
    }
    listed = [
        {
            "name": each.name,
            "seed": each.seed,
            "encoder": f"../encoders/{each.folder.name}",
            "udr": {"lasso": each.lasso, "spearman": each.spearman},
            "active_units": each.active,
            "supervised": dict(each.supervised),
        }
        for each in found
    ]
    write_json(folder / RESULT, {"by": by, "candidates": listed, "rank_correlation": agreement})
    write_bytes(folder / TABLE, selection_table(found, agreement).encode())
    if agreement:
        from darla.figures import to_png
        from darla.selection_figure import selection_figure

        points: dict[str, list[tuple[float, Mapping[str, float]]]] = {}
        for each in found:
            points.setdefault(each.name, []).append((getattr(each, by), each.supervised))
        correlation = {label: told[by] for label, told in agreement.items()}
        write_bytes(folder / FIGURE, to_png(selection_figure(points, correlation, by)))


def _rank_correlation(found: Sequence[Candidate], method: str, label: str) -> float:
    """Return Spearman's correlation of UDR and a supervised score over candidates, 0 where one of them is constant."""
    from scipy.stats import spearmanr

    ranked = [getattr(each, method) for each in found]
    scores = [each.supervised[label] for each in found]
    if len(set(ranked)) < 2 or len(set(scores)) < 2:
        return 0.0
    return float(spearmanr(ranked, scores).statistic)


def selection_table(found: Sequence[Candidate], agreement: Mapping[str, Mapping[str, float]]) -> str:
    """Return the ranking as Markdown, best first, and below it how UDR agrees with each supervised score."""
    labels = list(agreement)
    head = ["encoder", "seed", "UDR, Lasso", "UDR, Spearman", "active latents", *labels]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for each in found:
        numbers = [f"{each.lasso:.3f}", f"{each.spearman:.3f}", str(each.active)]
        numbers += [f"{each.supervised[label]:.3f}" for label in labels]
        lines.append("| " + " | ".join([each.name, str(each.seed), *numbers]) + " |")
    if labels and len(found) > 2:
        told = "; ".join(
            f"{label} {agreement[label]['lasso']:+.2f} and {agreement[label]['spearman']:+.2f}" for label in labels
        )
        lines += ["", f"Rank correlation of UDR (Lasso and Spearman) over the {len(found)} encoders with {told}."]
    return "\n".join(lines) + "\n"
