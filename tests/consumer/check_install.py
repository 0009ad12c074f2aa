"""Installs Belljar, moves what was installed, and uses it from outside.

python3 tests/consumer/check_install.py --build build/release --work FOLDER

- What is installed does not know where it was built or first installed, and is stripped.
- The library shows what its headers declare, and nothing else.
- A program outside the tree finds it by find_package, registers an interface of its own and makes
  a call that uses it.
- The program that was moved compiles and calls a component, describes itself, and its manual page
  and completions are without fault.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHOWN = ("belljar::Runtime", "belljar::RunningCall", "BELLJAR_0")
PROGRAMS = ("bin/belljar", "libexec/belljar/belljar-compiler")


class Failure(Exception):
    """Something that is not as it should be."""


def run(*command: str | Path, **variables: str | Path) -> str:
    """The standard output of a command that must end with 0."""
    words = [str(word) for word in command]
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)}\nended with {done.returncode}:\n{done.stdout}"
                      f"{done.stderr}")  # fmt: skip
    return done.stdout


def must(holds: bool, message: str) -> None:
    """Fails with a message where something does not hold."""
    if not holds:
        raise Failure(message)


def install_and_move(build: Path, work: Path) -> Path:
    """A prefix that is not where it was installed."""
    first, moved = work / "first", work / "moved here"
    shutil.rmtree(work, ignore_errors=True)
    run("cmake", "--install", build, "--prefix", first, "--strip")
    first.rename(moved)
    return moved


def check_files(prefix: Path, build: Path, work: Path) -> None:
    """What is there, and that it leads nowhere else."""
    for file in sorted(prefix.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        content = file.read_bytes()
        name = file.relative_to(prefix)
        for place in (build, work):
            must(str(place).encode() not in content, f"{name} contains the path {place}")
        if content.startswith(b"\x7fELF"):
            sections = run("readelf", "--sections", "--wide", file)
            must(".debug_info" not in sections and ".symtab" not in sections,
                 f"{name} is not stripped")  # fmt: skip
            dynamic = run("readelf", "-d", file)
            must("RUNPATH" not in dynamic or "[$ORIGIN" in dynamic,
                 f"{name} looks for libraries in a fixed place:\n{dynamic}")  # fmt: skip


def check_symbols(library: Path) -> None:
    """The library shows its public classes alone."""
    shown = [line.split(maxsplit=2)[2] for line in
             run("nm", "-DC", "--defined-only", library).splitlines()]  # fmt: skip
    must(any(name.startswith("belljar::Runtime::create") for name in shown),
         "the library does not show belljar::Runtime::create")  # fmt: skip
    for name in shown:
        must(any(word in name for word in SHOWN), f"the library shows {name}")


def check_consumer(prefix: Path, work: Path) -> None:
    """Builds and runs the program in this folder."""
    build = work / "consumer"
    run("cmake", "-S", HERE, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=g++",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wshadow -Werror")  # fmt: skip
    run("cmake", "--build", build)
    said = run(build / "stock-keeper", HERE / "reorder.wat", work / "home of the consumer")
    must("granted: 42" in said, f"the consumer said:\n{said}")
    print(said, end="")


def check_program(prefix: Path, work: Path) -> None:
    """The program works where it is now, and what it says of itself can be used."""
    belljar = prefix / "bin" / "belljar"
    home = work / "home of the program"
    version = run(belljar, "--version", BELLJAR_HOME=home)
    must(version.startswith("belljar "), f"--version says {version!r}")
    adder = work / "adder.wat"
    adder.write_text("""(component
      (core module $m (func (export "add") (param i32 i32) (result i32)
        local.get 0 local.get 1 i32.add))
      (core instance $i (instantiate $m))
      (func (export "add") (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $i "add"))))""")
    sum_ = run(belljar, "call", adder, "add", "a=40", "b=2", BELLJAR_HOME=home).strip()
    must(sum_ == "42", f"40 + 2 is {sum_}")

    share = prefix / "share"
    page = share / "man/man1/belljar.1.gz"
    manual = run("man", "--warnings", "-l", page, MANPAGER="cat", MAN_KEEP_FORMATTING="", LC_ALL="C")
    must("NAME" in manual and "belljar" in manual, "the manual page says nothing")
    faults = subprocess.run(["man", "--warnings", "-l", page], env=os.environ | {"LC_ALL": "C"},
                            capture_output=True, text=True, check=False).stderr  # fmt: skip
    must(not faults, f"the manual page has faults:\n{faults}")
    completion = share / "bash-completion/completions/belljar"
    run("bash", "-n", completion)
    words = run("bash", "-c", f'source "{completion}"; complete -p belljar')
    must("belljar" in words, f"bash completes nothing for belljar: {words}")
    for shell, file in (("zsh", "zsh/vendor-completions/_belljar"),
                        ("fish", "fish/vendor_completions.d/belljar.fish")):  # fmt: skip
        must((share / file).stat().st_size > 1000, f"the completion for {shell} is empty")
        if shutil.which(shell):
            run(shell, "-n", share / file)


def main() -> int:
    """Runs all checks, or says which one failed."""
    parser = argparse.ArgumentParser(description="Uses an installed Belljar from outside.")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    build, work = options.build.resolve(), options.work.resolve()
    try:
        prefix = install_and_move(build, work)
        check_files(prefix, build, work)
        check_symbols(prefix / "lib" / "libbelljar.so")
        check_consumer(prefix, work)
        check_program(prefix, work)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
