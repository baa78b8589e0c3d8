"""Encoders in a report: the frames of D_U, and what can be predicted from each encoder's codes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from darla.analysis.encoder_probes import EncoderProbes, ProbeScore
from darla.common import Artefact
from darla.envs.frames.frame_set import FrameSet
from darla.envs.pictures import to_rgb
from darla.reports.data import ReportData
from darla.reports.document import Block, Cell, ExplorerBlock, FigureBlock, Section, Table, Text
from darla.reports.explorer.embedded import BUDGET, embedded_explorer
from darla.reports.explorer.encoder_view import EncoderView
from darla.reports.sections.metrics import metric_blocks
from darla.reports.tables.transfer import NO_DOMAIN, NOTHING, describe_domain, number, spread
from darla.vision import load
from darla.vision.models.registry import MODELS, NO_SUPERVISION, ModelInfo, model_info, plain_label
from darla.vision.training.monitor import ACTIVE

_COLUMNS, _ROWS, _GAP = 14, 6, 3
WEIGHTS = "model.safetensors"
_SEVERAL = "Of several seeds the mean, and the lowest and highest below it."
_READERS = {"linear": "linear", "nonlinear": "network"}


@dataclass(frozen=True)
class Model:
    """Encoders (or denoising autoencoders) that differ in their seeds alone."""

    label: str
    members: list[Artefact]
    used_by: list[str]
    """Methods whose agents were trained on it."""
    loss: str
    """`pixel`, `perceptual` or another; `dae` for a denoising autoencoder."""
    supervision: str = NO_SUPERVISION
    """What its training needed beyond images."""

    @property
    def full_label(self) -> str:
        """The label, with the supervision where there was any: for tables without a column of it."""
        return self.label if self.supervision == NO_SUPERVISION else f"{self.label}, supervised by {self.supervision}"

    def probes(self) -> list[EncoderProbes]:
        """Return the probes of each member."""
        return [EncoderProbes.load(member.folder) for member in self.members]


def vision_section(data: ReportData) -> Section | None:
    """Return the section on frames and encoders; None where there is neither."""
    blocks: list[Block] = [
        block
        for frames in data.frames
        for block in _contact_sheet(frames, "of D_U, " if data.transfers else "", count_of(data.encoders, "encoder"))
    ]
    models = find_models(data)
    if models:
        blocks += _probe_blocks(models)
        labels = {member.digest: f"{m.full_label}, seed {member.card['seed']}" for m in models for member in m.members}
        blocks += metric_blocks(data.metrics, labels)
        explorers = _explorers(models, data.frames)
        parts = {model.full_label: [*_figures(model), *explorers.get(model.label, ())] for model in models}
        blocks += [Section(label, tuple(shown)) for label, shown in parts.items() if shown]
    return Section("Encoders", tuple(blocks)) if blocks else None


def find_models(data: ReportData) -> list[Model]:
    """Group encoders by configuration, then denoising autoencoders."""
    users: dict[str, list[str]] = {}
    for transfer in data.transfers:
        for agent in transfer.scores.agents:
            if agent.encoder and agent.method not in users.setdefault(agent.encoder, []):
                users[agent.encoder].append(agent.method)
    models: list[Model] = []
    for kind in (data.encoders, data.denoisers):
        groups: dict[str, list[Artefact]] = {}
        for artefact in kind:
            config = {name: value for name, value in artefact.config.items() if name not in ("seed", "dae", "frames")}
            key = str(artefact.config["dae"] if artefact.kind == "dae" else config)
            groups.setdefault(key, []).append(artefact)
        for members in groups.values():
            members.sort(key=lambda member: int(member.card["seed"]))
            used = list(dict.fromkeys(name for member in members for name in users.get(member.digest, [])))
            label, loss = describe_model(members[0])
            twins = sum(model.label.split(", variant")[0] == label for model in models)
            label = f"{label}, variant {twins + 1}" if twins else label
            models.append(Model(label, members, used, loss, _supervision(members[0])))
    methods = list(dict.fromkeys(method for used in users.values() for method in used))
    order = {method: place for place, method in enumerate(methods)}
    return sorted(models, key=lambda model: min((order[method] for method in model.used_by), default=len(order)))


def describe_model(artefact: Artefact) -> tuple[str, str]:
    """Return a model's label, and its kind of loss."""
    if artefact.kind == "dae":
        hues = ", hues repaired" if artefact.config["dae"].get("hue_prob") else ""
        return f"DAE{hues} (its bottleneck)", "dae"
    config: Mapping[str, Any] = artefact.config["see"]
    vae, model = config["vae"], str(config["model"])
    # The package of a model need not be installed where the report is written.
    info = model_info(model) if model in MODELS else ModelInfo(model, label=plain_label(model))
    hues = ", hues repaired" if config["dae"].get("hue_prob") else ""
    if "source" in vae:
        return f"{info.label} {vae['source']}", "features"
    if "loss" not in vae:
        return f"{info.label}{hues}", "features"
    name = info.label.removesuffix("_DAE")  # added below, as to every model whose loss compares features
    loss = str(vae["loss"])
    weight = f", {info.symbol}\u00a0=\u00a0{vae[info.weight]:g}" if info.weight else ""
    if loss == "pixel":
        return f"{name}{weight}", loss
    blend = "" if loss == "perceptual" else f", {loss} loss"
    return f"{name}_DAE{weight}, J\u00a0=\u00a0{vae['perceptual']['layer']}{blend}{hues}", loss


def _supervision(encoder: Artefact) -> str:
    """Return what a model's training needed beyond images, as its card says."""
    return str(encoder.card["extra"].get("supervision", NO_SUPERVISION))


def count_of(artefacts: Sequence[Artefact], noun: str) -> str:
    """Return a noun in the number of some artefacts."""
    return noun if len(artefacts) == 1 else f"{noun}s"


def _contact_sheet(frames: Artefact, of: str, encoders: str) -> list[Block]:
    """Return frames at even intervals from the set.

    Args:
        frames: the set.
        of: what it is of, for the caption; empty where no task is in the report.
        encoders: the encoder or encoders that it trained.
    """
    frame_set = FrameSet(frames)
    count = min(len(frame_set), _COLUMNS * _ROWS)
    images = frame_set[np.linspace(0, len(frame_set) - 1, count).round().astype(np.int64)]
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    height, width = images.shape[1:3]
    sheet = np.zeros((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 4), np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = to_rgb(image)
        sheet[top : top + height, left : left + width, 3] = 255
    domain = frames.config["domain"]
    about = f" {'Factors' if 'factors' in domain else 'Contexts'}: {describe_domain(domain)}."
    caption = (
        f"Training images of the {encoders}: {count} of the {len(frame_set):,} frames {of}without labels."
        f"{'' if describe_domain(domain) == NO_DOMAIN else about}"
    )
    alt = f"Contact sheet of {count} training images."
    return [FigureBlock(f"frames {domain['name']}", Image.fromarray(sheet), caption, alt)]


def _probe_blocks(models: Sequence[Model]) -> list[Block]:
    blocks: list[Block] = []
    if targets := _targets(models):
        blocks.append(
            Text(
                "A policy can use only what the encoder keeps. Probes predict facts about the state behind each frame "
                f"({', '.join(map(_words, targets))}) from the codes of frames that neither encoder nor probe was "
                "trained on: a linear probe shows what is encoded linearly, a small network what is encoded at all."
            )
        )
    blocks.append(probe_table(models))
    if empty := [model.label for model in models if is_empty(model)]:
        same = "its code is" if len(empty) == 1 else "their codes are"
        blocks.append(
            Text(
                f"No latent of {' and '.join(f'**{label}**' for label in empty)} is active: {same} the same for every "
                "image, and what a policy learned on such a code, or what is measured of it, says nothing about vision."
            )
        )
    effect = effect_table(models)
    if effect is not None:
        blocks.append(effect)
    return blocks


def is_empty(model: Model) -> bool:
    """Return whether no latent of any of a model's encoders is active."""
    codes = [probe.kl for probe in model.probes() if probe.kl is not None]
    return bool(codes) and not any(code.active_units for code in codes)


def probe_table(models: Sequence[Model]) -> Table:
    """Return the scores of the probes on each model's codes, its reconstruction error and its KL."""
    targets = _targets(models)
    supervised = any(model.supervision != NO_SUPERVISION for model in models)
    header = [
        Cell("model"),
        *((Cell("supervision"),) if supervised else ()),
        *_probe_header(targets),
        Cell("error", "× 1000"),
        Cell("KL", "nats"),
        Cell("active", "latents"),
    ]
    rows = []
    scores: dict[str, ProbeScore] = {}
    for model in models:
        probes = model.probes()
        for probe in probes:
            scores |= probe.targets
        row = [Cell(model.label, f"used by {'; '.join(model.used_by)}" if model.used_by else "")]
        if supervised:
            row.append(Cell(model.supervision))
        row += [
            spread([getattr(probe.targets.get(target), reader, None) for probe in probes], 2)
            for target in targets
            for reader in _READERS
        ]
        errors = [probe.reconstruction.get("mean_squared_error") for probe in probes]
        row.append(spread([None if error is None else 1000 * error for error in errors], 1))
        row.append(spread([probe.kl.total if probe.kl else None for probe in probes], 1))
        row.append(spread([probe.kl.active_units if probe.kl else None for probe in probes], 0))
        rows.append(tuple(row))
    if targets:
        chance = [Cell(number(scores[target].chance, 2)) for target in targets for _ in _READERS]
        blank = (NOTHING,) if supervised else ()
        rows.append((Cell("chance"), *blank, *chance, NOTHING, NOTHING, NOTHING))
    several = any(len(model.members) > 1 for model in models)
    notes = (f"{_measures(scores)}{_columns(models)}{_SEVERAL if several else ''}".strip(),)
    caption = "Probes on the codes of held-out frames" if targets else "Codes of held-out frames"
    labels, last = 2 if supervised else 1, 1 if targets else 0
    return Table(caption, tuple(header), tuple(rows), notes, labels=labels, last=last)


def _targets(models: Sequence[Model]) -> list[str]:
    """Return the facts that probes of any of the models predict; they follow from the world of the frames."""
    return list(dict.fromkeys(target for model in models for probe in model.probes() for target in probe.targets))


def _measures(scores: Mapping[str, ProbeScore]) -> str:
    """Return which measure scores which facts, in a sentence each."""
    names = {"balanced accuracy": "Balanced accuracy", "R2": "R², 0 for always predicting the mean"}
    by_measure: dict[str, list[str]] = {}
    for target, score in scores.items():
        by_measure.setdefault(names.get(score.measure, score.measure), []).append(_words(target))
    return "".join(f"{measure}: {', '.join(targets)}. " for measure, targets in by_measure.items())


def _columns(models: Sequence[Model]) -> str:
    """Return what the other columns are, of those that the table has."""
    probes = [probe for model in models for probe in model.probes()]
    error = any("mean_squared_error" in probe.reconstruction for probe in probes)
    active = any(probe.kl for probe in probes)
    return ("Error: mean squared error per pixel and channel. " if error else "") + (
        f"Active: latents whose mean has a variance above {ACTIVE:g} over images. " if active else ""
    )


def _words(target: str) -> str:
    return target.replace("_", " ")


def effect_table(models: Sequence[Model]) -> Table | None:
    """Return the effect of a perceptual loss on the probes; None without both kinds of model."""
    plain = [model for model in models if model.loss == "pixel"]
    others = [model for model in models if model.loss not in ("pixel", "dae")]
    targets = _targets(models)
    if not plain or not others or not targets:
        return None
    rows = []
    for model in others:
        for other in plain:
            row = [Cell(model.full_label), Cell(other.full_label)]
            for target in targets:
                for reader in _READERS:
                    perceptual, pixel = _mean(model, target, reader), _mean(other, target, reader)
                    both = perceptual is not None and pixel is not None
                    row.append(Cell(_signed(perceptual - pixel)) if both else NOTHING)  # type: ignore[operator]
            rows.append(tuple(row))
    header = (Cell("with DAE features"), Cell("minus: pixel loss"), *_probe_header(targets))
    return Table("Effect of the perceptual loss on the probes", header, tuple(rows), labels=2)


def _probe_header(targets: Sequence[str]) -> list[Cell]:
    return [Cell(_words(target), reader) for target in targets for reader in _READERS.values()]


def _mean(model: Model, target: str, reader: str) -> float | None:
    values = [getattr(probe.targets[target], reader) for probe in model.probes() if target in probe.targets]
    return float(np.mean(values)) if values else None


def _signed(value: float) -> str:
    text = number(value, 2)
    return text if text.startswith("−") or not float(text) else f"+{text}"


def _explorers(models: Sequence[Model], frames: Sequence[Artefact]) -> dict[str, list[Block]]:
    """Return sliders for the latents of each model's first seed, as far as they fit into a page.

    Nothing for encoders without weights beside the report's numbers, of a model that is not installed here, or without
    a decoder.
    """
    usable = [model for model in models if model.loss != "dae" and _can_be_loaded(model.members[0])]
    by_digest = {artefact.digest: artefact for artefact in frames}
    blocks: dict[str, list[Block]] = {}
    left = BUDGET
    for done, model in enumerate(usable):
        member = model.members[0]
        images = by_digest.get(member.card["inputs"].get("frames", ""))
        label = f"{model.label}, seed {member.card['seed']}"
        view = EncoderView(member, load(member), label, None if images is None else FrameSet(images))
        data = embedded_explorer(view, left // (len(usable) - done))
        if data is not None:
            left -= len(json.dumps(data))
            words = "The latents to move, the one with the largest KL first:"
            blocks[model.label] = [ExplorerBlock(f"explorer {model.label}", data, words)]
    return blocks


def _can_be_loaded(encoder: Artefact) -> bool:
    model = encoder.config["see"]["model"]
    return WEIGHTS in encoder.card["files"] and model in MODELS and MODELS[model].has_decoder


def _figures(model: Model) -> list[Block]:
    """Return the reconstructions and traversals of the model's first seed."""
    member = model.members[0]
    seed = f"seed {member.card['seed']}"
    figures: list[Block] = []
    for stem, caption, alt in (
        (
            "reconstructions",
            f"{model.label}, {seed}: held-out frames and their reconstructions.",
            "Rows of images: held-out frames above, their reconstructions below.",
        ),
        (
            "traversals",
            f"{model.label}, {seed}: the code of one frame, decoded with one latent at a time moved across "
            "its prior; latents with the largest KL first.",
            "A grid of decoded images: a row for each latent, a column for each of its values.",
        ),
    ):
        path = member.folder / f"{stem}.png"
        if path.is_file():
            with Image.open(path) as image:
                figures.append(FigureBlock(f"{stem} {model.label}", image.convert("RGB"), caption, alt, "white"))
    return figures
