"""Holds tests/attacks/README.md to the tests that exist: python3 tools/check_attacks.py

Every id from A01 to A94 is in the table once. A row that says "tested" or "partly" has a test named
after it in the file that it names; one that says "open" has none, and says why.
"""

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "attacks"
IDS = [f"A{number:02}" for number in range(1, 95)]
ROW = re.compile(r"^\| *(A\d\d) *\|([^|]*)\| *(tested|partly|open) *\|([^|]*)\|$")
TEST = re.compile(r"^TEST(?:_[FP])?\((A\d\d)\w*, *\w+\)", re.MULTILINE)
FILE = re.compile(r"`(\w+_test\.cc)`")


def tested_rows() -> dict[str, set[str]]:
    """The ids that have tests, with the files that hold them."""
    found: dict[str, set[str]] = {}
    for path in sorted(FOLDER.glob("*_test.cc")):
        for name in TEST.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(path.name)
    return found


def problems() -> list[str]:
    """Everything in which the table and the tests differ."""
    wrong: list[str] = []
    tests = tested_rows()
    rows: dict[str, tuple[str, str]] = {}
    for number, line in enumerate((FOLDER / "README.md").read_text("utf-8").splitlines(), 1):
        if not re.match(r"^\| *A\d", line):
            continue
        row = ROW.match(line)
        if row is None:
            wrong.append(f"README.md:{number}: not a row of four cells with a known state: {line}")
        elif row[1] in rows:
            wrong.append(f"README.md:{number}: {row[1]} is there twice")
        else:
            rows[row[1]] = (row[3], row[4])
    wrong += [f"{name} is not in the table" for name in IDS if name not in rows]
    wrong += [f"{name} is no attack that is known" for name in rows | tests if name not in IDS]
    for name, (state, note) in rows.items():
        named = set(FILE.findall(note))
        if state == "open":
            if name in tests:
                wrong.append(f"{name} is said to be open, but {sorted(tests[name])} test it")
            if not note.strip():
                wrong.append(f"{name} is open and does not say why")
        elif named != tests.get(name, set()):
            wrong.append(
                f"{name} names {sorted(named)}, but its tests are in {sorted(tests.get(name, set()))}"
            )
        elif state == "partly" and not FILE.sub("", note).strip(" :;,"):
            wrong.append(f"{name} is tested partly and does not say what is missing")
    return wrong


def main() -> int:
    found = problems()
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
