"""What an artefact records has the form that other stages read, or is named when it is opened, whoever sealed it."""

import json
from pathlib import Path
from typing import Any

import pytest

from darla.common import Artefact, ArtefactError, complete_artefact, start_artefact
from darla.common.artefact import card_checksum
from darla.common.artefact_forms import CONFIGS, IfThere, Optional, first_of_another_form
from darla.common.files import sha256, write_json

ENCODER = {
    "image_shape": [16, 16, 3],
    "see": {"model": "beta_vae", "vae": {}, "training": {}, "dae": {}, "dae_training": {}},
}


@pytest.mark.parametrize(
    ("value", "form", "wrong"),
    [
        (3, int, None),
        (3, float, None),
        (True, int, ("", True)),
        ("3", int, ("", "3")),
        ([1, 2], [int], None),
        ([1, "2"], [int], ("[1]", "2")),
        ("12", [int], ("", "12")),
        ({"a": {"b": 1}}, {"a": {"b": int}}, None),
        ({"a": {"b": 1}, "more": None}, {"a": {"b": int}}, None),
        ({"a": {}}, {"a": {"b": int}}, ("a.b", None)),
        ({"a": 1}, {"a": {"b": int}}, ("a", 1)),
        ({"x": 1, "y": "z"}, {str: int}, ("y", "z")),
        ({}, {"a": Optional(int)}, None),
        ({"a": None}, {"a": Optional(int)}, None),
        ({"a": "b"}, {"a": Optional(int)}, ("a", "b")),
        ({}, {"a": IfThere(int)}, None),
        ({"a": 1}, {"a": IfThere(int)}, None),
        ({"a": None}, {"a": IfThere(int)}, ("a", None)),
        ({"a": {}}, {"a": IfThere({"b": int})}, ("a.b", None)),
    ],
)
def test_the_first_part_of_another_form_is_named(value: Any, form: Any, wrong: tuple[str, Any] | None) -> None:
    assert first_of_another_form(value, form) == wrong


def _sealed(folder: Path, kind: str, config: dict[str, Any], **card: Any) -> Path:
    """Write an artefact, change its card, and seal it again."""
    start_artefact(folder, kind, config)
    made = complete_artefact(folder, kind, config, seed=0, inputs={}, wall_seconds=1.0)
    content = {**made.card, **card, "files": {"config.json": sha256(folder / "config.json")}}
    write_json(folder / "card.json", {**content, "sha256": card_checksum(content)})
    return folder


AGENT = {
    "act": {
        "algorithm": "ppo", "settings": {}, "env_steps": 1, "observation": "images", "frame_stack": 1, "augment": [],
        "fine_tune": False, "train_domain": "source",
    },
    "source": {"name": "source"},
    "observation": "latents",
}  # fmt: skip


@pytest.mark.parametrize("name", AGENT["act"])
def test_a_setting_that_was_taken_out_of_an_agent_is_damage(name: str, tmp_path: Path) -> None:
    assert Artefact.load(_sealed(tmp_path / "whole", "agent", AGENT)).kind == "agent"
    less = {key: value for key, value in AGENT["act"].items() if key != name}
    with pytest.raises(ArtefactError, match=rf"config\.json is damaged: act\.{name} is None"):
        Artefact.load(_sealed(tmp_path / "other", "agent", {**AGENT, "act": less}))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**ENCODER, "image_shape": 3}, "image_shape is 3"),
        ({**ENCODER, "image_shape": [16, "x", 3]}, r"image_shape\[1\] is 'x'"),
        ({**ENCODER, "see": {**ENCODER["see"], "training": -1}}, r"see\.training is -1"),
        ({"image_shape": [16, 16, 3]}, "see is None"),
    ],
)
def test_a_configuration_of_another_form_is_damaged(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert Artefact.load(_sealed(tmp_path / "whole", "encoder", ENCODER)).kind == "encoder"
    with pytest.raises(ArtefactError, match=rf"config\.json is damaged: {words}"):
        Artefact.load(_sealed(tmp_path / "other", "encoder", config))


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("agent", {**AGENT, "observation": -1}, "observation is -1"),
        ("agent", {key: value for key, value in AGENT.items() if key != "observation"}, "observation is None"),
        ("agent", {**AGENT, "encoder": []}, r"encoder is \[\]"),
        ("frames", {"domain": {"name": "d"}, "stride": "x"}, "stride is 'x'"),
        ("frames", {"domain": {"name": "d"}, "group_factors": [3]}, r"group_factors\[0\] is 3"),
        ("metrics", {"data": {"name": "d"}, "rows": 1, "preset": "robust", "names": ""}, "names is ''"),
        ("correlation", {"encoders": [["a", 3]]}, r"encoders\[0\]\[1\] is 3"),
        ("report", {"artefacts": {}}, r"artefacts is \{\}"),
    ],
)
def test_a_recorded_option_of_another_form_is_damage(
    kind: str, config: dict[str, Any], words: str, tmp_path: Path
) -> None:
    inputs = {"encoder": "0" * 64}  # as a card of scores has it
    with pytest.raises(ArtefactError, match=rf"config\.json is damaged: {words}"):
        Artefact.load(_sealed(tmp_path / "a", kind, config, inputs=inputs))


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"inputs": {"frames": 3}}, r"inputs\.frames is 3"),
        ({"extra": {"domain": "x"}}, r"extra\.domain is 'x'"),
        ({"extra": {"supervision": []}}, r"extra\.supervision is \[\]"),
        ({"seed": True}, "seed is True"),
        ({"hardware": {}}, r"hardware\.machine is None"),
        ({"command": None}, "command is None"),
        ({"paths": {"encoder_path": 3}}, r"paths\.encoder_path is 3"),
        ({"paths": {"agent_paths": ""}}, r"paths\.agent_paths is ''"),
        ({"paths": {"agent_paths": {"0" * 64: -4}}}, r"paths\.agent_paths\.0+ is -4"),
    ],
)
def test_a_card_of_another_form_is_damaged(card: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=rf"card\.json is damaged: {words}"):
        Artefact.load(_sealed(tmp_path / "a", "encoder", ENCODER, **card))


def test_scores_without_their_encoder_are_damaged(tmp_path: Path) -> None:
    config = {"data": {"name": "sprites"}, "rows": 5, "preset": "robust"}
    whole = _sealed(tmp_path / "whole", "metrics", config, inputs={"encoder": "0" * 64})
    assert Artefact.load(whole).kind == "metrics"
    with pytest.raises(ArtefactError, match=r"card\.json is damaged: inputs\.encoder is None"):
        Artefact.load(_sealed(tmp_path / "other", "metrics", config, inputs={}))


def test_every_form_is_of_a_kind_that_a_stage_writes() -> None:
    sources = Path(__file__).parents[2]
    parts = ("darla", "envs", "vision", "agents", "experiments")
    paths = [path for part in parts for path in (sources / part).rglob("*.py") if path.name != "artefact_forms.py"]
    texts = "\n".join(path.read_text() for path in paths)
    assert all(json.dumps(kind) in texts for kind in CONFIGS)
