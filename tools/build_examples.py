"""Builds the example tools, from source to component.

python3 tools/build_examples.py [--out build/examples] [--only NAME ...]
                                [--toolchain build/toolchain] [--belljar PROGRAM]

Only what is out of date is built: the inputs are compared by their content. Every tool and library
is pinned. The components of C++, Rust and Go are the same byte by byte wherever they are built.
Those of JavaScript and Python hold an image of memory, in which a few times and hash seeds differ.
examples/README.md says what has to be installed.
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

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WIT_BINDGEN_VERSION = "0.63.0"

# Files of an example that no component is made of.
NO_INPUTS = ("README.md", "policy.yaml", "data/*", "*_test.*", "__pycache__/*")

CLANG = "clang-19"
CLANG_CPP = "clang++-19"
RUSTC = str(DEBIAN_RUSTC) if DEBIAN_RUSTC.exists() else "rustc"
WASM_LINKER = "wasm-ld-19"
CPP_PACKAGES = {
    "clang-19": ["/usr/bin/clang-19", "/usr/bin/clang++-19"],
    "lld-19": ["/usr/bin/wasm-ld-19"],
    "wasi-libc": ["/usr/lib/wasm32-wasi/libc.a"],
    "libc++-19-dev-wasm32": ["/usr/lib/llvm-19/lib/wasm32-wasi/libc++.a"],
    "libc++abi-19-dev-wasm32": ["/usr/lib/llvm-19/lib/wasm32-wasi/libc++abi.a"],
    "libclang-rt-19-dev-wasm32": [
        "/usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a"
    ],
}
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
    """Where one example is built and with what."""

    name: str
    toolchain: Toolchain
    # A folder of its own for all that comes up on the way. It stays, so that compilers that keep
    # what they have done, such as cargo, are fast the next time.
    folder: Path

    @property
    def source(self) -> Path:
        """The folder of the example."""
        return EXAMPLES / self.name

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
        """Runs a command in the example's folder or another one."""
        return run(list(command), folder or self.source, environment)

    def embed_world(self, core: Path) -> Path:
        """Writes the types of the example's world into a core module."""
        embedded = core.with_suffix(".embedded.wasm")
        embed: Words = [self.toolchain.wasm_tools, "component", "embed", self.source / "wit"]
        self.run(*embed, core, "--output", embedded)
        return embedded

    def make_component(self, core: Path, adapter: Path | None = None) -> None:
        """Makes the component of a core module that has its types embedded."""
        adapt = [] if adapter is None else ["--adapt", f"wasi_snapshot_preview1={adapter}"]
        new: Words = [self.toolchain.wasm_tools, "component", "new", core]
        self.run(*new, *adapt, "--output", self.component)


def build_csv_query(workshop: Workshop) -> Path:
    """C++ with clang and wasi-libc, on bindings that are kept in the tree."""
    require_debian_packages("csv-query", CPP_PACKAGES)
    check_bindings(workshop)
    common = ["--target=wasm32-wasi", "-Os"]
    warnings = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast"
    compile_c = [CLANG, *common]
    compile_cpp = [CLANG_CPP, *common, "-std=c++23", "-fno-exceptions", "-fno-rtti", "-Werror"]
    objects = []
    for source in sorted([*workshop.source.glob("*.cc"), *workshop.source.glob("gen/*.c")]):
        if source.stem.endswith("_test"):
            continue
        workshop.step(f"compiling {source.relative_to(workshop.source)}")
        compiled = workshop.folder / f"{source.stem}.o"
        compiler = compile_c if source.suffix == ".c" else [*compile_cpp, *warnings.split()]
        workshop.run(*compiler, "-c", source, "-o", compiled)
        objects.append(compiled)
    workshop.step("linking")
    core = workshop.folder / "core.wasm"
    link = [CLANG_CPP, *common, "-mexec-model=reactor", "-Wl,--strip-all"]
    workshop.run(*link, *objects, "-o", core)
    workshop.make_component(workshop.embed_world(core), workshop.toolchain.reactor_adapter)
    return workshop.source / "wit"


def check_bindings(workshop: Workshop) -> None:
    """Compares the bindings in the tree with fresh ones, where the generator is installed."""
    program = shutil.which("wit-bindgen")
    if program is None or WIT_BINDGEN_VERSION not in workshop.run(program, "--version"):
        workshop.step(
            f"no wit-bindgen {WIT_BINDGEN_VERSION} to check gen/ with; taking it as it is"
        )
        return
    generate = ["wit-bindgen", "c", "--no-object-file", "--out-dir", "gen", "wit"]
    try:
        workshop.run(*generate, "--check")
    except BuildError as error:
        raise BuildError(
            f"{error}\nexamples/csv-query/gen does not belong to its wit folder. In"
            f" examples/csv-query, run: {' '.join(generate)}"
        ) from error


def build_fetch(workshop: Workshop) -> Path:
    """Rust for wasm32-unknown-unknown: what it needs of the outside it gets from WASI 0.2 alone."""
    is_debian = workshop.toolchain.cargo == DEBIAN_CARGO
    if is_debian:
        require_debian_packages("fetch", RUST_PACKAGES)
    # Cargo gets a copy, so that the WIT packages of WASI can lie where the macro looks for them.
    project = workshop.folder / "project"
    for name in ("src", "wit"):
        shutil.rmtree(project / name, ignore_errors=True)
        shutil.copytree(workshop.source / name, project / name)
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy2(workshop.source / name, project)
    shutil.copytree(workshop.toolchain.wasi_wit, project / "wit" / "deps")

    workshop.step("compiling with cargo (the first time also Rust's standard library)")
    target = workshop.folder / "target"
    cargo = ["build", "--locked", "--release", "--quiet", "--target", "wasm32-unknown-unknown"]
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
            f"{error}\nThis cargo may lack the target: rustup target add wasm32-unknown-unknown,"
            f" or apt-get install {' '.join(RUST_PACKAGES)}"
        ) from error
    workshop.make_component(target / "wasm32-unknown-unknown" / "release" / "fetch.wasm")
    return project / "wit"


def build_text_tools(workshop: Workshop) -> Path:
    """Go, with an adapter of its own that answers all that Go asks of WASI."""
    workshop.step("compiling with go (the first time also Go's standard library)")
    core = workshop.folder / "core.wasm"
    toolchain = workshop.toolchain
    environment = {
        "GOOS": "wasip1",
        "GOARCH": "wasm",
        "GOTOOLCHAIN": "local",
        # Without -modcacherw the folder could not be deleted like any other.
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOPATH": str(toolchain.folder / "go"),
        "GOCACHE": str(toolchain.folder / "go" / "cache"),
        "CGO_ENABLED": "0",
    }
    link = ["-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="]
    workshop.run(toolchain.go, "build", *link, "-o", core, ".", environment=environment)
    adapter = workshop.folder / "closed_world.wasm"
    workshop.run(toolchain.wasm_tools, "parse", "closed_world.wat", "--output", adapter)
    workshop.make_component(workshop.embed_world(core), adapter)
    return workshop.source / "wit"


def build_markdown(workshop: Workshop) -> Path:
    """JavaScript: one bundle with the library, run by QuickJS."""
    modules = workshop.toolchain.node_modules
    node = workshop.toolchain.node
    bundle = workshop.folder / "markdown.bundle.js"
    workshop.step("bundling with esbuild")
    # Without --minify-whitespace the bundle has comments with the paths of its parts.
    form = ["--bundle", "--format=esm", "--target=es2022", "--minify-whitespace"]
    esbuild: Words = [node, modules / "esbuild" / "bin" / "esbuild", *form]
    # The packages lie in no folder above the source, where esbuild would find them by itself.
    environment = {"NODE_PATH": str(modules)}
    workshop.run(*esbuild, "markdown.js", f"--outfile={bundle}", environment=environment)
    workshop.step("making a component with componentize-qjs")
    world: Words = ["--world", "markdown", "--wit", workshop.source / "wit"]
    # All that a component of text needs: no promises, and no WASI at all.
    make: Words = ["--sync", "--stub-wasi", "--js", bundle, "--output", workshop.component]
    workshop.run(node, modules / "componentize-qjs" / "bin" / "componentize-qjs", *world, *make)
    return workshop.source / "wit"


def build_stats(workshop: Workshop) -> Path:
    """Python: the program and CPython, as they are once all is imported."""
    # A copy, since what lies in the folder gets into the component: no tests, no leftovers.
    program = workshop.folder / "program"
    shutil.rmtree(program, ignore_errors=True)
    program.mkdir()
    for source in workshop.source.glob("*.py"):
        if not source.stem.endswith("_test"):
            shutil.copy2(source, program)
    workshop.step("making a component with componentize-py")
    world: Words = ["--wit-path", workshop.source / "wit", "--world", "stats"]
    make: Words = ["componentize", "app", "--python-path", program, "--output", workshop.component]
    workshop.run(workshop.toolchain.componentize_py, *world, *make, folder=program)
    return workshop.source / "wit"


def require_debian_packages(example: str, packages: dict[str, list[str]]) -> None:
    """Fails with the command that installs what is missing."""
    missing = debian_packages_needed(packages)
    if missing:
        raise BuildError(f"{example} needs Debian packages: apt-get install {' '.join(missing)}")


@dataclass(frozen=True)
class Example:
    """One example: how it is built, and which programs of the machine decide what comes out."""

    name: str
    # Builds workshop.component and returns the folder with the complete WIT of the example.
    build: Callable[[Workshop], Path]
    compilers: list[list[str]] = field(default_factory=list)


EXAMPLES_BY_NAME = {
    example.name: example
    for example in (
        Example("csv-query", build_csv_query, [[CLANG, "--version"]]),
        Example("fetch", build_fetch, [[RUSTC, "--version"]]),
        Example("text-tools", build_text_tools),
        Example("markdown", build_markdown),
        Example("stats", build_stats),
    )
}


def digest_of_inputs(example: Example, belljar: Path | None) -> str:
    """A digest of all that the component follows from."""
    folder = EXAMPLES / example.name
    inputs = [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(file.relative_to(folder).match(pattern) for pattern in NO_INPUTS)
    ]
    parts = [
        digest_of_files(inputs, folder),
        digest_of_files([Path(__file__).resolve(), *pinned_files()], ROOT),
    ]
    for command in example.compilers:
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


def build(example: Example, out: Path, toolchain: Toolchain, belljar: Path | None) -> None:
    """Builds one example where it is out of date."""
    workshop = Workshop(example.name, toolchain, out / "work" / example.name)
    component = out / f"{example.name}.wasm"
    stamp = workshop.folder / "built.json"
    inputs = digest_of_inputs(example, belljar)
    built = json.loads(stamp.read_text()) if stamp.exists() else {}
    if built == {"inputs": inputs, "output": digest_of_output(component)}:
        workshop.step("up to date")
        return

    start = time.monotonic()
    workshop.folder.mkdir(parents=True, exist_ok=True)
    workshop.component.unlink(missing_ok=True)
    wit = example.build(workshop)
    if belljar is not None:
        workshop.step("putting the documentation in")
        workshop.run(belljar, "docs", "inject", wit, workshop.component)
    workshop.run(toolchain.wasm_tools, "validate", workshop.component)
    # Moved in one go: nobody ever sees half a component.
    workshop.component.replace(component)
    stamp.write_text(json.dumps({"inputs": inputs, "output": digest_of_output(component)}))
    kibibytes = component.stat().st_size / 1024
    workshop.step(f"built, {kibibytes:,.0f} KiB in {time.monotonic() - start:.1f} s")


def main() -> int:
    """Builds what the command line asks for."""
    names = sorted(EXAMPLES_BY_NAME)
    parser = argparse.ArgumentParser(description="Builds the example tools.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "examples", help="where the components go"
    )
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
                build(EXAMPLES_BY_NAME[name], out, toolchain, belljar)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
