"""What an agent gets through each official client, in every era of the protocol."""

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from client import CLIENTS, Client, ClientError, ClientKind, text_of
from conftest import COMPONENTS, EXAMPLES, GUESTS, Home
from web import serve_web

every_client = pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.name)
Connect = Callable[..., Client]

EXAMPLE_NAMES = ("csv-query", "fetch", "markdown", "stats", "text-tools")
EXAMPLE_TOOLS = {
    "csv-query_columns", "csv-query_select", "csv-query_aggregate", "fetch_get", "fetch_request",
    "markdown_to-html", "markdown_outline", "markdown_links", "stats_describe", "stats_correlate",
    "stats_histogram", "text-tools_count", "text-tools_slug", "text-tools_find", "text-tools_diff",
}  # fmt: skip
MANAGEMENT_TOOLS = {
    "belljar_list", "belljar_inspect", "belljar_unload", "belljar_request-permission"
}  # fmt: skip


def example_files() -> list[str]:
    """The components of all examples."""
    return [str(COMPONENTS / f"{name}.wasm") for name in EXAMPLE_NAMES]


def value_of(kind: ClientKind, tool: dict[str, Any], result: dict[str, Any]) -> Any:
    """The value that a call gave, checked against the tool's schema where the era has that."""
    assert not result.get("isError"), f"{tool['name']} failed: {text_of(result)}"
    if not kind.has_structured_content:
        assert "structuredContent" not in result, "this era does not know structured content"
        return text_of(result)
    value = result["structuredContent"]
    jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])
    jsonschema.validate(value, tool["outputSchema"])
    if kind.wraps_values and set(value) == {"result"}:
        return value["result"]
    return value


# Calls of all fifteen tools on real data, each with something that has to be in its result.
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("csv-query_columns", {"file": "/data/cities.csv"}, "elevation_m"),
    (
        "csv-query_select",
        {
            "file": "/data/cities.csv",
            "columns": ["city"],
            "filters": [{"column": "country", "comparison": "equal", "value": "Japan"}],
            "order-by": [{"column": "population", "direction": "descending"}],
            "limit": 1,
        },
        "Tokyo",
    ),
    (
        "csv-query_aggregate",
        {
            "file": "/data/cities.csv",
            "group-by": ["continent"],
            "measures": [{"operation": "max", "column": "population"}],
            "filters": [],
        },
        "max(population)",
    ),
    ("fetch_get", {"url": "{web}/greeting"}, "Grüße"),
    ("fetch_request", {"request": {"url": "{web}/list.json", "max-bytes": 8}}, "truncated"),
    ("markdown_to-html", {"markdown": "# A *title*"}, "<em>title</em>"),
    ("markdown_outline", {"markdown": "# One\n## Two"}, "two"),
    ("markdown_links", {"markdown": "[here](https://a.example)"}, "https://a.example"),
    ("stats_describe", {"file": "/data/elements.csv", "column": "atomic_weight"}, "median"),
    (
        "stats_correlate",
        {"file": "/data/elements.csv", "x": "number", "y": "atomic_weight"},
        "0.99",
    ),
    ("stats_histogram", {"file": "/data/elements.csv", "column": "number", "bins": 2}, "27"),
    ("text-tools_count", {"text": "one two"}, "7"),
    ("text-tools_slug", {"text": "Größe über Ærø"}, "grosse-uber-aero"),
    ("text-tools_find", {"text": "a1 b2", "pattern": "[0-9]", "options": []}, "offset"),
    ("text-tools_diff", {"old": "a\nb", "new": "a\nc"}, "removed"),
]


@every_client
def test_every_example_works_with_what_it_was_granted(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    with serve_web() as web:
        client = connect(
            kind,
            *example_files(),
            *("--policy", f"csv-query={EXAMPLES / 'csv-query' / 'policy.yaml'}"),
            *("--policy", f"stats={EXAMPLES / 'stats' / 'policy.yaml'}"),
            *("--grant", f"fetch:network={web.address}"),
            *("--grant", "fetch:network=cidr:127.0.0.0/8"),
        )
        tools = client.tools()
        assert set(tools) == EXAMPLE_TOOLS | MANAGEMENT_TOOLS
        for tool in tools.values():
            jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
            assert ("outputSchema" in tool) == kind.has_structured_content, tool["name"]
        assert {name for name, _, _ in CALLS} == EXAMPLE_TOOLS, "a tool is not called"
        for name, arguments, wanted in CALLS:
            filled = {key: fill_in(value, web.address) for key, value in arguments.items()}
            jsonschema.validate(filled, tools[name]["inputSchema"])
            result = client.call(name, **filled)
            value = value_of(kind, tools[name], result)
            assert wanted in text_of(result), f"{name} gave {text_of(result)}"
            assert value not in (None, "", [], {}), f"{name} gave nothing"
        assert web.asked == ["GET /greeting", "GET /list.json"]


def fill_in(value: Any, web: str) -> Any:
    """An argument with the address of the web server in its place."""
    if isinstance(value, dict):
        return {key: fill_in(inner, web) for key, inner in value.items()}
    return value.replace("{web}", web) if isinstance(value, str) else value


@every_client
def test_without_a_grant_tools_compute_and_nothing_else(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    with serve_web() as web:
        client = connect(kind, *example_files())
        client.tools()
        for name, arguments, wanted in CALLS:
            filled = {key: fill_in(value, web.address) for key, value in arguments.items()}
            result = client.call(name, **filled)
            if name.startswith(("markdown", "text-tools")):
                assert not result.get("isError"), f"{name} needs nothing: {text_of(result)}"
                assert wanted in text_of(result)
                continue
            assert result["isError"], f"{name} worked without a grant: {text_of(result)}"
            assert "structuredContent" not in result, "an error has no value that fits the schema"
            text = text_of(result)
            assert "was not allowed" in text, f"{name} does not say that it was refused: {text}"
            assert "(request r-" in text, f"{name} names no request: {text}"
            assert "belljar grant" not in text, "the model is told the command that grants"
        assert web.asked == [], "a request went out without a grant"


@every_client
def test_mistakes_of_the_model_come_back_as_something_it_can_mend(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    client = connect(kind, str(COMPONENTS / "text-tools.wasm"))
    client.tools()
    wrong_type = client.call("text-tools_slug", text=7)
    assert wrong_type["isError"]
    assert "/text" in text_of(wrong_type)
    unknown_key = client.call("text-tools_slug", text="a", texts="b")
    assert unknown_key["isError"]
    assert "/texts" in text_of(unknown_key)
    own_error = client.call("text-tools_find", text="a", pattern="(", options=[])
    assert own_error["isError"]
    assert "missing closing" in text_of(own_error)
    with pytest.raises(ClientError, match="no-such-tool"):
        client.call("text-tools_no-such-tool")
    assert text_of(client.call("text-tools_slug", text="Still here")) == "still-here"


@every_client
def test_progress_messages_and_cancelling_reach_the_guest_and_back(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    client = connect(
        kind, *(str(GUESTS / f"{name}.wat") for name in ("spinner", "talker", "ticker"))
    )
    client.tools()

    assert text_of(client.call("ticker_count")).startswith("[1,2,3,4,")
    endless = client.start("ticker_count-without-end")
    report = client.event(
        lambda event: event["event"] == "progress" and event["call"] == endless.number
    )
    assert report["progress"] > 0, "a report is of the numbers that came"

    client.send("level", level="warning").result()
    client.call("talker_run")
    warnings = [(event["level"], event["data"]) for event in client.events("log")]
    assert warnings == [("warning", "the warnings")], "the level has to hold back what is below it"
    client.send("level", level="info").result()
    client.call("talker_run")
    more = [(event["level"], event["data"]) for event in client.events("log")]
    assert sorted(more[1:]) == [("info", "the output!"), ("warning", "the warnings")]

    assert text_of(client.call("spinner_double", number=21)) == "42", "others go on meanwhile"
    client.send("cancel", call=endless.number).result()
    with pytest.raises(ClientError):
        endless.result()
    assert text_of(client.call("spinner_double", number=4)) == "8"
    client.close()
    ends = {
        line["record"]["tool"]: line["record"]["outcome"] for line in home.log("--kind", "call")
    }
    assert ends["ticker_count-without-end"] == "cancelled", "the guest ran on without its caller"


@every_client
def test_tools_come_and_go_as_another_process_loads_and_unloads(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    client = connect(kind)
    client.send("listen").result()
    assert set(client.tools()) == MANAGEMENT_TOOLS

    home.do("load", str(COMPONENTS / "text-tools.wasm"))
    client.event(lambda event: event["event"] == "tools-changed")
    assert "text-tools_slug" in client.tools()
    assert text_of(client.call("text-tools_slug", text="A B")) == "a-b"

    # What it may do shows in what its tools say of themselves.
    home.do("grant", "text-tools", "environment=TZ")
    client.event(lambda event: event["event"] == "tools-changed")
    home.do("revoke", "text-tools")
    client.event(lambda event: event["event"] == "tools-changed")

    home.do("unload", "text-tools")
    client.event(lambda event: event["event"] == "tools-changed")
    assert set(client.tools()) == MANAGEMENT_TOOLS
    with pytest.raises(ClientError, match="text-tools_slug"):
        client.call("text-tools_slug", text="A B")


@every_client
def test_a_grant_and_its_end_hold_at_once_in_a_server_that_runs(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    home.do("load", str(COMPONENTS / "csv-query.wasm"))
    client = connect(kind)
    client.tools()
    question = {"file": "/data/cities.csv"}
    refused = client.call("csv-query_columns", **question)
    assert "was not allowed" in text_of(refused)
    home.do("grant", "csv-query", f"storage={EXAMPLES / 'csv-query' / 'data'}:/data")
    assert "population" in text_of(client.call("csv-query_columns", **question))
    home.do("revoke", "csv-query")
    assert "was not allowed" in text_of(client.call("csv-query_columns", **question))


@every_client
def test_a_grant_for_once_holds_for_one_call(
    kind: ClientKind, home: Home, connect: Connect
) -> None:
    home.do("load", str(COMPONENTS / "csv-query.wasm"))
    home.do("grant", "csv-query", f"storage={EXAMPLES / 'csv-query' / 'data'}:/data", "--once")
    client = connect(kind)
    client.tools()
    question = {"file": "/data/cities.csv"}
    assert "population" in text_of(client.call("csv-query_columns", **question))
    assert "was not allowed" in text_of(client.call("csv-query_columns", **question))
