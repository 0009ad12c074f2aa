"""What the tests have in common: a state folder each, the program, the clients."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from client import PATIENCE_SECONDS, Client, ClientKind, environment_with, frames_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "examples"
GUESTS = HERE / "guests"

# run.py sets these.
BELLJAR = Path(os.environ["BELLJAR_PROGRAM"])
COMPONENTS = Path(os.environ["BELLJAR_EXAMPLES"])
CLIENTS_FOLDER = Path(os.environ["BELLJAR_CLIENTS"])
NODE = os.environ["BELLJAR_NODE"]
WARM_HOME = Path(os.environ["BELLJAR_WARM_HOME"])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what the tests of transcripts take."""
    parser.addoption("--rewrite", action="store_true", help="write the transcripts anew")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Home:
    """A state folder of its own, with the compiled code of the examples in its cache already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment_with(folder)
        self._records = folder / "records"
        self._records.mkdir(parents=True)
        shutil.copytree(WARM_HOME / "cache", folder / "cache")
        (folder / "data").mkdir(mode=0o700)
        # The key under which the code in the cache was sealed.
        shutil.copy(WARM_HOME / "data" / "cache.key", folder / "data")

    def run(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        stdin: str = "",
        **variables: str,
    ) -> Ended:
        """Runs belljar to its end."""
        ended = subprocess.run(
            [BELLJAR, *arguments],
            env=self.environment | variables,
            cwd=cwd or self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def do(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Runs belljar where it has to succeed, and gives what it printed."""
        ended = self.run(*arguments, cwd=cwd)
        assert ended.status == 0, f"belljar {arguments} gave {ended}"
        return ended.out

    def log(self, *options: str) -> list[dict[str, Any]]:
        """The audit log."""
        return [json.loads(line) for line in self.do("log", "--json", *options).splitlines()]

    def server_command(self, *arguments: str | Path) -> list[str]:
        """The command of a server whose output is recorded."""
        tap = [sys.executable, "-I", "-S", str(HERE / "clients" / "tap.py"), str(self._records)]
        return [*tap, str(BELLJAR), "serve", "--stdio", *map(str, arguments)]

    def check_records(self) -> int:
        """Checks that servers wrote frames and nothing else, and ended well. Gives how many."""
        outputs = list(self._records.glob("*.out"))
        for output in outputs:
            for message in frames_of(output):
                assert "id" in message or "method" in message, f"neither answer nor call: {message}"
            said = output.with_suffix(".err").read_text()
            status = output.with_suffix(".status")
            assert status.exists(), f"a server was killed before it ended; it said: {said}"
            assert status.read_text() == "0", f"a server ended with {status.read_text()}: {said}"
        return len(outputs)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A state folder of this test's own."""
    return Home(tmp_path / "home")


@pytest.fixture
def connect(home: Home) -> Iterator[Callable[..., Client]]:
    """Connects official clients to servers, and checks afterwards how the servers ended."""
    clients: list[Client] = []

    def make(kind: ClientKind, *arguments: str | Path) -> Client:
        program, *options = kind.driver
        interpreter = NODE if program.endswith(".mjs") else sys.executable
        driver = [interpreter, str(CLIENTS_FOLDER / program), *options]
        client = Client([*driver, *home.server_command(*arguments)], home.environment)
        clients.append(client)
        assert client.version == kind.version, "this client speaks another version"
        return client

    yield make
    for client in clients:
        client.close()
    assert home.check_records() >= len(clients)
