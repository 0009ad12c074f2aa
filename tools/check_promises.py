"""Holds SPECIFICATION.md to the tests that exist: python3 tools/check_promises.py [--write]

Every promise names its proof: rows of the attack table (`A29`: any test whose suite or name begins
with it), tests of GoogleTest (`Suite.Test`), or files of this tree (`tools/check_layers.py`). The
last cell says how much of that is there: tested, partly with the rows that are missing, or open.
A promise that names a test or file that does not exist is an error; `--write` puts the last cells
right where tests have come or gone.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "SPECIFICATION.md"
TEST = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
ROW = re.compile(r"^\| (\d+\.\d+) \| (.+?) \| (.+?) \| (.*?) \|$")
ATTACK = re.compile(r"^A(?:0[1-9]|[1-8]\d|9[0-4])$")
TEST_NAME = re.compile(r"^[A-Z]\w*\.\w+$")


def find_tests() -> tuple[set[str], set[str]]:
    """The names of all tests, and the rows of the attack table that some test carries."""
    names: set[str] = set()
    rows: set[str] = set()
    for folder in ("src", "tests"):
        for path in sorted((ROOT / folder).rglob("*_test.cc")):
            for suite, test in TEST.findall(path.read_text(encoding="utf-8")):
                names.add(f"{suite}.{test}")
                rows |= {found[1] for found in (re.match(r"(A\d\d)(?!\d)", suite),
                                                re.match(r"(A\d\d)(?!\d)", test)) if found}
        for path in sorted((ROOT / folder).rglob("*_test.py")) + sorted(
                (ROOT / folder).rglob("test_*.py")):
            rows |= set(re.findall(r"^\s*def test_(a\d\d)_", path.read_text(encoding="utf-8"),
                                   re.MULTILINE | re.IGNORECASE))
    return names, {row.upper() for row in rows}


def state_of(proofs: list[str], rows: set[str]) -> str:
    """What the last cell has to say."""
    missing = [proof for proof in proofs if ATTACK.match(proof) and proof not in rows]
    if not missing:
        return "tested"
    return "open" if len(missing) == len(proofs) else "partly: " + ", ".join(missing)


def check(text: str) -> tuple[list[str], str]:
    """What is wrong with the page, and the page with its last cells put right."""
    names, rows = find_tests()
    wrong: list[str] = []
    numbers: set[str] = set()
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if not re.match(r"^\|\s*\d", line):
            continue
        where = f"SPECIFICATION.md:{index + 1}"
        row = ROW.match(line)
        if row is None:
            wrong.append(f"{where}: not a row of number, promise, proof and state")
            continue
        number, promise, proof, state = row.groups()
        if number in numbers:
            wrong.append(f"{where}: {number} is there twice")
        numbers.add(number)
        proofs = re.findall(r"`([^`]+)`", proof)
        if not proofs:
            wrong.append(f"{where}: {number} names no proof")
        for name in proofs:
            if ATTACK.match(name):
                continue
            if TEST_NAME.match(name):
                if name not in names:
                    wrong.append(f"{where}: {number} names the test {name}, which does not exist")
            elif not (ROOT / name).exists():
                wrong.append(f"{where}: {number} names {name}, which does not exist")
        right = state_of(proofs, rows)
        if state != right:
            wrong.append(f"{where}: {number} says \"{state}\", and the tests say \"{right}\": "
                         "python3 tools/check_promises.py --write")
            lines[index] = f"| {number} | {promise} | {proof} | {right} |"
    if not numbers:
        wrong.append("SPECIFICATION.md has no promises")
    return wrong, "\n".join(lines) + "\n"


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    wrong, right = check(text)
    if "--write" in sys.argv[1:] and right != text:
        PAGE.write_text(right, encoding="utf-8")
        wrong, _ = check(right)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
