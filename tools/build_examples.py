"""Builds the example tools, from source to component.

python3 tools/build_examples.py [--out build/examples] [--only NAME ...]
                                [--toolchain build/toolchain] [--belljar PROGRAM]

Only what is out of date is built: the inputs are compared by their content. Every tool and library
is pinned. The components of C++, Rust and Go are the same byte by byte wherever they are built.
Those of JavaScript and Python hold an image of memory, in which a few times and hash seeds differ.
examples/README.md says what has to be installed.
"""

import shutil
import sys
from pathlib import Path

from toolchain.setup import BuildError
from toolchain.workshop import (
    ROOT,
    RUSTC,
    Recipe,
    Words,
    Workshop,
    build_rust,
    copy_rust_project,
    main,
    require_debian_packages,
)

EXAMPLES = ROOT / "examples"
WIT_BINDGEN_VERSION = "0.63.0"

CLANG = "clang-19"
CLANG_CPP = "clang++-19"
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
    project = copy_rust_project(workshop, "src", "wit")
    # The WIT packages of WASI lie where the macro looks for them.
    shutil.copytree(workshop.toolchain.wasi_wit, project / "wit" / "deps")
    build_rust(workshop, project, "fetch")
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


RECIPES = [
    Recipe("csv-query", EXAMPLES / "csv-query", build_csv_query, [[CLANG, "--version"]]),
    Recipe("fetch", EXAMPLES / "fetch", build_fetch, [[RUSTC, "--version"]]),
    Recipe("text-tools", EXAMPLES / "text-tools", build_text_tools),
    Recipe("markdown", EXAMPLES / "markdown", build_markdown),
    Recipe("stats", EXAMPLES / "stats", build_stats),
]

if __name__ == "__main__":
    sys.exit(main("the example tools", RECIPES, ROOT / "build" / "examples"))
