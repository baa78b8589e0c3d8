"""Agents that are told what to do: policies that follow instructions through concepts, and what they transfer to.

    runs/followers/
      config.json        settings, the concepts by digest
      instructions.json  those that policies are trained with, and those that they are tried on
      policies/          each policy, by what it is told and its seed
      episodes.csv       one row for each episode of each policy
      scores.json        success with intervals over seeds, and paired differences
      table.md           the same as a table
      strip.png          one policy in one and the same rooms, under two instructions

An agent searches rooms for what an instruction names (`darla/RoomSearch-v0`). It learns with some instructions, in
rooms with half of the hues of floors; it is tried, without further training, with instructions that recombine the same
values by operators, with some that exclude one of them, with words that no instruction in training had, and in rooms
with the other floors.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from darla.agents.instructions.learn import SETTINGS, learn_to_follow, load_follower
from darla.agents.instructions.searches import (
    EncodedSearches,
    choose,
    draw_searches,
    encode_searches,
    play_searches,
    texts_of,
)
from darla.agents.instructions.told import TOLD, Instructions, policy_input, read_instructions
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    limit_threads,
    open_artefact,
    rng_for,
    seed_for,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT
from darla.common.checked_config import CheckedConfig, require_at_least_one
from darla.common.csv_rows import read_rows, write_rows
from darla.common.files import load_tensors, save_tensors, write_bytes, write_json
from darla.common.speeds.meter import measuring
from darla.common.speeds.records import Work, spread
from darla.common.speeds.wording import Part
from darla.envs.domains.domain import Domain
from darla.envs.domains.value_codes import ANY
from darla.envs.image_data.rooms import Rooms
from darla.envs.room_search.domains import SOURCE, TARGET, leak_of_target
from darla.envs.room_search.search import ROOMS, YAWS, Layouts, Searches, draw_layout
from darla.envs.worlds.room_search import ROOM_SEARCH
from darla.evaluation.bootstrap import bootstrap, compare
from darla.reports.tables.concepts import markdown, success_rows
from darla.vision.concepts.learning.examples import operands
from darla.vision.concepts.learning.load import KIND as CONCEPTS_KIND
from darla.vision.concepts.learning.load import load_concepts
from darla.vision.concepts.operators import EXCEPT, PAPER_OPERATORS
from darla.vision.concepts.space import Concepts, ConceptSpace
from darla.vision.concepts.system import ConceptSystem
from darla.vision.encoders.encode import encode_images
from darla.vision.encoders.expected_time import encoder_facts
from darla.vision.encoders.traversals import grid, write_png

if TYPE_CHECKING:
    from stable_baselines3.common.policies import ActorCriticPolicy

KIND = "followers"
INSTRUCTIONS, EPISODES, SCORES, TABLE, STRIP, POLICIES = (
    "instructions.json", "episodes.csv", "scores.json", "table.md", "strip.png", "policies",
)  # fmt: skip
_NAMED = ("wall", "color", "object")
"""Attributes that instructions in training specify; floors are what differs between source and target."""
_TRAINED, _RECOMBINED, _EXCLUDED, _NEW = _SETS = ("trained", "recombined", "excluded", "new words")
"""Sets of instructions. The last is of floors, and is tried in rooms that have them."""


@dataclass(frozen=True)
class FollowConfig(CheckedConfig):
    """How agents that follow instructions are trained and tried."""

    told: tuple[str, ...] = TOLD
    """What policies are told, in `darla.agents.instructions.told.TOLD`; each is trained with every seed."""
    seeds: int = 5
    """Policies of each kind."""
    steps: int = 100_000
    """Environment steps of each."""
    searches: int = 1024
    """Different searches that they are trained in."""
    evaluated: int = 200
    """Searches that each is tried in, for each set of instructions; the same for all."""
    pairs: int = 60
    """Instructions of two values in training, besides all of one value; as many others are tried, and as many with a
    value and an excluded one."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        require_at_least_one(self, "seeds", "steps", "searches", "evaluated", "pairs")
        for each in self.told:
            if each not in TOLD:
                raise unknown_name("way to tell a policy", each, TOLD)
        if not self.told or len(set(self.told)) < len(self.told):
            raise InputError(f"told must name different ways to tell a policy, not {self.told}")


@dataclass(frozen=True)
class _Trial:
    """A set of searches that policies are tried in."""

    name: str
    domain: Domain
    instructions: Instructions
    searches: EncodedSearches


@writes_nothing_if_refused
def follow(
    run: Artefact | Path | str, out: Path | str, config: FollowConfig | None = None, *, seed: int = 0
) -> Artefact:
    """Train agents that follow instructions, and try them with instructions and in rooms that they do not know.

    Policies that are finished are kept; an interrupted call resumes with the next.

    Args:
        run: an artefact of `associate`, of concepts of `rooms`.
        out: folder of the artefact.
        config: which policies, how long.
        seed: master seed.

    Returns:
        An artefact of kind `followers`; see the module.

    Raises:
        InputError: the concepts are not those of rooms.
    """
    started = time.monotonic()
    config = config or FollowConfig()
    limit_threads(1)
    source = open_artefact(run, CONCEPTS_KIND)
    system = load_concepts(source)
    _check(system.space, source)
    asked = [(name, domain) for domain, names in ((SOURCE, _SETS[:-1]), (TARGET, _SETS)) for name in names]
    if system.operators is None or EXCEPT not in system.operators.operators:
        asked = [(name, domain) for name, domain in asked if name != _EXCLUDED]  # concepts of before there was EXCEPT
    record = {
        "concepts": source.digest,
        "settings": asdict(config),
        "tried": [f"{name}, {domain.name}" for name, domain in asked],
        "ppo": asdict(SETTINGS),
        "seed": seed,
    }
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    texts = draw_instructions(system.space, config.pairs, seed)
    texts = {name: texts[name] for name in dict(asked)}
    write_json(folder / INSTRUCTIONS, texts)
    known = {name: read_instructions(system, each) for name, each in texts.items()}
    parts = _parts(config, source.config["see"], asked, folder)
    with measuring("follow instructions", parts), closing(Rooms()) as rooms:
        trained = _encoded(system, known[_TRAINED], SOURCE, config.searches, seed, "train", folder, rooms)
        trials = [
            _Trial(name, domain, known[name],
                   _encoded(system, known[name], domain, config.evaluated, seed, name, folder, rooms))
            for name, domain in asked
        ]  # fmt: skip
        rows: list[dict[str, Any]] = []
        for number in range(config.seeds):
            for told in config.told:
                rows += _policy_rows(config, folder, told, number, seed, trained, known[_TRAINED], trials)
        write_rows(folder / EPISODES, rows)
        results = score(rows)
        write_json(folder / SCORES, {**results, "leak": {TARGET.name: leak_of_target()}})
        write_bytes(folder / TABLE, table(results).encode())
        write_png(
            folder / STRIP,
            film(system, load_follower(folder / POLICIES / f"{config.told[0]}-0"), config.told[0], rooms, seed),
        )
    inputs = {"concepts": source.digest}
    paths = {"run_path": os.path.relpath(source.folder.resolve(), folder.resolve())}
    seconds = time.monotonic() - started
    return complete_artefact(folder, KIND, record, seed=seed, inputs=inputs, wall_seconds=seconds, paths=paths)


def _parts(
    config: FollowConfig, see: Mapping[str, Any], asked: Sequence[tuple[str, Domain]], folder: Path
) -> list[Part]:
    """Return what is left to do: rooms are encoded, policies trained and tried."""
    searches = {("train", SOURCE.name): config.searches}
    searches |= {(name, domain.name): config.evaluated for name, domain in asked}
    encode = Work("concepts", "image", {"of": "rooms", **encoder_facts(see)}, spread())
    parts = [
        Part(encode, count * ROOMS * YAWS, _encoding(name, domain))
        for (name, domain), count in searches.items()
        if not _codes_file(folder, name, domain).exists()
    ]
    policies = [(told, number) for told in config.told for number in range(config.seeds)]
    for told, number in policies:
        if not _rows_file(folder, told, number).exists():
            learn = Work("concepts", "step", {"of": "follow", "told": told, **encoder_facts(see)}, spread())
            parts.append(Part(learn, config.steps, _policy_label(told, number)))
    tried = {"of": "follow", "searches": str(config.evaluated * len(asked)), "policies": str(len(policies))}
    return [*parts, Part(Work("concepts", "run", tried, spread()), 1)]


def _codes_file(folder: Path, name: str, domain: str) -> Path:
    return folder / CHECKPOINT / f"{name.replace(' ', '-')}-{domain}.safetensors"


def _rows_file(folder: Path, told: str, number: int) -> Path:
    return folder / CHECKPOINT / f"{told}-{number}.csv"


def _encoding(name: str, domain: str) -> str:
    return f"encode {name}, {domain}"


def _policy_label(told: str, number: int) -> str:
    return f"{told} {number}"


def draw_instructions(space: ConceptSpace, pairs: int, seed: int) -> dict[str, list[str]]:
    """Draw instructions by the set that they belong to.

    `trained`: every single value of wall, color and object, and some pairs of them. `recombined`: other pairs, each
    stated with an operator. `excluded`: anything but one of the single values, and some of them with anything but a
    value of another attribute. `new words`: hues of floors, of which no instruction in training speaks, alone and with
    a kind of object.

    Raises:
        InputError: there are not so many pairs.
    """
    rng = rng_for(seed, "instructions")
    columns = [index for index, each in enumerate(space.attributes) if each.name in _NAMED]
    single = [_concept(space, {column: value}) for column in columns for value in range(space.sizes[column])]
    double = [
        _concept(space, {first: one, second: two})
        for first in columns
        for second in columns
        if first < second
        for one in range(space.sizes[first])
        for two in range(space.sizes[second])
    ]
    if 2 * pairs > len(double):
        raise InputError(f"pairs is {pairs}, but must be at most {len(double) // 2}, half of all there are")
    order = rng.permutation(len(double))
    taken, held_out = ([double[number] for number in part] for part in (order[:pairs], order[pairs : 2 * pairs]))
    names = [each.name for each in space.attributes]
    floor, kind = names.index("floor"), names.index("object")
    hues = range(space.sizes[floor] // 2, space.sizes[floor])
    new = [_concept(space, {floor: hue}) for hue in hues]
    new += [_concept(space, {floor: hue, kind: value}) for hue in hues for value in range(space.sizes[kind])]
    return {
        _TRAINED: [space.text(each) for each in single + taken],
        _RECOMBINED: [_by_operator(space, each, number, rng) for number, each in enumerate(held_out)],
        _EXCLUDED: [f"{EXCEPT} {space.text(each)}" for each in single] + _excepting(space, double, pairs, seed),
        _NEW: [space.text(each) for each in new],
    }


def _excepting(space: ConceptSpace, double: Sequence[Concepts], count: int, seed: int) -> list[str]:
    """Draw pairs of values, and return instructions with one value of each, but without the other."""
    rng = rng_for(seed, "excluded")
    texts = []
    for number in rng.permutation(len(double))[:count]:
        wanted, excluded = rng.permutation(space.text(double[number]).split())
        texts.append(f"({wanted}) {EXCEPT} ({excluded})")
    return texts


def _concept(space: ConceptSpace, values: Mapping[int, int]) -> Concepts:
    concept = np.full(len(space.attributes), ANY, np.int64)
    for column, value in values.items():
        concept[column] = value
    return concept


def _by_operator(space: ConceptSpace, concept: Concepts, number: int, rng: np.random.Generator) -> str:
    """Return an instruction that comes to a concept by an operator of the paper that has something to do."""
    operator = number % len(PAPER_OPERATORS)
    while True:
        first, second = operands(np.array([operator]), concept[None], space.sizes, rng)
        changes = (first[0] != concept).any() and (second != ANY).any() and (first != ANY).any()
        if changes and (operator == 0 or (first != second).any()):
            return f"({space.text(first[0])}) {PAPER_OPERATORS[operator]} ({space.text(second[0])})"


def _check(space: ConceptSpace, run: Artefact) -> None:
    """Refuse concepts that are not those of rooms."""
    known = [(each.name, each.values) for each in space.attributes]
    if known != [(name, factor.choices) for name, factor in ROOM_SEARCH.space.items()]:
        raise InputError(
            f"{run.folder} has concepts of {', '.join(name for name, _ in known)}, but the agents search rooms "
            "and need concepts of the image data `rooms`"
        )


def _encoded(
    system: ConceptSystem, instructions: Instructions, domain: Domain, count: int, seed: int, name: str, folder: Path,
    rooms: Rooms,
) -> EncodedSearches:  # fmt: skip
    """Draw searches, and encode what is to be seen in them, once."""
    layouts, numbers = draw_searches(domain, instructions, count, seed_for(seed, name))
    file = _codes_file(folder, name, domain.name)
    if not file.exists():
        codes = encode_searches(system.vision, layouts, rooms, _encoding(name, domain.name))
        save_tensors(file, {"codes": torch.from_numpy(codes)})
    return EncodedSearches(layouts, numbers, load_tensors(file)["codes"].numpy())


def _policy_rows(
    config: FollowConfig, folder: Path, told: str, number: int, seed: int, trained: EncodedSearches,
    instructions: Instructions, trials: Sequence[_Trial],
) -> list[dict[str, Any]]:  # fmt: skip
    """Train a policy, unless it is there, and return the episodes that it is tried in."""
    place, file = folder / POLICIES / f"{told}-{number}", _rows_file(folder, told, number)
    if not file.exists():
        label, stream = _policy_label(told, number), seed_for(seed, "policy", number)
        policy = learn_to_follow(trained, instructions, told, config.steps, stream, place, label)
        rows = []
        for trial in trials:
            stream = seed_for(seed, "evaluation", trial.name, trial.domain.name)
            success, length = play_searches(policy, trial.searches, trial.instructions, told, stream)
            texts = texts_of(trial.instructions, trial.searches.numbers)
            rows += [
                {"told": told, "seed": number, "instructions": trial.name, "rooms": trial.domain.name, "episode": index,
                 "instruction": text, "success": bool(won), "length": int(steps)}
                for index, (text, won, steps) in enumerate(zip(texts, success, length, strict=True))
            ]  # fmt: skip
        write_rows(file, rows)
    return read_rows(file, _row)


def _row(cells: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: int(cells[name]) for name in ("seed", "episode", "length")}
    return {**cells, **numbers, "success": cells["success"] == "1"}


def score(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the success of each kind of policy in each set of searches, and paired differences from the first kind.

    Intervals are of 95 % and over seeds of policies, all on one encoder and one system of concepts.
    """
    told = list(dict.fromkeys(row["told"] for row in rows))
    sets = list(dict.fromkeys((row["instructions"], row["rooms"]) for row in rows))
    seeds = sorted({row["seed"] for row in rows})
    success = {
        each: np.array(
            [
                [
                    np.mean([
                        row["success"] for row in rows
                        if (row["told"], row["seed"], row["instructions"], row["rooms"]) == (each, seed, *place)
                    ])
                    for place in sets
                ]
                for seed in seeds
            ]
        )
        for each in told
    }  # fmt: skip
    results: dict[str, Any] = {"success": {}, "difference": {}}
    for column, (instructions, rooms) in enumerate(sets):
        name = f"{instructions}, {rooms}"
        parts = {each: success[each][:, column] for each in told}
        results["success"][name] = {
            each: {**_interval(bootstrap(part)), "seeds": part.tolist()} for each, part in parts.items()
        }
        results["difference"][name] = {
            each: _interval(compare(parts[told[0]], parts[each], paired=True).difference) for each in told[1:]
        }
    return results


def _interval(estimate: Any) -> dict[str, Any]:
    return {"mean": estimate.value, "low": estimate.low, "high": estimate.high}


def table(results: Mapping[str, Any]) -> str:
    """Return the scores as Markdown."""
    return f"{markdown(success_rows(results))}\n\nSuccess; a guess is right in {1 / ROOMS:.2f}.\n"


def film(
    system: ConceptSystem, policy: "ActorCriticPolicy", told: str, rooms: Rooms, seed: int, columns: int = 8
) -> npt.NDArray[np.uint8]:
    """Draw what a policy sees in one and the same target rooms under two instructions, uint8 (height, width, 3).

    Args:
        system: of the concepts.
        policy: that follows.
        told: what it is told.
        rooms: draws the images.
        seed: of the rooms.
        columns: images of each, at most; the last ones.
    """
    rng = rng_for(seed, "film")
    layout = draw_layout(TARGET, _concept(system.space, {3: 0}), rng)
    wanted = rng.permutation(ROOMS)[:2]
    rows: list[tuple[str, npt.NDArray[np.uint8]]] = []
    for goal in wanted.tolist():
        # Color and kind of one room's object; the others are as they were drawn.
        concept = _concept(system.space, {2: int(layout.rooms[0, goal, 2]), 3: int(layout.rooms[0, goal, 3])})
        instructions = read_instructions(system, [system.space.text(concept)])
        running = Searches(Layouts(concept[None], layout.rooms, layout.yaws, np.array([goal])))
        images, reward, over = [], 0.0, False
        while not over:
            images.append(rooms.render(running.factors())[0])
            codes = encode_images(system.vision, images[-1][None])
            observed = policy_input(told, codes, instructions, np.zeros(1, np.int64))
            rewards, taken, late = running.step(choose(policy, observed, rng))
            reward, over = float(rewards[0]), bool(taken[0] or late[0])
        outcome = "right" if reward else "wrong" if taken[0] else "took nothing"
        label = "\n".join([*instructions.texts[0].split(), f"{len(images)} steps: {outcome}"])
        rows.append((label, np.stack(images[-columns:])))
    drawn: npt.NDArray[np.uint8] = grid(rows)
    return drawn
