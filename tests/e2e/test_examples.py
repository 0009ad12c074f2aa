"""The examples as their READMEs show them.

What stands between <!-- transcript --> and <!-- /transcript --> is what a reader sees who types the
commands there, one after the other, in the root of the repository, with everything built and
nothing loaded or granted yet. Ids of requests, times and the like are replaced by ones that stay.
Run with --rewrite, this writes it.
"""

import functools
import getpass
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import PATIENCE_SECONDS
from conftest import BELLJAR, COMPONENTS, EXAMPLES, Home

NAMES = ("csv-query", "fetch", "markdown", "stats", "text-tools")
TRANSCRIPT = re.compile(r"<!-- transcript -->\n(.*?)<!-- /transcript -->", re.DOTALL)
# How large a component is, as `belljar inspect` says it.
SIZE = re.compile(r"\b\d+(?:\.\d+)? [KM]iB(?=, a (?:component|core module))")
PROMPT = "$ "
INDENT = "    "

every_example = pytest.mark.parametrize("name", NAMES)


def commands_of(transcript: str) -> list[str]:
    """The commands of a transcript, with the lines that go on after a backslash."""
    commands: list[str] = []
    goes_on = False
    for line in transcript.splitlines():
        text = line.removeprefix(INDENT)
        if goes_on:
            commands[-1] += "\n" + text
        elif text.startswith(PROMPT):
            commands.append(text.removeprefix(PROMPT))
        goes_on = (goes_on or text.startswith(PROMPT)) and text.endswith("\\")
    return commands


class Reader:
    """Somebody who follows a README: a shell in a copy of the repository, with belljar on PATH, and
    in another one `python3 -m http.server 8000 --directory examples/fetch`."""

    def __init__(self, home: Home) -> None:
        self.root = home.folder / "belljar"
        shutil.copytree(EXAMPLES, self.root / "examples")
        (self.root / "build" / "examples").mkdir(parents=True)
        for name in NAMES:
            shutil.copy(COMPONENTS / f"{name}.wasm", self.root / "build" / "examples")
        programs = home.folder / "programs"
        programs.mkdir()
        (programs / "belljar").symlink_to(BELLJAR)
        self.environment = home.environment | {
            "PATH": f"{programs}:{home.environment['PATH']}",
            "HOME": str(home.folder),
        }
        handler = functools.partial(QuietFiles, directory=str(self.root / "examples" / "fetch"))
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # Requests have ids by chance; a README shows them in the order in which they came.
        self.requests: dict[str, str] = {}
        # The sizes that the README shows.
        self.sizes: list[str] = []

    def types(self, command: str) -> str:
        """What a command shows on a terminal, without what differs from one time to the next."""
        for real, shown in self.requests.items():
            command = command.replace(shown, real)
        command = command.replace(":8000", f":{self.web.server_port}")
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return self.plain(ended.stdout)

    def plain(self, shown: str) -> str:
        """Without what is this machine's, this user's, this moment's or by chance."""
        shown = shown.replace(f"{self.root}/", "").replace(str(self.root), ".")
        shown = re.sub(r"sha256:([0-9a-f]{4})[0-9a-f]{8,60}", r"sha256:…", shown)
        shown = shown.replace(f":{self.web.server_port}", ":8000")
        shown = re.sub(rf"\bby {re.escape(getpass.getuser())}\b", "by you", shown)
        date = r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"
        shown = re.sub(date, "Sat, 31 Jan 2026 12:00:00 GMT", shown)
        shown = re.sub(r"(SimpleHTTP/[\d.]+ Python/3)[.\d]*", r"\1", shown)
        for request in re.findall(r"\br-[0-9a-f]{8}\b", shown):
            self.requests.setdefault(request, f"r-{len(self.requests) + 1:08d}")
            shown = shown.replace(request, self.requests[request])
        shown = SIZE.sub(lambda size: self.size(size[0]), shown)
        lines = [line for line in shown.splitlines() if "this happens once" not in line]
        return "\n".join(lines)

    def size(self, seen: str) -> str:
        """A size as the README has it, where it is the same but for a twentieth: the memory of
        CPython that stats holds, for one, differs a little with the folder it was built in."""

        def in_bytes(size: str) -> float:
            number, unit = size.split()
            return float(number) * {"KiB": 1024, "MiB": 1024**2}[unit]

        alike = (s for s in self.sizes if abs(in_bytes(s) / in_bytes(seen) - 1) < 0.05)
        return next(alike, seen)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    # What YAML is called differs between machines.
    extensions_map = {".yaml": "application/yaml"}

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def reader(home: Home) -> Iterator[Reader]:
    """A reader, and what they were asked to start."""
    reader = Reader(home)
    thread = threading.Thread(target=reader.web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield reader
    reader.web.shutdown()
    reader.web.server_close()
    thread.join()


@every_example
def test_the_readme_shows_what_a_reader_sees(
    name: str, reader: Reader, request: pytest.FixtureRequest
) -> None:
    readme = EXAMPLES / name / "README.md"
    content = readme.read_text()
    found = TRANSCRIPT.search(content)
    assert found, f"{readme} has no transcript"
    commands = commands_of(found[1])
    assert commands, f"{readme} shows no command"
    reader.sizes = re.findall(SIZE, found[1])
    lines = []
    for command in commands:
        lines += [""] if lines else []
        lines += [PROMPT + command.replace("\n", "\n" + INDENT)]
        lines += reader.types(command).splitlines()
    seen = "".join(f"{INDENT}{line}".rstrip() + "\n" for line in lines)
    if request.config.getoption("--rewrite"):
        readme.write_text(content[: found.start(1)] + f"\n{seen}\n" + content[found.end(1) :])
    else:
        assert found[1].strip("\n") == seen.strip("\n"), (
            f"{readme} shows something else; to write it anew: tests/e2e/run.py --rewrite"
        )


@every_example
def test_the_policy_is_sound_and_is_all_that_the_example_needs(name: str, home: Home) -> None:
    policy = EXAMPLES / name / "policy.yaml"
    checked = home.run("policy", "check", "--json", policy)
    assert checked.status == 0, checked.error
    assert checked.json["warnings"] == []
    assert checked.json["description"], "a policy says what it is for"
    inspected = home.run("inspect", "--json", "--policy", policy, COMPONENTS / f"{name}.wasm")
    assert inspected.json["may"] == checked.json["allows"], "what it allows is what holds"


@every_example
def test_the_readme_names_every_tool(name: str, home: Home) -> None:
    text = (EXAMPLES / name / "README.md").read_text()
    inspected = home.run("inspect", "--json", COMPONENTS / f"{name}.wasm").json
    for tool in inspected["tools"]:
        assert f"| `{tool['name']}` |" in text, f"{tool['name']} is not in the table"


def test_no_readme_shows_this_machine() -> None:
    for readme in EXAMPLES.rglob("README.md"):
        text = readme.read_text()
        for place in (str(Path.home()) + "/", "/tmp/", str(EXAMPLES.parent)):
            assert place not in text, f"{readme} shows {place}"
