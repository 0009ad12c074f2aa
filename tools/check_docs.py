"""Holds the documents to the tree and the program: python3 tools/check_docs.py --belljar PROGRAM

- links between documents lead to files and headings that exist;
- paths of this tree that stand in code quotes exist (a star stands for any name), unless "new"
  stands before them;
- JSON and TOML blocks parse, and `belljar.toml` in docs/mcp.md is one that the program takes; C++ blocks compile against include/;
- in docs/policy.md, each YAML block is a policy that `belljar policy check` takes, or one that it
  refuses with the words of the block's first line (`# error: …`); each line of a `grants` block is
  a grant that `belljar grant` takes;
- commands that stand in `sh` blocks are commands of the program, with options that it has.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TREE_PATH = re.compile(r"(new )?`((?:src|engine|include|tests|tools|docs|cmake|examples|bench|fuzz)/[\w./*+-]*)`")


class Checker:
    def __init__(self, belljar: Path, folder: Path):
        self.belljar = belljar
        self.folder = folder
        self.environment = os.environ | {"BELLJAR_HOME": str(folder / "home")}
        self.wrong: list[str] = []
        self.options: dict[str, str] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([str(self.belljar), *arguments], env=self.environment,
                              cwd=self.folder, capture_output=True, text=True, check=False)

    def page(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
        for target in LINK.findall(prose):
            self.link(path, name, target)
        for added, found in TREE_PATH.findall(prose):
            if found in ("tools/list", "tools/call"):  # methods of MCP
                continue
            # An example's page speaks of its own folder.
            exists = any(list(start.glob(found.rstrip("/"))) for start in (ROOT, path.parent))
            if added and exists:
                self.wrong.append(f"{name}: {found} is said to be new, and is in the tree")
            elif not added and not exists:
                self.wrong.append(f"{name}: {found} is not in the tree")
        for block in FENCE.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            self.block(f"{name}:{line}", block[1], block[2])

    def link(self, page: Path, name: str, target: str) -> None:
        if re.match(r"[a-z]+:", target):
            return
        file, _, heading = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            self.wrong.append(f"{name}: the link {target} leads nowhere")
        elif heading and heading not in headings(path):
            self.wrong.append(f"{name}: {target} has no such heading")

    def block(self, where: str, language: str, text: str) -> None:
        try:
            if language == "json":
                json.loads(text)
            elif language == "toml":
                tomllib.loads(text)
        except ValueError as error:
            self.wrong.append(f"{where}: {error}")
        if language == "toml" and where.startswith("docs/mcp.md"):
            self.configuration(where, text)
        elif language == "cpp":
            self.compile(where, text)
        elif language == "sh":
            self.commands(where, text)
        elif language == "yaml" and where.startswith("docs/policy.md"):
            self.policy(where, text)
        elif language == "grants":
            self.grants(where, text)

    def configuration(self, where: str, text: str) -> None:
        folder = self.folder / "configured"
        (folder / "config").mkdir(parents=True)
        (folder / "config/belljar.toml").write_text(text, encoding="utf-8")
        for file in re.findall(r'"([\w-]+\.yaml)"', text):
            (folder / "config" / file).write_text('version: "1.1"\npermissions: {}\n',
                                                  encoding="utf-8")
            (folder / "config" / file).chmod(0o600)
        result = subprocess.run([str(self.belljar), "list"], capture_output=True, text=True,
                                env=os.environ | {"BELLJAR_HOME": str(folder)}, check=False)
        if result.returncode != 0:
            self.wrong.append(f"{where}: {result.stderr.strip()}")

    def compile(self, where: str, text: str) -> None:
        source = self.folder / "example.cc"
        source.write_text(text, encoding="utf-8")
        result = subprocess.run(["g++", "-std=c++23", "-Wall", "-Wextra", "-Werror",
                                 f"-I{ROOT / 'include'}", "-fsyntax-only", str(source)],
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            self.wrong.append(f"{where}: does not compile:\n{result.stderr}")

    def policy(self, where: str, text: str) -> None:
        file = self.folder / "policy.yaml"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        result = self.run("policy", "check", "policy.yaml")
        expected = re.match(r"# error: (.+)\n", text)
        if expected is None and result.returncode != 0:
            self.wrong.append(f"{where}: {result.stderr.strip()}")
        elif expected is not None and expected[1] not in result.stderr:
            self.wrong.append(f"{where}: the program says: {result.stderr.strip() or 'nothing'}")

    def grants(self, where: str, text: str) -> None:
        component = self.folder / "nothing.wat"
        component.write_text("(component)\n", encoding="utf-8")
        # A folder is granted as it is there.
        (self.folder / "data").mkdir(exist_ok=True)
        for line in text.splitlines():
            result = self.run("grant", str(component), line.strip())
            if result.returncode != 0:
                self.wrong.append(f"{where}: {line}: {result.stderr.strip()}")

    def commands(self, where: str, text: str) -> None:
        lines = text.replace("\\\n", " ").splitlines()
        for line in lines:
            words = re.match(r"(?:[A-Z_]+=\S+ )*(?:\S*/)?belljar ([a-z]+)(.*)", line.split(" #")[0])
            if words is None:
                continue
            command, rest = words.groups()
            if command not in self.options:
                result = self.run("help", command)
                self.options[command] = result.stdout if result.returncode == 0 else ""
            if not self.options[command] and command != "--version":
                self.wrong.append(f"{where}: belljar has no command {command}")
                continue
            for option in re.findall(r"(?<=\s)--[a-z-]+(?=[\s=]|$)", rest):
                if option not in self.options[command]:
                    self.wrong.append(f"{where}: belljar {command} has no option {option}")


def headings(path: Path) -> set[str]:
    """The anchors that a page's headings make."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        anchors.add(plain.replace(" ", "-"))
    return anchors


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks the documents.")
    parser.add_argument("--belljar", type=Path, default=ROOT / "build/release/bin/belljar")
    arguments = parser.parse_args()
    pages = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")) + sorted(
        ROOT.glob("tests/**/*.md")) + sorted(ROOT.glob("examples/**/README.md"))
    with tempfile.TemporaryDirectory(prefix="belljar-docs-") as folder:
        checker = Checker(arguments.belljar.resolve(), Path(folder))
        for page in pages:
            checker.page(page)
    for problem in checker.wrong:
        print(problem, file=sys.stderr)
    return 1 if checker.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
