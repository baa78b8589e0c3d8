"""Artefacts altered in every way: refused in a sentence, or so that the digest, which everything downstream records,
is another. What is deliberately outside is in docs/reliability.md.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from altering import OUTSIDE, changed, places

from darla.common import Artefact, ArtefactError
from darla.common.artefact import card_checksum
from darla.common.artefact_forms import CONFIGS
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.vision import SeeConfig, load, train_encoder

WRONG: list[Any] = [None, True, -1, 10**30, "", "x", [], {}, [[]], {"a": 1}, "../elsewhere", 0.5]


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    folder = tmp_path_factory.mktemp("artefacts")
    frames = collect(CollectConfig(task="sprites", frames=40, shard_size=20), folder / "frames")
    config = SeeConfig().change(training__steps=0, vae__latent_dim=3)
    return {"frames": frames, "encoder": train_encoder(config, FrameSet(frames), folder / "encoder", seed=3)}


def copied(artefact: Artefact, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artefact.folder, tmp_path / "copy", dirs_exist_ok=True))


def opened(folder: Path) -> Artefact | None:
    """Open an artefact as a stage does; None if it is refused in a sentence. Anything else fails the test."""
    try:
        artefact = Artefact.load(folder)
    except ArtefactError:
        return None
    return artefact


@pytest.mark.parametrize("kind", ["frames", "encoder"])
def test_an_altered_card_is_refused(kind: str, artefacts: dict[str, Artefact], tmp_path: Path) -> None:
    folder = copied(artefacts[kind], tmp_path)
    card = json.loads((folder / "card.json").read_text())
    for place in places(card):
        for value in WRONG:
            altered = changed(card, place, value)
            if altered == card and type(altered) is type(card):
                continue
            (folder / "card.json").write_text(json.dumps(altered))
            result = opened(folder)
            # 0.5 in place of 0.5 or True of 1 is no alteration, for JSON knows no types of numbers.
            assert result is None or result.card == card, f"{place} = {value!r} was accepted"


@pytest.mark.parametrize("kind", ["frames", "encoder"])
def test_an_altered_card_that_was_sealed_again_has_another_digest(
    kind: str, artefacts: dict[str, Artefact], tmp_path: Path
) -> None:
    artefact = artefacts[kind]
    folder = copied(artefact, tmp_path)
    card = json.loads((folder / "card.json").read_text())
    for place in places(card):
        if not place or place[0] in OUTSIDE:
            continue
        for value in WRONG:
            altered = changed(card, place, value)
            if altered == card:
                continue
            (folder / "card.json").write_text(json.dumps({**altered, "sha256": card_checksum(altered)}))
            result = opened(folder)
            assert result is None or result.digest != artefact.digest, f"{place} = {value!r} was accepted"


def damages() -> dict[str, Callable[[Path, Path], None]]:
    def flip(where: float) -> Callable[[Path, Path], None]:
        def damage(path: Path, _: Path) -> None:
            content = bytearray(path.read_bytes())
            content[min(int(where * len(content)), len(content) - 1)] ^= 1
            path.write_bytes(content)

        return damage

    def swap(path: Path, other: Path) -> None:
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)

    return {
        **{f"flip at {where}": flip(where) for where in np.linspace(0, 1, 9).round(2).tolist()},
        "truncate": lambda path, _: path.write_bytes(path.read_bytes()[:-1]),
        "empty": lambda path, _: path.write_bytes(b""),
        "append": lambda path, _: path.write_bytes(path.read_bytes() + b"\0"),
        "delete": lambda path, _: path.unlink(),
        "folder": lambda path, _: (path.unlink(), path.mkdir()),
        "swap": swap,
        "add": lambda path, _: shutil.copy(path, path.with_name(f"more-{path.name}")),
    }


@pytest.mark.parametrize("damage", damages())
@pytest.mark.parametrize("kind", ["frames", "encoder"])
def test_a_damaged_file_is_refused(kind: str, damage: str, artefacts: dict[str, Artefact], tmp_path: Path) -> None:
    artefact, tries = artefacts[kind], 0
    names = sorted(artefact.card["files"])
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        folder = copied(artefact, tmp_path)
        if (folder / name).read_bytes() == (folder / other).read_bytes() and damage == "swap":
            continue
        damages()[damage](folder / name, folder / other)
        assert opened(folder) is None, f"{damage} of {name} was accepted"
        with pytest.raises(ArtefactError):
            FrameSet.open(folder) if kind == "frames" else load(folder)
        shutil.rmtree(folder)
        tries += 1
    assert tries >= 2


def test_every_part_of_a_configuration_has_a_form(artefacts: dict[str, Artefact]) -> None:
    without = {"unit", "images"}  # checked by what reads them
    for kind, artefact in artefacts.items():
        assert artefact.config.keys() - CONFIGS[kind].keys() <= without
