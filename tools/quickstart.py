"""Shows the main job of Belljar: python3 tools/quickstart.py, which ./quickstart runs.

A tool is inspected, called, refused, granted what it needs, called again, and served to a real MCP
client. Every step says what it expects, and fails where something else happens.
"""

import argparse
import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain.setup import BuildError, install_python_packages, say

ROOT = Path(__file__).resolve().parent.parent
COMPONENT = ROOT / "build" / "examples" / "csv-query.wasm"
DATA = ROOT / "examples" / "csv-query" / "data"
HOME = ROOT / "build" / "quickstart"
EXIT_DENIED = 3
QUESTION = {
    "file": "/data/cities.csv",
    "filters": [],
    "group-by": ["continent"],
    "measures": [
        {"operation": "count"},
        {"operation": "sum", "column": "population"},
        {"operation": "max", "column": "elevation_m"},
    ],
}


class Failure(Exception):
    """Something that did not happen as it should."""


def shown(words: list[str]) -> str:
    """A command as a person would type it."""
    return shlex.join([word.replace(str(ROOT) + "/", "") for word in words])


class Session:
    """Runs belljar before the user's eyes, with a state of its own."""

    def __init__(self, belljar: Path) -> None:
        self.belljar = str(belljar)
        self.environment = os.environ | {"BELLJAR_HOME": str(HOME)}

    def run(self, *words: str, exit_code: int = 0) -> str:
        """Shows and runs a command, which must end with this exit code."""
        say(f"\n$ {shown(['belljar', *words])}")
        done = subprocess.run(
            [self.belljar, *words],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        say(done.stdout.rstrip())
        if done.returncode != exit_code:
            raise Failure(f"that should have ended with {exit_code}, not {done.returncode}")
        return done.stdout


def show_command_line(session: Session) -> None:
    """Inspect, load, a refusal, a grant, the same call again."""
    say("\nWhat is this component, and what does it want?")
    session.run("inspect", str(COMPONENT))
    session.run("load", str(COMPONENT))
    question = json.dumps(QUESTION)
    say("\nWith no permission it can compute, and nothing else. So this is refused:")
    refused = session.run("call", "csv-query", "aggregate", question, exit_code=EXIT_DENIED)
    if "belljar grant" not in refused and "--grant" not in refused:
        raise Failure("the refusal should say how to allow it")
    say("\nA person allows it to read that one folder, and the same call works:")
    session.run("grant", "csv-query", f"storage={DATA}:/data")
    if "Europe" not in session.run("call", "csv-query", "aggregate", question):
        raise Failure("the answer should be about Europe, too")
    say("\nEverything that happened is on record:")
    session.run("log", "--last", "6")


async def talk(belljar: Path) -> None:
    """Lists and calls the tools as an agent's client does."""
    # Installed by show_client, which then starts this file with that Python.
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    server = StdioServerParameters(
        command=str(belljar), args=["serve", "--stdio"], env={"BELLJAR_HOME": str(HOME)}
    )
    async with Client(server) as client:
        say(f"connected: protocol version {client.protocol_version}")
        tools = [tool.name for tool in (await client.list_tools()).tools]
        say(f"tools: {', '.join(tools)}")
        arguments = {
            "file": "/data/cities.csv",
            "columns": ["city", "population"],
            "filters": [{"column": "capital", "comparison": "equal", "value": "true"}],
            "order-by": [{"column": "population", "direction": "descending"}],
            "limit": 3,
        }
        say(f"csv-query_select {json.dumps(arguments)}")
        result = await client.call_tool("csv-query_select", arguments)
        say(json.dumps(result.structured_content, ensure_ascii=False))
        if result.is_error or "Tokyo" not in json.dumps(result.structured_content):
            raise Failure("Tokyo should be among the largest capitals")


def show_client(belljar: Path) -> None:
    """Installs the official client, and lets it talk to `belljar serve`."""
    say("\nNow as an agent sees it: the official MCP client for Python, and belljar serve --stdio")
    python = install_python_packages(
        ROOT / "build" / "e2e" / "python", ROOT / "tests" / "e2e" / "requirements.txt"
    )
    command = [python, __file__, "--talk", "--belljar", belljar]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failure("the MCP client did not get its answer")


def show_configurations(belljar: Path) -> None:
    """The lines that make a client start Belljar."""
    command = str(belljar)
    entry = json.dumps({"command": command, "args": ["serve", "--stdio"]})
    typed = json.dumps({"type": "stdio", "command": command, "args": ["serve", "--stdio"]})
    quoted = shlex.quote(command)
    say(f"""
To give your own agent the tools that you load (belljar load TOOL.wasm), paste what it takes:

Claude Code
  claude mcp add -s user belljar -- {quoted} serve --stdio

Codex
  codex mcp add belljar -- {quoted} serve --stdio
  or in ~/.codex/config.toml:
  [mcp_servers.belljar]
  command = {json.dumps(command)}
  args = ["serve", "--stdio"]

Gemini CLI
  gemini mcp add -s user belljar {quoted} serve --stdio
  or in ~/.gemini/settings.json:
  {{"mcpServers": {{"belljar": {entry}}}}}

VS Code
  code --add-mcp {shlex.quote('{"name":"belljar",' + typed[1:])}
  or in .vscode/mcp.json:
  {{"servers": {{"belljar": {typed}}}}}

Cursor
  in ~/.cursor/mcp.json:
  {{"mcpServers": {{"belljar": {entry}}}}}""")


def main() -> int:
    """Shows everything."""
    parser = argparse.ArgumentParser(description="Shows the main job of Belljar.")
    program = ROOT / "build" / "release" / "bin" / "belljar"
    parser.add_argument("--belljar", type=Path, default=program)
    parser.add_argument("--talk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if options.talk:
            asyncio.run(talk(options.belljar))
            return 0
        shutil.rmtree(HOME, ignore_errors=True)
        show_command_line(Session(options.belljar))
        show_client(options.belljar)
        show_configurations(options.belljar)
    except (BuildError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
