"""Every command of the command line: its exit code, its words, its JSON."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from client import PATIENCE_SECONDS
from conftest import BELLJAR, COMPONENTS, EXAMPLES, GUESTS, Home

DONE, TOOL_ERROR, USAGE, DENIED, STOPPED, UNUSABLE, HOST_FAULT = range(7)

CSV = str(COMPONENTS / "csv-query.wasm")
TEXT = str(COMPONENTS / "text-tools.wasm")
CITIES = "file=/data/cities.csv"
DATA = f"storage={EXAMPLES / 'csv-query' / 'data'}:/data"
COMMANDS = [
    "inspect", "call", "run", "serve", "load", "unload", "list", "upgrade", "grant", "revoke",
    "policy", "secret", "log", "docs", "backup", "restore", "doctor", "completion", "help",
]  # fmt: skip


def guest(name: str) -> str:
    """The file of a small guest."""
    return str(GUESTS / f"{name}.wat")


EXITS: dict[str, tuple[int, list[str], str]] = {
    "a tool that returns": (DONE, ["call", TEXT, "slug", "text=A B"], ""),
    "a tool by its full name": (DONE, ["call", TEXT, "text-tools_slug", "text=A B"], ""),
    "arguments as one object": (DONE, ["call", TEXT, "slug", '{"text": "A B"}'], ""),
    "a tool's own error": (
        TOOL_ERROR, ["call", TEXT, "find", "text=a", "pattern=(", "options=[]"], "missing closing"
    ),
    "arguments that do not fit": (TOOL_ERROR, ["call", TEXT, "slug", "txt=a"], "/txt: unknown key"),
    "no command": (USAGE, [], "Usage: belljar COMMAND"),
    "an unknown command": (USAGE, ["frobnicate"], 'no command "frobnicate"'),
    "a command with a slip in it": (USAGE, ["inspct", TEXT], "did you mean: belljar inspect"),
    "an unknown option": (USAGE, ["list", "--frobnicate"], "--frobnicate"),
    "an argument that is missing": (USAGE, ["call", TEXT], "TOOL"),
    "an unknown tool": (USAGE, ["call", TEXT, "nothing"], "text-tools_slug"),
    "a tool with a slip in it": (USAGE, ["call", TEXT, "slugs"], 'did you mean "slug"?'),
    "an ambiguous tool": (USAGE, ["call", guest("twins"), "get"], "twins_left_get"),
    "a name that is not loaded": (USAGE, ["call", "weather", "get"], "./weather.wasm"),
    "a grant of no kind": (USAGE, ["call", TEXT, "slug", "text=a", "--grant", "x=y"], "storage"),
    "a tool that is denied": (DENIED, ["call", CSV, "columns", CITIES], "to allow it:"),
    "a program that stats first": (
        DENIED,
        ["call", str(COMPONENTS / "stats.wasm"), "describe", "file=/data/a.csv", "column=a"],
        "no folder is granted at /data/a.csv",
    ),
    "a tool that traps": (STOPPED, ["call", guest("trapper"), "fall"], "trapper_fall trapped:"),
    "a tool out of time": (
        STOPPED,
        ["call", guest("spinner"), "spin", "--grant", "limit=timeout=20ms"],
        '"timeout"',
    ),
    "a tool out of fuel": (
        STOPPED, ["call", guest("spinner"), "spin", "--grant", "limit=fuel=1e6"], '"fuel"'
    ),
    "a tool out of output": (
        STOPPED,
        [
            *("call", TEXT, "find", "pattern=a", "options=[]", "text=" + 100 * "a"),
            *("--grant", "limit=output=1Ki"),
        ],
        '"output"',
    ),
    "a file that is no component": (
        UNUSABLE, ["inspect", str(EXAMPLES / "README.md")], "not WebAssembly"
    ),
    "a file that is not there": (UNUSABLE, ["call", "./nowhere.wasm", "get"], "nowhere.wasm"),
    "a state that cannot be opened": (
        HOST_FAULT, ["list", "with BELLJAR_HOME=/dev/null/x"], "/dev/null/x"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", EXITS)
def test_the_exit_code_says_how_it_ended(case: str, home: Home) -> None:
    expected, arguments, wanted = EXITS[case]
    variables = {}
    if arguments and arguments[-1].startswith("with "):
        name, value = arguments[-1].removeprefix("with ").split("=")
        variables[name] = value
        arguments = arguments[:-1]
    ended = home.run(*arguments, **variables)
    assert ended.status == expected, f"{case}: {ended}"
    assert wanted in ended.error, f"{case} does not say {wanted!r}: {ended.error}"
    if expected != DONE:
        assert ended.out == "", "only results belong on standard output"
        if arguments:
            lines = ended.error.strip().splitlines()
            assert 1 <= len(lines) <= 3, f"an error is one to three lines: {ended.error}"
            assert lines[0].startswith("belljar: "), ended.error


def test_a_limit_names_its_key_and_how_to_raise_it(home: Home) -> None:
    ended = home.run("call", guest("spinner"), "spin", "--grant", "limit=timeout=20ms")
    assert 'spinner_spin went over its limit "timeout"' in ended.error
    assert "20 ms allowed" in ended.error
    assert "--grant limit=timeout=" in ended.error
    own = home.run("call", guest("spinner"), "spin", "--timeout", "20ms")
    assert own.status == STOPPED
    assert "--grant limit=timeout" not in own.error, "no grant lengthens what --timeout cut short"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('version: "1.1"\npermissions:\n  storage:\n    alow: []\n', "4:5"),
        ('version: "9.9"\n', "1:10"),
        ("version: [\n", "2:1"),
        ('version: "1.1"\n\tpermissions: {}\n', "2:1: a tab"),
        ('version: "1.1"\npermissions:\n  resources: {memory: 64Qi}\n', "3:23"),
    ],
)
def test_a_refused_policy_is_named_by_file_line_and_column(
    text: str, place: str, home: Home
) -> None:
    file = home.folder / "policy.yaml"
    file.write_text(text)
    for arguments in (
        ["policy", "check", "policy.yaml"],
        ["call", TEXT, "slug", "text=a", "--policy", "policy.yaml"],
        ["load", TEXT, "--policy", "policy.yaml"],
        ["serve", "--stdio", TEXT, "--policy", "text-tools=policy.yaml"],
    ):
        ended = home.run(*arguments)
        assert ended.status == UNUSABLE, f"{arguments}: {ended}"
        assert re.search(rf"policy\.yaml:{place}", ended.error), f"{arguments}: {ended.error}"
    assert home.run("list", "--json").json["components"] == [], "it was loaded all the same"


def test_a_person_can_give_a_folder_to_a_request_that_asks_for_one(home: Home) -> None:
    refused = home.run("call", CSV, "columns", CITIES)
    request = re.search(r"belljar grant (r-[0-9a-f]{8}) FOLDER", refused.error)
    assert request, f"the denial names no command: {refused.error}"
    unnamed = home.run("grant", request[1])
    assert unnamed.status == USAGE, "which folder, nobody has said"
    assert f"belljar grant {request[1]} FOLDER" in unnamed.error
    home.do("grant", request[1], "./data", cwd=EXAMPLES / "csv-query")
    allowed = home.run("call", CSV, "columns", CITIES)
    assert allowed.status == DONE, allowed.error


def test_text_is_what_its_binary_is(home: Home) -> None:
    assert home.run("inspect", guest("spinner"), "--json").json["kind"] == "component"
    (home.folder / "numbers.wat").write_text('(module (func (export "one") (result i32) i32.const 1))')
    assert home.run("inspect", "numbers.wat", "--json").json["kind"] == "module"


def test_a_denial_reads_as_words(home: Home) -> None:
    first = home.run("call", CSV, "columns", CITIES).error.splitlines()[0]
    assert first.endswith("and ended with: “unreadable: /data/cities.csv: Permission denied”"), first


def test_a_program_gets_its_streams_and_its_exit_code(home: Home) -> None:
    talked = home.run("run", guest("talker"))
    assert (talked.status, talked.out, talked.error) == (DONE, "the output!\n", "the warnings\n")
    assert home.run("run", guest("quitter")).status == 7, "the program's own exit code"
    imports = home.run("inspect", "--json", guest("quitter")).json["imports"]
    assert not [name for name in imports if "exit" in name], "to end itself is no authority"
    no_program = home.run("run", TEXT)
    assert no_program.status == USAGE
    assert "belljar call" in no_program.error


def test_every_command_prints_one_json_document_with_json(home: Home) -> None:
    def document(*arguments: str, status: int = DONE) -> Any:
        ended = home.run(*arguments, "--json")
        assert ended.status == status, f"{arguments}: {ended}"
        return ended.json

    assert [tool["name"] for tool in document("inspect", TEXT)["tools"]] == [
        "text-tools_count", "text-tools_diff", "text-tools_find", "text-tools_slug"
    ]  # fmt: skip
    assert document("call", TEXT, "slug", "text=A")["result"] == "a"
    denied = document("call", CSV, "columns", CITIES, status=DENIED)
    assert denied["outcome"] == "denied"
    assert denied["refusals"][0]["request"].startswith("r-")
    wrong = document("call", "weather", "get", status=USAGE)["error"]
    assert wrong["exit_code"] == USAGE
    assert "weather" in wrong["message"]
    assert document("load", CSV)["tools"][0] == "csv-query_columns"
    assert document("grant", "csv-query", DATA)["granted"][0]["id"] == 1
    assert document("policy", "show", "csv-query")["components"][0]["grants"][0]["id"] == 1
    assert document("policy", "check", str(EXAMPLES / "fetch" / "policy.yaml"))["allows"]
    assert document("list")["components"][0]["state"] == "unchanged"
    assert document("upgrade", "csv-query") is not None
    assert document("revoke", "1")["revoked"] == 1
    (home.folder / "value").write_text("correct horse")
    assert document("secret", "set", "key", "--file", "value")["set"] is True
    assert document("secret", "list")["secrets"][0]["name"] == "key"
    assert document("secret", "rm", "key")["set"] is False
    assert document("log", "verify")["sound"] is True
    assert document("backup", "state.tar.gz")["secret_key"] is True
    assert document("restore", "state.tar.gz", "--replace")["contents"]
    assert document("doctor")["problems"] == 0
    assert document("unload", "csv-query") is not None
    kinds = {entry["record"]["kind"] for entry in home.log()}
    assert {"call", "refusal", "load", "grant", "revoke", "secret", "unload"} <= kinds


def test_a_secret_is_never_shown(home: Home) -> None:
    ended = home.run("secret", "set", "key", stdin="correct horse\n")
    assert ended.status == DONE
    assert "correct horse" not in ended.out + ended.error
    for arguments in (["secret", "list"], ["log"], ["log", "--json"]):
        assert "correct horse" not in home.do(*arguments)
    for file in (home.folder / "data").iterdir():
        assert b"correct horse" not in file.read_bytes(), f"{file} holds it in the clear"


def test_a_component_that_changes_is_held_back_until_it_is_upgraded(home: Home) -> None:
    file = home.folder / "tool.wat"
    file.write_text((GUESTS / "spinner.wat").read_text())
    home.do("load", file)
    file.write_text((GUESTS / "trapper.wat").read_text())
    assert "belljar upgrade tool" in home.do("list")
    shown = home.do("upgrade", "--dry-run", "tool")
    assert "tool_fall" in shown
    assert "tool_spin" in shown
    assert home.run("list", "--json").json["components"][0]["state"] == "changed"
    home.do("upgrade", "tool")
    assert home.run("list", "--json").json["components"][0]["state"] == "unchanged"


def test_help_explains_every_command(home: Home) -> None:
    overview = home.do("help")
    assert home.do("--help") == overview
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", overview, re.MULTILINE), f"{command} is not listed"
        explained = home.do("help", command)
        assert f"Usage: belljar {command}" in explained
        assert home.do(command, "--help") == explained
    assert re.fullmatch(r"belljar \d+\.\d+\.\d+ \(wasmtime [\d.]+\)\n", home.do("--version"))


def in_terminal(home: Home, *arguments: str, **variables: str) -> str:
    """Runs belljar with both outputs on a terminal, and gives what it showed there."""
    ours, theirs = pty.openpty()
    environment = {
        name: value for name, value in home.environment.items() if name not in ("NO_COLOR", "TERM")
    }
    process = subprocess.Popen(
        [BELLJAR, *arguments],
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=home.folder,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    process.wait(PATIENCE_SECONDS)
    return shown.decode()


def test_names_of_commands_can_be_arguments_of_others(home: Home) -> None:
    shown = home.run("policy", "show", "log")
    assert shown.status == USAGE
    assert '"log"' in shown.error, f"log is a component's name here: {shown.error}"
    explained = home.run("help", "call")
    assert explained.out.startswith("Call a tool once")


def test_a_terminal_gets_colours_and_nothing_else_does(home: Home) -> None:
    assert "\x1b[" in in_terminal(home, "inspect", TEXT, TERM="xterm")
    assert "\x1b[" in in_terminal(home, "call", CSV, "columns", CITIES, TERM="xterm")
    for variables in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        for arguments in (["inspect", TEXT], ["call", CSV, "columns", CITIES]):
            assert "\x1b[3" not in in_terminal(home, *arguments, **variables), variables
    piped = home.run("inspect", TEXT, NO_COLOR="", TERM="xterm")
    assert "\x1b" not in piped.out + piped.error


def test_the_manual_page_has_no_warnings(home: Home) -> None:
    page = home.folder / "belljar.1"
    page.write_text(home.do("help", "--manual"))
    shown = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(page)],
        env=home.environment | {"MANWIDTH": "80", "PAGER": "cat", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == "", f"the page has mistakes: {shown.stderr}"
    for command in COMMANDS:
        assert f"belljar {command}" in shown.stdout, f"{command} is not in the manual"


# Each shell reads its script and says what it would offer after `belljar sec` and `belljar call`.
COMPLETIONS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-c"],
        """source ./script
        COMP_WORDS=(belljar sec); COMP_CWORD=1; _belljar; echo "${COMPREPLY[@]}"
        COMP_WORDS=(belljar call --); COMP_CWORD=2; _belljar; echo "${COMPREPLY[@]}"
        complete -p belljar""",
        ["secret", "--policy", "-F _belljar belljar"],
    ),
    "zsh": (
        ["zsh", "-f", "-c"],
        """autoload -Uz compinit && compinit -D -u
        source ./script
        print -r -- ${_comps[belljar]}
        # What would be offered, caught where the shell would show it.
        _describe() { print -r -- ${commands%%:*} }
        _arguments() { print -r -- "$@" }
        words=(belljar sec); CURRENT=2; _belljar
        words=(belljar call --); CURRENT=3; _belljar""",
        ["_belljar", "secret", "--policy["],
    ),
    "fish": (
        ["fish", "--no-config", "-c"],
        """source ./script
        complete -C 'belljar sec'
        complete -C 'belljar call --pol'""",
        ["secret\t", "--policy\t"],
    ),
}


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_completion_works_in_the_real_shell(shell: str, home: Home) -> None:
    command, program, offered = COMPLETIONS[shell]
    (home.folder / "script").write_text(home.do("completion", shell))
    ended = subprocess.run(
        [*command, program],
        env=home.environment,
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.stderr == "", f"{shell} complains: {ended.stderr}"
    for one in offered:
        assert one in ended.stdout, f"{shell} does not offer {one!r}: {ended.stdout}"


def test_documentation_is_put_into_a_component(home: Home) -> None:
    component = home.folder / "tools.wasm"
    component.write_bytes(Path(TEXT).read_bytes())
    home.do("docs", "inject", EXAMPLES / "text-tools" / "wit", component)
    tools = json.loads(home.do("inspect", "--json", component))["tools"]
    slug = next(tool for tool in tools if tool["name"] == "tools_slug")
    assert slug["description"].startswith("Makes a short name of a text")
