"""Holds the includes to the layers: python3 tools/check_layers.py [--root FOLDER | --self-test]

- A folder of src/ includes only what its line in `LAYERS` names; ARCHITECTURE.md has the same table
  with the reasons.
- The public headers include the standard library and each other, nothing else.
- No C++ names Wasmtime, and the bridge between the two languages is included by src/engine alone.

The self-test makes a small tree for each rule that breaks it, and fails if that goes unnoticed.
"""

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lowest first: what a folder may use, besides itself and the public headers.
LAYERS: dict[str, set[str]] = {
    "support": set(),
    "policy": {"support"},
    "engine": {"support", "policy"},
    "store": {"support", "policy"},
    "audit": {"support", "store"},
    "host": {"support", "policy", "engine", "store", "audit"},
    "artifact": {"support", "policy", "engine", "store", "audit", "host"},
    "toolbox": {"support", "policy", "engine", "store", "audit", "host", "artifact"},
    "mcp": {"support", "policy", "host", "audit", "toolbox"},
    "runtime": {
        "support", "policy", "engine", "store", "audit", "host", "artifact", "toolbox", "mcp",
    },
    "cli": {
        "support", "policy", "engine", "store", "audit", "artifact", "toolbox", "runtime",
    },
}  # fmt: skip
# Files that stand above all folders.
PROGRAMS: dict[str, set[str]] = {"src/main.cc": {"cli", "store", "support"}}
BRIDGE = re.compile(r"belljar_engine/|belljar-engine/|rust/cxx\.h|bridge\.rs\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
ENGINE_NAME = re.compile(r"wasmtime|cranelift", re.IGNORECASE)
# The benchmarks are not among them: they run the engine alone, to compare.
UNNAMED = ("src", "include", "tests", "fuzz")


@dataclass(frozen=True)
class Finding:
    """One line that breaks a rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def check_include(path: str, target: str, quoted: bool) -> str | None:
    """What is wrong with one include of one file of src/ or include/, or None."""
    parts = path.split("/")
    if parts[0] == "include":
        if quoted and not target.startswith("belljar/"):
            return f'a public header includes "{target}"; it may use only <…> and "belljar/…"'
        if not quoted and ("/" in target or "." in target):
            return f"a public header includes <{target}>, which is not of the standard library"
        return None
    if BRIDGE.search(target):
        if parts[1] != "engine":
            return f'"{target}" is the bridge to the engine; only src/engine includes it'
        return None
    layer = target.split("/")[0]
    if not quoted or layer == "belljar":
        return None
    # What unit tests of several layers share stands in tests/testing.
    if layer == "testing" and path.endswith("_test.cc"):
        return None
    if path in PROGRAMS:
        allowed, name = PROGRAMS[path], path
    elif len(parts) > 2 and parts[1] in LAYERS:
        allowed, name = LAYERS[parts[1]] | {parts[1]}, f"src/{parts[1]}"
    else:
        return f"src/{parts[1]} is in no layer; give it a line in tools/check_layers.py"
    if layer not in LAYERS:
        return f'"{target}" names no layer; quoted includes begin with a folder of src/'
    if layer not in allowed:
        return f'{name} may not include "{target}": {layer} is not below it'
    return None


def check_tree(root: Path) -> tuple[list[Finding], int]:
    """All that is wrong in a tree, and how many includes were looked at."""
    findings: list[Finding] = []
    includes = 0
    for folder in ("src", "include"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in {".cc", ".h"}:
                continue
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                includes += 1
                message = check_include(path, found[2], found[1] == '"')
                if message:
                    findings.append(Finding(path, number, message))
    for folder in UNNAMED:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in {".cc", ".h"}:
                continue
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if ENGINE_NAME.search(line):
                    findings.append(Finding(path, number, "names the engine outside engine/"))
    return findings, includes


# For each rule: a file that keeps to it, one that does not, and a word of the message.
BROKEN = [
    ("src/toolbox/a.cc", '#include "mcp/b.h"\n', "not below it"),
    ("src/policy/a.cc", '#include "store/b.h"\n', "not below it"),
    ("src/support/a.h", '  # include "policy/b.h"\n', "not below it"),
    ("src/mcp/a_test.cc", '#include "runtime/b.h"\n', "not below it"),
    ("src/new/a.cc", '#include "support/b.h"\n', "in no layer"),
    ("src/support/a.cc", '#include "a.h"\n', "names no layer"),
    ("src/host/a.cc", '#include "belljar-engine/src/bridge.rs.h"\n', "bridge"),
    ("src/toolbox/a.cc", '#include <belljar_engine/host.h>\n', "bridge"),
    ("include/belljar/a.h", "#include <nlohmann/json.hpp>\n", "standard library"),
    ("include/belljar/a.h", '#include "support/b.h"\n', "public header"),
    ("src/host/a.h", "// As Wasmtime does it.\n", "names the engine"),
    ("tests/attacks/a_test.cc", "using wasmtime::Store;\n", "names the engine"),
]
KEPT = [
    ("src/toolbox/a.cc", '#include "toolbox/a.h"\n\n#include <vector>\n#include "host/b.h"\n'),
    ("src/engine/a.cc", '#include "belljar-engine/src/bridge.rs.h"\n#include "policy/b.h"\n'),
    ("include/belljar/a.h", '#include <vector>\n#include "belljar/b.h"\n'),
    ("src/main.cc", '#include "cli/command_line.h"\n'),
    ("engine/src/lib.rs", "use wasmtime::Engine;\n"),
]


def check_itself() -> list[str]:
    """The rules that do not hold what they should, or hold too much."""
    problems = []
    for path, text, word in [*BROKEN, *((path, text, "") for path, text in KEPT)]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            findings, _ = check_tree(Path(folder))
            if word and not any(word in finding.message for finding in findings):
                problems.append(f"{path} with {text.strip()!r} should be refused ({word})")
            if not word and findings:
                problems.append(f"{path} should pass, but: {findings[0]}")
    return problems


def main() -> int:
    """Checks a tree, or the rules themselves."""
    parser = argparse.ArgumentParser(description="Holds the includes to the layers.")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--self-test", action="store_true", help="break each rule on purpose")
    options = parser.parse_args()
    if options.self_test:
        problems = check_itself()
        print("\n".join(problems) or f"{len(BROKEN)} broken and {len(KEPT)} kept rules noticed")
        return 1 if problems else 0
    findings, includes = check_tree(options.root.resolve())
    print("\n".join(map(str, findings)) or f"{includes} includes keep to the layers")
    if includes == 0:
        print("no include was found: is this the right folder?")
    return 1 if findings or includes == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
