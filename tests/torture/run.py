"""Try for a given time, count, and print the table: `make torture SECONDS=7200 SEED=0`."""

import argparse
import datetime
import os
import signal
import sys
import time
from pathlib import Path

for _folder in (Path(__file__).parent, Path(__file__).parent.parent / "helpers"):
    sys.path.insert(0, str(_folder))
os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")])  # for worker processes

import every_kind  # noqa: E402  (only now can it be found)
from trials import Kind, Tally, run, write  # noqa: E402
from workshop import workshop  # noqa: E402


def main() -> int:
    """Run, and return 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200.0, help="how long to try")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--out", type=Path, default=Path("build/torture"), help="folder of torture.json and torture.md")
    parser.add_argument("--only", nargs="*", default=[], help="kinds to try; all if none is named")
    parser.add_argument("--most", nargs="*", default=[], metavar="KIND=N", help="inputs after which a kind is done")
    given = parser.parse_args()
    kinds = every_kind.kinds()
    if wrong := set(given.only) - {kind.name for kind in kinds}:
        parser.error(f"no kind {sorted(wrong)}; there are {[kind.name for kind in kinds]}")
    kinds = [kind for kind in kinds if not given.only or kind.name in given.only]
    most = {name: int(number) for name, _, number in (each.rpartition("=") for each in given.most)}
    tally, start = Tally(), time.monotonic()
    about = {
        "command": f"make torture SECONDS={given.seconds:g} SEED={given.seed}",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    # Not SystemExit, by which a command under test may end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # What commands measure here is of no use to anybody.
    os.environ["DARLA_SPEEDS"] = str((given.out / "speeds").resolve())
    workshop()
    shown = 0.0
    try:
        for kind in run(kinds, tally, seconds=given.seconds, master=given.seed, most=most):
            write(tally, given.out, {**about, "seconds": round(time.monotonic() - start)})
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                _say(kind, tally, start)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        write(tally, given.out, {**about, "seconds": round(time.monotonic() - start)})
    print(tally.markdown())
    return 1 if tally.failed else 0


def _say(kind: Kind, tally: Tally, start: float) -> None:
    total = sum(tally.inputs.values())
    print(
        f"{time.monotonic() - start:6.0f} s  {total:7,} inputs  {tally.failed:5,} failed  now: {kind.name}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
