"""Compares WASI 0.1 as Belljar does it with WASI 0.1 as Wasmtime does it.

python3 tests/wasi01/run.py [--belljar PROGRAM] [--work FOLDER] [--write] [SCENARIO ...]

Builds the scenarios of programs/ and languages/ (guests.py), runs each in both engines, and compares
what they print, line by line. Differences have to be those that differences.json lists, each with its
authority. The table in README.md is made of both; --write puts it right.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from guests import Scenario, build_languages, build_scenarios  # noqa: E402
from toolchain.setup import BuildError, install_python_packages  # noqa: E402

README = HERE / "README.md"
MARKS = ("<!-- scenarios -->", "<!-- /scenarios -->")


class Belljar:
    """Runs scenarios by `belljar run`, as a person does."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program = program
        self.environment = os.environ | {"BELLJAR_HOME": str(home)}

    def run(self, scenario: Scenario, folder: Path) -> str:
        """What a scenario printed, and its exit code."""
        policy = folder.parent / "policy.yaml"
        policy.write_text(
            f'version: "1.1"\npermissions:\n  storage:\n    allow:\n'
            f'      - {{uri: "fs://{folder}", access: [read, write], guest: /, hardlinks: allow}}\n',
            encoding="utf-8",
        )
        command = [self.program, "run", scenario.module, "--policy", policy]
        for key, value in scenario.variables.items():
            command += ["--grant", f"environment={key}={value}"]
        command += ["--", *scenario.words]
        ended = subprocess.run(
            command,
            env=self.environment,
            input="",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        printed = ended.stdout
        if ended.returncode not in (0, 33):
            printed += ended.stderr
        return f"{printed}ended with {ended.returncode}\n"


def run_elsewhere(python: Path, scenarios: list[Scenario], work: Path) -> list[str]:
    """What the scenarios print in Wasmtime."""
    tasks = []
    for scenario in scenarios:
        folder = work / scenario.name
        scenario.prepare(folder / "data")
        tasks.append(
            {
                "module": str(scenario.module),
                "folder": str(folder),
                "variables": scenario.variables,
                "words": scenario.words,
            }
        )
    ended = subprocess.run(
        [python, HERE / "other_engine.py"],
        input=json.dumps(tasks),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise BuildError("the other engine failed")
    return json.loads(ended.stdout)


def compare(belljar: Belljar, python: Path, scenarios: list[Scenario]) -> dict[str, list[str]]:
    """The lines in which the engines differ, by scenario: `-` is Belljar's, `+` Wasmtime's."""
    differences: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as work:
        others = run_elsewhere(python, scenarios, Path(work) / "others")
        for scenario, other in zip(scenarios, others, strict=True):
            folder = Path(work) / "own" / scenario.name / "data"
            scenario.prepare(folder)
            own = belljar.run(scenario, folder)
            lines = difflib.unified_diff(own.splitlines(), other.splitlines(), n=0, lineterm="")
            changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
            if changed:
                differences[scenario.name] = changed
    return differences


def table(scenarios: list[Scenario], known: dict[str, dict]) -> str:
    """The table of the README."""
    lines = ["| program | what it is for | Belljar and Wasmtime |", "|---|---|---|"]
    for scenario in scenarios:
        result = "the same"
        if scenario.name in known:
            told = known[scenario.name]
            parts = [f"`{line}`" for line in told["lines"]]
            result = f"{' '.join(parts)}: {told['authority']}"
        lines.append(f"| `{scenario.name}` | {scenario.purpose} | {result} |")
    return "\n".join(lines)


def check_table(text: str, write: bool) -> bool:
    """Whether the README has this table; puts it there if it may."""
    page = README.read_text(encoding="utf-8")
    before, rest = page.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    right = f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}"
    if page == right:
        return True
    if write:
        README.write_text(right, encoding="utf-8")
    return write


def main() -> int:
    """Builds, runs, compares."""
    parser = argparse.ArgumentParser(description="Compares WASI 0.1 in two engines.")
    build_folder = ROOT / "build"
    parser.add_argument("--belljar", type=Path, default=build_folder / "release/bin/belljar")
    parser.add_argument("--work", type=Path, default=build_folder / "wasi01")
    parser.add_argument("--write", action="store_true", help="put the table in README.md right")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        python = install_python_packages(work / "python", HERE / "requirements.txt")
        belljar = Belljar(arguments.belljar.resolve(), work / "home")
        scenarios = build_scenarios(belljar.program, work) + build_languages(work)
        chosen = [one for one in scenarios if one.name in (arguments.scenarios or [one.name])]
        found = compare(belljar, python, chosen)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    known = json.loads((HERE / "differences.json").read_text(encoding="utf-8"))
    wrong = 0
    for scenario in chosen:
        listed = known.get(scenario.name, {}).get("lines", [])
        if found.get(scenario.name, []) != listed:
            wrong += 1
            print(f"{scenario.name}: {scenario.purpose}")
            print("\n".join(f"    {line}" for line in found.get(scenario.name, ["(the same now)"])))
    if not arguments.scenarios and not check_table(table(scenarios, known), arguments.write):
        wrong += 1
        print("the table in README.md is another: tests/wasi01/run.py --write")
    print(f"{len(chosen) - wrong} of {len(chosen)} passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
