"""What a report says of the metric suite: scores with chance level and ceiling, and the matrices behind them."""

from collections.abc import Mapping, Sequence

from PIL import Image

from darla.common import Artefact
from darla.reports.document import Block, Cell, Collapsible, Picture, Table, Text
from darla.vision.metrics import METRICS, Result
from darla.vision.metrics.metric_files import MATRICES, read_results


def metric_blocks(scored: Sequence[Artefact], labels: Mapping[str, str]) -> list[Block]:
    """Return tables and pictures of what `darla metrics` found.

    Args:
        scored: artefacts of kind `metrics`.
        labels: what the report calls each encoder, by its digest.
    """
    if not scored:
        return []
    blocks: list[Block] = [
        Text(
            "How disentangled the codes are, on images whose factors are known. **Modularity**: a latent holds one "
            "factor. **Compactness**: a factor is in one latent. **Informativeness**: factors can be read from the "
            "codes. No score of one of these alone ranks encoders. Chance is what codes score that know nothing of "
            "the factors, the ceiling what the best codes could."
        )
    ]
    for number, artefact in enumerate(scored):
        label = labels.get(artefact.card["inputs"]["encoder"], "an encoder that is not in this report")
        data = artefact.config["data"]["name"]
        results, factors = read_results(artefact)
        caption = f"{label}, on {artefact.config['rows']:,} images of {data} ({artefact.config['preset']} preset)"
        blocks.append(_table(caption, results))
        pictures = [
            _matrix(artefact, f"metrics {number + 1} {name}", name, f"{label}, {data}", factors)
            for name, result in results.items()
            if result.matrix is not None
        ]
        if pictures:
            blocks.append(Collapsible(f"Latents by factors: {label}, {data}", tuple(pictures)))
    return blocks


def _table(caption: str, results: Mapping[str, Result]) -> Table:
    rows = []
    for name, result in results.items():
        known = METRICS[name]
        detail = "" if result.interval is None else "{:.3f} to {:.3f}".format(*result.interval)
        about = known.kind if known.better == "higher" else f"{known.kind}, lower is better"
        rows.append(
            (
                Cell(name.replace("_", " ")),
                Cell(about),
                Cell(f"{result.score:.3f}", detail),
                Cell(f"{result.chance:.3f}"),
                Cell(f"{result.ceiling:.3f}"),
            )
        )
    header = tuple(map(Cell, ("metric", "about", "score", "chance", "ceiling")))
    return Table(caption, header, tuple(rows), labels=2)


def _matrix(artefact: Artefact, stem: str, name: str, of: str, factors: Sequence[str]) -> Picture:
    path = artefact.folder / MATRICES / f"{name}.png"
    with Image.open(path) as image:
        shown = image.convert("RGB")
    said = name.replace("_", " ")
    return Picture(
        stem,
        shown,
        f"{said} of {of}: each latent's share in each factor, the darker the more.",
        f"Matrix of latents (rows) by the factors {', '.join(factors)} (columns), as {said} reads it.",
        ground="white",
    )
