"""A task is checked whole before the first frame: what is refused, what is said, and that collecting does it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from gymnasium import spaces

import darla
from darla.cli import main as cli
from darla.common import InputError
from darla.envs import EnvDomain, TransferTask
from darla.envs.domains.task_files import task_from_dict
from darla.envs.frames.collect import CollectConfig

ID = "own_stripes:Stripes"


def task(target: dict[str, Any] | None = None, **more: Any) -> TransferTask:
    """A task whose target has one variant of its own."""
    targets = {"x": {"variants": [target]}} if target is not None else {"x": {}}
    return task_from_dict(
        {"name": "t", "env_id": ID, "resize": 32, "unlabeled": {}, "source": {}, "targets": targets, **more}
    )


def test_a_task_that_can_be_used_has_neither_problems_nor_warnings() -> None:
    checked = darla.check(task({"hue": 200}))
    assert checked.is_usable
    assert (checked.problems, checked.warnings) == ((), ())
    assert [part.domains for part in checked.parts] == [("unlabeled", "source", "validation"), ("target 'x'",)]
    assert checked.parts[1].what == f"{ID} resize=[32, 32] hue=200"
    assert [checked.parts[0].probed.darkest, checked.parts[0].probed.brightest] == [40, 250]  # type: ignore[union-attr]
    assert "2 environments were made, reset and stepped" in str(checked)
    checked.require()


@pytest.mark.parametrize(
    ("target", "more", "sentence"),
    [
        ({"faults": "make"}, {}, r"could not be made: RuntimeError: no light \(.*own_stripes.py, line \d+"),
        ({"faults": "reset"}, {}, r"failed at reset: KeyError: 'map' \(.*own_stripes.py, line \d+, in reset\)"),
        ({"faults": "step"}, {}, "failed at step: AttributeError"),
        ({"faults": "old reset"}, {}, r"returned a ndarray from reset, but .* returns \(observation, info\)"),
        ({"faults": "old step"}, {}, "returned 4 values from step"),
        ({"faults": "nan reward"}, {}, "returned the reward nan"),
        ({"faults": "floats shown"}, {}, r"returned float64 \(24, 32, 3\) from reset, but its .* is uint8"),
        ({"faults": "other size"}, {}, r"returned uint8 \(23, 32, 3\)"),
        ({"faults": "zero one"}, {}, "values from 0 to 1, which are nearly black; .* multiply them by 255"),
        ({"form": "float"}, {}, "images are needed: uint8"),
        ({"form": "vector"}, {}, "images are needed: uint8"),
        ({"form": "first"}, {}, "channel"),
        ({"form": "dict"}, {}, 'name the entry that is the image: "observation_key"'),
        ({"colour": 3}, {}, "colour"),
        ({"side": {"tuple": [24, 30]}}, {"resize": 40}, "40 x 40 pixels, but encoders read .* multiples of 16"),
        ({"make": {}, "resize": 48}, {}, r"one shape .* 32 x 32 x 3 in unlabeled; 48 x 48 x 3 in target 'x'"),
        ({"actions": 4}, {}, r"actions must be the same .* Discrete\(3\) in unlabeled; Discrete\(4\) in target 'x'"),
        ({"form": "gray"}, {}, "one shape"),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_domain(target: dict[str, Any], more: dict[str, Any], sentence: str) -> None:
    checked = darla.check(task(target, **more))
    assert not checked.is_usable
    with pytest.raises(InputError, match=f"task 't': .*{sentence}"):
        checked.require()


def test_actions_that_no_algorithm_takes_are_refused() -> None:
    odd = EnvDomain("d", "own_stripes:WithTuple")
    import own_stripes

    class WithTuple(own_stripes.Stripes):
        def __init__(self) -> None:
            super().__init__(actions=spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)]), side=(32, 32))

        def step(self, action: Any) -> Any:
            return super().step(action[0])

    own_stripes.WithTuple = WithTuple  # type: ignore[attr-defined]
    checked = darla.check(TransferTask("t", odd, odd, odd, {"x": odd}))
    assert len(checked.problems) == 1
    assert "Tuple(Discrete(2), Discrete(2))" in checked.problems[0]


def test_an_environment_that_ignores_its_seed_is_told_and_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    checked = darla.check(task({"faults": "seed"}))
    assert checked.is_usable
    assert "target 'x'" in checked.warnings[0]
    assert "ignores reset(seed=...)" in checked.warnings[0]
    checked.require()
    assert "warning: target 'x'" in capsys.readouterr().err
    later = darla.check(task({"faults": "noisy steps"}))
    assert re.search(r"two episodes differ from step [1-9] on", later.warnings[0])


def test_every_variant_is_tried_and_every_problem_is_counted() -> None:
    variants = [{"hue": hue} for hue in range(20)] + [{"faults": "reset"}, {"faults": "step"}]
    checked = darla.check(task(unlabeled={"variants": variants}))
    assert len(checked.parts) == 23
    assert len(checked.problems) == 2
    with pytest.raises(InputError, match=r"and 1 more; darla check lists all"):
        checked.require()


def test_collecting_checks_first_and_leaves_no_folder(tmp_path: Path) -> None:
    config = CollectConfig(frames=10, sampling="random_policy")
    with pytest.raises(InputError, match="failed at reset"):
        darla.collect(config, tmp_path / "frames", task=task({"faults": "reset"}))
    assert not (tmp_path / "frames").exists()
    made = darla.collect(config, tmp_path / "frames", task=task())
    # A finished set is returned without playing anything.
    again = darla.collect(config, tmp_path / "frames", task=task({"faults": "reset"}))
    assert again.digest == made.digest


def test_the_tasks_of_darla_itself_can_be_used() -> None:
    checked = darla.check("two-squares")
    assert checked.is_usable, str(checked)
    assert not checked.warnings


def test_the_command_prints_what_it_saw_and_its_exit_code_says_whether_the_task_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "task.json"
    data = {"name": "t", "env_id": ID, "resize": 32, "unlabeled": {}, "source": {}, "targets": {"x": {}}}
    path.write_text(json.dumps(data))
    assert cli.main(["check", str(path)]) == 0
    assert "t can be used" in capsys.readouterr().out
    data["targets"] = {"x": {"variants": [{"faults": "step"}]}}
    path.write_text(json.dumps(data))
    assert cli.main(["check", str(path)]) == 2
    assert "problem: target 'x': environment" in capsys.readouterr().out
    assert cli.main(["collect", str(path), "--sampling", "random_policy", "--out", str(tmp_path / "frames")]) == 2
    assert capsys.readouterr().err.startswith("darla collect: task 't': target 'x': environment")
    assert not (tmp_path / "frames").exists()
