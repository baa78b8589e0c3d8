"""Command lines: every option of every verb, with values that mean nothing, too much or too little."""

import os
from pathlib import Path
from typing import Any

from children import darla, in_child, unexpected
from finishing import TRUE
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import COMMANDS, options, workshop

from darla.cli.main import parse
from darla.common import Artefact, DarlaError

REFUSES = "done, or refused in a sentence"
NOTHING_LEFT = "a refusal leaves no folder behind"
LINES = {
    **{stage.split()[0]: [line for name, line in COMMANDS.items() if name.split()[0] == stage.split()[0]]
       for stage in COMMANDS},
    "check": ["check {work}/task.json"],
    "select": ["select {work}/frames --presets beta-1 --seeds 0 1 --workers 1 --out {out}"],
    "film": ["film {work}/task.json {work}/agent --out {out}.gif"],
    "export": ["export {work}/agent --out {out}.zip"],
    "import": ["import {work}/agent.zip {work}/task.json --out {out}"],
    "explore": ["explore {work}/encoder --no-open --port 1"],
    "concepts train": ["concepts train {work}/sprites-encoder --out {out}"],
    "concepts imagine": ['concepts imagine {work}/concepts shape=0 --count 2 --out {out}.png'],
    "concepts combine": ["concepts combine {work}/concepts shape=0 AND scale=1 --count 2 --out {out}.png"],
    "concepts describe": ["concepts describe {work}/concepts {work}/image.png"],
    "concepts judge": ["concepts judge sprites --images 4 --steps 2 --out {out}"],
    "concepts measure": [
        "concepts measure {work}/concepts --judge {work}/judge --images 2 --concepts 1 --out {out}"
    ],
    "demo": ["demo --preset none --out {out}"],
    "study run": ["study run none --out {out}"],
    "study status": ["study status {work}/frames"],
    "study watch": ["study watch {work}/frames"],
    "doctor": ["doctor --out {out} --nothing"],
}  # fmt: skip
"""By verb, lines to begin with. Those of `demo`, `study run` and `doctor` are refused by themselves: they would take
minutes."""
_LEFT_OUT = {"--open", "--ray", "--out", "--workers"}
"""Options that would open a browser or reach for other machines; and the place that a try looks at."""
NUMBERS = (
    *("-1", "0", "1", "2", "3", "7", "-0", "1e3", "0x10", "1_000", "4294967296"),
    *("4611686018427387904", "9223372036854775808", "-9223372036854775809", "99999999999999999999999"),
    *("1.5", "-0.5", "0.5", "1e-320", "1e39", "1e308", "1e400", "nan", "inf", "-inf", "0.9999999999999999"),
    *("1.0000001", "-1e-9", "True", "None", "", " ", "1,2", "١"),
)
TEXTS = (
    *(
        "nope",
        "",
        " ",
        "-",
        "--",
        ".",
        "..",
        "/",
        "~",
        "*",
        "None",
        "x" * 300,
        "é",
        "a/b",
        "a\nb",
        "\t",
        "\udcff",
        "a=b",
    ),
    *(
        "=",
        "%s",
        "{}",
        "{work}",
        "{work}/frames",
        "{work}/encoder",
        "{work}/agent",
        "{work}/task.json",
        "0",
        "-1",
        "os",
    ),
    *("os:system", "builtins:print", "nope.module:name", "timm:nope", "relu", "tanh", "cpu", "cuda", "cuda:99", "auto"),
    *(
        "meta",
        "mps",
        "bernoulli",
        "gaussian",
        "one_cycle",
        "constant",
        "bfloat16",
        "float16",
        "mig",
        "sap",
        "ppo",
        "dqn",
    ),
    *("a2c", "mfec", "sac", "trpo", "beta-1", "darla", "beta_vae", "info_gan", "identity", "sprites", "new_room"),
)


def inputs() -> st.SearchStrategy[Any]:
    """Draw a verb, one of its lines, and one to three changes of it."""
    drawn = {verb: _of_verb(verb) for verb in sorted(LINES)}
    return st.sampled_from(sorted(drawn)).flatmap(lambda verb: drawn[verb])


def _of_verb(verb: str) -> st.SearchStrategy[Any]:
    known = sorted(set(options(verb)) - _LEFT_OUT) or ["--nope"]
    value = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.integers().map(str), st.text(max_size=4))
    name = st.sampled_from(known)
    place = st.integers(0, 12)
    change = st.one_of(
        st.tuples(st.just("set"), name, value),
        st.tuples(st.just("set"), name, st.sampled_from(NUMBERS)),
        st.tuples(st.just("set"), name, st.tuples(value, value)),
        st.tuples(st.just("bare"), name, st.none()),
        st.tuples(st.just("drop"), place, st.none()),
        st.tuples(st.just("put"), place, value),
        st.tuples(st.just("add"), place, value),
    )
    return st.tuples(st.just(verb), st.sampled_from(LINES[verb]), st.lists(change, min_size=1, max_size=3))


def changed(words: list[str], changes: list[tuple[str, Any, Any]]) -> list[str]:
    """Return the words of a line after changes; the verb and {out} stay."""
    words = list(words)
    for what, where, value in changes:
        if what in ("set", "bare"):
            values = [] if value is None else list(value) if isinstance(value, tuple) else [value]
            if where in words:
                at = words.index(where)
                words[at + 1 : at + 2] = values
            else:
                words += [where, *values]
            continue
        if not words:
            continue
        at = where % len(words)
        if "{out}" in words[at] or words[at] == "--out":
            continue
        words[at : at + (what != "add")] = [] if what == "drop" else [value]
    return words


def attempt(value: tuple[str, str, list[tuple[str, Any, Any]]]) -> Checked:
    """Give the command, and look at how it ends and what it leaves."""
    verb, line, changes = value
    bench = workshop()
    start = len(verb.split())
    words = line.split()
    with bench.scratch() as out:
        given = [*words[:start], *changed(words[start:], changes)]
        given = [word.replace("{work}", str(bench.folder)).replace("{out}", str(out)) for word in given]
        if any(word in _LEFT_OUT - {"--out"} for word in given if word not in line.split()):
            return {}
        refused = _refused_at_once(verb, given)
        if refused is not None:
            return {REFUSES: refused or None, NOTHING_LEFT: _left(out)}
        ended = in_child(darla(given, lambda: os.chdir(out.parent)), seconds=2.5, memory=12)
        wrong = None if verb == "doctor" and ended.code == 1 else unexpected(ended)
        if wrong is None and ended.code == 2 and not ended.timed_out and not ended.last.startswith("darla"):
            wrong = f"no sentence: {ended.stderr[-300:]!r}"
        checked: dict[str, str | None] = {REFUSES: wrong}
        if ended.code == 2 and not ended.timed_out:
            checked[NOTHING_LEFT] = _left(out)
        elif ended.code == 0 and out.is_dir():
            checked[TRUE] = _is_whole(out)
        return checked


def _refused_at_once(verb: str, given: list[str]) -> str | None:
    """Return "" where a line is refused when it is read, or what is wrong with how that is done; None if it is not.

    Lines are read here, without a fork: most are refused then, and reading has no other effect.
    """
    start = len(verb.split())
    if " ".join(given[:start]) != verb or {"-h", "--help"} & set(given):
        return None
    try:
        parse(verb, given[start:])
    except DarlaError as error:
        return "" if str(error).strip() else "an empty sentence"
    except SystemExit:
        return None
    except Exception as error:
        return f"unexpected {type(error).__name__} when the line is read: {error}"
    return None


def _left(out: Path) -> str | None:
    """Return what a refusal left; results of work that failed later are not the refusal's."""
    if not out.exists():
        return None
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    made = [path for path in files if path.suffix in (".npy", ".safetensors", ".npz") or path.parent.name == "logs"]
    return None if made else f"it left {sorted(path.relative_to(out.parent).as_posix() for path in files)}"


def _is_whole(out: Path) -> str | None:
    try:
        Artefact.load(out)
    except DarlaError as error:
        return f"exit code 0, but {error}"
    return None


KINDS = (Kind("options", inputs, attempt, 3.0, lambda value: value[0], batch=100),)
