"""Tests `belljar` from the outside: the official MCP clients, the command line, the examples.

python3 tests/e2e/run.py [--belljar PROGRAM] [--examples FOLDER] [--work FOLDER] [PYTEST ARG ...]

Wants the program and the examples built. Installs the clients, pinned, on the first run. With
--rewrite, the transcripts in the READMEs of the examples are written anew.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from toolchain.setup import (  # noqa: E402
    DEFAULT_FOLDER,
    BuildError,
    Toolchain,
    install_npm_packages,
    install_python_packages,
)

EXAMPLES = ("csv-query", "fetch", "markdown", "stats", "text-tools")
DRIVERS = ("python_sdk.py", "typescript_sdk.mjs")


def warm_up(belljar: Path, examples: Path, home: Path) -> None:
    """Compiles the examples into a cache that every test starts with."""
    for name in EXAMPLES:
        component = examples / f"{name}.wasm"
        if not component.is_file():
            raise BuildError(f"{component} is missing: python3 tools/build_examples.py")
        inspected = subprocess.run(
            [belljar, "inspect", component],
            env=os.environ | {"BELLJAR_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        if inspected.returncode != 0:
            raise BuildError(f"belljar inspect {component} failed:\n{inspected.stderr}")


def main() -> int:
    """Installs, warms up and runs."""
    parser = argparse.ArgumentParser(description="Tests belljar from the outside.")
    build = ROOT / "build"
    parser.add_argument("--belljar", type=Path, default=build / "release" / "bin" / "belljar")
    parser.add_argument("--examples", type=Path, default=build / "examples")
    parser.add_argument("--work", type=Path, default=build / "e2e")
    arguments, for_pytest = parser.parse_known_args()
    belljar, examples, work = (
        path.resolve() for path in (arguments.belljar, arguments.examples, arguments.work)
    )
    try:
        if not belljar.is_file():
            raise BuildError(f"there is no program {belljar}: build it first")
        node = Toolchain(DEFAULT_FOLDER).node
        python = install_python_packages(work / "python", HERE / "requirements.txt")
        clients = install_npm_packages(node, HERE / "clients", work / "npm").parent
        for driver in DRIVERS:
            shutil.copy(HERE / "clients" / driver, clients)
        warm_up(belljar, examples, work / "home")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.environ |= {
        "BELLJAR_PROGRAM": str(belljar),
        "BELLJAR_EXAMPLES": str(examples),
        "BELLJAR_CLIENTS": str(clients),
        "BELLJAR_NODE": str(node),
        "BELLJAR_WARM_HOME": str(work / "home"),
    }
    # Every test has a state folder with the examples compiled in it: 90 MB that only a failure needs.
    keep = ["-o", "tmp_path_retention_policy=failed", "-o", "tmp_path_retention_count=1"]
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *keep]
    command += for_pytest or ["-n", "auto"]
    return subprocess.run([*command, "--rootdir", HERE, HERE], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
