"""Choose an encoder without labels: train several, and rank them by how similar their latents are across seeds.

Unsupervised disentanglement ranking (UDR, Duan et al. 2020, arXiv 1905.12614): models that differ only in their seed
are compared latent by latent. Disentangled latents are similar across seeds; entangled ones differ from seed to seed.

    runs/selection/
      denoisers/   the DAEs of encoders with a perceptual loss, one for each seed and setting
      encoders/    the candidates
      ranking/     an artefact: selection.json, table.md, report.html, and the same as report.md with figures/
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from darla.analysis.encoder_measures import PROBE
from darla.analysis.encoder_probes import EncoderProbes
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    rng_for,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.checked_config import checked_arguments_but
from darla.common.files import write_bytes, write_json
from darla.common.jobs.locks import only_one
from darla.common.jobs.scheduler import Job, run_jobs
from darla.common.speeds.meter import measuring, say_expected
from darla.common.speeds.records import Work, spread
from darla.common.speeds.wording import Part
from darla.common.threads import available_cores, check_workers
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.own_images import ImageOptions
from darla.envs.image_data.factor_table import FactorTable, factor_table
from darla.learn_to_see import Source, open_frames, see, train_denoiser
from darla.reports.page import write_document
from darla.reports.selection_page import Candidate, factors_table, ranking_table, selection_page, settings_table
from darla.vision import SeeConfig, VisionModel, encode_frames, load, metrics, presets
from darla.vision.encoders.encode import batches, posterior_of
from darla.vision.encoders.expected_time import dae_parts, see_parts
from darla.vision.metrics.scores.udr import METHODS
from darla.vision.models.registry import model_info

KIND = "selection"
SETTINGS, SEEDS = ("beta-1", "beta-4"), (0, 1, 2)
"""What is compared if nothing is named."""
RESULT, TABLE = "selection.json", "table.md"
_ROWS = 2048
"""Frames on which latents of two models are compared; the paper uses 1,000."""
_SCORES = ("mig", "dci", "sap", "factor_vae_score")
_INFORMATIVENESS = "informativeness_test"
"""The part of DCI that says how well each factor is predicted from the code."""
_MONITORED = "mig"
"""The score whose matrix of latents by factors is shown, and that is monitored during training."""
_SCORED = 6000
"""Frames on which scores that need labels are computed."""


@checked_arguments_but("frames")
@writes_nothing_if_refused
def select(
    frames: Source,
    out: Path | str,
    settings: Mapping[str, SeeConfig] | Sequence[str] = SETTINGS,
    *,
    seeds: Sequence[int] = SEEDS,
    ranking: str = "lasso",
    workers: int | None = None,
    images: ImageOptions | None = None,
) -> Artefact:
    """Train encoders and rank them by UDR; an interrupted call resumes.

    Args:
        frames: a frames artefact, or images as `darla.see` takes them.
        out: folder for all results.
        settings: configurations by name, or names of presets.
        seeds: one encoder of each setting for each; at least two.
        ranking: variant of UDR that ranks, `lasso` or `spearman`; the table has both.
        workers: encoders trained at the same time, one thread each; one for each core if None.
        images: how images of your own are read.

    Returns:
        An artefact of kind `selection`. Its `selection.json` lists the candidates, best first, and the rank correlation
        of UDR with scores that need labels, where the frames have labels; `report.html` compares the candidates.

    Raises:
        InputError: fewer than two seeds, an unknown preset, or an encoder that failed.
    """
    started = time.monotonic()
    check_workers(workers)
    configs = settings if isinstance(settings, Mapping) else {name: presets.encoder(name) for name in settings}
    if ranking not in METHODS:
        raise InputError(f"ranking is {ranking!r}, but must be 'lasso' or 'spearman'")
    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds are {tuple(seeds)}, but UDR compares encoders of at least two different seeds")
    if not configs:
        raise InputError("there is no setting to choose from")
    frame_set = open_frames(frames, out, images)
    out = Path(out)
    folders = {(name, seed): out / "encoders" / f"{name}-s{seed}" for name in configs for seed in seeds}
    with only_one(out):
        labeled = _labeled(frame_set)
        watch = (_MONITORED,) if labeled is not None else ()
        jobs = _jobs(frame_set, out, configs, folders, watch)
        _announce(jobs, workers, len(frame_set), watch, len(folders))
        run_jobs(jobs, workers, out / "logs")
        encoders = {key: Artefact.load(folder, "encoder") for key, folder in folders.items()}
        record = {
            "frames": frame_set.digest,
            "ranking": ranking,
            "encoders": [encoder.digest for encoder in encoders.values()],
        }
        folder = start_artefact(out / "ranking", KIND, record)
        if is_complete(folder):
            return Artefact.load(folder, KIND)
        with measuring("rank encoders", _ranking_parts(len(folders))):
            candidates = [
                each
                for name, config in configs.items()
                for each in _candidates(name, config, seeds, folders, frame_set, labeled)
            ]
        candidates.sort(key=lambda candidate: -getattr(candidate, ranking))
        _write(candidates, folder, ranking, labeled.names if labeled is not None else (), frame_set, encoders.values())
        inputs = {f"{name}-s{seed}": encoder.digest for (name, seed), encoder in encoders.items()}
        wall = time.monotonic() - started
        return complete_artefact(
            folder, KIND, record, seed=min(seeds), inputs={"frames": frame_set.digest, **inputs}, wall_seconds=wall
        )


def _jobs(
    frames: FrameSet,
    out: Path,
    settings: Mapping[str, SeeConfig],
    folders: Mapping[tuple[str, int], Path],
    watch: Sequence[str],
) -> list[Job]:
    """Return the jobs: the encoders, and a DAE for each seed and setting that needs one."""
    source = frames.artefact.folder
    jobs: dict[Path, Job] = {}
    for (name, seed), folder in folders.items():
        config = settings[name]
        arguments: dict[str, Any] = {"frames": source, "config": config, "seed": seed, "out": folder, "watch": watch}
        needs: tuple[Path, ...] = ()
        if config.vae.needs_dae:
            alike = [other for other, other_config in settings.items() if _same_denoiser(other_config, config)]
            denoiser = out / "denoisers" / f"{alike[0]}-s{seed}"
            dae_arguments = {"frames": source, "config": config, "seed": seed, "out": denoiser}
            label, steps = f"denoising autoencoder of {alike[0]}, seed {seed}", config.dae_training
            jobs[denoiser] = Job(
                label, denoiser, train_denoiser, dae_arguments, (), float(steps.steps * steps.batch_size)
            )
            arguments["dae"], needs = denoiser, (denoiser,)
        cost = float(config.training.steps * config.training.batch_size)
        jobs[folder] = Job(f"encoder {name}, seed {seed}", folder, see, arguments, needs, cost)
    return list(jobs.values())


def _announce(jobs: Sequence[Job], workers: int | None, frames: int, watch: Sequence[str], encoders: int) -> None:
    """Print how long it will take to train the encoders that are not there yet, and to rank all of them."""
    side_by_side = min(workers or available_cores(), len(jobs))
    parts: list[Part] = []
    for job in jobs:
        if not is_complete(job.folder):
            config: SeeConfig = job.arguments["config"]
            training = see_parts(config, None, frames=frames, watch=watch, jobs=side_by_side) if job.work is see else \
                       dae_parts(config, None, frames=frames, jobs=side_by_side)  # fmt: skip
            parts += [replace(part, label=f"{job.label}{'' if part.label else ', probes'}") for part in training]
    say_expected("select", [*parts, *_ranking_parts(encoders)], side_by_side)


def _ranking_parts(encoders: int) -> list[Part]:
    return [Part(Work("select", "run", {"encoders": str(encoders)}, spread()), 1)]


def _same_denoiser(one: SeeConfig, other: SeeConfig) -> bool:
    return one.vae.needs_dae and (one.dae, one.dae_training, one.held_out, one.statistics_frames) == (
        other.dae,
        other.dae_training,
        other.held_out,
        other.statistics_frames,
    )


def _candidates(
    name: str,
    config: SeeConfig,
    seeds: Sequence[int],
    folders: Mapping[tuple[str, int], Path],
    frames: FrameSet,
    labeled: FactorTable | None,
) -> list[Candidate]:
    """Score the encoders of one setting."""
    rows = np.sort(rng_for(0, "selection").permutation(len(frames))[:_ROWS])
    models = [load(folders[name, seed]) for seed in seeds]
    codes, kls = zip(*(_codes(model, frames, rows) for model in models), strict=True)
    udrs = {method: metrics.udr(np.stack(codes), kls=np.stack(kls), method=method).values for method in METHODS}
    candidates = []
    for place, (seed, model) in enumerate(zip(seeds, models, strict=True)):
        probes = EncoderProbes.load(folders[name, seed])
        labels = {f"{PROBE}{target}": score.nonlinear for target, score in probes.targets.items()}
        relation, informativeness = None, {}
        if labeled is not None:
            encoded = encode_frames(model, frames, labeled.rows)
            results = metrics.evaluate(encoded, labeled.factors, _SCORES, continuous=labeled.continuous)
            dci = results["dci"]
            labels = {score: result.score for score, result in results.items()} | labels
            labels["informativeness"] = float(dci.values[_INFORMATIVENESS])
            informativeness = dict(zip(labeled.names, map(float, dci.per_factor[_INFORMATIVENESS]), strict=True))
            relation = results[_MONITORED]
        udr = {method: float(values[f"model {place}"]) for method, values in udrs.items()}
        candidates.append(
            Candidate(
                name,
                seed,
                folders[name, seed],
                lasso=udr["lasso"],
                spearman=udr["spearman"],
                active=None if probes.kl is None else probes.kl.active_units,
                kl=None if probes.kl is None else probes.kl.total,
                error=probes.reconstruction.get("mean_squared_error_as_displayed"),
                dead_units=probes.dead_units,
                supervised_scores=labels,
                informativeness=informativeness,
                relation=relation,
                supervision=str(model_info(config.model).needs),
            )
        )
    return candidates


def _labeled(frames: FrameSet) -> FactorTable | None:
    """Return frames with their factors; None where no factor varies, or none is stored."""
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
    if not bool(kl.any()):  # deterministic codes have no KL; use the variance
        kl = posterior.mean.var(0, correction=0)
    return posterior.mean.numpy(), kl.numpy()


def _write(
    candidates: Sequence[Candidate],
    folder: Path,
    ranking: str,
    factors: Sequence[str],
    frames: FrameSet,
    encoders: Iterable[Artefact],
) -> None:
    agreement = {
        label: {method: _rank_correlation(candidates, method, label) for method in METHODS}
        for label in candidates[0].supervised_scores
        if all(label in each.supervised_scores for each in candidates)
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
            "dead_units": each.dead_units,
            "supervision": each.supervision,
            "supervised_scores": dict(each.supervised_scores),
            "informativeness": dict(each.informativeness),
        }
        for each in candidates
    ]
    write_json(folder / RESULT, {"ranking": ranking, "candidates": listed, "rank_correlation": agreement})
    tables = [
        settings_table(candidates, agreement, ranking),
        ranking_table(candidates, agreement),
        *factors_table(candidates, ranking),
    ]
    write_bytes(folder / TABLE, "\n\n".join(f"{table.markdown()}" for table in tables).encode() + b"\n")
    made_from = [frames.artefact, *encoders]
    write_document(selection_page(candidates, agreement, ranking, factors, frames, made_from), folder)


def _rank_correlation(candidates: Sequence[Candidate], method: str, label: str) -> float:
    """Return Spearman's correlation of UDR and a supervised score over candidates; 0 where one is constant."""
    udr = [getattr(each, method) for each in candidates]
    scores = [each.supervised_scores[label] for each in candidates]
    if len(set(udr)) < 2 or len(set(scores)) < 2:
        return 0.0
    return float(spearmanr(udr, scores).statistic)
