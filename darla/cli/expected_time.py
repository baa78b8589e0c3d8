"""What `darla VERB --help` says of the time that the verb takes on this machine."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from darla.common.speeds.records import Work, find, kept, speeds_file, spread
from darla.common.speeds.wording import Expected, Part, about, expect, measured, pace, roughly
from darla.common.threads import available_cores

_UNKNOWN = "Expected time: not measured on this machine yet; the first run measures it."


def description(name: str, command: type[Any], default: Any) -> str | None:
    """Return the text at the top of a verb's help: what it does, and how long that takes on this machine.

    Args:
        name: of the verb.
        command: its class.
        default: its options as they are without any further option; None for those of the class.

    Returns:
        None for verbs whose time is not measured, and where measuring is switched off.
    """
    if name not in _OF or speeds_file() is None:
        return None
    return f"{inspect.getdoc(command)}\n\n{_OF[name](default) or _UNKNOWN}"


def _text(what: str, expected: Expected) -> str:
    if not expected.known:
        return ""
    return f"Expected time {what}: {about(expected)}."


def _collect(_: Any) -> str:
    found = find(Work("collect", "frame", {"drawn": "image"}))
    if found is None:
        return ""
    work = found.speed.work
    return _text(f"of 40,000 frames of {work.facts.get('world')}", expect([Part(work, 40_000, "collecting")]))


def _see(default: Any) -> str:
    from darla.vision.encoders.expected_time import dae_parts, see_parts

    config = default.config
    parts = see_parts(config, None, on_any_device=True)
    if config.vae.needs_dae:
        parts += dae_parts(config, None, on_any_device=True)
    return _text("with these settings", expect(parts))


def _act(default: Any) -> str:
    from darla.agents.expected_time import act_settings

    config = default.config
    for observation in ("latents", "pixels", "state"):
        facts = {"algorithm": config.algorithm, "input": observation}
        facts |= {"settings": act_settings(config.to_dict(observation)), "stack": str(config.stacked)}
        if (found := find(Work("act", "step", facts))) is not None:
            work = found.speed.work
            return _text(
                f"on {observation} in {work.facts.get('world')}", expect([Part(work, config.env_steps, "learn to act")])
            )
    return ""


def _transfer(default: Any) -> str:
    from darla.evaluation.transfer_config import TransferConfig

    config = default.config if default is not None else TransferConfig()
    speeds = kept()
    for speed in speeds:
        facts = speed.work.facts
        if speed.work.stage == "transfer" and "input" in facts and not facts["algorithm"].startswith("film"):
            expected = expect([Part(speed.work, config.episodes, "transfer")], among=speeds)
            if expected.known:
                return _text(f"of an agent in a domain, {facts['algorithm']} on {facts['input']}", expected)
    return ""


def _select(_: Any) -> str:
    from darla.rank_encoders import SEEDS, SETTINGS
    from darla.vision import presets
    from darla.vision.encoders.expected_time import see_parts

    speeds, cores = kept(), available_cores()
    each = [see_parts(presets.encoder(name), None, jobs=cores, on_any_device=True) for name in SETTINGS]
    expected = expect([part for parts in each for part in parts] * len(SEEDS), cores, speeds)
    return _text(f"of {len(SETTINGS) * len(SEEDS)} encoders, {' and '.join(SETTINGS)}", expected)


def _concepts(_: Any) -> str:
    from darla.vision.concepts.learning.config import ConceptsConfig
    from darla.vision.concepts.learning.expected_time import concepts_parts

    parts = concepts_parts(ConceptsConfig(), None, None, on_any_device=True)
    return _text("with the defaults", expect(parts))


def _judge(_: Any) -> str:
    from darla.vision.concepts.learning.attribute_classifier import JUDGE_TRAINING
    from darla.vision.concepts.learning.expected_time import judge_parts

    return _text("with the defaults", expect(judge_parts(JUDGE_TRAINING, None, None, on_any_device=True)))


def _metrics(_: Any) -> str:
    from darla.vision.metrics.config import MetricsConfig
    from darla.vision.metrics.names import metric_names

    config = MetricsConfig()
    facts = {"images": str(config.rows), "preset": config.preset}
    parts = [Part(Work("metrics", "run", {**facts, "metric": name}), 1, name) for name in metric_names()]
    speeds = kept()
    known = [part for part in parts if find(part.work, speeds) is not None]
    encoding = find(Work("metrics", "image"), speeds)
    if not known or encoding is None:
        return ""
    expected = expect([Part(encoding.speed.work, config.rows, "encoding"), *known], among=speeds)
    return _text(f"of encoding {config.rows:,} images and of {len(known)} metrics", expected)


def _report(_: Any) -> str:
    found = find(Work("report", "artefact", {"films": "no"}))
    if found is None:
        return ""
    speed = found.speed
    return (
        f"Expected time: about {roughly(speed.seconds)} for {speed.rate * speed.seconds:.0f} artefacts "
        f"({measured([found])})."
    )


def _demo(_: Any) -> str:
    workers = available_cores()
    # Not the sum over its jobs, as `darla study list` has it: planning imports every stage.
    found = find(Work("study", "run", {"study": "demo"}, spread(1, workers=workers)))
    if found is None:
        return "Expected times of the presets: `darla study list`."
    time = roughly(1 / found.speed.rate)
    return f"Expected time of the preset `demo` with {workers} workers: about {time} ({measured([found])})."


def _study(_: Any) -> str:
    return "Expected times: `darla study list`."


_OF: Mapping[str, Callable[[Any], str]] = {
    "collect": _collect,
    "see": _see,
    "act": _act,
    "transfer": _transfer,
    "metrics": _metrics,
    "select": _select,
    "concepts train": _concepts,
    "concepts judge": _judge,
    "report": _report,
    "demo": _demo,
    "study run": _study,
}


def measured_speeds() -> list[str]:
    """Return the newest speed of each stage in words, for `darla doctor`."""
    newest: dict[str, str] = {}
    speeds = kept()
    for speed in speeds:
        work = speed.work
        if work.unit not in ("run", "artefact") and find(work, speeds) is not None:
            newest.setdefault(work.stage, f"{work.stage} {pace(speed.rate)} ({work.unit}s, {speed.day})")
    return list(newest.values())
