"""The latent explorer without a browser: its numbers are the model's and the agent's, its server refuses the rest."""

import base64
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from short_rooms import hasty_agent, hasty_encoder

from darla.agents import Agent
from darla.common import Artefact, InputError
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.explore_latents import explorer_server
from darla.reports.explorer.embedded import BUDGET, embedded_explorer
from darla.reports.explorer.encoder_view import EncoderView, from_rgba, rgba
from darla.reports.explorer.network import TOLERANCE, decoder_network
from darla.reports.explorer.page import explorer_part
from darla.reports.explorer.policy_view import PolicyView
from darla.reports.explorer.server import ExplorerServer
from darla.vision import SeeConfig, load
from darla.vision.encoders.load import build_model


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return hasty_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def agent(encoder: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return hasty_agent(tmp_path_factory.mktemp("agents") / "agent", 0, encoder=encoder)


@pytest.fixture(scope="module")
def server(agent: Artefact, encoder: Artefact) -> Iterator[ExplorerServer]:
    with explorer_server([agent, encoder]) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


def ask(server: ExplorerServer, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_server_decodes_and_encodes_as_the_model_does(server: ExplorerServer, encoder: Artefact) -> None:
    model, frames = load(encoder), FrameSet.open(encoder.folder.parent / "frames")
    view = EncoderView(encoder, model, "encoder")
    code = view.encode(frames[:1])[0]
    status, body = ask(server, "/decode", json.dumps({"encoder": 1, "code": code.tolist()}).encode())
    assert status == 200
    answer = json.loads(body)
    image = np.frombuffer(base64.b64decode(answer["image"]), np.uint8).reshape(64, 64, 4)
    np.testing.assert_array_equal(image[..., :3], view.decode(code[None])[0])
    assert answer["policy"] is None
    status, body = ask(server, "/encode", rgba(frames[:1]).tobytes())
    np.testing.assert_allclose(json.loads(body)["codes"][1], code, atol=1e-5)


def test_the_agent_chooses_what_it_would_choose_for_the_image(agent: Artefact, encoder: Artefact) -> None:
    loaded = Agent.load(agent)
    view, images = PolicyView(loaded), FrameSet.open(encoder.folder.parent / "frames")[:8]
    codes = EncoderView(encoder, view.model, "encoder").encode(images)
    choices = [view.choose(code) for code in codes]
    assert loaded.description.precision is not None
    loaded.reset(len(images))
    acted = loaded.act(images, True, np.random.default_rng(0))
    # The agent's encoder may run in bfloat16, so only choices that are not close are compared.
    clear = [n for n, choice in enumerate(choices) if np.ptp(sorted(choice.actions)[-2:]) > 0.02]
    assert [int(np.argmax(choices[n].actions)) for n in clear] == acted[clear].tolist()
    for choice in choices:
        assert sum(choice.actions) == pytest.approx(1.0, abs=1e-5)
        assert choice.value is not None


def test_the_page_names_actions_and_orders_latents_by_kl(server: ExplorerServer) -> None:
    status, body = ask(server, "/")
    assert status == 200
    data = json.loads(body.decode().split('id="explorer-data">')[1].split("</script>")[0])
    with_agent, alone = data["encoders"]
    assert with_agent["policy"]["actions"] == ["left", "right", "forward"]
    assert "policy" not in alone
    amounts = [latent["amount"] for latent in alone["latents"]]
    assert amounts == sorted(amounts, reverse=True)
    assert len(data["frames"]) == len(alone["codes"]) == 24
    codes = np.array(alone["codes"])
    for latent in alone["latents"]:
        assert latent["low"] <= codes[:, latent["index"]].min() <= codes[:, latent["index"]].max() <= latent["high"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/", None, {"Host": "rebound.example"}, 403),
        ("/decode", b"{}", {"Origin": "http://elsewhere.example"}, 403),
        ("/etc/passwd", None, {}, 404),
        ("/other", b"{}", {}, 404),
        ("/decode", b"{", {}, 400),
        ("/decode", b"[" * 5000, {}, 400),
        ("/decode", b'{"encoder": 2, "code": []}', {}, 400),
        ("/decode", b'{"encoder": 0, "code": [1, 2]}', {}, 400),
        ("/decode", json.dumps({"encoder": 0, "code": [float("nan")] * 32}).encode(), {}, 400),
        ("/encode", b"123", {}, 400),
        ("/encode", b"", {"Content-Length": str(1 << 40)}, 413),
    ],
)
def test_the_server_refuses_everything_else(
    server: ExplorerServer, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    assert ask(server, path, body, **headers)[0] == status


def test_runs_without_latents_are_refused(encoder: Artefact, tmp_path: Path) -> None:
    pixels = hasty_agent(tmp_path / "pixels", 0)
    with pytest.raises(InputError, match="acts on images and has no frozen encoder"):
        explorer_server(pixels)
    with pytest.raises(InputError, match="holds frames"):
        explorer_server(encoder.folder.parent / "frames")
    with pytest.raises(InputError, match="one or two runs to explore, not 3"):
        explorer_server([encoder, encoder, encoder])


def test_a_port_that_cannot_be_used_is_refused(server: ExplorerServer, encoder: Artefact) -> None:
    for port in (-1, 65_536):
        with pytest.raises(InputError, match=f"port is {port}, but must be from 0 to 65535"):
            explorer_server(encoder, port=port)
    with pytest.raises(InputError, match=f"port {server.server_port}"):
        explorer_server(encoder, port=server.server_port)


@pytest.mark.parametrize("model_name", ["beta_vae", "darla_vae", "dae_features"])
def test_the_decoder_of_a_page_is_the_models(model_name: str) -> None:
    model = build_model(SeeConfig().change(model=model_name), (64, 64, 3)).eval().requires_grad_(False)
    network = decoder_network(model)
    assert network is not None
    codes = torch.from_numpy(np.random.default_rng(3).normal(size=(6, model.latent_dim)).astype(np.float32))
    with torch.inference_mode():
        exact = model.to_display(model.decode(codes))
    assert float((network.run(codes) - exact).abs().max()) < TOLERANCE
    assert network.size < 1_200_000


def test_a_decoder_that_is_no_chain_of_layers_is_drawn_beforehand(encoder: Artefact) -> None:
    config = SeeConfig().change(model="beta_vae", vae__decoder="broadcast")
    model = build_model(config, (64, 64, 3)).eval().requires_grad_(False)
    assert decoder_network(model) is None
    view = EncoderView(encoder, model, "broadcast", FrameSet.open(encoder.folder.parent / "frames"))
    data = embedded_explorer(view, BUDGET)
    assert data is not None
    assert data["decoders"][0]["kind"] == "sheets"
    assert len(data["decoders"][0]["urls"]) == len(data["frames"]) == 3
    assert len(json.dumps(data)) < BUDGET
    assert embedded_explorer(view, 1_000) is None


def test_latents_are_compared_with_factors_and_facts(encoder: Artefact, tmp_path: Path) -> None:
    frames = FrameSet(collect(CollectConfig(frames=320), tmp_path / "frames"))
    view = EncoderView(encoder, load(encoder), "encoder", frames)
    assert view.factors[-3:] == ("kind", "bearing", "distance")
    assert {"wall_hue", "floor_hue", "object_set"} <= set(view.factors)
    for latent in view.latents(np.empty((0, 32), np.float32)):
        assert tuple(latent.encodes) == view.factors
        assert all(0.0 <= share <= 1.0 for share in latent.encodes.values())
    assert EncoderView(encoder, load(encoder), "encoder").factors == ()


def test_images_of_any_channels_are_drawn_and_read() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3, 4):
        images = rng.integers(0, 256, (2, 8, 8, channels), np.uint8)
        np.testing.assert_array_equal(from_rgba(rgba(images), (8, 8, channels)), images)


def test_no_label_ends_the_data_of_a_page() -> None:
    part = explorer_part({"label": "</script><script>alert(1)</script>"}, "explorer")
    assert part.count("</script>") == 1
    stored = part.split('id="explorer-data">')[1].split("</script>")[0]
    assert json.loads(stored)["label"].startswith("</script>")
