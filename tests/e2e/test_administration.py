"""What the command line keeps, shows and refuses beyond single calls."""

import json
from pathlib import Path

from conftest import COMPONENTS, GUESTS, Home

DONE = 0
TOOL_ERROR = 1
USAGE = 2
DENIED = 3

STATS = COMPONENTS / "stats.wasm"
TEXT = COMPONENTS / "text-tools.wasm"
ARGUMENTS = GUESTS / "arguments.wat"


def kinds(home: Home) -> list[str]:
    """The kinds of all records, in their order."""
    logged = home.run("log", "--json", "--all")
    return [json.loads(line)["record"]["kind"] for line in logged.out.splitlines()]


def test_a_program_gets_its_arguments_as_they_were_typed(home: Home) -> None:
    words = ['["a"]', "[1, 2]", "[]", "{}", "a,b", "-x"]
    ended = home.run("run", ARGUMENTS, "--", *words)
    assert ended.out.split("\0")[1:-1] == words
    wrong = home.run("call", TEXT, "slug", "[1]")
    assert '"[1]"' in wrong.error, f"it was taken for something else: {wrong.error}"


def test_a_program_whose_output_is_wanted_as_json_writes_nothing_else(home: Home) -> None:
    ended = home.run("run", ARGUMENTS, "--json", "--", "one")
    assert ended.json["result"]["stdout"].split("\0")[1:-1] == ["one"]
    assert ended.json["result"]["exit-code"] == 0


def test_help_and_completion_take_json(home: Home) -> None:
    assert home.run("help", "call", "--json").json["help"].startswith("Call a tool once")
    assert "complete" in home.run("completion", "bash", "--json").json["script"]
    wrong = home.run("secrets", "--json")
    assert wrong.status == USAGE
    assert wrong.json["error"]["message"] == 'there is no command "secrets"'
    assert wrong.json["error"]["advice"] == "did you mean: belljar secret"


def test_what_only_looks_leaves_no_record(home: Home) -> None:
    home.run("load", TEXT)
    before = kinds(home)
    for command in (["list"], ["policy", "show"], ["revoke", "nobody"], ["doctor"]):
        home.run(*command)
    assert kinds(home) == before


def test_a_restored_state_says_in_its_log_that_it_was_restored(home: Home) -> None:
    home.run("load", TEXT)
    home.run("grant", "text-tools", "network=api.example")
    archive = home.folder / "backup.tar.gz"
    assert home.run("backup", archive).status == DONE
    home.run("revoke", "text-tools")
    assert home.run("restore", archive, "--replace").status == DONE
    assert kinds(home)[-2] == "restore", "what was revoked holds again, and nobody would know why"
    assert home.run("log", "verify").status == DONE
    assert "restore" in home.run("log", "--kind", "restore").out


def test_log_filters_that_can_match_nothing_are_mistakes(home: Home) -> None:
    for arguments in (["--kind", "bogus"], ["--last", "0"], ["--last", "-1"]):
        assert home.run("log", *arguments).status == USAGE, arguments


def test_a_policy_check_tells_what_is_denied_and_limited(home: Home) -> None:
    policy = home.folder / "policy.yaml"
    policy.write_text(
        'version: "1.1"\npermissions:\n'
        "  network: {allow: [{host: a.example}], deny: [{host: b.example}]}\n"
        "  resources: {fuel: 5e9, timeout: 5s}\n"
    )
    checked = home.run("policy", "check", "--json", policy).json
    assert checked["allows"] == ["network https://a.example"]
    assert checked["denies"] == ["deny network b.example"]
    assert checked["limits"] == ["limit fuel=5000000000", "limit timeout=5s"]
    shown = home.run("policy", "check", policy).out
    assert "It denies:\n  network b.example\nIt sets:\n  limit fuel" in shown


def test_a_grant_that_is_of_no_use_says_so(home: Home) -> None:
    home.run("load", TEXT)
    gone = home.folder / "gone"
    assert f"{gone} is not there yet" in home.run("grant", "text-tools", f"storage={gone}").error
    secret = home.run("grant", "text-tools", "secret=key@api.example:bearer")
    assert "the secret key is not set yet" in secret.error
    own = home.run("grant", "text-tools", f"storage={home.folder / 'data'}:/state:rw")
    assert "Belljar does not allow" in own.error
    assert "is not there" in home.run("doctor").out


def test_no_grant_opens_the_state(home: Home) -> None:
    (home.folder / "neighbour.csv").write_text("name,number\na,1\nb,2\n")
    grant = f"storage={home.folder}:/all:rw"
    read = home.run(
        "call", STATS, "describe", "file=/all/neighbour.csv", "column=number", "--grant", grant
    )
    assert read.status == DONE, f"the folder around it is granted: {read.error}"
    for name in ("data/state.db", "data/cache.key", "cache"):
        refused = home.run(
            "call", STATS, "describe", f"file=/all/{name}", "column=number", "--grant", grant
        )
        assert refused.status == DENIED, f"{name}: {refused.out}{refused.error}"


def test_a_component_is_not_named_like_the_number_of_a_grant(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "7.wasm"
    file.write_bytes(TEXT.read_bytes())
    refused = home.run("load", file)
    assert refused.status != DONE
    assert "give one: NAME=" in refused.error
