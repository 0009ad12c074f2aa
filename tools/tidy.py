"""Runs clang-tidy over the C++: python3 tools/tidy.py [--jobs N] [FILE ...]

A file that was clean is not looked at again until something changes that could matter: the file,
what it includes of this tree, its compile command, .clang-tidy, or clang-tidy itself. What is
remembered lies in build/tidy-cache, and can be deleted at any time.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "tidy"
CACHE = ROOT / "build" / "tidy-cache"
TIDY = "clang-tidy-19"
FOLDERS = ("src", "tests", "bench", "fuzz")
INCLUDE = re.compile(rb'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
PROGRESS_SECONDS = 15


class Tree:
    """The sources, each read and hashed once."""

    def __init__(self) -> None:
        self._digests: dict[Path, tuple[bytes, list[str]]] = {}
        self._lock = threading.Lock()

    def _look(self, file: Path) -> tuple[bytes, list[str]]:
        with self._lock:
            if file not in self._digests:
                content = file.read_bytes()
                names = [name.decode() for name in INCLUDE.findall(content)]
                self._digests[file] = (hashlib.sha256(content).digest(), names)
            return self._digests[file]

    def digest(self, file: Path, folders: list[Path]) -> str:
        """A digest of a file and of all that it includes, found in these folders."""
        total = hashlib.sha256()
        waiting, seen = [file], {file}
        while waiting:
            current = waiting.pop()
            digest, names = self._look(current)
            total.update(str(current.relative_to(ROOT)).encode() + b"\0" + digest)
            for name in names:
                for folder in [current.parent, *folders]:
                    found = Path(os.path.normpath(folder / name))
                    if found.is_relative_to(ROOT) and found.is_file():
                        if found not in seen:
                            seen.add(found)
                            waiting.append(found)
                        break
        return total.hexdigest()


def include_folders(command: str, folder: str) -> list[Path]:
    """The folders that a compile command searches."""
    found = re.findall(r"(?:-I|-isystem)\s*(\S+)", command)
    return [Path(os.path.normpath(Path(folder) / name)) for name in found]


def configure() -> list[dict[str, str]]:
    """The compile commands of our own files, by clang."""
    done = subprocess.run(
        ["cmake", "--preset", "tidy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"cmake --preset tidy failed:\n{done.stdout}{done.stderr}")
    commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    ours: dict[str, dict[str, str]] = {}
    for entry in commands:
        file = Path(entry["file"])
        if file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in FOLDERS:
            ours.setdefault(entry["file"], entry)
    return [ours[file] for file in sorted(ours)]


def check(entry: dict[str, str], key: str) -> str | None:
    """What clang-tidy says of a file, or None where it is clean."""
    done = subprocess.run(
        [TIDY, "--quiet", "-p", BUILD, entry["file"]],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return done.stdout + done.stderr
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / key).touch()
    return None


def main() -> int:
    """Checks all files, or some."""
    parser = argparse.ArgumentParser(description="Runs clang-tidy over what has changed.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    entries = configure()
    wanted = {str(file.resolve()) for file in options.files}
    if wanted - {entry["file"] for entry in entries}:
        parser.error("not a source of the build: " + ", ".join(wanted))
    version = subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout
    rules = (ROOT / ".clang-tidy").read_text(encoding="utf-8")
    tree = Tree()
    waiting: list[tuple[dict[str, str], str]] = []
    known: set[str] = set()
    for entry in entries:
        command = entry["command"].replace(str(ROOT), "")
        folders = include_folders(entry["command"], entry["directory"])
        text = "\0".join([version, rules, command, tree.digest(Path(entry["file"]), folders)])
        key = hashlib.sha256(text.encode()).hexdigest()
        known.add(key)
        if (not wanted or entry["file"] in wanted) and not (CACHE / key).exists():
            waiting.append((entry, key))
    print(f"{len(waiting)} of {len(entries)} files have changed", flush=True)

    failed = 0
    shown = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = {pool.submit(check, entry, key): entry["file"] for entry, key in waiting}
        for number, future in enumerate(concurrent.futures.as_completed(work), 1):
            said = future.result()
            if said is not None:
                failed += 1
                print(said, flush=True)
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                print(f"{number} of {len(waiting)}", flush=True)
    if CACHE.is_dir() and not failed:
        # Only what holds for the tree as it is now is worth remembering.
        for remembered in CACHE.iterdir():
            if remembered.name not in known:
                remembered.unlink()
    print(f"{len(waiting) - failed} files are clean, {failed} are not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
