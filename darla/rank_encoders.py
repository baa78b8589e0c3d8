"""Choose an encoder without labels: train several, and take the one on whose latents its siblings agree.

Unsupervised disentanglement ranking (UDR, Duan et al. 2020, arXiv 1905.12614): models that differ in their seed alone
are compared latent by latent. What disentangles, they hold in common; what is entangled, each entangles in its own way.

    runs/selection/
      denoisers/   what encoders on a perceptual loss compare with, one for each seed and setting
      encoders/    the candidates
      ranking/     an artefact: selection.json, table.md, report.html, and the same as report.md with figures/
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from darla.common import Artefact, InputError, complete_artefact, is_complete, rng_for, start_artefact
from darla.common.files import read_json, write_bytes, write_json
from darla.common.jobs.scheduler import Job, only_one, run_jobs
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.factor_table import FactorTable, factor_table
from darla.learn_to_see import open_frames, see, train_denoiser
from darla.reports.page import write_document
from darla.reports.selection_page import Candidate, factors_table, ranking_table, selection_page, settings_table
from darla.vision import SeeConfig, VisionModel, encode_frames, load, metrics, presets
from darla.vision.encoders.encode import batches, posterior_of
from darla.vision.metrics.scores.udr import METHODS

KIND = "selection"
RESULT, TABLE = "selection.json", "table.md"
_ROWS = 2048
"""Frames that the latents of two models are related on; the paper's 1,000 and a margin."""
_PROBES = ("kind", "bearing", "distance")
_SCORES = ("mig", "dci", "sap", "factor_vae_score")
_READ = "informativeness_test"
"""The part of DCI that says what is read of each factor."""
_SHOWN = "mig"
"""The score whose matrix of latents by factors is shown, and that is followed during training."""
_SCORED = 6000
"""Frames that scores with labels are computed on."""


def select(
    frames: FrameSet | Artefact | Path | str,
    out: Path | str,
    settings: Mapping[str, SeeConfig] | Sequence[str] = ("beta-1", "beta-4"),
    *,
    seeds: Sequence[int] = (0, 1, 2),
    by: str = "lasso",
    workers: int | None = None,
) -> Artefact:
    """Train encoders and rank them by UDR; an interrupted call goes on where it stopped.

    Args:
        frames: what `darla.collect` made.
        out: folder for everything that is made.
        settings: configurations by name, or names of presets.
        seeds: one encoder of each setting for each; at least two.
        by: which UDR ranks, `lasso` or `spearman`; both are told.
        workers: encoders trained at the same time, one thread each; one for each core if None.

    Returns:
        An artefact of kind `selection`. Its `selection.json` lists the candidates, best first, and how well UDR agrees
        with what labels say of them, where the frames have any; `report.html` is the page that compares them.

    Raises:
        InputError: fewer than two seeds, an unknown preset, or an encoder that failed.
    """
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
        labelled = _labelled(shown)
        watch = (_SHOWN,) if labelled is not None else ()
        run_jobs(_jobs(shown, out, named, folders, watch), workers, out / "logs")
        encoders = {key: Artefact.load(folder, "encoder") for key, folder in folders.items()}
        record = {"frames": shown.digest, "by": by, "encoders": [encoder.digest for encoder in encoders.values()]}
        ranking = start_artefact(out / "ranking", KIND, record)
        if is_complete(ranking):
            return Artefact.load(ranking, KIND)
        found = [candidate for name in named for candidate in _ranked(name, seeds, folders, shown, labelled)]
        found.sort(key=lambda candidate: -getattr(candidate, by))
        _write(found, ranking, by, labelled.names if labelled is not None else (), shown)
        inputs = {f"{name}-s{seed}": encoder.digest for (name, seed), encoder in encoders.items()}
        wall = time.monotonic() - started
        return complete_artefact(
            ranking, KIND, record, seed=min(seeds), inputs={"frames": shown.digest, **inputs}, wall_seconds=wall
        )


def _jobs(
    frames: FrameSet,
    out: Path,
    settings: Mapping[str, SeeConfig],
    folders: Mapping[tuple[str, int], Path],
    watch: Sequence[str],
) -> list[Job]:
    """Return the work: a denoiser for each seed and setting of one, and the encoders."""
    source = frames.artefact.folder
    jobs: dict[Path, Job] = {}
    for (name, seed), folder in folders.items():
        config = settings[name]
        arguments: dict[str, Any] = {"frames": source, "config": config, "seed": seed, "out": folder, "watch": watch}
        needs: tuple[Path, ...] = ()
        if config.vae.needs_dae:
            alike = [other for other, known in settings.items() if _same_denoiser(known, config)]
            denoiser = out / "denoisers" / f"{alike[0]}-s{seed}"
            work = {"frames": source, "config": config, "seed": seed, "out": denoiser}
            label, steps = f"denoising autoencoder of {alike[0]}, seed {seed}", config.dae_training
            jobs[denoiser] = Job(label, denoiser, train_denoiser, work, (), float(steps.steps * steps.batch_size))
            arguments["dae"], needs = denoiser, (denoiser,)
        cost = float(config.training.steps * config.training.batch_size)
        jobs[folder] = Job(f"encoder {name}, seed {seed}", folder, see, arguments, needs, cost)
    return list(jobs.values())


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
    rows = np.sort(rng_for(0, "selection").permutation(len(frames))[:_ROWS])
    models = [load(folders[name, seed]) for seed in seeds]
    codes, kls = zip(*(_codes(model, frames, rows) for model in models), strict=True)
    told = {method: metrics.udr(np.stack(codes), kls=np.stack(kls), method=method).values for method in METHODS}
    found = []
    for place, (seed, model) in enumerate(zip(seeds, models, strict=True)):
        probes = read_json(folders[name, seed] / "probes.json")
        labels = {probe: float(probes[probe]["nonlinear"]) for probe in _PROBES if probe in probes}
        relation, read = None, {}
        if labelled is not None:
            results = metrics.evaluate(encode_frames(model, frames, labelled.rows), labelled.factors, _SCORES)
            dci = results["dci"]
            labels = {score: result.score for score, result in results.items()} | labels
            labels["informativeness"] = float(dci.values[_READ])
            read = dict(zip(labelled.names, map(float, dci.per_factor[_READ]), strict=True))
            relation = results[_SHOWN]
        udr = {method: float(values[f"model {place}"]) for method, values in told.items()}
        found.append(
            Candidate(
                name,
                seed,
                folders[name, seed],
                lasso=udr["lasso"],
                spearman=udr["spearman"],
                active=int(probes["kl"]["active_units"]),
                kl=float(probes["kl"]["total"]),
                error=float(probes["reconstruction"]["mean_squared_error_as_displayed"]),
                silent=probes.get("dead_units"),
                supervised=labels,
                read=read,
                relation=relation,
            )
        )
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


def _write(found: Sequence[Candidate], folder: Path, by: str, factors: Sequence[str], frames: FrameSet) -> None:
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
            "kl": each.kl,
            "mean_squared_error": each.error,
            "dead_units": each.silent,
            "supervised": dict(each.supervised),
            "read": dict(each.read),
        }
        for each in found
    ]
    write_json(folder / RESULT, {"by": by, "candidates": listed, "rank_correlation": agreement})
    tables = [settings_table(found, agreement, by), ranking_table(found, agreement), *factors_table(found, by)]
    write_bytes(folder / TABLE, "\n\n".join(f"{table.markdown()}" for table in tables).encode() + b"\n")
    of = str(frames.domain["name"])
    write_document(selection_page(found, agreement, by, factors, of, len(frames)), folder)


def _rank_correlation(found: Sequence[Candidate], method: str, label: str) -> float:
    """Return Spearman's correlation of UDR and a supervised score over candidates, 0 where one of them is constant."""
    ranked = [getattr(each, method) for each in found]
    scores = [each.supervised[label] for each in found]
    if len(set(ranked)) < 2 or len(set(scores)) < 2:
        return 0.0
    return float(spearmanr(ranked, scores).statistic)
