"""Runs scenarios in Wasmtime: other_engine.py, with a JSON list of them on standard input.

Each has `module`, `folder`, in which `data` is granted and the rest is this program's own,
`variables` and `words`, its arguments. What each printed, and how it ended, is a JSON list on standard output.
"""

import json
import sys
from pathlib import Path

import wasmtime


def run(engine: wasmtime.Engine, module: wasmtime.Module, words: list[str], scenario: dict) -> str:
    """What a scenario printed, and its exit code."""
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    config.argv = words
    config.env = list(scenario["variables"].items())
    folder = Path(scenario["folder"])
    (folder / "in").touch()
    config.stdin_file = str(folder / "in")
    config.stdout_file = str(folder / "out")
    config.preopen_dir(str(folder / "data"), "/")
    store.set_wasi(config)
    code = 0
    ended = ""
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
    except wasmtime.ExitTrap as exit_code:
        code = exit_code.code
    except wasmtime.WasmtimeError as error:
        code = 134
        ended = f"{error}\n"
    printed = (folder / "out").read_text(encoding="utf-8", errors="replace")
    return f"{printed}{ended}ended with {code}\n"


def main() -> None:
    """Compiles each module once, and runs all."""
    engine = wasmtime.Engine()
    modules: dict[str, wasmtime.Module] = {}
    printed = []
    for scenario in json.load(sys.stdin):
        path = scenario["module"]
        if path not in modules:
            modules[path] = wasmtime.Module.from_file(engine, path)
        words = [Path(path).name, *scenario["words"]]
        printed.append(run(engine, modules[path], words, scenario))
    json.dump(printed, sys.stdout)


if __name__ == "__main__":
    main()
