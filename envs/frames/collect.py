"""Collect D_U: frames of an unlabeled domain, with the factors and the state they were drawn from.

Frame i is a function of the seed and of i alone (a random walk: of the seed and of its shard). So the bytes depend
neither on the number of workers nor on interruptions.
"""

from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from darla.common import (
    Artefact,
    InputError,
    Progress,
    complete_artefact,
    is_complete,
    note_packages,
    rng_for,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT, remove_partial
from darla.common.checked_config import CheckedConfig, checked_arguments
from darla.common.files import load_array, save_array, write_json
from darla.common.jobs.processes import at_end_of_worker, worker_pool
from darla.common.jobs.sealed import read_if_sound, write_sealed
from darla.common.jobs.spawn_checks import pickled_bytes
from darla.common.jobs.stopwatch import SECONDS, Stopwatch
from darla.common.speeds.meter import measuring
from darla.common.threads import check_workers
from darla.envs.domains import tasks
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.frames.expected_time import LABEL, collect_parts
from darla.envs.frames.frame_set import INDEX, KIND, SHARDS, shard_path
from darla.envs.frames.shards import FrameDrawer
from darla.envs.frames.units import UNITS, UnitKind, UnitPlan, group_plan, pair_plan
from darla.envs.image_data.ground_truth import GroundTruthData
from darla.envs.image_data.registry import IMAGE_DATA, ImageDrawer, domain_of, image_data
from darla.envs.image_data.stored_images import StoredImages
from darla.envs.make_env import make

SAMPLINGS = ("uniform", "random_policy", "grid")
MOST_FRAMES = 1_000_000_000
_FRAMES, _SHARD = 40_000, 1_000
_DEFAULT_STRIDE = 8
_GROUP_SIZE, _GROUP_RATIO = 20, 10
_LARGEST_TO_SEND = 2**26
"""Bytes above which image data are taken to hold their images in memory."""


@dataclass(frozen=True)
class CollectConfig(CheckedConfig):
    """What to collect."""

    task: str = "conjunction"
    """Transfer task whose unlabeled domain D_U is drawn from, or image data: `sprites`, `rooms`."""
    frames: int | None = None
    """Number of frames. If not given, 40,000, on which the trial on two cores trained its good encoders, or as many
    whole units as fit; of a `grid` all of it."""
    sampling: Literal["uniform", "random_policy", "grid"] | None = None
    """`uniform`: each frame has a context, a layout and a pose of its own (image data: factor values of its own).
    `random_policy`: frames of random walks. `grid`: every combination of the factors of image data, in order. If not
    given, `uniform` where that is possible, else `random_policy`: for transitions, and in environments whose episodes
    cannot start anywhere."""
    stride: int | None = None
    """Environment steps between two kept frames of a random walk; 8 if not given. Refused with `uniform`."""
    unit: UnitKind = "image"
    """What is drawn together, for models that need more than single images. `pair`: two images that share factors; of
    image data they differ in a few, of a world they show one state in two looks, of a random walk they are frames of
    one episode. `group`: images in which one factor varies, or all the others together. `transition`: the images before
    and after an action of a random walk."""
    pair_changes: int | None = None
    """Factors in which the two images of a pair of image data differ; if not given, 1 to all but one, drawn for each
    pair."""
    group_size: int | None = None
    """Frames in a group; 20 if not given (Kulkarni et al. 2015)."""
    group_factors: tuple[str, ...] = ()
    """Factors that vary alone in a group; all that vary if none is given. The others vary together."""
    group_ratio: int | None = None
    """How many times as many groups there are in which the others vary as for each factor; 10 if not given (Kulkarni et
    al. 2015)."""
    looks: int | None = None
    """Draw this many contexts of D_U first, and show every frame in one of them: domains for models that need to know
    which an image is of."""
    shard_size: int | None = None
    """Frames in one file; also the unit of resuming and of parallel work. If not given, 1,000, or as many whole units
    as fit."""
    seed: int = 0
    """Master seed."""

    def __post_init__(self) -> None:
        if self.sampling is not None and self.sampling not in SAMPLINGS:
            raise unknown_name("sampling", self.sampling, SAMPLINGS)
        for name in ("frames", "shard_size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name} is {value}, but must be at least 1")
        if self.frames is not None and self.frames > MOST_FRAMES:
            raise InputError(f"frames is {self.frames}, but must be at most {MOST_FRAMES}, which is years of drawing")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, but must not be negative")
        if self.stride is not None and self.sampling not in (None, "random_policy"):
            raise InputError(f"stride is for sampling 'random_policy'; {self.sampling!r} has no steps between frames")
        if self.stride is not None and self.stride < 1:
            raise InputError(f"stride is {self.stride}, but must be at least 1")
        self._check_units()

    def _check_units(self) -> None:
        if self.unit not in UNITS:
            raise unknown_name("unit", self.unit, UNITS)
        samplings = {"pair": SAMPLINGS[:2], "group": SAMPLINGS[:1], "transition": SAMPLINGS[1:2]}
        if self.sampling is not None and self.sampling not in samplings.get(self.unit, SAMPLINGS):
            raise InputError(
                f"unit {self.unit!r} needs sampling {' or '.join(samplings[self.unit])}, not {self.sampling!r}"
            )
        for name, unit in (("pair_changes", "pair"), ("group_size", "group"), ("group_ratio", "group")):
            value = getattr(self, name)
            if value is not None and self.unit != unit:
                raise InputError(f"{name} {value} would be ignored: it belongs to unit {unit!r}")
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}, but must be at least 1")
        if self.group_factors and self.unit != "group":
            raise InputError(
                f"group_factors {', '.join(self.group_factors)} would be ignored: they belong to unit 'group'"
            )
        if self.group_size == 1:
            raise InputError("group_size is 1, but a group in which something varies has at least 2 frames")
        if self.looks is not None and self.looks < 2:
            raise InputError(f"looks is {self.looks}, but must be at least 2")
        size = self.unit_size
        for name in ("frames", "shard_size"):
            if (value := getattr(self, name)) is not None and value % size:
                raise InputError(f"{name} is {value}, but must be a multiple of {size}, the frames in a {self.unit}")

    @property
    def unit_size(self) -> int:
        """Frames that are drawn together."""
        return {"image": 1, "group": self.group_size or _GROUP_SIZE}.get(self.unit, 2)

    @property
    def walk(self) -> int | None:
        """Steps of a random walk between two frames; None where frames are of no walk."""
        return (self.stride or _DEFAULT_STRIDE) if self.sampling == "random_policy" else None

    @property
    def shards(self) -> list[int]:
        """Frames in each shard, of a configuration that is `resolved`."""
        assert self.frames is not None
        assert self.shard_size is not None
        full, rest = divmod(self.frames, self.shard_size)
        return [self.shard_size] * full + [rest] * (rest > 0)

    def resolved(self, domain: AnyDomain | GroundTruthData) -> "CollectConfig":
        """Return the configuration with a value for everything that was not given.

        Args:
            domain: what is collected. An environment is made where it decides the sampling.
        """
        sampling = self.sampling
        if sampling is None:
            walks = self.unit == "transition" or self.stride is not None
            sampling = "random_policy" if walks or not _starts_anywhere(domain) else "uniform"
        size = self.unit_size
        frames = len(domain) if sampling == "grid" and not isinstance(domain, AnyDomain) else _FRAMES - _FRAMES % size
        shard = max(size, _SHARD - _SHARD % size)
        return replace(
            self,
            frames=frames if self.frames is None else self.frames,
            sampling=sampling,
            shard_size=shard if self.shard_size is None else self.shard_size,
        )


@checked_arguments
@writes_nothing_if_refused
def collect(
    config: CollectConfig,
    out: Path | str,
    *,
    workers: int = 1,
    domain: AnyDomain | GroundTruthData | None = None,
) -> Artefact:
    """Collect frames into `out`; resumes where an earlier call was interrupted.

    Args:
        config: what to collect.
        out: folder of the artefact.
        workers: processes that draw; the result does not depend on it. Image data in memory are drawn
            in this process: to look them up is quicker than to send them around.
        domain: drawn from instead of the unlabeled domain of `config.task`. It is pickled where there are several
            workers.

    Returns:
        An artefact of kind `frames`; open it with `FrameSet`.

    Raises:
        InputError: an unknown task, a folder with something else in it, a full disk.
        WorkerDiedError: a process that draws has died.
    """
    check_workers(workers)
    if domain is None:
        domain = image_data(config.task) if config.task in IMAGE_DATA else tasks.get(config.task).unlabeled
    config = config.resolved(domain)
    assert config.frames is not None
    _check(config, domain)
    if config.looks is not None:
        assert isinstance(domain, Domain)
        domain = domain.with_looks(config.looks, rng_for(config.seed, "looks"))
    plan = _plan(config, domain)
    # Two tasks with the same D_U have the same frames, so the name of the task is not recorded.
    record: dict[str, Any] = {name: value for name, value in asdict(config).items() if name != "task"}
    record["domain"] = domain.to_dict() if isinstance(domain, AnyDomain) else domain_of(domain)
    record["stride"] = config.walk
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    remove_partial(folder / SHARDS)
    todo = [shard for shard in range(len(config.shards)) if not _is_written(folder, shard, config.shards[shard])]
    done = config.frames - sum(config.shards[shard] for shard in todo)
    assert config.sampling is not None
    parts = collect_parts(
        domain,
        config.frames - done,
        sampling=config.sampling,
        unit=config.unit,
        walk=config.walk,
        workers=min(workers, len(config.shards)),
    )
    with measuring("collect", parts):
        with (
            Stopwatch(folder / CHECKPOINT / SECONDS) as stopwatch,
            Progress(config.frames, LABEL, "frame", done=done) as progress,
        ):
            if workers == 1 or len(todo) <= 1 or _stays_here(domain):
                with _drawer(config, domain, plan) as drawer:
                    for shard in todo:
                        _write(drawer, config, folder, shard)
                        stopwatch.save()
                        progress.update(config.shards[shard])
            else:
                _collect_in_parallel(config, domain, plan, folder, todo, min(workers, len(todo)), stopwatch, progress)
        _write_index(config, domain, plan, folder)
        return complete_artefact(folder, KIND, record, seed=config.seed, inputs={}, wall_seconds=stopwatch.seconds)


def _starts_anywhere(domain: AnyDomain | GroundTruthData) -> bool:
    """Return whether frames can be drawn without a walk."""
    if isinstance(domain, Domain):
        return domain.world.random_start is not None
    if not isinstance(domain, AnyDomain):
        return True
    env = make(domain)
    try:
        return bool(getattr(env, "starts_anywhere", False))
    finally:
        env.close()


def _check(config: CollectConfig, domain: AnyDomain | GroundTruthData) -> None:
    """Refuse a sampling that the domain or image data does not have."""
    if isinstance(domain, AnyDomain):
        if config.sampling == "grid":
            raise InputError("sampling 'grid' is for image data, whose factors have finitely many values")
    elif config.sampling == "random_policy":
        if config.unit == "transition":
            raise InputError(f"{domain.name} are image data, which have no actions, so there are no transitions")
        raise InputError(
            f"{domain.name} are image data, which have no actions to walk with; use sampling 'uniform' or 'grid'"
        )
    elif config.sampling == "grid" and config.frames != len(domain):
        raise InputError(f"frames is {config.frames}, but the grid of {domain.name} has {len(domain)}")
    if config.looks is not None and not isinstance(domain, Domain):
        raise InputError(f"looks {config.looks} would be ignored: {domain.name} has no contexts to draw looks from")


def _plan(config: CollectConfig, domain: AnyDomain | GroundTruthData) -> UnitPlan:
    """Return which frames are drawn together."""
    if config.unit == "pair":
        return pair_plan(domain, config.walk is not None, config.pair_changes)
    if config.unit == "group":
        return group_plan(domain, config.unit_size, config.group_factors, config.group_ratio or _GROUP_RATIO)
    return UnitPlan(config.unit, config.unit_size)


def _stays_here(domain: AnyDomain | GroundTruthData) -> bool:
    """Return whether images are only looked up in this process's memory."""
    if isinstance(domain, StoredImages) and domain.in_memory:
        return True
    return pickled_bytes(domain, f"{domain.name!r}") > _LARGEST_TO_SEND


def _collect_in_parallel(
    config: CollectConfig,
    domain: AnyDomain | GroundTruthData,
    plan: UnitPlan,
    folder: Path,
    todo: list[int],
    workers: int,
    stopwatch: Stopwatch,
    progress: Progress,
) -> None:
    with worker_pool(workers, _start_worker, (config, domain, plan, folder), who="a collecting process") as pool:
        futures = {pool.submit(_write_in_worker, shard): shard for shard in todo}
        for future in as_completed(futures):
            future.result()
            stopwatch.save()
            progress.update(config.shards[futures[future]])


_in_worker: tuple[FrameDrawer | ImageDrawer, CollectConfig, Path]
"""What a worker process draws with, set once when it starts."""


def _start_worker(config: CollectConfig, domain: AnyDomain | GroundTruthData, plan: UnitPlan, folder: Path) -> None:
    global _in_worker
    _in_worker = _drawer(config, domain, plan), config, folder
    at_end_of_worker(partial(_in_worker[0].__exit__, None, None, None))


def _write_in_worker(shard: int) -> None:
    _write(*_in_worker, shard)


def _drawer(config: CollectConfig, domain: AnyDomain | GroundTruthData, plan: UnitPlan) -> FrameDrawer | ImageDrawer:
    if isinstance(domain, AnyDomain):
        return FrameDrawer(domain, config.walk, config.seed, plan)
    return ImageDrawer(domain, config.seed, config.sampling == "grid", plan)


def _write(drawer: FrameDrawer | ImageDrawer, config: CollectConfig, folder: Path, shard: int) -> None:
    """Draw a shard and write it, the record of its files last: a shard with a record is complete."""
    drawn = drawer.draw(shard, sum(config.shards[:shard]), config.shards[shard])
    written = []
    for part in ("factors", "state", "domains", "known", "images"):
        if (array := getattr(drawn, part)) is not None:
            written.append(shard_path(folder, shard, part))
            save_array(written[-1], array)
    write_sealed(_record_of(folder, shard), config.shards[shard], written)
    if isinstance(drawer, FrameDrawer):
        note_packages(folder, drawer.packages())


def _record_of(folder: Path, shard: int) -> Path:
    return folder / CHECKPOINT / f"shard-{shard:05d}.json"


def _is_written(folder: Path, shard: int, size: int) -> bool:
    """Return whether a shard is complete and as it was written; one that is damaged is drawn again."""
    return bool(read_if_sound(_record_of(folder, shard), f"shard {shard} is drawn again") == size)


def _write_index(config: CollectConfig, domain: AnyDomain | GroundTruthData, plan: UnitPlan, folder: Path) -> None:
    height, width, channels = load_array(shard_path(folder, 0, "images"), mapped=True).shape[1:]
    world = domain.world if isinstance(domain, Domain) else None
    index = {
        "shards": config.shards,
        "image_shape": [height, width, channels],
        "factors": world.space.to_list() if world else None,
        "facts": [fact.to_dict() for fact in world.facts] if world else [],
        "unit": plan.to_dict(),
    }
    write_json(folder / INDEX, index)
