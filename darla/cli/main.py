"""The command line: `darla VERB ...`, one verb for each stage (`darla.cli.verbs`).

Every error is one sentence on stderr. Exit codes:

    0    done
    1    `darla doctor` found that this machine cannot run darla; or a bug in darla
    2    an argument, file or task that cannot be used, a training that diverged, a worker that died, a full disk
    130  stopped with Ctrl-C

DARLA_DEBUG=1 shows the traceback as well.
"""

import contextlib
import difflib
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from darla import __version__
from darla.cli.hints import known_elsewhere
from darla.cli.verbs import VERBS, help_lines
from darla.common.errors import (
    DarlaError,
    InputError,
    UserCodeError,
    is_fault_of_user,
    is_out_of_memory,
    unknown_name,
    user_code_error,
)

if TYPE_CHECKING:
    from darla.cli.command import Command

_HELP = ("-h", "--help")
_GROUPS = tuple(dict.fromkeys(verb.split()[0] for verb in VERBS if " " in verb))
"""What verbs of two words begin with."""
_DISK_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file is larger than the file system or a limit allows",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows `darla`; the process's own arguments if None.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb, _ = _split_verb(words)
    name = f"darla {verb}" if verb in VERBS or verb in _GROUPS else "darla"
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
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"darla {__version__}")
        return 0
    name, options = _split_verb(words)
    if name in _GROUPS:
        if not options or options[0] in _HELP:
            print(_group_help(name))
            return 0
        following = [verb.removeprefix(f"{name} ") for verb in VERBS if verb.startswith(f"{name} ")]
        raise unknown_name(f"verb after `darla {name}`:", options[0], following)
    if name not in VERBS:
        raise unknown_name("verb", name, {verb.split()[0] for verb in VERBS})
    command = parse(name, options)
    from darla.common.tracking.trackers import chosen_tracker, tracking  # imports NumPy, which help does without

    with tracking(command.track or chosen_tracker()):
        return command.run()


def _split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the verb, which is two words where the first is of `_GROUPS`, and what follows it."""
    if " ".join(words[:2]) in VERBS:
        return " ".join(words[:2]), list(words[2:])
    return " ".join(words[:1]), list(words[1:])


def parse(name: str, words: list[str]) -> "Command":
    """Return the command that a command line describes.

    Args:
        name: in `VERBS`.
        words: what follows it.

    Raises:
        InputError: the options cannot be used; a message of tyro becomes one sentence.
        SystemExit: help was printed.
    """
    import tyro  # not at the top: `darla --help` and `darla --version` do without it

    command = VERBS[name].load()
    default = command.with_presets(words)

    def read(description: str | None = None) -> "Command":
        if default is None:
            return tyro.cli(command, prog=f"darla {name}", description=description, args=words)
        return tyro.cli(command, default=default, prog=f"darla {name}", description=description, args=words)

    if not {"-h", "--help"}.isdisjoint(words):
        from darla.cli.expected_time import description

        return read(description(name, command, default))
    box = _Screen()
    try:
        with contextlib.redirect_stdout(_Screen()), contextlib.redirect_stderr(box):
            return read()
    except SystemExit:
        raise InputError(_sentence(box.getvalue(), name, words, _left_out(command, words))) from None


def _left_out(command: "type[Command]", words: Sequence[str]) -> list[str]:
    """Return the positional arguments that may be given several times, if none can have been: tyro asks for none."""
    before_options = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return list(command.at_least_one) if before_options <= command.positional else []


class _Screen(io.StringIO):
    """A UTF-8 buffer, so that tyro draws its boxes with box characters, which do not occur in arguments."""

    encoding = "utf-8"


def _sentence(box: str, name: str, words: Sequence[str], left_out: Sequence[str]) -> str:
    """Turn one of tyro's boxed messages about `words` into one sentence; what is missing includes `left_out`.

    tyro 1.0 has no public way to get at an error: it prints the box and exits (`console_outputs=False` exits silently).
    `tyro._errors.on_parse_error` gives structured events, but is private, declared unstable, and missing from older
    releases of 1.0. tests/cli has every kind of message, so a release of tyro that words them differently is noticed.
    """
    rows = [line.strip("│").rstrip() for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    whole = " ".join(row.strip(" ─") for row in rows)
    text = (
        re.split("Perhaps you meant:|Arguments similar to|For full helptext|Argument helptext", whole)[0]
        .strip()
        .rstrip(".")
    )
    text = " ".join(text.split()) or "the arguments cannot be read"
    if match := re.search(r"invalid choice '(.*?)' for argument '(\S+?)'\. Expected one of \((.*)\)", text):
        value, option, choices = match.groups()
        return str(unknown_name(f"value of {option}:", value, re.findall(r"'(.*?)'", choices)))
    if match := re.match(r"Error parsing (?:config[\w.-]*|[A-Z]\w+): (.*)", text):
        return match[1]  # raised by a configuration's own checks
    if match := re.match(r"Error parsing (\S+): .*(int\(\)|to float).*: '(.*)'", text):
        kind = "a whole number" if match[2] == "int()" else "a number"
        return f"{match[1]} is {match[3]!r}, but must be {kind}"
    if match := re.match(r"Missing value for argument '(\S+?)'", text):
        argument = match[1]
        text = f"{argument} needs a value" if argument.startswith("-") else f"{argument.upper()} must be given"
        if f"--{argument}" in words:
            text = f"unrecognized options: --{argument}; {text} without it"
    elif text.startswith("Missing from"):
        missing = _missing(rows)
        options = [each for each in missing if each.startswith("-")]
        *others, last = [each for each in missing if each not in options] + [*left_out, *options]
        text = f"{', '.join(others)}{' and ' if others else ''}{last} must be given"
        if unrecognized := " ".join(row.strip() for row in rows).partition("Unrecognized options: ")[2].split(" ─")[0]:
            text = f"unrecognized options: {', '.join(unrecognized.split())}; {text}"
    close = _close(whole, rows)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    start = text if text[:2].isupper() else f"{text[0].lower()}{text[1:]}"
    return f"{start}{hint} (darla {name} --help lists the options)"


def _close(whole: str, rows: Sequence[str]) -> list[str]:
    """Return the options that tyro suggests for unknown ones; of several for one of several, the closest."""
    asked = re.findall(r"Arguments similar to (--\S+):", whole)
    if not asked:
        _, _, suggestions = whole.partition("Perhaps you meant:")
        listed = re.findall(r"(?<!\S)--[\w.-]+", suggestions)
        return [option for option in dict.fromkeys(listed) if option != "--help"]
    suggested = [option for row in rows if re.match(r" {5}--", row) for option in re.findall(r"--[\w.-]+", row)]
    closest = [difflib.get_close_matches(option, suggested, n=1) for option in sorted(asked)]
    return list(dict.fromkeys(option for each in closest for option in each))


def _missing(rows: Sequence[str]) -> list[str]:
    """Return the names below tyro's `Missing from`, where their help is indented further."""
    names: list[str] = []
    for row in rows:
        if row.strip().startswith("─"):
            break
        if match := re.match(r" {5}(\S+)", row):
            names.append(match[1])
    return list(dict.fromkeys(names))


def _explain(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the sentence for an error."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT, "stopped; the same command resumes where it stopped"
    if isinstance(error, BrokenPipeError):
        # The reader of our output has closed the pipe. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE, ""
    if isinstance(error, UserCodeError):
        return 2, f"{_one_line(error)}; DARLA_DEBUG=1 shows the traceback"
    if isinstance(error, DarlaError):
        sentence = _one_line(error)
        more = known_elsewhere(sentence)
        return 2, f"{sentence}{' ' if sentence.endswith('?') else '; '}{more}" if more else sentence
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        where = f" ({error.filename})" if error.filename else ""
        return 2, f"{_DISK_FULL[error.errno]}{where}; free some space, and the same command resumes where it stopped"
    if isinstance(error, OSError) and (error.errno == errno.EROFS or "tfevents" in str(error.filename)):
        from darla.common.files import why_not_written  # not at the top: it imports NumPy

        # What darla writes says so itself; TensorBoard, and the libraries below, do not.
        return 2, f"could not write {error.filename}: {why_not_written(error)}"
    if isinstance(error, OSError):
        return 2, _one_line(error)
    if is_out_of_memory(error):
        return 2, "there is not enough memory; the same command resumes where it stopped"
    if is_fault_of_user(error, in_ours=True):
        return 2, f"{user_code_error('your code failed', error)}; DARLA_DEBUG=1 shows the traceback"
    kind = type(error).__name__
    return (
        1,
        f"unexpected {kind}: {_one_line(error)}; this is a bug in darla: please report it with the traceback, which "
        "DARLA_DEBUG=1 shows",
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _help() -> str:
    return (
        f"darla {__version__}: zero-shot transfer in reinforcement learning through disentangled vision\n\n"
        f"usage: darla VERB ...\n\n{help_lines()}\n\n"
        "`darla VERB --help` lists a verb's options. New here? Try `darla doctor`, then `darla demo --preset tiny`."
    )


def _group_help(group: str) -> str:
    return (
        f"usage: darla {group} VERB ...\n\n{help_lines(f'{group} ')}\n\n"
        f"`darla {group} VERB --help` lists a verb's options."
    )


if __name__ == "__main__":
    sys.exit(main())
