"""Builds the guests of these tests: the scenarios in C, and a program in each of some other languages.

What was built is kept, and built anew if a source is newer.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.setup import (
    DEBIAN_CARGO,
    DEFAULT_FOLDER,
    BuildError,
    Toolchain,
    install_npm_packages,
)

HERE = Path(__file__).resolve().parent
C_FLAGS = ("--target=wasm32-wasi", "-Wall", "-Wextra", "-Werror")
RUST_TARGET = "wasm32-wasip1"
VARIABLES = {"a": "text", "b": 'a "quoted" text', "c": "x=y"}
TEXTS = {"a.txt": "one two, two three-four five\n", "b.txt": "six seven eight\n" * 20_000}


@dataclass(frozen=True)
class Scenario:
    """A program of ours, and what it is started with."""

    name: str
    purpose: str
    module: Path
    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def prepare(self, folder: Path) -> None:
        """Makes the folder that it is granted."""
        folder.mkdir(parents=True)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def run(command: list[str | Path], folder: Path, changes: dict[str, str] | None = None) -> str:
    """Runs a command; what it printed."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (changes or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        words = " ".join(map(str, command))
        raise BuildError(f"{words} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def is_older(module: Path, sources: Path) -> bool:
    """Whether a module has to be built."""
    newest = max(path.stat().st_mtime for path in sources.iterdir())
    return not module.is_file() or module.stat().st_mtime < newest


def build_scenarios(belljar: Path, work: Path) -> list[Scenario]:
    """The scenarios in C: one module, which lists them."""
    sources = HERE / "programs"
    module = work / "scenarios.wasm"
    if is_older(module, sources):
        files = sorted(sources.glob("*.c"))
        run(["clang-19", *C_FLAGS, "-O1", "-std=gnu2x", *files, "-o", module], sources)
    listed = run([belljar, "run", module], work, {"BELLJAR_HOME": str(work / "home")})
    scenarios = []
    for name, purpose in sorted(line.split("\t") for line in listed.splitlines()):
        words, variables = [name], {}
        if name.endswith("multiple_arguments"):
            words += ["first", 'the "second"', "3"]
        if name.endswith("multiple_variables"):
            variables = VARIABLES
        if name == "environ_get_multiple_variables":
            words += list(VARIABLES)
        scenarios.append(Scenario(name, purpose, module, words, variables))
    return scenarios


def build_go(toolchain: Toolchain, module: Path) -> None:
    """With Go's own compiler, whose runtime takes the memory in pieces of 4 MiB."""
    for_wasi = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    run([toolchain.go, "build", "-o", module, "."], HERE / "languages" / "go", for_wasi)


def build_cpp(_: Toolchain, module: Path) -> None:
    """With clang and Debian's libc++, which is built without exceptions."""
    flags = [*C_FLAGS, "-Os", "-std=c++20", "-fno-exceptions"]
    run(["clang++-19", *flags, "main.cc", "-o", module], HERE / "languages" / "cpp")


def build_assemblyscript(toolchain: Toolchain, module: Path) -> None:
    """With AssemblyScript's compiler, in a copy beside its packages."""
    source = HERE / "languages" / "assemblyscript"
    packages = install_npm_packages(toolchain.node, source, module.parent / "assemblyscript")
    shutil.copy(source / "main.ts", packages.parent)
    compiler = packages / "assemblyscript" / "bin" / "asc.js"
    flags = ["-O2", "--runtime", "incremental", "--use", "abort=main/abort"]
    run([toolchain.node, compiler, "main.ts", *flags, "-o", module], packages.parent)


def build_rust(toolchain: Toolchain, module: Path) -> None:
    """With Debian's rustc, which has the standard library as source, or another that has it built."""
    target = toolchain.folder / "cargo-target"
    command = [toolchain.cargo, "build", "--locked", "--release", "--quiet", "--target", RUST_TARGET]
    environment = toolchain.cargo_environment | {"CARGO_TARGET_DIR": str(target)}
    if toolchain.cargo == DEBIAN_CARGO:
        command += ["-Zbuild-std=std,panic_abort"]
        environment |= {
            "RUSTC_BOOTSTRAP": "1",
            # With clang and Debian's wasi-libc, which has an older name for the target.
            "CARGO_TARGET_WASM32_WASIP1_LINKER": "clang-19",
            "RUSTFLAGS": "-Clink-self-contained=no -Clink-arg=--target=wasm32-wasi",
        }
    run(command, HERE / "languages" / "rust", environment)
    shutil.copy(target / RUST_TARGET / "release" / "words.wasm", module)


LANGUAGES = {
    "assemblyscript": (build_assemblyscript, "the names of a folder, and 40,000 texts that are kept"),
    "cpp": (build_cpp, "words counted with libc++, and 24 MiB that are kept"),
    "go": (build_go, "words counted with regexp, json and goroutines, and 48 MiB that are kept"),
    "rust": (build_rust, "words counted with std, and files made, moved and removed"),
}


def build_languages(work: Path) -> list[Scenario]:
    """A program in each language."""
    toolchain = Toolchain(DEFAULT_FOLDER)
    scenarios = []
    for language, (build, purpose) in LANGUAGES.items():
        module = work / f"{language}.wasm"
        if is_older(module, HERE / "languages" / language):
            build(toolchain, module)
        scenarios.append(Scenario(f"language_{language}", purpose, module, [], {}, TEXTS))
    return scenarios
