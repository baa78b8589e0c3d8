"""Scores of the metric suite in a report, with chance level and ceiling, and the matrices they are computed from."""

from collections.abc import Mapping, Sequence

from darla.analysis.encoder_measures import measure_label
from darla.common import Artefact
from darla.reports.document import Block, Cell, Collapsible, FigureBlock, Table, Text
from darla.reports.figures.numbers import relation_numbers
from darla.reports.figures.relation import relation_figure
from darla.reports.tables.transfer import number
from darla.vision.metrics import METRICS, Result
from darla.vision.metrics.metric_files import describe_factors, read_results


def metric_blocks(scored: Sequence[Artefact], labels: Mapping[str, str]) -> list[Block]:
    """Return tables and matrices of the results of `darla metrics`.

    Args:
        scored: artefacts of kind `metrics`.
        labels: of encoders in the report, by digest.
    """
    if not scored:
        return []
    blocks: list[Block] = [
        Text(
            "How disentangled the codes are, on images with known factors. **Modularity**: a latent encodes one "
            "factor. **Compactness**: a factor is encoded in one latent. **Informativeness**: factors can be predicted "
            "from the codes. No score of a single kind ranks encoders. Chance is the score of codes that are "
            "independent of the factors, the ceiling is the score of perfect codes."
        )
    ]
    for place, artefact in enumerate(scored, 1):
        label = labels.get(artefact.card["inputs"]["encoder"], "an encoder that is not in this report")
        data = artefact.config["data"]["name"]
        results, factors = read_results(artefact)
        caption = f"{label}, on {artefact.config['rows']:,} images of {data} ({artefact.config['preset']} preset)"
        blocks += [
            metrics_table(caption, results),
            Text(f"Factors: {describe_factors(results, factors).replace('_', ' ')}."),
        ]
        figures = [
            matrix_block(f"metrics {place} {name}", result, f"{label}, {data}", factors)
            for name, result in results.items()
            if result.matrix is not None
        ]
        if figures:
            blocks.append(Collapsible(f"Latents by factors: {label}, {data}", tuple(figures)))
    return blocks


def metrics_table(caption: str, results: Mapping[str, Result]) -> Table:
    """Return a row for each metric: its score, with chance level and ceiling.

    Args:
        caption: of the table.
        results: by the name of the metric.
    """
    rows = []
    for name, result in results.items():
        metric = METRICS[name]
        # A metric that counts is no share: its scores are as large as the code.
        digits = 0 if result.ceiling > 1 and float(result.ceiling).is_integer() else 3
        detail = "" if result.interval is None else " to ".join(number(end, digits) for end in result.interval)
        kind = metric.kind if metric.better == "higher" else f"{metric.kind}, lower is better"
        rows.append(
            (
                Cell(measure_label(name)),
                Cell(kind),
                Cell(number(result.score, digits), detail),
                Cell(number(result.chance, digits)),
                Cell(number(result.ceiling, digits)),
            )
        )
    header = tuple(map(Cell, ("metric", "kind", "score", "chance", "ceiling")))
    return Table(caption, header, tuple(rows), labels=2)


def matrix_block(stem: str, result: Result, of: str, factors: Sequence[str]) -> FigureBlock:
    """Return the matrix of a metric as a figure.

    Args:
        stem: name of the figure.
        result: of a metric with a matrix.
        of: the encoder and the images.
        factors: names of the columns.
    """
    metric, names = measure_label(result.name), [name.replace("_", " ") for name in factors]
    return FigureBlock(
        stem,
        relation_figure(result, factors),
        f"{metric} of {of}: the relation of each latent with each factor, the darker the stronger.",
        f"Matrix of latents (rows) by the factor{'s' * (len(names) != 1)} {', '.join(names)} (columns), from which "
        f"{metric} is computed.",
        ground="white",
        data=relation_numbers(result, factors),
    )
