"""The smallest artefacts of every kind, made once, and the commands that make them."""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from children import darla, explained, in_child
from PIL import Image

import darla as darla_package
from darla.agents import ActConfig, PPOSettings
from darla.cli.main import main
from darla.cli.verbs import VERBS
from darla.common import Artefact
from darla.envs.domains import tasks
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.experiments.run_study import run_study
from darla.experiments.study import Method, Study
from darla.learn_concepts import ConceptScoresConfig, JudgeConfig, score_concepts, train_judge
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.zero_shot import TransferConfig

_ENV = {"env_id": "countdown:darla-test/Countdown-v0", "variants": [{"size": 16}]}
_BRIGHT = {"env_id": "countdown:darla-test/Countdown-v0", "variants": [{"size": 16, "level": 90}]}
_BOTH = {"env_id": "countdown:darla-test/Countdown-v0", "variants": [{"size": 16}, {"size": 16, "level": 90}]}
TASK = {"name": "count", "unlabeled": _BOTH, "source": _ENV, "targets": {"bright": _BRIGHT}}
_SHORT = "--training.steps 4 --training.batch-size 8 --training.checkpoint-every 2 --training.log-every 2"
_PPO = (
    "--env-steps 32 --checkpoint-interval 16 --snapshots 2 --settings.n-envs 2 --settings.n-steps 8 "
    "--settings.batch-size 8 --settings.n-epochs 1"
)
COMMANDS: Mapping[str, str] = {
    "collect": "collect {work}/task.json --frames 40 --shard-size 20 --out {out}",
    "see": f"see {{work}}/frames --preset beta-1 --vae.latent-dim 2 {_SHORT} --out {{out}}",
    "see with DAE": (
        f"see {{work}}/frames --vae.latent-dim 2 {_SHORT} --dae-training.steps 4 --dae-training.batch-size 8 "
        "--dae-training.checkpoint-every 2 --dae.bottleneck 4 --out {out}"
    ),
    "metrics": "metrics {work}/encoder --names mig sap --out {out}",
    "act": f"act {{work}}/task.json --encoder {{work}}/encoder {_PPO} --out {{out}}",
    "act with DQN": (
        "act {work}/task.json --encoder {work}/encoder --algorithm dqn --env-steps 32 --checkpoint-interval 16 "
        "--snapshots 2 --settings.n-envs 2 --settings.learning-starts 8 --settings.batch-size 4 "
        "--settings.buffer-size 64 --out {out}"
    ),
    "transfer": "transfer {work}/task.json x={work}/agent --episodes 2 --resamples 20 --out {out}",
    "report": "report {work}/transfer --out {out}",
}
"""Commands whose results lie in the workshop, by stage; {out} is the folder to write."""
_QUICK = TrainingConfig(steps=4, batch_size=8, log_every=2, checkpoint_every=2, precision="float32", device="cpu")
_SPRITES = SeeConfig().change(model="beta_vae", latent_dim=3, training=_QUICK, statistics_frames=16)
_JUDGED = JudgeConfig(images=20, held_out=10, training=_QUICK)
_CONCEPTS = ConceptsConfig(concepts=6, images=2, held_out=4, training=_QUICK, operators=_QUICK)
_MEASURED = ConceptScoresConfig(images=2, concepts=1, samples=1)
CALLS: Mapping[str, Callable[[Path, Path], Any]] = {
    "collect sprites": lambda work, out: darla_package.collect(CollectConfig(task="sprites", frames=32), out),
    "see sprites": lambda work, out: darla_package.see(work / "sprites", out, _SPRITES),
    "concepts": lambda work, out: darla_package.associate(work / "sprites-encoder", out, _CONCEPTS),
    "judge": lambda work, out: train_judge("sprites", out, _JUDGED),
    "concept scores": lambda work, out: score_concepts(work / "concepts", work / "judge", out, _MEASURED),
}
"""Stages whose options on the command line would make them long, as calls; of the workshop and the folder to write."""
ARTEFACTS: Mapping[str, str] = {
    "frames": "collect",
    "encoder": "see",
    "encoder-with-dae": "see with DAE",
    "scores": "metrics",
    "agent": "act",
    "agent-dqn": "act with DQN",
    "transfer": "transfer",
    "report": "report",
    "sprites": "collect sprites",
    "sprites-encoder": "see sprites",
    "concepts": "concepts",
    "judge": "judge",
    "concept-scores": "concept scores",
}
"""By folder in the workshop the stage that made it; in the order in which they need each other."""


@dataclass(frozen=True)
class Workshop:
    """A folder with an artefact of each kind."""

    folder: Path

    def words(self, line: str, out: Path | str = "OUT") -> list[str]:
        """Return the words of a line in which {work} and {out} stand for folders."""
        return [word.format(work=self.folder, out=out) for word in line.split()]

    def work(self, stage: str, out: Path, before: Callable[[], None] | None = None) -> Callable[[], int]:
        """Return the work of a stage that writes `out`; `before` is called first in its process."""
        if stage in COMMANDS:
            return darla(self.words(COMMANDS[stage], out), before)

        def call() -> int:
            if before is not None:
                before()
            return explained(lambda: CALLS[stage](self.folder, out))()

        return call

    def digest(self, name: str) -> str:
        """Return the digest of an artefact that no try may change."""
        return _digest(self.folder / name)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield the path of a folder that is not there, and remove it afterwards."""
        with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix="try-") as folder:
            try:
                yield Path(folder) / "out"
            finally:
                for path in Path(folder).rglob("*"):
                    if path.is_dir() and not path.is_symlink():
                        path.chmod(0o755)


@cache
def _digest(folder: Path) -> str:
    return Artefact.load(folder).digest


@cache
def workshop() -> Workshop:
    """Make the artefacts, and import what the stages import, so that children need not."""
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="darla-torture-", dir=memory if os.access(memory, os.W_OK) else None))
    made = Workshop(root / "work")
    made.folder.mkdir()
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(root, ignore_errors=True))
    (made.folder / "task.json").write_text(json.dumps(TASK))
    for name, stage in ARTEFACTS.items():
        work, note = made.work(stage, made.folder / name), root / "modules"
        ended = in_child(lambda work=work, note=note: _noting_modules(work, note), seconds=300)
        assert ended.code == 0, ended.stderr
        for module in note.read_text().split():
            with contextlib.suppress(Exception):  # a module that cannot be imported by itself is not missed
                importlib.import_module(module)
    ended = in_child(darla(made.words("export {work}/agent --out {work}/agent.zip")), seconds=300)
    assert ended.code == 0, ended.stderr
    Image.new("RGB", (64, 64)).save(made.folder / "image.png")
    tasks.register(find_task(str(made.folder / "task.json")))
    gc.collect()
    gc.freeze()  # children do not copy what the collector would touch
    return made


def _noting_modules(work: Callable[[], int], note: Path) -> int:
    before = set(sys.modules)
    code = work()
    note.write_text("\n".join(sorted(name for name in set(sys.modules) - before if not name.startswith("_"))))
    return code


def study(seed: int = 0) -> Study:
    """Return a study of one method and one seed; its task has to be registered."""
    training = {"training__steps": 2, "training__batch_size": 8, "training__checkpoint_every": 1}
    see = SeeConfig().change(model="beta_vae", latent_dim=2, **training)
    settings = PPOSettings(n_envs=2, n_steps=8, batch_size=8, n_epochs=1)
    method = Method("x", see, ActConfig(settings=settings, checkpoint_interval=16))
    transfer = TransferConfig(episodes=2, resamples=20)
    return Study("tiny", (method,), ("count",), seeds=(seed,), frames=40, env_steps=32, transfer=transfer)


def study_work(out: Path, seed: int = 0, ray: str | None = None) -> Callable[[], int]:
    """Return the work of that study, in one worker process, or on a Ray cluster of one core."""
    return explained(lambda: run_study(study(seed), out, workers=1, ray=ray))


@cache
def options(verb: str) -> dict[str, str]:
    """Return the options of a verb, as its help lists them, with the kind of value that each takes."""
    text = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "400"
    try:
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main([*verb.split(), "--help"])
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    rows = re.findall(r"(?:^|[│\s])(--[a-z][\w.-]*) +(\{[^}]*\}|\[[^\]]*\S* ?\S*|[A-Z{][^ ]*)?", text.getvalue())
    return {option: value for option, value in rows if option != "--help"}


def verbs() -> list[str]:
    """Return every verb."""
    return list(VERBS)
