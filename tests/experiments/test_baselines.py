"""The methods that a study can name: each is the configuration that it says, alone and together in one study."""

from dataclasses import replace
from pathlib import Path

import pytest

from darla.agents import ALGORITHMS, ActConfig
from darla.cli.main import parse
from darla.common import InputError
from darla.envs.domains import tasks
from darla.experiments.baselines import METHODS, named_method, with_algorithm
from darla.experiments.plan import plan
from darla.experiments.study import Method, Study
from darla.vision.presets import ENCODERS

STUDY = Study("all", tuple(METHODS.values()), tasks=("conjunction", "recolor"), seeds=(0, 1))


def jobs(study: Study, kind: str):
    return [job for job in plan(study, Path("runs")).jobs if job.folder.parent.name == kind]


def agents_of(study: Study, task: str = "conjunction"):
    (part,) = (part for part in plan(study, Path("runs")).transfers if part.task == task)
    made = {job.folder: job for job in plan(study, Path("runs")).jobs}
    return [(method, made[folder]) for method, folder in part.agents]


def test_names_and_what_tables_call_them_are_told_apart():
    names = [method.name for method in METHODS.values()]
    assert len(set(names)) == len(names)


def test_one_method_is_the_baseline_of_a_study_whatever_their_order():
    assert [name for name, method in METHODS.items() if method.is_end_to_end] == ["end-to-end"]
    assert STUDY.baseline == METHODS["end-to-end"].name
    backwards = replace(STUDY, methods=tuple(reversed(STUDY.methods)))
    assert backwards.baseline == STUDY.baseline


def test_methods_differ_from_darla_only_in_what_they_are_about():
    darla = METHODS["darla"]
    assert METHODS["darla-ft"].see == METHODS["darla-on-target"].see == darla.see
    assert darla.act == ActConfig()
    for name, changed in (("darla-ft", {"fine_tune": True}), ("ground-truth", {"observation": "state"}),
                          ("hue", {"augment": ("hue",)}), ("randomized", {"train_domain": "unlabeled"})):  # fmt: skip
        assert METHODS[name].act == replace(darla.act, **changed)
    features = METHODS["darla-dae"].see
    assert features is not None
    assert darla.see is not None
    assert (features.dae, features.dae_training) == (darla.see.dae, darla.see.dae_training)
    assert features.vae.perceptual == darla.see.vae.perceptual


def test_methods_on_the_features_of_one_denoiser_share_it():
    study = replace(STUDY, methods=(METHODS["darla"], METHODS["darla-dae"], METHODS["darla-ft"]))
    assert len(jobs(study, "denoisers")) == len(study.seeds)
    assert len(jobs(study, "encoders")) == 2 * len(study.seeds)


def test_agents_on_the_targets_are_those_of_a_task_and_all_others_are_shared():
    source = {method.name for method in STUDY.methods if method.act.train_domain != "targets"}
    first, second = (dict.fromkeys(job.folder for _, job in agents_of(STUDY, task)) for task in STUDY.tasks)
    shared = {folder for folder in first if folder in second}
    assert len(shared) == len(source) * len(STUDY.seeds)
    assert len(first) == len(STUDY.methods) * len(STUDY.seeds)


def test_a_folder_says_what_its_policy_sees():
    words = {method: job.folder.name.split("-") for method, job in agents_of(STUDY)}
    assert "state" in words[METHODS["ground-truth"].name]
    assert "pixels" in words[METHODS["darla-ft"].name]
    assert "pixels" in words[METHODS["hue"].name]
    assert "codes" in words[METHODS["random-encoder"].name]


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_any_algorithm_can_train_a_method(algorithm):
    darla = named_method("darla", algorithm)
    assert darla.act == ActConfig(algorithm=algorithm)
    assert (darla.name == "DARLA") == (algorithm == "ppo")
    assert with_algorithm(METHODS["hue"], algorithm).act.augment == ("hue",)


COMMANDS = {
    "darla": ("darla", ""),
    "end-to-end": (None, ""),
    "randomized": (None, "--train-domain unlabeled"),
    "shift": (None, "--augment shift"),
    "hue": (None, "--augment hue"),
    "convolution": (None, "--augment convolution"),
    "random-encoder": ("random", ""),
    "autoencoder": ("autoencoder", ""),
    "darla-dae": ("dae-features", ""),
    "darla-ent": ("beta-1", ""),
    "pixel-loss": ("beta-4", ""),
    "darla-ft": ("darla", "--fine-tune"),
    "ground-truth": (None, "--observation state"),
    "end-to-end-on-target": (None, "--train-domain targets"),
    "darla-on-target": ("darla", "--train-domain targets"),
}
"""Preset of `darla see` and options of `darla act` that make each method; docs/baselines.md has the same."""


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_command_line_makes_every_method(name):
    preset, options = COMMANDS[name]
    expected = METHODS[name]
    if preset is not None:
        words = ["frames", "--out", "run", "--preset", preset]
        assert parse("see", words).config == expected.see
    words = ["conjunction", "--out", "run", *(["--encoder", "run"] if preset else []), *options.split()]
    config = parse("act", words).config
    observation = expected.act.policy_input(on_encoder=preset is not None)
    assert config == replace(expected.act, settings=expected.act.resolve(observation))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_documentation_tells_how_to_make_every_method(name):
    output = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text()
    (row,) = (line for line in output.splitlines() if line.startswith(f"| `{name}` "))
    preset, options = COMMANDS[name]
    assert METHODS[name].name in row
    assert options in row
    assert preset is None or f"`{preset}`" in row


def test_unknown_names_are_answered_with_the_closest():
    with pytest.raises(InputError, match="unknown method 'darla-fit'; did you mean 'darla-ft'"):
        named_method("darla-fit")
    with pytest.raises(InputError, match="unknown algorithm 'pppo'"):
        named_method("darla", "pppo")


def test_a_method_whose_encoder_would_be_ignored_is_refused():
    with pytest.raises(InputError, match="the encoder would be ignored"):
        Method("both", ENCODERS["darla"], ActConfig(observation="state"))
    with pytest.raises(InputError, match="fine_tune needs an encoder"):
        Method("neither", None, ActConfig(fine_tune=True))


def test_every_method_takes_part_in_every_task():
    study = replace(STUDY, tasks=tasks.names(), seeds=(0,))
    assert len(plan(study, Path("runs")).transfers) == len(tasks.names())
