"""From an artefact of concepts to the trained system."""

from pathlib import Path
from typing import Any

from darla.common import Artefact, open_artefact
from darla.common.artefact import CONFIG
from darla.common.json_records import as_written
from darla.vision.concepts.jmvae import JMVAE, JMVAEConfig
from darla.vision.concepts.joint_vae import JointVAE
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.operators import PAPER_OPERATORS
from darla.vision.concepts.recombination import Recombinator
from darla.vision.concepts.scan import SCAN, SCANConfig
from darla.vision.concepts.space import ConceptSpace
from darla.vision.concepts.system import ConceptSystem
from darla.vision.concepts.trelbo import TrELBO, TrELBOConfig
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.load import build_model, load_weights
from darla.vision.models.base import VisionModel
from darla.vision.training.devices import choose_device

KIND = "concepts"
VISION, SYMBOLS, RECOMBINATOR = "vision.safetensors", "symbols.safetensors", "operators.safetensors"
"""The encoder, whichever the method; the networks of symbols; the recombination operators."""


def build_symbols(config: ConceptsConfig, vision: VisionModel, symbol_size: int) -> SCAN | JointVAE:
    """Return the networks of a method, untrained; those of a joint VAE contain `vision` itself.

    Raises:
        InputError: the method trains the encoder further, which is no VAE.
    """
    objective = config.objective
    if isinstance(objective, SCANConfig):
        return SCAN(objective, symbol_size, vision.latent_dim)
    if isinstance(objective, JMVAEConfig):
        return JMVAE(objective, vision, symbol_size)  # type: ignore[arg-type]  # checked by the class
    assert isinstance(objective, TrELBOConfig)
    return TrELBO(objective, vision, symbol_size)  # type: ignore[arg-type]


def load_concepts(run: Artefact | Path | str, device: str = "cpu") -> ConceptSystem:
    """Load the system of an artefact of `darla concepts train`; an older one has no EXCEPT, and the others as ever.

    Args:
        run: the artefact; an open one is not hashed again.
        device: where it is put.

    Raises:
        ArtefactError: no finished artefact of concepts, or a damaged one.
    """
    artefact = open_artefact(run, KIND)
    record: dict[str, Any] = artefact.config
    with as_written(artefact.folder / CONFIG):
        space = ConceptSpace.from_list(record["attributes"])
        vision = build_model(SeeConfig.from_dict(record["see"]), tuple(record["image_shape"]))
        symbols = build_symbols(ConceptsConfig.from_dict(record["concepts"]), vision, space.symbol_size)
        operators = Recombinator(vision.latent_dim, operators=record.get("operators") or PAPER_OPERATORS)
    if isinstance(symbols, SCAN):
        load_weights(vision, artefact.tensors(VISION), artefact.folder)
    load_weights(symbols, artefact.tensors(SYMBOLS), artefact.folder)
    load_weights(operators, artefact.tensors(RECOMBINATOR), artefact.folder)
    place = choose_device(device)
    for model in (vision, symbols, operators):
        model.requires_grad_(False).eval().to(place)
    return ConceptSystem(space, vision, symbols, operators)
