"""Where a name is known that was given in another place: a preset for a model, image data for a task, and the like."""

import difflib
import re
from collections.abc import Iterator

from darla.cli.verbs import VERBS

# What `unknown_name` and `Artefact.load` write. Not an attribute of the error: tyro passes on the text alone.
_UNKNOWN = re.compile(r"unknown [^;]*?'(?P<name>[^';]+)'; (?P<offer>did you mean )?")
_MISSING = re.compile(r"no artefact at (?P<name>\S+): there is no such folder(?P<offer>)")


def known_elsewhere(sentence: str) -> str:
    """Return what an error about a name leaves out: what that name, or one close to it, stands for elsewhere."""
    match = _UNKNOWN.search(sentence) or _MISSING.search(sentence)
    return _describe(match["name"], offered=match["offer"] is not None) if match else ""


def _describe(name: str, *, offered: bool) -> str:
    """Describe a name.

    Args:
        name: what was given.
        offered: whether the message offers a name already, so that only this very name is worth a word.
    """
    known: dict[str, str] = {}
    for each, what in _names():
        known.setdefault(each, what)
    if name in known:
        return f"{name!r} is {known[name]}"
    close = [] if offered else difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"did you mean {close[0]!r}, {known[close[0]]}?" if close else ""


def _names() -> Iterator[tuple[str, str]]:
    """Yield every name that can be given on a command line, with what it is and where it belongs."""
    # Not at the top: this is needed only where something was misspelled.
    from darla.agents import ALGORITHMS
    from darla.agents.presets import AGENTS
    from darla.envs.domains import tasks
    from darla.envs.image_data.registry import IMAGE_DATA
    from darla.experiments.demos import DEMOS
    from darla.experiments.families import FAMILIES
    from darla.experiments.studies import STUDIES
    from darla.vision import MODELS
    from darla.vision.metrics.names import metric_names
    from darla.vision.presets import ENCODERS

    for task in tasks.names():
        yield task, f"a transfer task: darla collect {task} --out FRAMES, darla act {task} --out AGENT"
    for data in IMAGE_DATA:
        yield data, f"image data: darla collect {data} --out FRAMES, darla metrics ENCODER --data {data}"
    for preset in ENCODERS:
        yield preset, f"an encoder's preset: darla see FRAMES --preset {preset} --out ENCODER"
    for preset in AGENTS:
        yield preset, f"an agent's preset: darla act TASK --preset {preset} --out AGENT"
    for model in MODELS:
        yield model, f"a vision model: darla see FRAMES --model {model} --out ENCODER"
    for algorithm in ALGORITHMS:
        yield algorithm, f"an RL algorithm: darla act TASK --algorithm {algorithm} --out AGENT"
    for metric in metric_names():
        yield metric, f"a metric: darla metrics ENCODER --names {metric} --out METRICS"
    for family in FAMILIES:
        yield family, f"a family of disentanglers: darla select FRAMES --family {family} --out SELECTION"
    for study in STUDIES:
        yield study, f"a study: darla study run {study}"
    for demo in DEMOS:
        yield demo, f"a demonstration: darla demo --preset {demo}"
    for verb in VERBS:
        yield verb.split()[-1], f"a verb: darla {verb}"
