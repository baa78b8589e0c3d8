"""The command line: every verb on real input, and every refusal one sentence and exit code 2."""

import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import darla, leftovers, refusal

from darla.agents.presets import AGENTS
from darla.cli import main as cli
from darla.cli.command import Command
from darla.cli.verbs import VERBS
from darla.common import Artefact
from darla.envs.domains import tasks
from darla.envs.image_data.registry import IMAGE_DATA
from darla.experiments.demos import DEMOS
from darla.experiments.studies import STUDIES
from darla.vision.presets import ENCODERS


def smaller_files(limit: int) -> Callable[[], None]:
    """A disk that is full after `limit` bytes of any one file."""

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return before


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage that learns or plays, once, through the command line."""
    folder = tmp_path_factory.mktemp("runs")
    darla("collect", "conjunction", "--frames", "60", "--shard-size", "25", "--out", folder / "frames")
    training = ("--training.steps", "6", "--training.batch-size", "16")
    darla("see", folder / "frames", "--preset", "tiny", *training, "--out", folder / "encoder")
    steps = ("--preset", "tiny", "--env-steps", "1024", "--seed", "3")
    darla("act", "conjunction", "--encoder", folder / "encoder", *steps, "--out", folder / "agent")
    short = (
        "--episodes",
        "2",
        "--n-envs",
        "2",
        "--snapshot-eval-episodes",
        "0",
        "--strip-frames",
        "3",
        "--resamples",
        "50",
    )
    darla("transfer", "conjunction", f"DARLA={folder / 'agent'}", *short, "--out", folder / "transfer")
    return folder


def test_every_stage_leaves_its_artefact(runs: Path) -> None:
    kinds = {name: Artefact.load(runs / name).kind for name in ("frames", "encoder", "agent", "transfer")}
    assert kinds == {"frames": "frames", "encoder": "encoder", "agent": "agent", "transfer": "transfer"}
    assert "act conjunction --encoder" in Artefact.load(runs / "agent").card["command"]
    assert Artefact.load(runs / "agent").card["inputs"]["encoder"] == Artefact.load(runs / "encoder").digest


def test_a_transfer_becomes_a_report(runs: Path, tmp_path: Path) -> None:
    darla("report", runs / "transfer", "--out", tmp_path / "report")
    assert list((tmp_path / "report").glob("*.html"))
    assert list((tmp_path / "report").glob("*.md"))


def test_a_finished_stage_is_not_done_again(runs: Path) -> None:
    card = (runs / "frames" / "card.json").read_bytes()
    again = darla("collect", "conjunction", "--frames", "60", "--shard-size", "25", "--out", runs / "frames")
    assert again.stdout.strip() == str(runs / "frames")
    assert (runs / "frames" / "card.json").read_bytes() == card


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The refusal of a command line that needs no process of its own to be refused."""
    assert cli.main([*map(str, words)]) == 2
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("colect", "darla: unknown verb 'colect'; did you mean 'collect'?"),
        (
            "collect conjuction --out OUT",
            "darla collect: unknown task or image data 'conjuction'; did you mean 'conjunction'?",
        ),
        (
            "collect conjunction --out OUT --frame 3",
            "unrecognized options: --frame, 3; did you mean --frames?",
        ),
        (
            "see x --out OUT --vae.bet 3 --training.step 4",
            "unrecognized options: --vae.bet, 3, --training.step, 4; did you mean --training.steps or --vae.beta?",
        ),
        ("collect conjunction --out OUT --frames 3x", "--frames"),
        ("collect conjunction --out OUT --frames 0", "darla collect: frames is 0, but must be at least 1"),
        (
            "collect conjunction --out OUT --sampling unifrm",
            "unknown value of --sampling: 'unifrm'; did you mean 'uniform'?",
        ),
        ("collect conjunction --out OUT --sampling uniform --stride 4", "stride is for sampling 'random_policy'"),
        ("collect conjunction --out OUT --workers 0", "workers is 0"),
        ("collect conjunction", "--out must be given"),
        ("see", "darla see: FRAMES and --out must be given (darla see --help lists the options)"),
        ("collect", "darla collect: TASK and --out must be given"),
        ("collect --out OUT", "darla collect: TASK must be given"),
        ("transfer", "darla transfer: TASK, AGENT and --out must be given"),
        ("transfer conjunction", "darla transfer: AGENT and --out must be given"),
        ("transfer conjunction x", "darla transfer: --out must be given"),
        ("transfer conjunction DARLA= --out OUT", "'DARLA=' names no folder"),
        ("film", "darla film: TASK, AGENT and --out must be given"),
        ("report", "darla report: RUN and --out must be given"),
        ("study run", "darla study run: NAME must be given"),
        ("check", "darla check: TASK must be given"),
        ("collect sprits --out OUT", "unknown task or image data 'sprits'; did you mean 'sprites'?"),
        ("act sprites --out OUT", "; 'sprites' is image data: darla collect sprites --out"),
        ("see sprites --out OUT", "no such folder; 'sprites' is image data: darla collect sprites --out FRAMES"),
        ("see x --preset ppo --out OUT", "'ppo' is an agent's preset: darla act TASK --preset ppo"),
        ("see x --model beta-4 --out OUT", "did you mean 'beta_vae'? 'beta-4' is an encoder's preset: darla see"),
        ("act conjunction --encoder beta-4 --out OUT", "'beta-4' is an encoder's preset: darla see FRAMES --preset"),
        ("metrics x --names sprites --out OUT", "'explicitness'? 'sprites' is image data"),
        ("mig", "; 'mig' is a metric: darla metrics ENCODER --names mig --out METRICS"),
        ("new-room", "; did you mean 'new_room', a transfer task"),
        ("collect --task conjunction", "unrecognized options: --task; TASK must be given without it"),
        ("act --task conjunction --out OUT", "darla act: unrecognized options: --task; TASK must be given without it"),
        ("act conjunction --out", "darla act: --out needs a value"),
        ("act conjunction --out OUT --device tpus", "darla act: unknown device 'tpus'; known: 'auto', 'cpu', 'cuda'"),
        ("act conjunction --out OUT --seed zero", "darla act: --seed is 'zero', but must be a whole number"),
        ("see nowhere --out OUT --vae.beta four", "darla see: --vae.beta is 'four', but must be a number"),
        ("demo --workers two", "darla demo: --workers is 'two', but must be a whole number"),
        ("transfer conjunction --out OUT", "name at least one agent"),
        ("study rum paper-table", "unknown verb after `darla study`: 'rum'; did you mean 'run'?"),
        ("see nowhere --out OUT", "darla see: no artefact at nowhere: there is no such folder"),
        ("see nowhere --out OUT --preset bta-4", "unknown encoder preset 'bta-4'; did you mean 'beta-4'?"),
        (
            "see nowhere --out OUT --vae.loss perceptul",
            "unknown loss 'perceptul'; did you mean 'perceptual'?",
        ),
        ("see nowhere --out OUT --vae.lossy pixel", "did you mean --vae.loss"),
        ("act conjunctoin --out OUT", "unknown task 'conjunctoin'; did you mean 'conjunction'?"),
        ("act conjunction --out OUT --algorithm poo", "unknown algorithm 'poo'; did you mean 'ppo'?"),
        ("act conjunction --out OUT --encoder nowhere", "no artefact at nowhere"),
        ("act conjunction --out OUT --settings.gama 0.9", "did you mean --settings.gamma"),
        ("act conjunction --out OUT --settings.batch-size 100", "batch_size 100"),
        ("transfer conjunction nowhere --out OUT", "no artefact at nowhere"),
        ("transfer conjunction =nowhere --out OUT", "empty name"),
        ("transfer conjunction nowhere --out OUT --episodes 0", "episodes is 0"),
        ("report nowhere --out OUT", "no artefact at nowhere"),
        ("demo --preset dem --out OUT", "unknown preset 'dem'; did you mean 'demo'?"),
        ("demo --preset tiny --out OUT --workers 0", "workers is 0"),
        ("collect nothing.json --out OUT", "could not read nothing.json"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    line: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "out") if word == "OUT" else word for word in line.split()]
    told = said(capsys, *words)
    assert sentence in told
    assert told.startswith("darla")
    assert "\n" not in told
    assert not (tmp_path / "out" / "card.json").exists()


def test_a_refusal_of_a_real_process() -> None:
    assert refusal("colect") == "darla: unknown verb 'colect'; did you mean 'collect'?"


@pytest.mark.parametrize("harm", ["truncated", "altered"])
@pytest.mark.parametrize(
    ("artefact", "file", "line"),
    [
        ("frames", "shards/00001.images.npy", "see IN --out OUT"),
        ("encoder", "model.safetensors", "act conjunction --encoder IN --out OUT"),
        ("agent", "policy.safetensors", "transfer conjunction IN --out OUT"),
        ("agent", "policy.json", "transfer conjunction IN --out OUT"),
        ("transfer", "episodes.csv", "report IN --out OUT"),
        ("transfer", "scores.json", "report IN --out OUT"),
    ],
)
def test_damaged_artefacts_are_refused(
    harm: str,
    artefact: str,
    file: str,
    line: str,
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = Path(shutil.copytree(runs / artefact, tmp_path / artefact))
    data = bytearray((copy / file).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / file).write_bytes(data if harm == "altered" else data[: len(data) // 2])
    places = {"IN": str(copy), "OUT": str(tmp_path / "out")}
    told = said(capsys, *(places.get(word, word) for word in line.split()))
    assert "is damaged" in told
    assert Path(file).name in told
    assert not (tmp_path / "out" / "card.json").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"kind": "frames"}', b"\x00\xff\xfe", b"[]"])
def test_a_damaged_card_is_refused(
    damage: bytes, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(runs / "frames", tmp_path / "frames"))
    (copy / "card.json").write_bytes(damage)
    assert "card.json" in said(capsys, "see", copy, "--out", tmp_path / "out")


def test_an_artefact_of_another_kind_is_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "'frames'" in said(capsys, "see", runs / "encoder", "--out", tmp_path / "out")
    assert "'encoder'" in said(capsys, "act", "conjunction", "--encoder", runs / "frames", "--out", tmp_path / "out")
    assert "agent" in said(capsys, "transfer", "conjunction", runs / "encoder", "--out", tmp_path / "out")
    assert "transfer" in said(capsys, "report", runs / "agent", "--out", tmp_path / "out")


def test_a_folder_with_something_else_is_left_alone(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("all of it")
    assert "not empty" in said(capsys, "collect", "conjunction", "--out", tmp_path / "thesis")
    told = said(capsys, "collect", "conjunction", "--frames", "61", "--out", runs / "frames")
    assert "made with another configuration: frames was 60 and is now 61" in told
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]
    assert "is a file" in said(capsys, "collect", "conjunction", "--out", tmp_path / "thesis" / "chapter.tex")


def test_an_encoder_for_another_resolution_is_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms = {"env_id": "darla/SeekAvoid-v0", "variants": [{"resolution": 48}]}
    task = {"name": "coarse", "unlabeled": rooms, "source": rooms, "targets": {"same": rooms}}
    (tmp_path / "coarse.json").write_text(json.dumps(task))
    told = said(capsys, "act", tmp_path / "coarse.json", "--encoder", runs / "encoder", "--out", tmp_path / "out")
    assert "64" in told
    assert "48" in told


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("[1]", "holds list"),
        ('{"name": "mine"}', "has no 'unlabeled'"),
        ('{"name": "mine", "unlabeled": 3, "source": {}, "targets": {}}', "must be an object with either"),
        ("{", "is not JSON"),
    ],
)
def test_a_task_file_that_describes_none_is_refused(
    task: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "task.json").write_text(task)
    assert sentence in said(capsys, "collect", tmp_path / "task.json", "--out", tmp_path / "out")


def test_a_task_file_gives_any_environment(tmp_path: Path) -> None:
    short = {"env_id": "darla/SeekAvoid-v0", "variants": [{"steps": 10, "resolution": 64}]}
    task = {"name": "short", "unlabeled": short, "source": short, "targets": {"same": short}}
    (tmp_path / "short.json").write_text(json.dumps(task))
    options = ("--frames", "10", "--sampling", "random_policy", "--out", tmp_path / "frames")
    darla("collect", tmp_path / "short.json", *options)
    assert Artefact.load(tmp_path / "frames").config["domain"]["env_id"] == "darla/SeekAvoid-v0"


def test_a_full_disk_stops_collecting_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    words = ("collect", "conjunction", "--frames", "40", "--shard-size", "20", "--out", tmp_path / "frames")
    told = refusal(*words, before=smaller_files(100_000))
    assert "00000.images.npy" in told
    assert not leftovers(tmp_path)
    assert not (tmp_path / "frames" / "card.json").exists()
    darla(*words)
    Artefact.load(tmp_path / "frames")


def test_a_full_disk_stops_learning_and_leaves_nothing_half_written(runs: Path, tmp_path: Path) -> None:
    words = (
        "see",
        runs / "frames",
        "--preset",
        "tiny",
        "--training.steps",
        "4",
        "--out",
        tmp_path / "encoder",
    )
    told = refusal(*words, before=smaller_files(200_000))
    assert "could not write" in told
    assert not leftovers(tmp_path)
    assert not (tmp_path / "encoder" / "card.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_no_space_left_on_the_device(small_disk: Path) -> None:
    told = refusal("collect", "conjunction", "--frames", "120", "--shard-size", "60", "--out", small_disk / "frames")
    assert "00001.images.npy" in told or "00000.images.npy" in told
    assert not leftovers(small_disk)


def test_missing_graphics_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A machine without them is imitated by a loader that does not find them.
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes\n"
        "load = ctypes.CDLL.__init__\n"
        "def without(self, name, *rest, **more):\n"
        "    if name and ('libEGL' in str(name) or 'libGLU' in str(name)):\n"
        "        raise OSError(f'{name}: cannot open shared object file')\n"
        "    load(self, name, *rest, **more)\n"
        "ctypes.CDLL.__init__ = without\n"
    )
    told = refusal("collect", "conjunction", "--out", tmp_path / "frames", PYTHONPATH=str(tmp_path))
    assert "apt-get install" in told
    assert "libegl1" in told
    assert "libglu1-mesa" in told
    checked = darla("doctor", "--out", tmp_path, code=1, PYTHONPATH=str(tmp_path))
    assert "libegl1" in checked.stdout
    assert "fail  graphics libraries" in checked.stdout


def test_debug_shows_the_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "darla", "colect"],
        capture_output=True,
        text=True,
        env={**os.environ, "DARLA_DEBUG": "1"},
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr


@pytest.mark.parametrize(
    ("module", "code", "told"),
    [
        ("darla.zero_shot", 1, "unexpected ZeroDivisionError: division by zero; this is a bug in darla"),
        ("somebodys_model", 2, "your code failed: ZeroDivisionError: division by zero (their.py, line 2, in broken)"),
    ],
)
def test_a_fault_of_darla_itself_is_told_apart_from_one_in_the_code_of_the_user(
    module: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": module}
    exec(compile("def broken(words):\n    1 / 0\n", "their.py", "exec"), names)
    monkeypatch.setattr(cli, "_run", names["broken"])
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err.startswith(f"darla doctor: {told}")


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"study list"}))
def test_help_tells_about_every_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([*verb.split(), "--help"])
    assert end.value.code in (0, None)
    told = capsys.readouterr().out
    assert f"usage: darla {verb}" in told
    assert {
        "study status": "OUT",
        "study watch": "OUT",
        "explore": "RUN",
        "check": "TASK",
        "concepts describe": "IMAGE",
        "push": "USER/REPO",
    }.get(verb, "--out") in told


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_and_its_command_say_the_same(name: str) -> None:
    command = VERBS[name].load()
    assert issubclass(command, Command)
    assert (command.__doc__ or "").splitlines()[0] == f"{VERBS[name].help}."


def test_help_of_the_whole_loads_no_stage() -> None:
    code = "import sys; from darla.cli.main import main; main(['--help']); print({'numpy', 'tyro'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("collect", (*tasks.names(), *IMAGE_DATA)),
        ("see", ENCODERS),
        ("act", (*tasks.names(), *AGENTS)),
        ("transfer", tasks.names()),
        ("demo", DEMOS),
        ("study run", (*STUDIES, *DEMOS)),
    ],
)
def test_help_has_every_name_that_can_be_given(
    verb: str, names: Iterable[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*verb.split(), "--help"])
    text = capsys.readouterr().out.replace("│", " ")
    words = " ".join(text.split())
    shown = {name for listed in re.findall(r"`([^`]+)`", words) for name in _of_family(listed)}
    assert set(names) <= shown


def _of_family(listed: str) -> list[str]:
    """Return the names that `a/{b, c}` stands for."""
    parts = [part.strip("{}").replace(" ", "").split(",") for part in re.split(r"(\{[^}]*\})", listed)]
    return ["".join(each) for each in itertools.product(*parts)]


def test_help_and_version_need_no_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"]):
        assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert all(verb in told for verb in VERBS)
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("darla 0.")


def test_presets_are_shown_as_the_defaults(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for words, default in (
        (["see", "--preset", "beta-1", "--help"], "(default: 1.0)"),
        (["act", "--algorithm", "dqn", "--help"], "--settings.buffer-size"),
        (["act", "--encoder", "x", "--help"], "--settings.clip-range"),
    ):
        with pytest.raises(SystemExit):
            cli.main(words)
        assert default in capsys.readouterr().out


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    told = darla("doctor", "--out", tmp_path / "not" / "yet").stdout
    assert "frames per second" in told
    assert told.splitlines()[-1] == "this machine can run darla"
