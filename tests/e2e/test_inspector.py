"""The MCP Inspector's command line, from the first load to the last call, in one state folder."""

import json
import subprocess
from typing import Any

import pytest
from client import PATIENCE_SECONDS, text_of
from conftest import CLIENTS_FOLDER, COMPONENTS, EXAMPLES, NODE, Home

LAUNCHER = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
WORKED = 0
TOOL_FAILED = 5


class Inspector:
    """Starts the Inspector, and it a server, for each request."""

    def __init__(self, home: Home, era: str) -> None:
        self.home = home
        self.era = era

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One request."""
        command = [
            *(NODE, str(CLIENTS_FOLDER / LAUNCHER), "--cli", "--protocol-era", self.era),
            *(*arguments, "--format", "json", "-q"),
            *("-e", f"BELLJAR_HOME={self.home.folder}", "--", *self.home.server_command()),
        ]
        return subprocess.run(
            command,
            env=self.home.environment,
            cwd=self.home.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def call(self, expected: int, tool: str, arguments: Any) -> str:
        """Calls a tool, and gives the text of what came or else the error."""
        ended = self.run(
            *("--method", "tools/call", "--tool-name", tool),
            *("--tool-args-json", json.dumps(arguments)),
        )
        assert ended.returncode == expected, (
            f"exit {ended.returncode}: {ended.stderr}{ended.stdout}"
        )
        return text_of(json.loads(ended.stdout)["result"]) if ended.stdout else ended.stderr


@pytest.mark.parametrize("era", ["legacy", "modern", "auto"])
def test_the_inspector_sees_what_a_person_loads_grants_and_takes_back(era: str, home: Home) -> None:
    inspector = Inspector(home, era)
    columns = ("csv-query_columns", {"file": "/data/cities.csv"})

    home.do("load", COMPONENTS / "csv-query.wasm")
    home.do("load", COMPONENTS / "text-tools.wasm")
    assert "was not allowed" in inspector.call(TOOL_FAILED, *columns)
    home.do("grant", "csv-query", f"storage={EXAMPLES / 'csv-query' / 'data'}:/data")
    assert "population" in inspector.call(WORKED, *columns)
    home.do("revoke", "csv-query")
    assert "was not allowed" in inspector.call(TOOL_FAILED, *columns)
    home.do("unload", "csv-query")
    assert "tool_not_found" in inspector.call(TOOL_FAILED, *columns)
    assert "/text" in inspector.call(TOOL_FAILED, "text-tools_slug", {"text": [1]})
    assert inspector.call(WORKED, "text-tools_slug", {"text": "All is well"}) == "all-is-well"
    assert home.check_records() == 6, "a server was started that nobody asked for"


def test_the_inspector_finds_nothing_to_say_about_the_schemas(home: Home) -> None:
    for name in ("csv-query", "fetch", "markdown", "stats", "text-tools"):
        home.do("load", COMPONENTS / f"{name}.wasm")
    listed = Inspector(home, "modern").run("--method", "tools/list", "--strict")
    assert listed.returncode == WORKED, listed.stderr
    assert len(json.loads(listed.stdout)["result"]["tools"]) == 19
