"""Builds the components that the tests call, from source.

python3 tools/build_guests.py [--out build/guests] [--only NAME ...]
                              [--toolchain build/toolchain] [--belljar PROGRAM]

Only what is out of date is built; see build_examples.py, which needs the same packages.
"""

import shutil
import sys
from pathlib import Path

from toolchain.setup import run
from toolchain.workshop import ROOT, RUSTC, Recipe, Workshop, build_rust, copy_rust_project, main

GUESTS = ROOT / "tests" / "guests"
PACKAGES = ("checks", "command", "types")


def build_guest(workshop: Workshop) -> Path:
    """A package of the cargo workspace tests/guests."""
    project = copy_rust_project(workshop, *PACKAGES)
    package = project / workshop.name
    checks = project / "checks"
    run([sys.executable, checks / "generate.py", checks], project)
    if workshop.name == "command":
        shutil.copytree(workshop.toolchain.wasi_wit, package / "wit" / "deps")
    build_rust(workshop, project, workshop.name)
    return package / "wit"


RECIPES = [Recipe(name, GUESTS, build_guest, [[RUSTC, "--version"]]) for name in PACKAGES]

if __name__ == "__main__":
    sys.exit(main("the guests of the tests", RECIPES, ROOT / "build" / "guests"))
