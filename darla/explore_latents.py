"""Explore an encoder: a local page with a slider for each latent, the decoded image, and what an agent would do."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from darla.agents import Agent
from darla.agents.agent import encoder_folder
from darla.common import Artefact, InputError
from darla.common.checked_config import checked_arguments
from darla.envs.domains.world import names_of_actions
from darla.envs.frames.frame_set import FrameSet
from darla.reports.data import collect_artefacts
from darla.reports.explorer.encoder_view import EncoderView, shown_frames
from darla.reports.explorer.page_data import Explored
from darla.reports.explorer.policy_view import PolicyView
from darla.reports.explorer.server import ExplorerServer
from darla.reports.sections.vision import describe_model
from darla.vision import load

Run = Artefact | Path | str
_IMAGES = 24
_HIGHEST_PORT = 65_535


@checked_arguments
def explore(
    runs: Run | Sequence[Run],
    *,
    data: Artefact | Path | str | None = None,
    port: int = 0,
    open_browser: bool = True,
) -> None:
    """Serve a page on which the latents of one encoder, or of two side by side, are moved by sliders.

    The page is on 127.0.0.1 only. The function returns when it is interrupted (Ctrl-C).

    Args:
        runs: one or two artefacts: encoders, or agents on codes. Of an agent the page also shows the probability (or
            value) of each action and its estimate of the return.
        data: frames whose images can be chosen on the page and whose factors are compared with the latents. None for
            those that the first encoder was trained on, if they are near it.
        port: of the server; 0 for any that is free.
        open_browser: whether to open the page.

    Raises:
        InputError: an artefact is damaged or of another kind, an agent has no frozen encoder, two encoders read images
            of different shapes, or the port is in use.
    """
    with explorer_server(runs, data=data, port=port) as server:
        print(f"{server.url} (Ctrl-C to stop)", flush=True)
        if open_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


@checked_arguments
def explorer_server(
    runs: Run | Sequence[Run], *, data: Artefact | Path | str | None = None, port: int = 0
) -> ExplorerServer:
    """Return the server of `explore`, whose `serve_forever` is still to be called.

    Args:
        runs: one or two artefacts.
        data: frames.
        port: of the server; 0 for any that is free.

    Raises:
        InputError: see `explore`.
    """
    listed = [runs] if isinstance(runs, Artefact | Path | str) else list(runs)
    if not 1 <= len(listed) <= 2:
        raise InputError(f"name one or two runs to explore, not {len(listed)}")
    if not 0 <= port <= _HIGHEST_PORT:
        raise InputError(f"port is {port}, but must be from 0 to {_HIGHEST_PORT}")
    opened = [run if isinstance(run, Artefact) else Artefact.load(run) for run in listed]
    agents = [_agent(artefact) for artefact in opened]
    encoders = [
        artefact if agent is None else _encoder_of(artefact) for artefact, agent in zip(opened, agents, strict=True)
    ]
    frames = FrameSet.open(data.folder if isinstance(data, Artefact) else data) if data is not None else None
    if frames is None:
        near = [each for each in collect_artefacts([encoders[0].folder]).frames
                if each.digest == encoders[0].card["inputs"].get("frames")]  # fmt: skip
        frames = FrameSet(near[0]) if near else None
    labels = _labels(opened, encoders)
    columns = [_column(*parts, frames) for parts in zip(opened, encoders, agents, labels, strict=True)]
    shapes = [column.view.model.image_shape for column in columns]
    if len(set(shapes)) > 1:
        raise InputError(
            f"{opened[0].folder} reads images of shape {shapes[0]} and {opened[1].folder} of shape {shapes[1]}; two "
            "encoders side by side must read the same images"
        )
    server = ExplorerServer(columns, shown_frames(frames, _IMAGES), port)
    server.page  # noqa: B018  (made now, so that the first visit is not slow)
    return server


def _agent(artefact: Artefact) -> PolicyView | None:
    """Return the policy of an agent; None for an encoder."""
    if artefact.kind == "encoder":
        return None
    if artefact.kind != "agent":
        raise InputError(
            f"{artefact.folder} holds {artefact.kind}, but only encoders and agents on codes have latents to explore"
        )
    return PolicyView(Agent.load(artefact))


def _encoder_of(agent: Artefact) -> Artefact:
    # Loading the agent has found it there, with the digest that it was trained on.
    return Artefact.load(encoder_folder(agent), "encoder")


def _column(
    run: Artefact, encoder: Artefact, policy: PolicyView | None, label: str, frames: FrameSet | None
) -> Explored:
    model = load(encoder) if policy is None else policy.model
    view = EncoderView(encoder, model, label, frames)
    if policy is None:
        return Explored(view)
    return Explored(view, policy, names_of_actions(run.config["source"], policy.n_actions))


def _labels(runs: Sequence[Artefact], encoders: Sequence[Artefact]) -> list[str]:
    """Return a label for each column: the model and its seed, and the folder where two would be the same."""
    labels = [
        f"{describe_model(encoder)[0]}, seed {encoder.card['seed']}"
        + (", with its agent" if run is not encoder else "")
        for run, encoder in zip(runs, encoders, strict=True)
    ]
    if len(set(labels)) == len(labels):
        return labels
    return [
        f"{label} ({run.folder.name}, {number})"
        for number, (label, run) in enumerate(zip(labels, runs, strict=True), 1)
    ]
