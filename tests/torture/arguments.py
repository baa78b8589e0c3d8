"""Arguments in Python: every argument of every public function and configuration, of every wrong type and value."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from children import Ended, explained, in_child
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop

import darla
from darla import learn_concepts, vision
from darla.agents import ALGORITHMS, ActConfig
from darla.agents.agent import Agent
from darla.common import Artefact, DarlaError
from darla.envs.domains import tasks
from darla.envs.domains.task_files import find_task, task_from_dict
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images
from darla.envs.frames.own_images import ImageOptions, open_images
from darla.evaluation.rollout import rollout as _rollout  # noqa: F401
from darla.vision import MODELS, SeeConfig, TrainingConfig, metrics
from darla.vision.metrics.config import MetricsConfig
from darla.zero_shot import TransferConfig

REFUSES = "done, or an error of darla's"
NAMES = "the error names what was wrong"
_RNG = np.random.default_rng(0)
_CODES, _FACTORS = _RNG.normal(size=(60, 3)), _RNG.integers(0, 3, (60, 2))


class _Nothing:
    """An object that is nothing in particular."""

    def __repr__(self) -> str:
        return "nothing in particular"


WRONG: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        **{repr(value): (lambda value=value: value) for value in (
            None, True, False, 0, 1, -1, 2**63, 10**30, 0.5, -0.5, 1e300, 1 + 2j, "", "x", "nope", "x" * 300, b"x",
            (), (1,), ("a",), (None,), [], [1], [[1]], {}, {"a": 1}, {1: 2}, range(3), ...,
        )},
        "nan": lambda: float("nan"),
        "inf": lambda: float("inf"),
        "object": _Nothing,
        "class": lambda: _Nothing,
        "function": lambda: len,
        "set": lambda: {1, 2},
        "generator": lambda: (each for each in (1, 2)),
        "Artefact of frames": lambda: Artefact.load(workshop().folder / "frames"),
        "folder of an encoder": lambda: workshop().folder / "encoder",
        "no folder": lambda: workshop().folder / "nope",
        "numpy float": lambda: np.float64(0.5),
        "numpy int": lambda: np.int64(2),
        "numpy bool": lambda: np.bool_(True),
        "scalar array": lambda: np.array(3),
        "vector": lambda: np.arange(4.0),
        "matrix": lambda: np.ones((60, 2)),
        "empty matrix": lambda: np.ones((0, 2)),
        "no columns": lambda: np.ones((60, 0)),
        "one row": lambda: np.ones((1, 2)),
        "NaN matrix": lambda: np.full((60, 2), np.nan),
        "object matrix": lambda: np.array([[None] * 2] * 60, dtype=object),
        "text matrix": lambda: np.array([["a"] * 2] * 60),
        "complex matrix": lambda: np.ones((60, 2), complex),
        "date matrix": lambda: np.zeros((60, 2), "datetime64[s]"),
        "record array": lambda: np.zeros(60, [("a", float), ("b", float)]),
        "masked matrix": lambda: np.ma.masked_array(np.ones((60, 2)), mask=[[1, 0]] * 60),
        "images": lambda: np.zeros((8, 16, 16, 3), np.uint8),
        "float images": lambda: np.zeros((8, 16, 16, 3), np.float32),
        "tensor": lambda: torch.ones(60, 2),
        "tensor with gradient": lambda: torch.ones(60, 2, requires_grad=True),
        "half tensor": lambda: torch.ones(60, 2, dtype=torch.float16),
        "sparse tensor": lambda: torch.eye(60).to_sparse(),
        "sparse rows": lambda: torch.eye(60).to_sparse_csr(),
        "meta tensor": lambda: torch.ones(60, 2, device="meta"),
        "nested tensor": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "complex tensor": lambda: torch.ones(60, 2, dtype=torch.complex64),
        "scalar tensor": lambda: torch.tensor(3),
        "SeeConfig": SeeConfig,
        "ActConfig": ActConfig,
        "TransferConfig": TransferConfig,
    }
)  # fmt: skip
"""By name what makes a value."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A call that works, with as little as it needs."""

    function: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]


@functools.cache
def calls() -> dict[str, Call]:
    """Return a call of each public function, by name."""
    work = workshop().folder
    task = find_task(str(work / "task.json"))
    see = SeeConfig().change(
        model="beta_vae", latent_dim=2, training__steps=1, training__batch_size=8, training__log_every=1
    )
    act = ActConfig(env_steps=16, settings=ALGORITHMS["ppo"].settings(n_envs=2, n_steps=8, batch_size=8, n_epochs=1))
    short = TransferConfig(episodes=1, resamples=10)
    images = np.zeros((16, 16, 16, 3), np.uint8)
    by_name: dict[str, Call] = {
        "collect": Call(darla.collect, lambda: {"config": CollectConfig(task="sprites", frames=8), "out": ...,
                                                "workers": 1}),
        "see": Call(darla.see, lambda: {"frames": work / "frames", "out": ..., "config": see, "seed": 0, "dae": None,
                                        "watch": (), "images": None}),
        "act": Call(darla.act, lambda: {"task": task, "out": ..., "config": act, "encoder": work / "encoder",
                                        "seed": 0, "workers": 1, "device": "cpu"}),
        "transfer": Call(darla.transfer, lambda: {"task": task, "agents": [work / "agent"], "out": ...,
                                                  "config": short, "workers": 1, "episode_cache": None}),
        "report": Call(darla.report, lambda: {"runs": work / "transfer", "out": ..., "films": False}),
        "metrics": Call(darla.metrics, lambda: {"encoder": work / "encoder", "out": ..., "data": None,
                                                "config": MetricsConfig(names=("mig",)), "seed": 0, "device": "cpu",
                                                "images": None}),
        "select": Call(darla.select, lambda: {"frames": work / "frames", "out": ..., "settings": ("nope",),
                                              "seeds": (0, 1), "ranking": "lasso", "workers": 1, "images": None}),
        "film": Call(darla.film, lambda: {"task": task, "agents": [work / "agent"], "out": work.parent / "a.gif",
                                          "target": "nope"}),
        "check": Call(darla.check, lambda: {"task": task}),
        "associate": Call(darla.associate, lambda: {"encoder": work / "sprites-encoder", "out": ..., "config": None,
                                                    "data": "nope", "seed": 0}),
        "train_judge": Call(learn_concepts.train_judge, lambda: {"data": "nope", "out": ..., "config": None,
                                                                  "seed": 0}),
        "score_concepts": Call(learn_concepts.score_concepts, lambda: {
            "run": work / "concepts", "judge": work / "judge", "out": ...,
            "config": learn_concepts.ConceptScoresConfig(images=2, concepts=1, samples=1), "data": None, "seed": 0}),
        "imagine": Call(learn_concepts.imagine, lambda: {"run": work / "concepts", "instruction": "shape=0",
                                                         "out": work.parent / "a.png", "count": 2, "seed": 0}),
        "describe": Call(learn_concepts.describe, lambda: {"run": work / "concepts", "image": work / "image.png",
                                                           "samples": 2, "seed": 0}),
        "run_study": Call(darla.run_study, lambda: {"study": "nope", "out": ..., "scale": "small", "workers": 1,
                                                    "ray": None}),
        "demo": Call(darla.demo, lambda: {"study": "nope", "out": ..., "workers": 1}),
        "export": Call(darla.export, lambda: {"agent": work / "agent", "out": work.parent / "a.nope"}),
        "Artefact.load": Call(Artefact.load, lambda: {"folder": work / "frames", "kind": "frames"}),
        "FrameSet.open": Call(FrameSet.open, lambda: {"folder": work / "frames"}),
        "Agent.load": Call(Agent.load, lambda: {"artefact": work / "agent"}),
        "vision.load": Call(vision.load, lambda: {"artefact": work / "encoder"}),
        "vision.encode_images": Call(vision.encode_images, lambda: {"model": vision.load(work / "encoder"),
                                                                    "images": images}),
        "vision.encode_frames": Call(vision.encode_frames, lambda: {"model": vision.load(work / "encoder"),
                                                                    "frames": FrameSet.open(work / "frames"),
                "rows": np.arange(8)}),
        "vision.train_encoder": Call(vision.train_encoder, lambda: {"config": see,
                                                                    "frames": FrameSet.open(work / "frames"),
                                                                    "folder": ..., "seed": 0}),
        "vision.frozen": Call(vision.frozen, lambda: {"network": "nope.module:name"}),
        "frames_from_images": Call(frames_from_images, lambda: {"images": images, "out": ...}),
        "open_images": Call(open_images, lambda: {"source": images, "options": None}),
        "tasks.get": Call(tasks.get, lambda: {"name": "new_room"}),
        "tasks.register": Call(tasks.register, lambda: {"task": dataclasses.replace(task, name="another")}),
        "find_task": Call(find_task, lambda: {"name": str(work / "task.json")}),
        "task_from_dict": Call(task_from_dict, lambda: {"data": task.to_dict()}),
        "metrics.evaluate": Call(metrics.evaluate, lambda: {
            "codes": _CODES, "factors": _FACTORS, "names": ["mig"], "seed": 0, "preset": "robust", "interval": None,
            "test_codes": None, "test_factors": None, "continuous": None, "models": None, "options": None}),
        "metrics.table": Call(metrics.table, lambda: {"results": {}, "style": "plain"}),
    }  # fmt: skip
    for name in metrics.METRICS:
        by_name[f"metrics.{name}"] = Call(
            getattr(metrics, name),
            lambda: {"codes": _CODES, "factors": _FACTORS, "seed": 0, "preset": "robust", "interval": None},
        )
    return {name: _by_position(call) for name, call in by_name.items()}


def _by_position(call: Call) -> Call:
    """Return a call whose first arguments have the names that the function gives them."""
    import inspect

    names = list(inspect.signature(call.function).parameters)
    given = list(call.arguments())
    wrong = [name for name in given if name not in names]
    takes_any = any(
        each.kind is each.VAR_KEYWORD or each.kind is each.VAR_POSITIONAL
        for each in inspect.signature(call.function).parameters.values()
    )
    if not wrong or takes_any:
        return call
    renamed = dict(zip(given, names, strict=False)) if len(wrong) == 1 else {}
    arguments = call.arguments
    return Call(
        call.function,
        lambda: {
            (renamed[name] if name in wrong and name in renamed else name): value
            for name, value in arguments().items()
            if name not in wrong or name in renamed
        },
    )


def configurations() -> dict[str, Callable[..., Any]]:
    """Return every configuration that users fill in."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (
        CollectConfig, SeeConfig, ActConfig, TransferConfig, MetricsConfig, TrainingConfig, ImageOptions,
        darla.ImportConfig, vision.DAEConfig, learn_concepts.JudgeConfig, learn_concepts.ConceptScoresConfig,
        metrics.Interval,
    )}  # fmt: skip
    for algorithm in ALGORITHMS.values():
        kinds[algorithm.settings.__name__] = algorithm.settings
    for model in MODELS.values():
        kinds[model.Config.__name__] = model.Config
    return kinds


def _wrong_for(names: Iterable[str]) -> st.SearchStrategy[Any]:
    """Draw one or two of some names, each with the name of a wrong value."""
    return st.dictionaries(st.sampled_from(sorted(names)), st.sampled_from(sorted(WRONG)), min_size=1, max_size=2)


def of_functions() -> st.SearchStrategy[Any]:
    """Draw a function, one or two of its arguments, and wrong values for them."""
    return st.sampled_from(sorted(calls())).flatmap(
        lambda name: st.tuples(
            st.just(name),
            _wrong_for(calls()[name].arguments()),
        )
    )


def try_function(value: tuple[str, dict[str, str]]) -> Checked:
    """Call the function in a child."""
    name, wrong = value
    call = calls()[name]
    with workshop().scratch() as out:

        def work() -> None:
            import os

            os.chdir(out.parent)
            given = {key: out if part is ... else part for key, part in call.arguments().items()}
            call.function(**{**given, **{key: WRONG[which]() for key, which in wrong.items()}})

        return {REFUSES: _fault(in_child(explained(work), seconds=4, memory=12))}


def _fault(ended: Ended) -> str | None:
    if ended.timed_out or ended.code in (0, 2):
        return None
    return f"code {ended.code}: {ended.last.partition('; this is a bug')[0]}"


def of_configurations() -> st.SearchStrategy[Any]:
    """Draw a configuration, one or two of its fields, and wrong values for them."""
    kinds = configurations()
    return st.sampled_from(sorted(kinds)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            _wrong_for(part.name for part in dataclasses.fields(kinds[name]) if part.init),
        )
    )


def try_configuration(value: tuple[str, dict[str, str]]) -> Checked:
    """Make the configuration, here: nothing runs."""
    name, wrong = value
    kind = configurations()[name]
    needed = {"frame_units": {}, "Interval": {"resamples": 10}}.get(name, {})
    try:
        kind(**{**needed, **{key: WRONG[which]() for key, which in wrong.items()}})
    except DarlaError:
        return {REFUSES: None}
    except Exception as error:
        return {REFUSES: f"{type(error).__name__}: {error}"}
    return {REFUSES: None}


KINDS = (
    Kind("arguments", of_functions, try_function, 2.5, lambda value: value[0].split(".")[0], batch=100),
    Kind("configurations", of_configurations, try_configuration, 0.5, lambda value: "", batch=200),
)
