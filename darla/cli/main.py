"""The command line: `darla VERB ...`, one verb for each stage.

Whatever goes wrong ends in one sentence on stderr and an exit code:

    0    done
    1    `darla doctor` found this machine wanting, or darla itself has a fault
    2    something that was given cannot be used, a training diverged, a worker died, the disk is full
    130  stopped with Ctrl-C

Set DARLA_DEBUG=1 to see the traceback as well.
"""

import contextlib
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from darla import __version__
from darla.common.errors import DarlaError, InputError, unknown_name

if TYPE_CHECKING:
    from darla.cli.commands import Command

VERBS = {
    "collect": "collect frames of a task's unlabelled domain, for learning to see",
    "see": "learn to see: train an encoder on frames, without labels",
    "select": "train several encoders, and rank them by what they agree on, without labels",
    "metrics": "score an encoder by the metric suite, on images of known factors",
    "act": "learn to act: train a policy in a task's source domain, on an encoder's codes or on pixels",
    "transfer": "run agents, unchanged, in the source and in every target domain, and score them",
    "report": "write what was found as one HTML page and as Markdown",
    "demo": "all of it: collect, see, act, transfer and report, for several methods and seeds",
    "study": "run the study of a paper, on this machine or on a cluster, and tell how far it has come",
    "doctor": "check whether this machine can run darla, and how fast",
}
STUDY_VERBS = {
    "run": "make what is missing of a study, then evaluate, and write tables and report",
    "status": "tell how far a study has come, also while it runs",
    "list": "show the studies that there are, and what each would take",
}
"""What may follow `darla study`."""
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file grew too large",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows `darla`; the process's own arguments if None.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = f"darla {_verb(words)[0]}" if words and words[0] in VERBS else "darla"
    try:
        return _run(words)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        if os.environ.get("DARLA_DEBUG"):
            raise
        code, sentence = _explain(error)
        if sentence:
            print(f"{name}: {sentence}", file=sys.stderr)
        return code


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"darla {__version__}")
        return 0
    if words[0] not in VERBS:
        raise unknown_name("verb", words[0], VERBS)
    name, rest = _verb(words)
    if name == "study":
        if not rest or rest[0] in ("-h", "--help", "help"):
            print(_study_help())
            return 0
        raise unknown_name("verb after `darla study`:", rest[0], STUDY_VERBS)
    from darla.cli import commands  # not at the top: it imports what all stages are made of

    verb = _parse(commands.find(name, rest), name, rest)
    return verb.run()


def _verb(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb, which is two words where the first is `study`, and what follows it."""
    if words[0] == "study" and len(words) > 1 and words[1] in STUDY_VERBS:
        return " ".join(words[:2]), words[2:]
    return words[0], words[1:]


def _parse(default: "Command | type[Command]", name: str, words: list[str]) -> "Command":
    """Turn words into a verb's arguments; tyro's own boxed messages become one sentence."""
    import tyro

    def read() -> "Command":
        if isinstance(default, type):
            return tyro.cli(default, prog=f"darla {name}", args=words)
        return tyro.cli(type(default), default=default, prog=f"darla {name}", args=words)

    if not {"-h", "--help"}.isdisjoint(words):
        return read()
    box = _Screen()
    try:
        with contextlib.redirect_stdout(_Screen()), contextlib.redirect_stderr(box):
            return read()
    except SystemExit:
        raise InputError(_sentence(box.getvalue(), name)) from None


class _Screen(io.StringIO):
    """Where tyro draws its frames with box characters, which no argument holds; elsewhere it takes ASCII's."""

    encoding = "utf-8"


def _sentence(box: str, name: str) -> str:
    """Take the frame off one of tyro's messages and put what it says into one sentence."""
    lines = [line.strip("│─ ") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    text, _, after = " ".join(lines).partition("Perhaps you meant:")
    text = re.split("For full helptext|Argument helptext", text)[0].strip().rstrip(".")
    if match := re.search(r"invalid choice '(.*?)' for argument '(\S+?)'\. Expected one of \((.*)\)", text):
        value, option, known = match.groups()
        return str(unknown_name(f"value of {option}:", value, re.findall(r"'(.*?)'", known)))
    text = " ".join(text.split()) or "the arguments cannot be read"
    if refused := re.match(r"Error parsing (?:config[\w.]*|[A-Z]\w+): (.*)", text):
        return refused[1]  # a configuration's own sentence
    if text.startswith("Missing from"):
        needed = text.partition(":")[2]
        missing = re.findall(r"(?<!\S)--[\w.-]+", needed) or needed.split()[:1]
        text = f"{' and '.join(dict.fromkeys(missing))} must be given"
    close = [option for option in re.findall(r"(?<!\S)--[\w.-]+", after) if option != "--help"]
    meant = f"; did you mean {' or '.join(dict.fromkeys(close))}?" if close else ""
    start = text if text[:2].isupper() else f"{text[0].lower()}{text[1:]}"
    return f"{start}{meant} (darla {name} --help lists the options)"


def _explain(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the sentence for an error."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT, "stopped; the same command goes on where it stopped"
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE, ""
    if isinstance(error, DarlaError):
        return 2, _one_line(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" ({error.filename})" if error.filename else ""
        return 2, f"{_FULL[error.errno]}{where}; make room and give the same command again to go on"
    if isinstance(error, OSError):
        return 2, _one_line(error)
    if isinstance(error, MemoryError):
        return 2, "there is not enough memory; the same command goes on where it stopped"
    kind = type(error).__name__
    return (
        1,
        f"unexpected {kind}: {_one_line(error)}; DARLA_DEBUG=1 shows where, and a report of it would be welcome",
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {about}" for name, about in VERBS.items())
    return (
        f"darla {__version__}: zero-shot transfer in reinforcement learning through disentangled vision\n\n"
        f"usage: darla VERB ...\n\n{verbs}\n\n"
        "`darla VERB --help` lists a verb's options. New here? `darla doctor`, then `darla demo`."
    )


def _study_help() -> str:
    width = max(map(len, STUDY_VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {about}" for name, about in STUDY_VERBS.items())
    return f"usage: darla study VERB ...\n\n{verbs}\n\n`darla study VERB --help` lists a verb's options."


if __name__ == "__main__":
    sys.exit(main())
