"""Runs the steps of ./check, and writes down what each cost.

./check [--list | --ledger] [STEP ...]

A step's output goes to build/check/STEP.log and is shown where the step fails, with the command
that runs it alone. Steps that need one that failed are left out; the others still run. --ledger
puts the times of this run into CONTRIBUTING.md.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "check"
LEDGER = ("<!-- ledger -->", "<!-- /ledger -->")
HEARTBEAT_SECONDS = 20
SHOWN_LINES = 150
BELLJAR = "build/release/bin/belljar"


@dataclass(frozen=True)
class Step:
    """One step: a shell command, run in the root of the tree."""

    name: str
    what: str
    command: str
    needs: tuple[str, ...] = ()


STEPS = [
    Step("packages", "Debian packages", "tools/install-packages test"),
    Step("format", "clang-format, for C++", "tools/lint format"),
    Step("python", "Python compiles without warnings", "tools/lint python"),
    Step("shell", "shellcheck", "tools/lint shell"),
    Step(
        "build",
        "release: engine, library, programs, tests",
        "cmake --preset release -DBELLJAR_TESTS=ON -DBELLJAR_BENCH=ON"
        " && cmake --build --preset release",
        needs=("packages",),
    ),
    Step(
        "examples",
        "five example tools",
        f"python3 tools/build_examples.py --belljar {BELLJAR}",
        needs=("build",),
    ),
    Step(
        "tests",
        "unit tests, attacks, layers, outside consumer",
        "ctest --preset release --parallel 2 --label-exclude package",
        needs=("examples",),
    ),
    Step("e2e", "MCP clients, command line", "python3 tests/e2e/run.py", needs=("examples",)),
    Step(
        "wasi01",
        "WASI 0.1 in two engines",
        f"python3 tests/wasi01/run.py --belljar {BELLJAR}",
        needs=("examples",),
    ),
    Step(
        "documents",
        "the documents hold to the tree",
        f"python3 tools/check_promises.py && python3 tools/check_docs.py --belljar {BELLJAR}",
        needs=("build",),
    ),
    Step(
        "package",
        "the .deb, installed in a clean Debian",
        "ctest --preset release --label-regex package",
        needs=("build",),
    ),
    Step("quickstart", "./quickstart, warm", "./quickstart", needs=("examples",)),
    Step("engine-news", "point releases of the engine", "tools/engine-news"),
    Step("rust", "rustfmt and clippy", "tools/lint rust", needs=("build",)),
    Step("tidy", "clang-tidy", "python3 tools/tidy.py", needs=("build",)),
    Step(
        "sanitizers",
        "C++ tests under ASan and UBSan",
        "cmake --preset asan-ubsan && cmake --build --preset asan-ubsan"
        " && ctest --preset asan-ubsan --parallel 2 --label-exclude 'lint|attacks'",
        needs=("examples",),
    ),
    Step("fuzz", "a minute of fuzzing", "tools/fuzz --seconds 60", needs=("build",)),
]


@dataclass
class Ended:
    """How a step ended; without seconds it did not run."""

    step: Step
    passed: bool
    seconds: float | None


def say(text: str) -> None:
    """Prints at once, also into a pipe."""
    print(text, flush=True)


def closing_line(lines: list[str]) -> str:
    """The line of a log that sums it up."""
    for line in reversed(lines):
        if "tests passed" in line or " passed" in line:
            return line.strip()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def run_step(step: Step) -> Ended:
    """Runs one step, with a line now and then while it lasts."""
    say(f"==> {step.name}: {step.what}")
    LOGS.mkdir(parents=True, exist_ok=True)
    begin = shown = time.monotonic()
    lines: list[str] = []
    command = f"set -e -o pipefail; {step.command}"
    with (
        open(LOGS / f"{step.name}.log", "w", encoding="utf-8") as log,
        subprocess.Popen(
            ["bash", "-c", command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            lines.append(line.rstrip("\n"))
            if time.monotonic() - shown > HEARTBEAT_SECONDS:
                shown = time.monotonic()
                say(f"    {shown - begin:4.0f} s  {lines[-1][:100]}")
    seconds = time.monotonic() - begin
    passed = process.returncode == 0
    if passed:
        say(f"    {closing_line(lines)[:120]}\n    passed in {seconds:.0f} s")
    else:
        say("\n".join(lines[-SHOWN_LINES:]))
        say(f"    FAILED after {seconds:.0f} s. Alone: ./check {step.name}, which runs")
        say(f"      {step.command}")
        say(f"    All of its output: {(LOGS / f'{step.name}.log').relative_to(ROOT)}")
    return Ended(step, passed, seconds)


def run_steps(steps: list[Step]) -> list[Ended]:
    """Runs steps in order, without those that need one that failed."""
    ended: list[Ended] = []
    for step in steps:
        broken = [end.step.name for end in ended if not end.passed and end.step.name in step.needs]
        if broken:
            say(f"==> {step.name}: left out, for it needs {' and '.join(broken)}")
            ended.append(Ended(step, False, None))
        else:
            ended.append(run_step(step))
    return ended


def table(ended: list[Ended]) -> str:
    """The times of a run, in Markdown."""
    rows = ["| step | what | seconds |", "|---|---|---|"]
    for end in ended:
        cost = "left out" if end.seconds is None else f"{end.seconds:.0f}"
        mark = "" if end.passed or end.seconds is None else " (failed)"
        rows.append(f"| `{end.step.name}` | {end.step.what} | {cost}{mark} |")
    rows.append(f"| | all | {sum(end.seconds or 0 for end in ended):.0f} |")
    return "\n".join(rows)


def write_ledger(text: str) -> None:
    """Puts the table between its marks in CONTRIBUTING.md."""
    page = ROOT / "CONTRIBUTING.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition(LEDGER[0])
    _, end, after = rest.partition(LEDGER[1])
    if not mark or not end:
        raise SystemExit(f"{page} has no place for the table: {LEDGER[0]} … {LEDGER[1]}")
    page.write_text(f"{before}{mark}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> int:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(prog="check", description="Builds, tests and checks Belljar.")
    names = [step.name for step in STEPS]
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(names))
    parser.add_argument("--list", action="store_true", help="show the steps and their commands")
    parser.add_argument("--ledger", action="store_true", help="put the times in CONTRIBUTING.md")
    options = parser.parse_args()
    unknown = [name for name in options.steps if name not in names]
    if unknown:
        parser.error(f"no step is called {unknown[0]}; there are {', '.join(names)}")
    if options.list:
        for step in STEPS:
            say(f"{step.name:12} {step.command}")
        return 0
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    ended = run_steps([step for step in STEPS if not options.steps or step.name in options.steps])
    say(f"\n{table(ended)}\n")
    (LOGS / "times.md").write_text(table(ended) + "\n", encoding="utf-8")
    if options.ledger:
        write_ledger(table(ended))
    failed = [end.step.name for end in ended if not end.passed]
    if failed:
        say(f"Not passed: {shlex.join(failed)}")
    say(f"steps: {len(ended) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
