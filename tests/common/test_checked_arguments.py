"""Public functions name an argument of another type before they do anything."""

import inspect
from collections import UserList
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch

import darla
from darla.agents.agent import Agent
from darla.common import Artefact, InputError
from darla.common.checked_config import checked_arguments
from darla.envs.domains import tasks
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.factor_table import factor_table
from darla.vision import SeeConfig, encode_frames, encode_images, load, metrics
from darla.vision.encoders.load import build_model


@checked_arguments
def work(name: str, seeds: Sequence[int] = (), *, workers: int | None = None, share: float = 0.5, **more: object):
    """Return what it got."""
    return name, seeds, workers, share, more


def test_right_arguments_go_through_and_numbers_of_numpy_become_plain() -> None:
    assert work("a", [1, 2], workers=np.int64(3), share=1, other=object) == ("a", [1, 2], 3, 1, {"other": object})
    assert type(work("a", workers=np.int64(3))[2]) is int
    assert inspect.signature(work).parameters.keys() == {"name", "seeds", "workers", "share", "more"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": 3}, "name is 3, but must be text"),
        ({"name": "a", "seeds": 3}, "seeds is 3, but must be a sequence of a whole number"),
        ({"name": "a", "seeds": ["x"]}, r"seeds is \['x'\], but must be a sequence of a whole number"),
        ({"name": "a", "workers": True}, "workers is True, but must be a whole number or None"),
        ({"name": "a", "workers": 1.5}, "workers is 1.5, but must be a whole number or None"),
        ({"name": "a", "share": "half"}, "share is 'half', but must be a number"),
        ({"name": np.zeros((2, 3))}, r"name is a ndarray of shape \(2, 3\), but must be text"),
        ({"name": torch.ones(2, device="meta")}, r"name is a Tensor of shape \(2,\), but must be text"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_needed(arguments, says) -> None:
    with pytest.raises(InputError, match=says):
        work(**arguments)


@checked_arguments
def shape(array: np.ndarray[Any, Any] | None) -> tuple[int, ...] | None:
    """Return the shape of an array."""
    return None if array is None else tuple(array.shape)


def test_any_array_is_one_and_a_list_is_none() -> None:
    assert [shape(each) for each in (np.ones(3), torch.ones(3), np.ma.ones(3), None)] == [(3,), (3,), (3,), None]
    with pytest.raises(InputError, match=r"array is \[1, 2\], but must be a ndarray or None"):
        shape([1, 2])
    with pytest.raises(InputError, match=r"array is .*, but must be a ndarray or None"):
        shape(np.bool_(True))  # has a dtype too


class Walks(Protocol):
    """What can be walked through."""

    steps: int

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> int: ...


class _Path(UserList[int]):
    steps = 3


@checked_arguments
def length(walk: Walks | None) -> int:
    """Return how many steps a walk has."""
    return 0 if walk is None else len(walk)


@pytest.mark.parametrize("wrong", ["abc", b"abc", [1], (1,), {1: 2}, UserList([1]), 3, np.ones(3), _Path])
def test_a_protocol_needs_its_members_and_text_and_containers_are_none(wrong: object) -> None:
    assert (length(_Path([1, 2])), length(None)) == (2, 0)
    with pytest.raises(InputError, match=r"walk is .*, but must be a Walks or None"):
        length(wrong)


@pytest.mark.parametrize(
    "frames",
    ["", {}, [], np.array(3), torch.tensor(3), torch.zeros(8, 16, 16, 3), np.zeros((8, 16, 16, 3), np.float32)],
)
def test_frames_are_indexed_images_of_bytes(frames: object) -> None:
    model = build_model(SeeConfig().change(model="beta_vae", latent_dim=2), (64, 64, 3))
    with pytest.raises(InputError, match="frames"):
        encode_frames(model, frames, np.arange(2))


@pytest.mark.parametrize("rows", [np.array([0.5]), np.array([["a"]]), np.array([None]), np.array([8]), np.array([-1])])
def test_rows_of_frames_are_numbers_of_frames(rows: np.ndarray) -> None:
    model = build_model(SeeConfig().change(model="beta_vae", latent_dim=2), (64, 64, 3))
    with pytest.raises(InputError, match="rows"):
        encode_frames(model, np.zeros((8, 64, 64, 3), np.uint8), rows)


def test_names_of_metrics_may_be_any_sequence_and_an_empty_array_is_none() -> None:
    codes, factors = np.random.default_rng(0).normal(size=(60, 2)), np.random.default_rng(1).integers(0, 3, (60, 1))
    assert list(metrics.evaluate(codes, factors, np.array(["mig"]))) == ["mig"]
    assert metrics.evaluate(codes, factors, np.array([])) == {}
    with pytest.raises(InputError, match=r"names is .*, but must be text or an Iterable"):
        metrics.evaluate(codes, factors, torch.tensor(1.0))
    for wrong in (np.ones(1), np.ones((2, 4, 4))):
        with pytest.raises(InputError, match=r"names has .* in it, but must be names of metrics"):
            metrics.evaluate(codes, factors, wrong)


def test_a_table_is_of_results() -> None:
    for wrong in ([1.5], {"mig": None}):
        with pytest.raises(InputError, match=r"results hold .*, but must hold what metrics return"):
            metrics.table(wrong)


@pytest.mark.parametrize("tensor", [torch.ones(3), torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])])
def test_a_tensor_is_no_iterable_of_anything(tensor: torch.Tensor) -> None:
    with pytest.raises(InputError, match="results is a Tensor"):
        metrics.table(tensor)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="names is a Tensor"):
        metrics.evaluate(np.eye(60, 2), np.eye(60, 2), tensor)  # type: ignore[arg-type]


def test_a_slip_in_the_program_stays_a_type_error() -> None:
    with pytest.raises(TypeError, match="missing a required argument"):
        work()


CALLS = {
    "collect": lambda wrong, out: darla.collect(wrong, out),
    "see": lambda wrong, out: darla.see("frames", out, wrong),
    "act": lambda wrong, out: darla.act(wrong, out),
    "transfer of agents": lambda wrong, out: darla.transfer("new_room", wrong, out),
    "associate": lambda wrong, out: darla.associate(wrong, out),
    "factor_table": lambda wrong, out: factor_table(wrong, 10, 0),
    "transfer": lambda wrong, out: darla.transfer("new_room", [], out, workers=wrong),
    "report": lambda wrong, out: darla.report(wrong, out),
    "metrics": lambda wrong, out: darla.metrics(wrong, out),
    "select": lambda wrong, out: darla.select("frames", out, workers=wrong),
    "film": lambda wrong, out: darla.film("new_room", [], out, target=wrong),
    "check": lambda wrong, out: darla.check(wrong),
    "run_study": lambda wrong, out: darla.run_study(wrong, out),
    "demo": lambda wrong, out: darla.demo("tiny", out, workers=wrong),
    "export": lambda wrong, out: darla.export(wrong, out),
    "import_agent": lambda wrong, out: darla.import_agent(wrong, "new_room", out),
    "explore": lambda wrong, out: darla.explore("encoder", port=wrong),
    "Artefact.load": lambda wrong, out: Artefact.load(wrong),
    "Agent.load": lambda wrong, out: Agent.load(wrong),
    "FrameSet.open": lambda wrong, out: FrameSet.open(wrong),
    "load": lambda wrong, out: load(wrong),
    "encode_images": lambda wrong, out: encode_images(wrong, np.zeros((1, 16, 16, 3), np.uint8)),
    "tasks.get": lambda wrong, out: tasks.get(wrong),
    "tasks.register": lambda wrong, out: tasks.register(wrong),
    "evaluate": lambda wrong, out: metrics.evaluate(np.eye(9), np.eye(9, dtype=int), ["mig"], seed=wrong),
    "mig": lambda wrong, out: metrics.mig(np.eye(9), np.eye(9, dtype=int), preset=wrong),
    "evaluate names": lambda wrong, out: metrics.evaluate(np.eye(9), np.eye(9, dtype=int), wrong),
    "table": lambda wrong, out: metrics.table(wrong),
}


@pytest.mark.parametrize("wrong", [1.5, object(), (1 + 2j)], ids=["number", "object", "complex number"])
@pytest.mark.parametrize("name", CALLS)
def test_every_public_function_names_an_argument_of_another_type(name: str, wrong: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"but must be|a task is a TransferTask|what to collect is a CollectConfig"):
        CALLS[name](wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "array",
    [torch.eye(20).to_sparse(), torch.eye(20).to_sparse_csr(), torch.ones(20, 2, device="meta")],
    ids=["sparse", "sparse rows", "meta"],
)
def test_metrics_refuse_tensors_that_are_not_dense(array: torch.Tensor) -> None:
    with pytest.raises(InputError, match="codes must be a dense array of numbers"):
        metrics.mig(array, np.arange(20)[:, None] % 3)


def test_metrics_do_not_score_values_that_are_masked() -> None:
    codes = np.random.default_rng(0).normal(size=(60, 2))
    factors = np.random.default_rng(1).integers(0, 3, (60, 1))
    masked = np.ma.masked_array(codes, mask=np.zeros((60, 2)))
    assert metrics.mig(masked, factors).score == metrics.mig(codes, factors).score
    masked[3, 1] = np.ma.masked
    with pytest.raises(InputError, match="codes has masked values"):
        metrics.mig(masked, factors)
