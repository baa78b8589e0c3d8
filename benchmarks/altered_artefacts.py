"""What notices an altered agent: darla's artefacts against the zip files of Stable-Baselines3.

    python -m benchmarks.altered_artefacts
    python -m benchmarks.altered_artefacts --tries 1000

Both sides train a tiny agent and alter copies of what they saved. An alteration is noticed if loading it raises an
error, whichever. Plain values in the JSON of a zip are changed, and never one of the pickled objects beside them: to
load those is to run code that the file brings along, which no check of a file's content makes safe.
"""

import argparse
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import PPO

import darla
from darla.agents import ActConfig, PPOSettings
from darla.agents.agent import Agent
from darla.common import Artefact, limit_threads
from darla.common.artefact import card_checksum
from darla.common.files import sha256
from darla.envs import tasks

Rng = np.random.Generator
ROWS = (
    "nothing",
    "a byte changed anywhere",
    "cut off anywhere",
    "a file of it removed",
    "a plain value in its JSON changed",
    "a weight changed, checksums renewed",
)


def flipped(data: bytes, rng: Rng) -> bytes:
    """Return bytes of which one is another."""
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([data[place] ^ int(rng.integers(1, 256))]) + data[place + 1 :]


def other_value(data: dict[str, Any], rng: Rng) -> None:
    """Replace a plain number, text or flag of a JSON object, at any depth of those that hold no pickled object."""
    places: list[tuple[dict[str, Any], str]] = []

    def look(part: dict[str, Any]) -> None:
        if ":serialized:" in part:
            return
        for key, value in part.items():
            if isinstance(value, dict):
                look(value)
            elif isinstance(value, bool | int | float | str):
                places.append((part, key))

    look(data)
    part, key = places[int(rng.integers(len(places)))]
    value = part[key]
    part[key] = not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else value + 1


def rezipped(archive: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a zip, with checksums of its own."""
    with zipfile.ZipFile(archive) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    change(members)
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in members.items():
            written.writestr(name, content)


def altered_zip(row: str, archive: Path, rng: Rng) -> None:
    """Alter a zip of Stable-Baselines3."""
    if row == ROWS[0]:  # shows that what raises is the alteration
        return
    data = archive.read_bytes()
    if row == ROWS[1]:
        archive.write_bytes(flipped(data, rng))
    elif row == ROWS[2]:
        archive.write_bytes(data[: int(rng.integers(len(data)))])
    elif row == ROWS[3]:

        def remove(members: dict[str, bytes]) -> None:
            del members[sorted(members)[int(rng.integers(len(members)))]]

        rezipped(archive, remove)
    elif row == ROWS[4]:

        def change(members: dict[str, bytes]) -> None:
            content = json.loads(members["data"])
            other_value(content, rng)
            members["data"] = json.dumps(content).encode()

        rezipped(archive, change)
    else:
        rezipped(archive, lambda members: members.update({"policy.pth": other_weight(members["policy.pth"], rng)}))


def other_weight(saved: bytes, rng: Rng) -> bytes:
    """Return PyTorch's file of weights with one number changed: it is a zip itself, of one file for each tensor."""
    with zipfile.ZipFile(io.BytesIO(saved)) as opened:
        members = {info: opened.read(info) for info in opened.infolist()}
    weights = [info for info, content in members.items() if "/data/" in info.filename and content]
    chosen = weights[int(rng.integers(len(weights)))]
    members[chosen] = flipped(members[chosen], rng)
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as written:
        for info, content in members.items():
            written.writestr(info.filename, content)
    return box.getvalue()


def altered_folder(row: str, folder: Path, rng: Rng) -> None:
    """Alter an agent of darla."""
    if row == ROWS[0]:
        return
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "tensorboard" not in path.parts
    )
    name = names[int(rng.integers(len(names)))]
    if row == ROWS[1]:
        (folder / name).write_bytes(flipped((folder / name).read_bytes(), rng))
    elif row == ROWS[2]:
        data = (folder / name).read_bytes().rstrip()
        (folder / name).write_bytes(data[: int(rng.integers(len(data)))])
    elif row == ROWS[3]:
        (folder / name).unlink()
    elif row == ROWS[4]:
        chosen = [name for name in names if name.endswith(".json")]
        path = folder / chosen[int(rng.integers(len(chosen)))]
        content = json.loads(path.read_text())
        other_value(content, rng)
        path.write_text(json.dumps(content))
    else:
        path = folder / "policy.safetensors"
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        path.write_bytes(data[:start] + flipped(data[start:], rng))
        card = json.loads((folder / "card.json").read_text())
        card["files"]["policy.safetensors"] = sha256(path)
        (folder / "card.json").write_text(json.dumps({**card, "sha256": card_checksum(card)}))


def main() -> None:
    """Alter both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=200, help="alterations of each kind, of each side")
    parser.add_argument("--seed", type=int, default=0, help="of the alterations")
    options = parser.parse_args()
    limit_threads(1)
    settings = PPOSettings(n_envs=2, n_steps=8, batch_size=8, n_epochs=1)
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place)
        config = ActConfig(env_steps=16, settings=settings, snapshots=1, observation="state")
        agent = darla.act(tasks.get("grid-world"), runs / "agent", config)
        PPO("MlpPolicy", gymnasium.make("CartPole-v1"), n_steps=8, batch_size=8, n_epochs=1).learn(16).save(
            runs / "sb3"
        )

        def noticed_by_darla(row: str, rng: Rng) -> bool:
            folder = Path(shutil.copytree(agent.folder, runs / "try"))
            try:
                altered_folder(row, folder, rng)
                Agent.load(folder)
                return Artefact.load(folder).digest != agent.digest
            except Exception:
                return True
            finally:
                shutil.rmtree(folder)

        def noticed_by_sb3(row: str, rng: Rng) -> bool:
            archive = Path(shutil.copy(runs / "sb3.zip", runs / "try.zip"))
            try:
                altered_zip(row, archive, rng)
                PPO.load(archive)
                return False
            except Exception:
                return True

        print("| alteration | darla | Stable-Baselines3 |\n|---|---:|---:|")
        for number, row in enumerate(ROWS):
            counts = []
            for side in (noticed_by_darla, noticed_by_sb3):
                rng = np.random.default_rng([options.seed, number])
                counts.append(sum(side(row, rng) for _ in range(options.tries)))
            print(f"| {row} | " + " | ".join(f"{count} of {options.tries}" for count in counts) + " |", flush=True)


if __name__ == "__main__":
    main()
