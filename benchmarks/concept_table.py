"""Accuracy and diversity of SCAN, its variants and its baselines on one encoder, as one table.

    darla concepts judge rooms --out runs/judge
    python -m benchmarks.concept_table runs/encoder --judge runs/judge --out runs/concepts
        [--methods scan scan-r scan+parts scan+experts jmvae trelbo] [--seeds 0 1 2] [--entangled runs/entangled]
        [--joint-steps 1500]

`NAME+parts` trains with `--parts`, `NAME+experts` with `--experts`, and with `--entangled` SCAN is trained on that
encoder too (SCAN_U). Everything is an artefact in `--out`; what is finished is not done again. Each cell is the mean
over seeds, with the lowest and the highest where there are several. A seed decides the concepts, the examples and the
training, not the encoder. What EXCEPT excludes counts as specified, and is right by chance in (n - 1) / n; below the
table stands how often images are without it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from darla.common import limit_threads
from darla.common.files import read_json
from darla.learn_concepts import RESULTS, ConceptScoresConfig, associate, score_concepts
from darla.vision.concepts.learning.config import ConceptsConfig

ASKED = (
    "symbol, train", "symbol, held_out", "AND, held_out", "IN COMMON, held_out", "IGNORE, held_out", "EXCEPT, held_out",
)  # fmt: skip

METHODS = ["scan", "scan-r", "scan+parts", "scan+experts", "jmvae", "trelbo"]


def cell(values: Sequence[float]) -> str:
    """Return a mean, and the range where there are several values."""
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--entangled", type=Path)
    parser.add_argument(
        "--methods", nargs="+", default=["scan", "scan-r", "scan+parts", "scan+experts", "jmvae", "trelbo"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--joint-steps", type=int)
    parser.add_argument("--concepts", type=int, default=40)
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    limit_threads(1)
    measured = ConceptScoresConfig(images=options.images, concepts=options.concepts)
    systems = [(name, options.encoder) for name in options.methods]
    if options.entangled is not None:
        systems.append(("scan", options.entangled))
    rows = []
    for seed in options.seeds:
        for name, encoder in systems:
            method, *options_of_it = name.split("+")
            config = ConceptsConfig(method=method, parts="parts" in options_of_it)
            if "experts" in options_of_it:
                config = config.with_experts()
            if config.is_joint and options.joint_steps:
                config = replace(config, training=replace(config.trained, steps=options.joint_steps))
            label = name if encoder == options.encoder else f"{name}, entangled"
            folder = options.out / f"{label.replace(', ', '-')}-{seed}"
            run = associate(encoder, folder, config, seed=seed)
            scores = score_concepts(run, options.judge, f"{folder}-scores", measured, seed=seed)
            rows.append((label, read_json(scores.folder / RESULTS)))
    labels = list(dict.fromkeys(label for label, _ in rows))
    print(f"| system | {' | '.join(ASKED)} | img2sym |\n| --- |{' ---: |' * (len(ASKED) + 1)}")
    for label in labels:
        results = [result for name, result in rows if name == label]
        cells = []
        for asked in ASKED:
            scores = [result["sym2img"][asked] for result in results if asked in result["sym2img"]]
            spread = [score["diversity"] for score in scores if score["diversity"] is not None]
            accuracy = cell([score["accuracy"] for score in scores]) if scores else "–"
            cells.append(f"{accuracy} / {cell(spread) if spread else '–'}")
        seen = cell([float(np.mean(list(result["img2sym"].values()))) for result in results])
        print(f"| {label} | {' | '.join(cells)} | {seen} |")
    for label in labels:
        scores = [result["sym2img"].get("EXCEPT, held_out") for name, result in rows if name == label]
        alone = [(each["excluded"], each["excluded_chance"]) for each in scores if each is not None]
        if alone:
            without, chance = zip(*alone, strict=True)
            print(f"\n{label}, images without what EXCEPT excludes: {cell(without)}; by chance {cell(chance)}")
    first = rows[0][1]
    for name in ("ceiling", "judge"):
        print(f"\n{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in first[name].items()))


if __name__ == "__main__":
    main()
