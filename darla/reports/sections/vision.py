"""What a report says about learning to see: D_U, and what each encoder kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from darla.common import Artefact
from darla.common.files import read_json
from darla.envs.frames.frame_set import FrameSet
from darla.reports.data import ReportData
from darla.reports.document import Block, Cell, Picture, Section, Table, Text
from darla.reports.sections.metrics import metric_blocks
from darla.reports.tables.transfer import NOTHING, describe_domain, number
from darla.vision.models.registry import MODELS, ModelInfo, model_info

_COLUMNS, _ROWS, _GAP = 14, 6, 3
_TARGETS = ("kind", "bearing", "distance")
_READERS = {"linear": "linear", "nonlinear": "network"}


@dataclass(frozen=True)
class Model:
    """Encoders (or denoising autoencoders) that differ in their seeds alone."""

    label: str
    members: list[Artefact]
    used_by: list[str]
    """Methods whose agents stand on it."""
    loss: str
    """`pixel`, `perceptual` or another; `dae` for a denoising autoencoder."""

    def probes(self) -> list[dict[str, Any]]:
        """Return what `probes.json` says of each member."""
        return [read_json(member.folder / "probes.json") for member in self.members]


def vision_section(material: ReportData) -> Section | None:
    """Return the section on frames and encoders; None where there is neither."""
    blocks: list[Block] = [block for frames in material.frames for block in _contact_sheet(frames)]
    models = find_models(material)
    if models:
        blocks += _probe_blocks(models)
        labels = {member.digest: f"{m.label}, seed {member.card['seed']}" for m in models for member in m.members}
        blocks += metric_blocks(material.metrics, labels)
        blocks += [Section(model.label, tuple(_pictures(model))) for model in models if _pictures(model)]
    return Section("What the encoders saw and kept", tuple(blocks)) if blocks else None


def find_models(material: ReportData) -> list[Model]:
    """Group encoders by configuration, then denoising autoencoders."""
    users: dict[str, list[str]] = {}
    for transfer in material.transfers:
        for agent in transfer.scores["agents"]:
            if agent["encoder"] and agent["method"] not in users.setdefault(agent["encoder"], []):
                users[agent["encoder"]].append(agent["method"])
    models: list[Model] = []
    for kind in (material.encoders, material.denoisers):
        groups: dict[str, list[Artefact]] = {}
        for artefact in kind:
            asked = {name: value for name, value in artefact.config.items() if name not in ("seed", "dae", "frames")}
            key = str(artefact.config["dae"] if artefact.kind == "dae" else asked)
            groups.setdefault(key, []).append(artefact)
        for members in groups.values():
            members.sort(key=lambda member: int(member.card["seed"]))
            used = list(dict.fromkeys(name for member in members for name in users.get(member.digest, [])))
            label, loss = _describe(members[0])
            twins = sum(model.label.split(", variant")[0] == label for model in models)
            models.append(Model(f"{label}, variant {twins + 1}" if twins else label, members, used, loss))
    return models


def _describe(artefact: Artefact) -> tuple[str, str]:
    """Return a model's name for a person, and its kind of loss."""
    if artefact.kind == "dae":
        hues = ", hues repaired" if artefact.config["dae"].get("hue_prob") else ""
        return f"DAE{hues} (its bottleneck)", "dae"
    asked: Mapping[str, Any] = artefact.config["see"]
    vae, model = asked["vae"], str(asked["model"])
    # The package of a model need not be installed where the report is written.
    info = model_info(model) if model in MODELS else ModelInfo(model, label=model)
    hues = ", hues repaired" if asked["dae"].get("hue_prob") else ""
    if "loss" not in vae:
        return f"{info.label}{hues}", "features"
    name = info.label.removesuffix("_DAE")  # added below, as to every model whose loss compares features
    loss = str(vae["loss"])
    weight = f", {info.symbol}\u00a0=\u00a0{vae[info.weight]:g}" if info.weight else ""
    if info.needs.kinds():
        weight += f", supervised by {info.needs}"
    if loss == "pixel":
        return f"{name}{weight}", loss
    blend = "" if loss == "perceptual" else f", {loss} loss"
    return f"{name}_DAE{weight}, J\u00a0=\u00a0{vae['perceptual']['layer']}{blend}{hues}", loss


def _contact_sheet(frames: Artefact) -> list[Block]:
    """Show frames spread evenly over the set."""
    found = FrameSet(frames)
    count = min(len(found), _COLUMNS * _ROWS)
    images = found[np.linspace(0, len(found) - 1, count).round().astype(np.int64)]
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    height, width = images.shape[1:3]
    sheet = np.zeros((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 4), np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = image[..., :3]
        sheet[top : top + height, left : left + width, 3] = 255
    domain = frames.config["domain"]
    caption = (
        f"What the encoders learnt from: {count} of the {len(found):,} frames of D_U, without labels. "
        f"Contexts: {describe_domain(domain)}."
    )
    alt = f"Contact sheet of {count} images of rooms in many colours, as the agent sees them."
    return [Picture(f"frames {domain['name']}", Image.fromarray(sheet), caption, alt)]


def _probe_blocks(models: Sequence[Model]) -> list[Block]:
    blocks: list[Block] = [probe_table(models)]
    effect = effect_table(models)
    if effect is not None:
        blocks.append(effect)
    return [
        Text(
            "An encoder can serve a policy only with what it keeps. Probes read the kind, the bearing "
            "and the distance of the nearest visible object from the codes of frames that neither "
            "encoder nor probe was trained on: a linear one shows how the codes hold it, a small "
            "network whether they hold it at all."
        ),
        *blocks,
    ]


def probe_table(models: Sequence[Model]) -> Table:
    """Return how well each model's codes answer the probes, beside its reconstruction error and its KL."""
    header = [
        Cell("model"),
        *_probe_header(),
        Cell("error", "× 1000"),
        Cell("KL", "nats"),
        Cell("active", "latents"),
    ]
    rows = []
    chance: dict[str, float] = {}
    for model in models:
        probes = model.probes()
        chance |= {target: probe[target]["chance"] for probe in probes for target in _TARGETS if target in probe}
        row = [Cell(model.label, "; ".join(model.used_by))]
        row += [
            _spread([probe.get(target, {}).get(reader) for probe in probes], 2)
            for target in _TARGETS
            for reader in _READERS
        ]
        errors = [probe.get("reconstruction", {}).get("mean_squared_error") for probe in probes]
        row.append(_spread([None if error is None else 1000 * error for error in errors], 1))
        row.append(_spread([probe.get("kl", {}).get("total") for probe in probes], 1))
        row.append(_spread([probe.get("kl", {}).get("active_units") for probe in probes], 0))
        rows.append(tuple(row))
    floor = [Cell(number(chance[target], 2)) if target in chance else NOTHING for target in _TARGETS for _ in _READERS]
    rows.append((Cell("chance"), *floor, NOTHING, NOTHING, NOTHING))
    notes = (
        "Kind: balanced accuracy. Bearing and distance: R², 0 for always answering the mean. Error: mean "
        "squared, per pixel and channel. Of several seeds the mean, and the lowest and highest below it.",
    )
    return Table("What probes read from the codes of held-out frames", tuple(header), tuple(rows), notes)


def effect_table(models: Sequence[Model]) -> Table | None:
    """Return by how much a perceptual loss changes the probes; None without both kinds of model."""
    plain = [model for model in models if model.loss == "pixel"]
    others = [model for model in models if model.loss not in ("pixel", "dae")]
    if not plain or not others:
        return None
    rows = []
    for model in others:
        for other in plain:
            row = [Cell(model.label), Cell(other.label)]
            for target in _TARGETS:
                for reader in _READERS:
                    ours, theirs = _mean(model, target, reader), _mean(other, target, reader)
                    known = ours is not None and theirs is not None
                    row.append(Cell(_signed(ours - theirs)) if known else NOTHING)  # type: ignore[operator]
            rows.append(tuple(row))
    header = (Cell("with DAE features"), Cell("less, on pixels"), *_probe_header())
    return Table("Effect of the perceptual loss on the probes", header, tuple(rows), labels=2)


def _probe_header() -> list[Cell]:
    return [Cell(target, reader) for target in _TARGETS for reader in _READERS.values()]


def _mean(model: Model, target: str, reader: str) -> float | None:
    values = [probe[target][reader] for probe in model.probes() if target in probe]
    return float(np.mean(values)) if values else None


def _spread(values: Sequence[float | None], digits: int) -> Cell:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    middle = number(float(np.mean(known)), digits)
    if len(known) == 1:
        return Cell(middle)
    return Cell(middle, f"{number(min(known), digits)} to {number(max(known), digits)}")


def _signed(value: float) -> str:
    said = number(value, 2)
    return said if said.startswith("−") or not float(said) else f"+{said}"


def _pictures(model: Model) -> list[Block]:
    """Show the reconstructions and traversals of the model's first seed."""
    member = model.members[0]
    seed = f"seed {member.card['seed']}"
    shown: list[Block] = []
    for stem, caption, alt in (
        (
            "reconstructions",
            f"{model.label}, {seed}: held-out frames, and what the model gives back.",
            "Rows of images: held-out frames above, the model's reconstructions below.",
        ),
        (
            "traversals",
            f"{model.label}, {seed}: one frame's code decoded with one latent at a time moved across its "
            "prior, the latents that carry most first.",
            "A grid of decoded images: a row for each latent, a column for each value it is set to.",
        ),
    ):
        path = member.folder / f"{stem}.png"
        if path.is_file():
            with Image.open(path) as image:
                shown.append(Picture(f"{stem} {model.label}", image.convert("RGB"), caption, alt, "white"))
    return shown
