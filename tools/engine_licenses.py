"""Writes the licenses of the crates that the engine links, for those who get it as a program.

python3 tools/engine_licenses.py --cargo CARGO --out FILE

The texts come from the crates themselves, as cargo has unpacked them to build the engine. Equal
texts are written once, with the crates that they hold for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parent.parent / "engine"
TARGET = "x86_64-unknown-linux-gnu"
LICENSE_FILE = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def linked_crates(cargo: Path) -> list[dict]:
    """The packages that go into the engine on Linux: not those that only build or test it."""
    command = [cargo, "metadata", "--locked", "--offline", "--format-version", "1"]
    command += ["--filter-platform", TARGET, "--manifest-path", ENGINE / "Cargo.toml"]
    compiler = cargo.parent / "rustc"
    environment = os.environ | ({"RUSTC": str(compiler)} if compiler.exists() else {})
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    metadata = json.loads(output.stdout)
    edges = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    reached: set[str] = set()
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in reached:
            continue
        reached.add(package)
        for dependency in edges[package]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    reached.discard(metadata["resolve"]["root"])
    crates = [package for package in metadata["packages"] if package["id"] in reached]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def license_texts(crate: dict) -> list[str]:
    """The texts of the license files that a crate carries."""
    folder = Path(crate["manifest_path"]).parent
    files = [file for file in sorted(folder.iterdir()) if LICENSE_FILE.match(file.name)]
    return [file.read_text(encoding="utf-8", errors="replace").strip() for file in files
            if file.is_file()]  # fmt: skip


def main() -> int:
    """Writes the file."""
    parser = argparse.ArgumentParser(description="Writes the licenses of the engine's crates.")
    parser.add_argument("--cargo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    crates = linked_crates(options.cargo)
    texts: dict[str, list[str]] = {}
    lines = ["The engine of Belljar contains these crates:", ""]
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        if not crate["license"]:
            print(f"{name} does not say what its license is", file=sys.stderr)
            return 1
        lines.append(f"{name}: {crate['license']}")
        for text in license_texts(crate):
            texts.setdefault(text, []).append(name)
    for text, names in texts.items():
        lines += ["", "-" * 80, "For " + ", ".join(names) + ":", "", text]
    new = options.out.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
