"""Faults in users' environments, files and scripts, as data: each has a sentence, which `docs/faults.md` shows.

`tools/fault_page.py` runs them and writes the page; `tests/project/test_faults.py` compares what each gets with it.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from darla.cli import main as cli
from darla.common import InputError
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.from_images import frames_from_images

ROOM = '''"""A room of one's own: a bright column that an action names."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Room(gymnasium.Env):
    def __init__(self, size=48, bright=200):
        self.size, self.bright = size, bright
        self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.image(), {}

    def step(self, action):
        self.t += 1
        return self.image(), float(action == self.column), False, self.t == 30, {}

    def image(self):
        self.column = int(self.np_random.integers(3))
        image = self.np_random.integers(0, 60, (self.size, self.size, 3), dtype=np.uint8)
        image[:, 16 * self.column : 16 * self.column + 16] = self.bright
        return image
'''
COLLECT = "collect task.json --frames 60 --out frames"
Files = Mapping[str, str | Callable[[Path], None]]


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and how to run into it."""

    what: str
    """In words, for the page."""
    expects: str
    """What the sentence must say, at least; the page has all of it."""
    files: Files = field(default_factory=dict)
    """By name their text, or what writes them."""
    command: str = ""
    """What follows `darla`."""
    python: str = ""
    """Or a piece of Python that raises `InputError`."""
    script: str = ""
    """Or a file to be run by Python, in a process of its own."""
    slow: bool = False
    """Whether it takes more than a second or two."""
    warns: bool = False
    """Whether it is told and not refused."""


def task(module: str, source: object = None, env: str = "Room", **parts: object) -> str:
    """Return the text of a task of one environment."""
    domain = {"env_id": f"{module}:{env}", **({} if source is None else {"variants": [source]})}
    target = {"env_id": f"{module}:{env}", "variants": [{"bright": 120}]}
    whole = {"name": "rooms", "unlabeled": domain, "source": domain, "targets": {"dark": target}, **parts}
    return json.dumps({name: part for name, part in whole.items() if part is not ...})


def room(module: str, *changes: tuple[str, str], source: object = None, **parts: object) -> Files:
    """Return the module of an environment with some text replaced, and a task of it."""
    text = ROOM
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {f"{module}.py": text, "task.json": task(module, source, **parts)}


def _arrays(name: str, **arrays: np.ndarray) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        np.savez(folder / name, **arrays)

    return write


def _array(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, array)


def _begun(folder: Path) -> None:
    collect(CollectConfig("grid-world", 8), folder / "frames")


def _frames(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    frames_from_images(images, folder / "frames")


MODEL = """from darla.vision import VAE


class Mine(VAE):
    def penalty(self, posterior, latents, generator):
        return {}
"""
AGENT = """class Mine:
    def predict(self, observation):
        return {}
"""
SHORT = "--training.steps 2 --training.batch-size 8 --vae.latent-dim 4"
RETURNS = "return self.image(), float(action == self.column), False, self.t == 30, {}"
SPACE = "self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)"
ACTIONS = "self.action_space = spaces.Discrete(3)"
ARRAYS = "import numpy as np\nfrom darla.vision import metrics\n"
FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "The environment": (
        Fault(
            "The module is not there.",
            "there is no module 'room_nowhere'",
            {"task.json": task("room_nowhere")},
            COLLECT,
        ),
        Fault(
            "The module has a slip of the pen.",
            r"SyntaxError: .* \(room_slip.py, line 27\)",
            room("room_slip", ("        return image\n", "        return image)\n")),
            COLLECT,
        ),
        Fault(
            "The module imports a package that is not installed.",
            r"ModuleNotFoundError: No module named 'not_installed' \(room_needy.py, line 3\)",
            room("room_needy", ("import gymnasium\n", "import not_installed\n")),
            COLLECT,
        ),
        Fault(
            "The module fails when it is imported.",
            r"FileNotFoundError: .*walls.txt.* \(room_reads.py, line 6\)",
            room("room_reads", ("from gymnasium import spaces\n", "from gymnasium import spaces\nopen('walls.txt')\n")),
            COLLECT,
        ),
        Fault(
            "The module has no such environment.",
            "did you mean 'Room'",
            {"room_named.py": ROOM, "task.json": task("room_named", env="Rooom")},
            COLLECT,
        ),
        Fault(
            "Gymnasium has no such environment.",
            "Did you mean",
            {"task.json": task("x").replace("x:Room", "CartPol-v1")},
            COLLECT,
        ),
        Fault(
            "A keyword is misspelled.",
            "unexpected keyword argument 'brigth'",
            room("room_keyword", source={"brigth": 90}),
            COLLECT,
        ),
        Fault(
            "The constructor raises.",
            r"could not be made: ValueError: too small \(room_small.py, line 10, in __init__\)",
            room(
                "room_small",
                ("        self.size, self", "        raise ValueError('too small')\n        self.size, self"),
            ),
            COLLECT,
        ),
        Fault(
            "`reset` raises.",
            r"failed at reset: KeyError: 'walls' \(room_reset.py, line 1\d, in reset\)",
            room("room_reset", ("        self.t = 0\n", "        self.t = {}['walls']\n")),
            COLLECT,
        ),
        Fault(
            "`step` raises.",
            r"failed at step: ZeroDivisionError: .* \(room_step.py, line 2\d, in step\)",
            room("room_step", ("self.t += 1", "self.t /= 0")),
            COLLECT,
        ),
        Fault(
            "`step` raises, but only late in an episode: nobody can know before.",
            r"failed at step: IndexError: .* \(room_late.py, line 2\d, in step\)",
            room("room_late", ("self.t += 1", "self.t += 1\n        [0] * 25 and [0][self.t // 26]")),
            COLLECT,
        ),
        Fault(
            "The same in a worker process.",
            r"failed at step: IndexError: .* \(room_apart.py, line 2\d, in step\)",
            room("room_apart", ("self.t += 1", "self.t += 1\n        [0] * 25 and [0][self.t // 26]")),
            f"{COLLECT} --shard-size 30 --workers 2",
            slow=True,
        ),
        Fault(
            "The environment ends the process.",
            r"failed at step: SystemExit: 3 \(room_exits.py, line 2\d, in step\)",
            room("room_exits", ("self.t += 1", "self.t += 1\n        raise SystemExit(3)")),
            COLLECT,
        ),
        Fault(
            "A worker process is killed, for instance by the system for lack of memory.",
            r"died of a kill \(SIGKILL\): usually by the system, for lack of memory",
            room(
                "room_killed",
                ("self.t += 1", "self.t += 1\n        import os\n        self.t < 25 or os.kill(os.getpid(), 9)"),
            ),
            f"{COLLECT} --shard-size 30 --workers 2",
            slow=True,
        ),
        Fault(
            "`reset` takes no seed.",
            r"Gymnasium's is reset\(self, \*, seed=None, options=None\)",
            room(
                "room_seedless",
                ("self, *, seed=None, options=None", "self"),
                ("super().reset(seed=seed)", "super().reset()"),
            ),
            COLLECT,
        ),
        Fault(
            "`reset` ignores its seed: this is told, and not refused.",
            r"ignores reset\(seed=...\)",
            room("room_restless", ("super().reset(seed=seed)", "super().reset()")),
            "check task.json",
            warns=True,
        ),
        Fault(
            "There is no `observation_space`.",
            "the observation_space of .* is missing",
            room("room_spaceless", (SPACE, "pass")),
            COLLECT,
        ),
        Fault(
            "There is no `action_space`.",
            "the action_space of .* is missing",
            room("room_passive", (ACTIONS, "pass")),
            COLLECT,
        ),
        Fault(
            "Actions are a dictionary.",
            "agents take one of n discrete actions, or a vector",
            room("room_acts", (ACTIONS, "self.action_space = spaces.Dict(move=spaces.Discrete(3))")),
            COLLECT,
        ),
        Fault(
            "Actions start at 1.",
            "start at 1, and must start at 0",
            room("room_one", (ACTIONS, "self.action_space = spaces.Discrete(3, start=1)")),
            COLLECT,
        ),
        Fault(
            "A flag is text.",
            "True or False is needed",
            room("room_flag", ("False, self.t == 30", "False, 'no'")),
            COLLECT,
        ),
        Fault(
            "Images change their size in an episode.",
            r"returned uint8 \(32, 32, 3\) from step",
            room(
                "room_shrinks", ("        return image\n", "        return image if self.t < 3 else image[:32, :32]\n")
            ),
            COLLECT,
        ),
        Fault(
            "It fails when it is closed.",
            r"RuntimeError: no window \(room_closed.py, line 2\d, in close\)",
            room(
                "room_closed",
                (
                    "    def image(self)",
                    "    def close(self):\n        raise RuntimeError('no window')\n\n    def image(self)",
                ),
            ),
            COLLECT,
        ),
        Fault(
            "A wrapper is misspelled.",
            "did you mean 'TimeLimit'",
            room("room_wrapped", wrappers=["gymnasium.wrappers:TimeLimits"]),
            COLLECT,
        ),
        Fault(
            "An argument of a wrapper is misspelled.",
            "unexpected keyword argument 'max_steps'",
            room(
                "room_timed",
                wrappers=[{"wrapper": "gymnasium.wrappers:TimeLimit", "arguments": {"max_steps": 9}}],
            ),
            COLLECT,
        ),
        Fault(
            "`step` returns four values, as in Gym before 0.26.",
            "returned 4 values from step",
            room("room_four", (RETURNS, "return self.image(), 0.0, False, {}")),
            COLLECT,
        ),
        Fault(
            "`reset` returns the image alone.",
            "returned a ndarray from reset",
            room("room_alone", ("return self.image(), {}", "return self.image()")),
            COLLECT,
        ),
        Fault(
            "Images are floats, but the space says uint8.",
            r"returned float64 \(48, 48, 3\) from reset",
            room("room_floats", ("        return image\n", "        return image / 255\n")),
            COLLECT,
        ),
        Fault(
            "Images are floats, and the space says so.",
            "uint8",
            room(
                "room_float",
                (SPACE, SPACE.replace("255", "1").replace("uint8", "float32")),
                ("        return image\n", "        return (image / 255).astype(np.float32)\n"),
            ),
            COLLECT,
        ),
        Fault(
            "Images are floats from 0 to 1 that were turned into uint8: nearly black.",
            "multiply them by 255",
            room("room_black", ("        return image\n", "        return (image / 255).astype(np.uint8)\n")),
            COLLECT,
        ),
        Fault(
            "Images are smaller than the space says.",
            r"returned uint8 \(24, 24, 3\) from reset",
            room("room_halved", ("        return image\n", "        return image[::2, ::2]\n")),
            COLLECT,
        ),
        Fault(
            "Images have the channel first.",
            "channel",
            room(
                "room_first",
                (SPACE, SPACE.replace("(size, size, 3)", "(3, size, size)")),
                ("        return image\n", "        return image.transpose(2, 0, 1)\n"),
            ),
            COLLECT,
        ),
        Fault(
            "Images have sides that no encoder reads.",
            "multiples of",
            room(
                "room_odd",
                source={"size": 50},
                targets={"dark": {"env_id": "room_odd:Room", "variants": [{"size": 50, "bright": 90}]}},
            ),
            COLLECT,
        ),
        Fault(
            "Images of the target have another size.",
            "images must have one shape",
            room("room_larger", targets={"large": {"env_id": "room_larger:Room", "variants": [{"size": 64}]}}),
            COLLECT,
        ),
        Fault(
            "The observation is a dictionary.",
            "observation_key",
            room(
                "room_dict",
                (SPACE, f"{SPACE}\n        self.observation_space = spaces.Dict(view=self.observation_space)"),
                ("        return image\n", "        return {'view': image}\n"),
            ),
            COLLECT,
        ),
        Fault(
            "The dictionary has no such entry.",
            "did you mean 'view'",
            {
                **room(
                    "room_key",
                    (SPACE, f"{SPACE}\n        self.observation_space = spaces.Dict(view=self.observation_space)"),
                    ("        return image\n", "        return {'view': image}\n"),
                ),
                "task.json": task("room_key").replace('"env_id"', '"observation_key": "veiw", "env_id"'),
            },
            COLLECT,
        ),
        Fault(
            "The reward is missing.",
            "returned the reward None",
            room("room_poor", ("float(action == self.column)", "None")),
            COLLECT,
        ),
        Fault(
            "The reward is not a number (NaN).",
            "returned the reward nan",
            room("room_nan", ("float(action == self.column)", "float('nan')")),
            COLLECT,
        ),
        Fault(
            "The info is missing.",
            "returned the info None from step",
            room("room_info", ("self.t == 30, {}", "self.t == 30, None")),
            COLLECT,
        ),
    ),
    "The task file": (
        Fault("There is no such file.", "could not read", {}, "collect rooms.json --out frames"),
        Fault("It is not JSON: a comma too many.", "is not JSON", {"task.json": '{"name": "rooms",}'}, COLLECT),
        Fault("A part is missing.", "has no 'targets'", {"task.json": task("room_parts", targets=...)}, COLLECT),
        Fault(
            "A part is misspelled.",
            "did you mean 'unlabeled'",
            {"task.json": task("room_parts", unlabelled={})},
            COLLECT,
        ),
        Fault(
            "A key of a domain is misspelled.",
            "did you mean 'variants'",
            {"task.json": task("room_parts").replace('"variants"', '"variant"')},
            COLLECT,
        ),
        Fault(
            "A number is not finite.",
            "must be finite",
            {"task.json": task("room_parts", {"bright": float("nan")})},
            COLLECT,
        ),
        Fault(
            "A factor of a world is misspelled.",
            "did you mean 'wall_hue'",
            {
                "task.json": json.dumps(
                    {
                        "name": "walls",
                        "world": "seek_avoid",
                        "unlabeled": {"components": [{"wal_hue": 0.1}]},
                        "source": {"components": [{}]},
                        "targets": {"blue": {"components": [{"wall_hue": 0.6}]}},
                    }
                )
            },
            COLLECT,
        ),
        Fault(
            "A module is named by its file.",
            "a module is named without .py: room_file",
            {"task.json": task("room_file.py")},
            COLLECT,
        ),
        Fault(
            "A class is written with a dot.",
            "named module:Class, here room_dot:Room",
            {"task.json": task("room_dot").replace(":Room", ".Room")},
            COLLECT,
        ),
        Fault("The wrappers are no list.", "a list of wrappers", {"task.json": task("room", wrappers="a:B")}, COLLECT),
        Fault(
            "A size is text.", r"\[height, width\], or one number", {"task.json": task("room", resize="64")}, COLLECT
        ),
        Fault(
            "The file is YAML.", "a task file is JSON", {"task.yaml": "name: rooms"}, "collect task.yaml --out frames"
        ),
        Fault("A task is misspelled.", "did you mean 'new_room'", {}, "collect new_rom --out frames"),
        Fault("The name of image data is given for a task.", "'sprites' is image data", {}, "act sprites --out agent"),
    ),
    "Files and folders": (
        Fault("There is no such folder.", "there is no such folder", {}, "see frames --out encoder"),
        Fault(
            "The folder to write holds something else.",
            "is not empty and is not a darla artefact",
            {"thesis/chapter.tex": "all of it"},
            "collect new_room --out thesis",
        ),
        Fault(
            "The folder to write was begun with another configuration.",
            "frames was made with another configuration.*choose another folder|delete",
            {"frames": _begun},
            "collect grid-world --frames 9 --out frames",
        ),
        Fault(
            "The place to write is a file.", "is a file, not a folder", {"out": "text"}, "collect new_room --out out"
        ),
        Fault(
            "A folder of images holds none.",
            "holds no image files",
            {"images/notes.txt": "none yet"},
            "see images --resize 32 --out encoder",
        ),
        Fault(
            "A file is no image.",
            "images/a.png cannot be read as an image",
            {"images/a.png": "none"},
            "see images --resize 32 --out encoder",
        ),
        Fault(
            "Images are floats in a file.",
            r"\(255 \* images\).round\(\).astype\('uint8'\)",
            {"images.npy": _array("images.npy", np.full((4, 32, 32, 3), 0.5))},
            "see images.npy --out encoder",
        ),
        Fault(
            "A file holds Python objects.",
            "holds Python objects, which darla does not read",
            {"images.npy": _array("images.npy", np.array([{}], dtype=object))},
            "see images.npy --out encoder",
        ),
        Fault(
            "A table of factors has fewer rows than there are images.",
            "t.csv has 1 rows, but there are 4 images",
            {"images.npy": _array("images.npy", np.zeros((4, 32, 32, 3), np.uint8)), "t.csv": "x\n1\n"},
            "see images.npy --factors t.csv --out encoder",
        ),
        Fault(
            "A data set is given in another format.",
            "this is an HDF5 file",
            {"dsprites.hdf5": lambda folder: (folder / "dsprites.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n") and None},
            python="from darla.envs.image_data.dsprites import dsprites\ndsprites('dsprites.hdf5')",
        ),
        Fault(
            "An archive holds other arrays.",
            "this one holds pictures",
            {"dsprites.npz": _arrays("dsprites.npz", pictures=np.zeros((2, 64, 64), np.uint8))},
            python="from darla.envs.image_data.dsprites import dsprites\ndsprites('dsprites.npz')",
        ),
    ),
    "Arrays and models in Python": (
        Fault(
            "Codes and factors have different lengths.",
            "factors must have 5 rows",
            python=f"{ARRAYS}metrics.mig(np.ones((5, 2)), np.ones((4, 1)))",
        ),
        Fault(
            "Codes are not finite.",
            "codes must be finite",
            python=f"{ARRAYS}metrics.mig(np.full((5, 2), np.nan), np.ones((5, 1)))",
        ),
        Fault(
            "A model is not where its import path says.",
            "there is no module 'my_models'",
            command="see frames --model my_models:Mine --out encoder",
        ),
        Fault(
            "What an import path names is not a vision model.",
            "VisionModel",
            {"models_of_mine.py": "class Mine:\n    pass\n"},
            "see frames --model models_of_mine:Mine --out encoder",
        ),
        Fault(
            "A method of a model raises.",
            r"failed in loss: AttributeError: .* \(models_that_fail.py, line 6, in penalty\)",
            {"models_that_fail.py": MODEL.format("posterior.kll(), {}"), "frames": _frames},
            f"see frames --model models_that_fail:Mine {SHORT} --out encoder",
        ),
        Fault(
            "A method of a model returns something else.",
            "TypeError: .*; check what its penalty returns",
            {"models_of_less.py": MODEL.format("posterior.kl()"), "frames": _frames},
            f"see frames --model models_of_less:Mine {SHORT} --out encoder",
        ),
        Fault(
            "A model returns images of another size.",
            r"from decode, but images of shape \(4, 3, 32, 32\) is needed",
            {
                "models_of_size.py": MODEL.format("posterior.kl(), {}")
                + "\n    def decode(self, latents):\n        return super().decode(latents)[:, :, ::2, ::2]\n",
                "frames": _frames,
            },
            f"see frames --model models_of_size:Mine {SHORT} --out encoder",
        ),
        Fault(
            "A network returns maps of features.",
            "end it with an average pool",
            {"nets_of_maps.py": "from torch import nn\n\nnet = nn.Conv2d(3, 4, 3)\n", "frames": _frames},
            "see frames --encoder nets_of_maps:net --out encoder",
        ),
        Fault(
            "An algorithm cannot take the actions.",
            "cannot choose from 3 discrete actions",
            room("room_sac"),
            "act task.json --algorithm sac --out agent",
        ),
        Fault(
            "An agent has no `predict`.",
            "has no method predict",
            {**room("room_mute"), "agents_mute.py": "class Mine:\n    pass\n"},
            "transfer task.json mine=agents_mute:Mine --out transfer",
        ),
        Fault(
            "`predict` of an agent raises.",
            r"failed to predict: ZeroDivisionError: .* \(agents_fail.py, line 3, in predict\)",
            {**room("room_fails"), "agents_fail.py": AGENT.format("1 / 0")},
            "transfer task.json mine=agents_fail:Mine --episodes 2 --out transfer",
        ),
        Fault(
            "An agent names an action that does not exist.",
            "returned action 9, but actions are 0 to 2",
            {**room("room_nine"), "agents_nine.py": AGENT.format("[9] * len(observation)")},
            "transfer task.json mine=agents_nine:Mine --episodes 2 --out transfer",
        ),
        Fault(
            "A file of weights is given for a zip of SB3.",
            "cannot be read as a zip of Stable-Baselines3",
            {**room("room_zip"), "model.pth": "weights"},
            "import model.pth task.json --out agent",
        ),
        Fault(
            "A zip of SB3 is not there.",
            "there is no file model.zip",
            {**room("room_nozip")},
            "import model.zip task.json --out agent",
        ),
        Fault(
            "Agents are a dictionary.",
            r"list\(agents.items\(\)\)",
            python="import darla\ndarla.transfer('new_room', {'DARLA': 'runs/agent'}, 'transfer')",
        ),
        Fault(
            "Images are a list.",
            r"numpy.stack\(images\)",
            python="import darla\nimport numpy as np\ndarla.see([np.zeros((32, 32, 3), np.uint8)], 'encoder')",
        ),
        Fault(
            "An environment is given for a task.",
            "a task is a TransferTask, its name or its JSON file, not",
            python="import darla\nimport gymnasium\ndarla.check(gymnasium.make('CartPole-v1'))",
        ),
        Fault(
            "An environment is given for the id of one.",
            "must be the id of an environment",
            python="from darla.envs import EnvDomain\nEnvDomain('rooms', print, ({},))",
        ),
        Fault(
            "An argument of an environment is a function.",
            "must be plain data",
            python=(
                "from darla.envs import EnvDomain\n"
                "def bright():\n    return 9\n"
                "EnvDomain('rooms', 'my_rooms:Room', ({'bright': bright},))"
            ),
        ),
    ),
    "The command": (
        Fault("A verb is misspelled.", "did you mean 'collect'", command="colect new_room --out frames"),
        Fault("A verb is given nothing.", "must be given", command="see"),
        Fault("An option is misspelled.", "--frames", command="collect new_room --frame 9 --out frames"),
        Fault("An option has no value.", "needs a value", command="collect new_room --out"),
        Fault("A number is text.", "many", command="collect new_room --frames many --out frames"),
        Fault(
            "A preset is misspelled.", "did you mean 'beta-4'", {"frames": _frames}, "see frames --preset bta-4 --out e"
        ),
        Fault("An algorithm is misspelled.", "did you mean 'ppo'", command="act new_room --algorithm poo --out agent"),
        Fault(
            "The name of a data set is misspelled.",
            "did you mean 'sprites'",
            command="collect sprits --frames 9 --out frames",
        ),
    ),
    "Scripts": (
        Fault(
            'A script starts workers outside of `if __name__ == "__main__":`.',
            "starts worker processes, which import this script again",
            script='import darla\n\ndarla.collect("grid-world", "frames", workers=2)\n',
            slow=True,
        ),
    ),
}


def sentence_of(fault: Fault, folder: Path) -> str:
    """Run into a fault in an empty folder, and return the sentence that it gets, with relative places."""
    for name, content in fault.files.items():
        if callable(content):
            content(folder)
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    before = Path.cwd()
    os.chdir(folder)
    try:
        if fault.python:
            text = _raised(fault.python)
        elif fault.script:
            text = _printed_by(fault.script)
        else:
            text = _printed(fault.command, fault.warns)
    finally:
        os.chdir(before)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    for place in (folder, folder.resolve()):
        text = text.replace(f"{place}{os.sep}", "").replace(str(place), "FOLDER")
    return text


def _printed(command: str, warns: bool) -> str:
    """Return the last line of what a command prints to the standard error; it must fail as a user's fault, or warn."""
    printed, shown = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(shown):
        code = cli.main(command.split())
    if warns:
        assert code == 0, printed.getvalue()
        return next(line for line in shown.getvalue().splitlines() if line.startswith("warning: "))
    assert code == 2, printed.getvalue()
    return printed.getvalue().strip().splitlines()[-1]


def _raised(python: str) -> str:
    try:
        exec(python, {"__name__": "somebodys_module"})
    except InputError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("nothing was raised")


def _printed_by(script: str) -> str:
    Path("script.py").write_text(script)
    ended = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=600)
    assert ended.returncode == 1, ended.stderr
    return ended.stderr.strip().splitlines()[-1].removeprefix("darla.common.errors.")
