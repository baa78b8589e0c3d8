"""Runs on the Hugging Face hub, with the hub's own client and a server of the same interface on this machine."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from made_up_run import make_encoder
from short_rooms import hasty_agent, hasty_encoder
from stub_hub import Repositories, stub_hub

import darla
from darla.agents import Agent
from darla.cli.main import main
from darla.common import Artefact, ArtefactError, InputError
from darla.common.sharing.hub import HubReference, is_on_hub
from darla.reports.model_card import model_card
from darla.vision import load


@dataclass
class Hub:
    """A server, and runs that were made for the tests."""

    address: str
    repositories: Repositories
    encoder: Artefact
    agent: Artefact


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub")
    runs = tmp_path_factory.mktemp("runs")
    encoder = hasty_encoder(runs)
    agent = hasty_agent(runs / "agent", 0, encoder=encoder)
    with stub_hub() as (address, repositories), pytest.MonkeyPatch.context() as patch:
        # The client reads its variables when it is imported.
        for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
            patch.delitem(sys.modules, name)
        patch.setenv("HF_ENDPOINT", address)
        patch.setenv("HF_HUB_DISABLE_XET", "1")
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield Hub(address, repositories, encoder, agent)
        for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def client(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client, signed in at the server, with an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "token of the tests")
    hub.repositories.clear()


def test_an_encoder_comes_back_with_its_digest_and_its_codes(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(hub.encoder.folder), "ada/rooms"]) == 0
    assert capsys.readouterr().out == f"{hub.address}/ada/rooms\n"
    found = Artefact.load("hf://ada/rooms", "encoder")
    assert found.digest == hub.encoder.digest
    assert found.folder.resolve() != hub.encoder.folder.resolve()
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    one, other = (load(each) for each in (hub.encoder, Path("hf://ada/rooms")))
    np.testing.assert_array_equal(one.encode(one.to_input(images)).mean, other.encode(other.to_input(images)).mean)


def test_an_agent_brings_its_encoder_and_is_evaluated_from_there(hub: Hub, tmp_path: Path) -> None:
    darla.push(hub.agent, "ada/agent")
    agent = Agent.load("hf://ada/agent")
    assert agent.encoder is not None
    assert agent.encoder.digest == hub.encoder.digest
    assert Artefact.load("hf://ada/agent").digest == hub.agent.digest  # what was pushed, not what came with it
    assert Artefact.load("hf://ada/agent/encoder").digest == hub.encoder.digest
    assert Artefact.load("hf://ada/agent", "encoder").digest == hub.encoder.digest


def test_the_card_has_tags_commands_digests_and_the_probes(hub: Hub, tmp_path: Path) -> None:
    darla.push(hub.agent, "ada/agent")
    text = hub.repositories["ada/agent"][-1]["README.md"].decode()
    assert text.startswith("---\nlibrary_name: darla\ntags:\n- darla\n- disentanglement\n")
    for part in (hub.agent.digest, hub.encoder.digest, hub.agent.card["command"], "darla explore hf://ada/agent"):
        assert part in text
    made_up = make_encoder(tmp_path / "encoder", Artefact.load(hub.encoder.folder.parent / "frames"), {}, 0.6)
    row = next(
        line for line in model_card("ada/rooms", "encoder", {"encoder": made_up}).splitlines() if "bearing" in line
    )
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["bearing", "R2", "0.60", "0.70", "0.00", "1.00"]


def test_pushing_again_replaces_and_an_older_version_stays(hub: Hub) -> None:
    darla.push(hub.encoder, "ada/rooms")
    first = hub.repositories["ada/rooms"]
    first[-1]["encoder/old.json"] = b"{}"  # as if it had been another artefact's
    with pytest.raises(ArtefactError, match=r"old\.json is not among the files"):
        Artefact.load("hf://ada/rooms")
    darla.push(hub.encoder, "ada/rooms")
    assert "encoder/old.json" not in hub.repositories["ada/rooms"][-1]
    assert Artefact.load("hf://ada/rooms").digest == hub.encoder.digest


def test_what_was_altered_on_the_hub_is_refused(hub: Hub) -> None:
    darla.push(hub.encoder, "ada/rooms")
    files = hub.repositories["ada/rooms"][-1]
    files["encoder/probes.json"] = files["encoder/probes.json"].replace(b"0", b"1", 1)
    with pytest.raises(ArtefactError, match=r"probes\.json is not the file in card\.json"):
        Artefact.load("hf://ada/rooms")


def test_only_files_of_the_forms_of_artefacts_are_downloaded(hub: Hub) -> None:
    darla.push(hub.encoder, "ada/rooms")
    hub.repositories["ada/rooms"][-1] |= {"encoder/evil.pkl": b"cos\nsystem\n", "evil.bin": b"PK"}
    folder = Artefact.load("hf://ada/rooms").folder
    assert not list(folder.parent.rglob("evil*"))


def test_without_a_network_the_cache_is_used_and_an_empty_one_is_named(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    darla.push(hub.encoder, "ada/rooms")
    before = Artefact.load("hf://ada/rooms").digest
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert Artefact.load("hf://ada/rooms").digest == before
    with pytest.raises(InputError, match="ada/other on the hub cannot be reached, and is not in the cache"):
        Artefact.load("hf://ada/other")
    with pytest.raises(InputError, match="ada/rooms on the hub cannot be reached"):
        darla.push(hub.encoder, "ada/rooms")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("hf://ada/nothing", "ada/nothing on the hub is not there"),
        ("hf://ada/rooms@v9", "ada/rooms on the hub has no such revision"),
        ("hf://ada/rooms/agent", r"has no folder 'agent'; it has encoder \(encoder\)"),
        ("hf://ada", "hf://ada is no place on the hub"),
        ("hf://ada/rooms/../../etc", "is no place on the hub"),
    ],
)
def test_what_is_not_there_is_said(place: str, sentence: str, hub: Hub) -> None:
    darla.push(hub.encoder, "ada/rooms")
    with pytest.raises(InputError, match=sentence):
        Artefact.load(place)


def test_another_kind_is_said(hub: Hub) -> None:
    darla.push(hub.encoder, "ada/rooms")
    with pytest.raises(ArtefactError, match="hf://ada/rooms has no artefact of kind 'agent'"):
        Agent.load("hf://ada/rooms")


def test_a_wrong_token_frames_and_odd_names_are_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is no name of a repository; write USER/REPO"):
        darla.push(hub.encoder, "rooms")
    with pytest.raises(InputError, match="holds frames, which the command on its card makes again"):
        darla.push(hub.encoder.folder.parent / "frames", "ada/frames")
    monkeypatch.setenv("HF_TOKEN", "another")
    with pytest.raises(InputError, match=r"refused; `hf auth login` signs in"):
        darla.push(hub.encoder, "ada/rooms")


def test_an_agent_without_its_encoder_cannot_be_shared(hub: Hub, tmp_path: Path) -> None:
    shutil.copytree(hub.agent.folder, tmp_path / "alone" / "agent")
    with pytest.raises(ArtefactError, match="no artefact at"):
        darla.push(tmp_path / "alone" / "agent", "ada/agent")


def test_references_are_read_with_one_slash_or_two() -> None:
    for text in ("hf://ada/rooms@v1/encoders/s0", Path("hf://ada/rooms@v1/encoders/s0/")):
        assert HubReference.parse(text) == HubReference("ada/rooms", "v1", "encoders/s0")
        assert is_on_hub(text)
    assert str(HubReference("ada/rooms", "v1", "encoders/s0")) == "hf://ada/rooms@v1/encoders/s0"
    assert HubReference.parse("runs/encoder") is None
