"""Builds components from source, each where it is out of date.

What the examples and the guests of the tests have in common: a folder to work in, Rust, and the
comparison of what a component is made from with what it was made from before.
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.setup import (
    DEBIAN_CARGO,
    DEBIAN_RUSTC,
    DEFAULT_FOLDER,
    BuildError,
    Toolchain,
    debian_packages_needed,
    digest_of_files,
    pinned_files,
    run,
    say,
)

ROOT = Path(__file__).resolve().parent.parent.parent

# Files of a source folder that no component is made of.
NO_INPUTS = ("README.md", "policy.yaml", "data/*", "*_test.*", "__pycache__/*")

RUSTC = str(DEBIAN_RUSTC) if DEBIAN_RUSTC.exists() else "rustc"
WASM_LINKER = "wasm-ld-19"
RUST_TARGET = "wasm32-unknown-unknown"
RUST_PACKAGES = {
    "rustc-web": [str(DEBIAN_RUSTC)],
    "cargo-web": [str(DEBIAN_CARGO)],
    "rust-web-src": ["/usr/lib/rustlib/src/rust/library/std/Cargo.toml"],
    "lld-19": ["/usr/bin/wasm-ld-19"],
}

# A command or a part of one.
Words = list[str | Path]


@dataclass(frozen=True)
class Workshop:
    """Where one component is built and with what."""

    name: str
    # The folder of its source.
    source: Path
    toolchain: Toolchain
    # A folder of its own for all that comes up on the way. It stays, so that compilers that keep
    # what they have done, such as cargo, are fast the next time.
    folder: Path

    @property
    def component(self) -> Path:
        """Where the component is made before it is moved to its place."""
        return self.folder / f"{self.name}.wasm"

    def step(self, message: str) -> None:
        """Says what is done now."""
        say(f"{self.name}: {message}")

    def run(
        self,
        *command: str | Path,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Runs a command in the source's folder or another one."""
        return run(list(command), folder or self.source, environment)

    def embed_world(self, core: Path) -> Path:
        """Writes the types of the world into a core module."""
        embedded = core.with_suffix(".embedded.wasm")
        embed: Words = [self.toolchain.wasm_tools, "component", "embed", self.source / "wit"]
        self.run(*embed, core, "--output", embedded)
        return embedded

    def make_component(self, core: Path, adapter: Path | None = None) -> None:
        """Makes the component of a core module that has its types embedded."""
        adapt = [] if adapter is None else ["--adapt", f"wasi_snapshot_preview1={adapter}"]
        new: Words = [self.toolchain.wasm_tools, "component", "new", core]
        self.run(*new, *adapt, "--output", self.component)


def require_debian_packages(name: str, packages: dict[str, list[str]]) -> None:
    """Fails with the command that installs what is missing."""
    missing = debian_packages_needed(packages)
    if missing:
        raise BuildError(f"{name} needs Debian packages: apt-get install {' '.join(missing)}")


def copy_rust_project(workshop: Workshop, *parts: str) -> Path:
    """Copies parts of the source to where cargo works on it, so that more can be put in."""
    project = workshop.folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    for part in ("Cargo.toml", "Cargo.lock", *parts):
        copy = shutil.copytree if (workshop.source / part).is_dir() else shutil.copy2
        copy(workshop.source / part, project / part)
    return project


def build_rust(workshop: Workshop, project: Path, package: str) -> None:
    """Makes the component of a Rust library, which has of the outside what its world imports."""
    is_debian = workshop.toolchain.cargo == DEBIAN_CARGO
    if is_debian:
        require_debian_packages(workshop.name, RUST_PACKAGES)
    workshop.step("compiling with cargo (the first time also Rust's standard library)")
    # One for all, for the sake of the standard library.
    target = workshop.toolchain.folder / "cargo-target"
    cargo = ["build", "--locked", "--release", "--quiet", "--target", RUST_TARGET, "-p", package]
    # Places in the source, which panics would print, are paths of the machine that built it.
    environment = workshop.toolchain.cargo_environment | {
        "CARGO_TARGET_DIR": str(target),
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": "-Zlocation-detail=none",
    }
    if is_debian:
        # Debian has no compiled standard library for this target, but its source.
        cargo += ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]
        environment["CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER"] = WASM_LINKER
    try:
        workshop.run(workshop.toolchain.cargo, *cargo, folder=project, environment=environment)
    except BuildError as error:
        if is_debian:
            raise
        raise BuildError(
            f"{error}\nThis cargo may lack the target: rustup target add {RUST_TARGET},"
            f" or apt-get install {' '.join(RUST_PACKAGES)}"
        ) from error
    workshop.make_component(target / RUST_TARGET / "release" / f"{package}.wasm")


@dataclass(frozen=True)
class Recipe:
    """How one component is built, and which programs of the machine decide what comes out."""

    name: str
    # The folder of its source.
    source: Path
    # Builds workshop.component and returns the folder with its complete WIT.
    build: Callable[[Workshop], Path]
    compilers: list[list[str]] = field(default_factory=list)


def digest_of_inputs(recipe: Recipe, belljar: Path | None) -> str:
    """A digest of all that the component follows from."""
    folder = recipe.source
    inputs = [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(file.relative_to(folder).match(pattern) for pattern in NO_INPUTS)
    ]
    program = Path(sys.argv[0]).resolve()
    parts = [
        digest_of_files(inputs, folder),
        digest_of_files([program, Path(__file__).resolve(), *pinned_files()], ROOT),
    ]
    for command in recipe.compilers:
        found = shutil.which(command[0])
        parts.append("none" if found is None else run([found, *command[1:]], ROOT))
    if belljar is not None:
        parts.append(hashlib.sha256(belljar.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def digest_of_output(component: Path) -> str | None:
    """A digest of a component, or None where there is none."""
    if not component.exists():
        return None
    return hashlib.sha256(component.read_bytes()).hexdigest()


def build(recipe: Recipe, out: Path, toolchain: Toolchain, belljar: Path | None) -> None:
    """Builds one component where it is out of date."""
    workshop = Workshop(recipe.name, recipe.source, toolchain, out / "work" / recipe.name)
    component = out / f"{recipe.name}.wasm"
    stamp = workshop.folder / "built.json"
    inputs = digest_of_inputs(recipe, belljar)
    built = json.loads(stamp.read_text()) if stamp.exists() else {}
    if built == {"inputs": inputs, "output": digest_of_output(component)}:
        workshop.step("up to date")
        return

    start = time.monotonic()
    workshop.folder.mkdir(parents=True, exist_ok=True)
    workshop.component.unlink(missing_ok=True)
    wit = recipe.build(workshop)
    if belljar is not None:
        workshop.step("putting the documentation in")
        workshop.run(belljar, "docs", "inject", wit, workshop.component)
    workshop.run(toolchain.wasm_tools, "validate", workshop.component)
    # Moved in one go: nobody ever sees half a component.
    workshop.component.replace(component)
    stamp.write_text(json.dumps({"inputs": inputs, "output": digest_of_output(component)}))
    kibibytes = component.stat().st_size / 1024
    workshop.step(f"built, {kibibytes:,.0f} KiB in {time.monotonic() - start:.1f} s")


def main(what: str, recipes: list[Recipe], folder: Path) -> int:
    """Builds what the command line asks for."""
    by_name = {recipe.name: recipe for recipe in recipes}
    names = sorted(by_name)
    parser = argparse.ArgumentParser(description=f"Builds {what}.")
    parser.add_argument("--out", type=Path, default=folder, help="where the components go")
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}"
    )
    parser.add_argument(
        "--toolchain", type=Path, default=DEFAULT_FOLDER, help="where the build tools are kept"
    )
    parser.add_argument(
        "--belljar", type=Path, metavar="PROGRAM", help="puts the WIT documentation in with this"
    )
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    belljar = None if arguments.belljar is None else arguments.belljar.resolve()
    toolchain = Toolchain(arguments.toolchain.resolve())
    out.mkdir(parents=True, exist_ok=True)
    toolchain.folder.mkdir(parents=True, exist_ok=True)
    try:
        if belljar is not None and not belljar.is_file():
            raise BuildError(f"--belljar: there is no program {belljar}")
        # Two builds at once would write over each other's work.
        with (toolchain.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for name in arguments.only or names:
                build(by_name[name], out, toolchain, belljar)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
