"""What the command line keeps, shows and refuses beyond single calls."""

import json
from pathlib import Path

from conftest import COMPONENTS, GUESTS, Home

DONE = 0
TOOL_ERROR = 1
USAGE = 2
DENIED = 3
CANNOT_LOAD = 5

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


def test_load_says_what_it_gave(home: Home) -> None:
    policy = home.folder / "policy.yaml"
    policy.write_text('version: "1.1"\npermissions:\n  environment: {allow: [{key: TZ}]}\n')
    data = home.folder / "data of mine"
    data.mkdir()
    loaded = home.run("load", TEXT, "--policy", policy, "--grant", f"storage={data}:/data")
    assert loaded.out.endswith(f"It may:\n  storage {data} at /data (read)\n  environment TZ\n")
    missing = home.run("load", TEXT, "--grant", "storage=/none-such:/data")
    assert missing.status != DONE
    assert "there is no /none-such" in missing.error


def test_a_grant_is_of_the_folder_that_a_link_leads_to(home: Home) -> None:
    home.run("load", TEXT)
    real, other = home.folder / "real", home.folder / "other"
    real.mkdir()
    other.mkdir()
    link = home.folder / "link"
    link.symlink_to("real")
    granted = home.run("grant", "text-tools", f"storage={link}:/data")
    assert f"storage={real}:/data" in granted.out, "the real folder is what a person is shown"
    link.unlink()
    link.symlink_to("other")
    assert f"storage {real} at /data" in home.run("policy", "show", "text-tools").out
    real.rmdir()
    real.symlink_to("other")
    assert f"{real} is not what was granted" in home.run("policy", "show", "text-tools").out


def test_a_grant_that_is_of_no_use_says_so(home: Home) -> None:
    home.run("load", TEXT)
    gone = home.folder / "gone"
    refused = home.run("grant", "text-tools", f"storage={gone}")
    assert refused.status == USAGE and f"there is no {gone}" in refused.error
    secret = home.run("grant", "text-tools", "secret=key@api.example:bearer")
    assert "the secret key is not set yet" in secret.error
    own = home.run("grant", "text-tools", f"storage={home.folder / 'data'}:/state:rw")
    assert "Belljar does not allow all of storage" in own.error
    home.run("grant", "text-tools", f"storage={STATS.parent}:/{STATS.parent.name}")
    folder = home.folder / "folder"
    folder.mkdir()
    home.run("grant", "text-tools", f"storage={folder}")
    folder.rmdir()
    assert f"{folder} is not there" in home.run("doctor").out


def with_manifest(component: Path, *manifests: str) -> bytes:
    """The component with policies of its own."""

    def number(value: int) -> bytes:
        low, rest = value & 0x7F, value >> 7
        return bytes([low | 0x80]) + number(rest) if rest else bytes([low])

    content = component.read_bytes()
    for manifest in manifests:
        section = number(len("belljar-policy")) + b"belljar-policy" + manifest.encode()
        content += b"\0" + number(len(section)) + section
    return content


MANIFEST = """version: "1.1"
permissions:
  storage: {allow: [{uri: "fs:///data", access: [read]}]}
  environment: {allow: [{key: TZ}]}
  resources: {timeout: 5s}
"""


def test_a_component_gets_no_more_than_its_manifest_asks_for(home: Home) -> None:
    bounded = home.folder / "bounded.wasm"
    bounded.write_bytes(with_manifest(STATS, MANIFEST))
    table = home.folder / "table"
    table.mkdir()
    (table / "numbers.csv").write_text("number\n1\n2\n")

    def describe(component: Path, guest: str) -> int:
        return home.run(
            "call", component, "describe", f"file={guest}/numbers.csv", "column=number",
            "--grant", f"storage={table}:{guest}",
        ).status  # fmt: skip

    assert describe(bounded, "/data") == DONE
    assert describe(bounded, "/other") == DENIED
    assert describe(STATS, "/other") == DONE, "the component without a manifest"

    home.run("load", bounded)
    kept_back = "the component's manifest does not allow all of"
    for permission in (f"storage={table}:/other", "environment=HOME", "limit=timeout=10s"):
        assert kept_back in home.run("grant", "bounded", permission).error, permission
    for permission in (f"storage={table}:/data", "environment=TZ", "limit=timeout=4s"):
        assert home.run("grant", "bounded", permission).error == "", permission
    shown = home.run("policy", "show", "bounded", "--json").json["components"][0]
    assert shown["may"] == [f"storage {table} at /data (read)", "environment TZ"]
    assert "limit timeout=4s" in shown["limits"]

    bounded.write_bytes(STATS.read_bytes())
    upgrade = home.run("upgrade", "bounded", "--dry-run")
    assert "the manifest that it carries is another" in upgrade.out


def test_a_component_whose_manifest_cannot_be_held_to_is_not_loaded(home: Home) -> None:
    for name, manifests, problem in (
        ("two", (MANIFEST, MANIFEST), "more than one manifest"),
        ("long", (MANIFEST + "#" * (256 << 10),), "262144 are allowed"),
        ("wrong", ('version: "1.1"\npermission: {}\n',), "permission"),
    ):
        component = home.folder / f"{name}.wasm"
        component.write_bytes(with_manifest(TEXT, *manifests))
        refused = home.run("load", component)
        assert refused.status == CANNOT_LOAD, name
        assert problem in refused.error, name


def test_a_module_is_bounded_by_its_manifest_as_well(home: Home) -> None:
    text = MANIFEST.replace('"', '\\"').replace("\n", "\\n")
    manifest = f'(@custom "belljar-policy" "{text}")'
    function = '(func (export "one") (result i32) i32.const 1)'
    module = home.folder / "module.wat"
    module.write_text(f"(module {function} {manifest})")
    assert home.run("call", module, "one").json == 1
    assert home.run("inspect", module, "--json").json["declares"] == MANIFEST
    module.write_text(f"(module {function} {manifest} {manifest})")
    assert "more than one manifest" in home.run("load", module).error
    component = home.folder / "component.wat"
    component.write_text(f"(component (core module (memory 1) {manifest}))")
    assert "in a part of the component" in home.run("load", component).error


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
