"""How a concept becomes more abstract while SCAN sees more diverse examples: {wall=cyan} in three sets of five.

    python -m benchmarks.concept_curriculum runs/encoder --out curriculum.png [--concept wall=cyan] [--steps 3000]

After figure 4 of Higgins et al. 2018. The first five images differ in nothing that has a name but rotations, the next
five also in the object and its color, the last five in everything that the concept leaves open. After each set SCAN is
trained anew on all images so far. Printed is the specificity of the concept, KL(q(z_j|y) || N(0, 1)) of each latent
in nats; the picture has the examples of each set, and images that are then imagined of the concept.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from darla.common import InputError, limit_threads, open_artefact, rng_for
from darla.envs.domains.value_codes import ANY, excludes
from darla.envs.image_data.registry import image_data
from darla.learn_concepts import sheet
from darla.vision import load
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.learning.examples import Examples, draw_factors, values_at
from darla.vision.concepts.learning.measures import specificity
from darla.vision.concepts.learning.train_concepts import encode_examples
from darla.vision.concepts.scan import SCAN
from darla.vision.concepts.space import space_of
from darla.vision.concepts.system import ConceptSystem
from darla.vision.encoders.traversals import write_png
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.units import Units

PER_SET = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--concept", default="wall=cyan")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    limit_threads(1)
    artefact = open_artefact(options.encoder, "encoder")
    data = image_data(artefact.card["extra"]["domain"]["name"])
    space, vision = space_of(data), load(artefact)
    concept = space.parse(options.concept)
    if excludes(concept).any():
        raise InputError(f"--concept {options.concept!r} excludes a value, which no symbol says")
    rng = rng_for(options.seed, "curriculum")
    fixed = values_at(data, space, draw_factors(data, space, concept[None], rng))[0]
    some = np.where((np.arange(len(concept)) < 2) | (concept != ANY), fixed, ANY)  # the room stays, the object varies
    drawn = [draw_factors(data, space, np.tile(each, (PER_SET, 1)), rng) for each in (fixed, some, concept)]
    rows = []
    config = ConceptsConfig()
    for number in range(1, len(drawn) + 1):
        factors = np.concatenate(drawn[:number])
        examples = Examples(data.render(factors), np.zeros(len(factors), np.int64), values_at(data, space, factors))
        posteriors = encode_examples(vision, examples)
        model = build_seeded(lambda: SCAN(config.scan, space.symbol_size, vision.latent_dim), options.seed)
        symbols = np.repeat(space.symbols(concept[None]), len(factors), axis=0)
        units = Units(np.arange(len(factors))[:, None], {"symbols": symbols})
        training = replace(config.trained, steps=options.steps, batch_size=len(factors), log_every=options.steps)
        with tempfile.TemporaryDirectory() as folder:
            train_model(model, posteriors, training, Path(folder), options.seed, units=units)
        system = ConceptSystem(space, vision, model.requires_grad_(False), None)
        nats = specificity(system, concept)
        print(f"{len(factors)} examples: {nats.sum():.1f} nats in {(nats > 0.5).sum()} latents of more than 0.5:",
              " ".join(f"{each:.1f}" for each in nats))  # fmt: skip
        with torch.inference_mode():
            imagined = system.imagine(system.posterior_of(concept[None]), 10, options.seed)
        rows += [(f"examples {number}", examples.images[-PER_SET:]), (f"imagined {number}", imagined)]
    write_png(options.out, sheet(rows))


if __name__ == "__main__":
    main()
