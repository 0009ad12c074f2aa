"""Makes the interface of the guest `checks` and the code that goes with it.

python3 generate.py FOLDER

Writes FOLDER/wit/world.wit and FOLDER/src/generated.rs: functions over types that are put together
by chance. The chance is always the same, so the guest is too.
"""

import random
import shutil
import sys
from pathlib import Path

SEED = 20_260_101
FUNCTIONS = 120
MAXIMUM_DEPTH = 4

INTEGERS = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
PRIMITIVES = (*INTEGERS, "f32", "f64", "bool", "char", "string")
# What the Component Model takes as a map's key, but for floats.
KEYS = (*INTEGERS, "bool", "char", "string")
MADE = ("list", "option", "result", "tuple", "map", "record", "variant", "enum", "flags")


def camel(name: str) -> str:
    """A WIT name as Rust writes its types and cases."""
    return "".join(word.capitalize() for word in name.split("-"))


def snake(name: str) -> str:
    """A WIT name as Rust writes its fields and functions."""
    return name.replace("-", "_")


class Generator:
    """Collects definitions while it makes types."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.definitions: list[str] = []
        self.code: list[str] = []

    def type(self, depth: int) -> str:
        """Any type, as WIT writes it."""
        if depth == MAXIMUM_DEPTH or self.random.random() < 0.25:
            return self.random.choice(PRIMITIVES)
        return self.made(self.random.choice(MADE), depth + 1)

    def made(self, kind: str, depth: int) -> str:
        """A type of one kind, made of others."""
        match kind:
            case "list":
                return f"list<{self.type(depth)}>"
            case "option":
                return f"option<{self.type(depth)}>"
            case "map":
                return f"map<{self.random.choice(KEYS)}, {self.type(depth)}>"
            case "tuple":
                count = self.random.randint(1, 4)
                return f"tuple<{', '.join(self.type(depth) for _ in range(count))}>"
            case "result":
                return self.result(depth)
            case _:
                return self.named(kind, depth)

    def result(self, depth: int) -> str:
        """A result with both arms, one, or none."""
        match self.random.randrange(4):
            case 0:
                return f"result<{self.type(depth)}, {self.type(depth)}>"
            case 1:
                return f"result<{self.type(depth)}>"
            case 2:
                return f"result<_, {self.type(depth)}>"
            case _:
                return "result"

    def named(self, kind: str, depth: int) -> str:
        """A type that WIT gives a name, with the code that writes its values."""
        count = self.random.randint(1, 40 if kind in ("flags", "enum") else 5)
        if kind == "flags":
            # More than 32 are refused by the tools that make components.
            count = min(count, 32)
        parts = []
        for index in range(count):
            payload = None
            if kind == "record" or (kind == "variant" and self.random.random() < 0.7):
                payload = self.type(depth)
            parts.append((f"part-{index}", payload))
        name = f"{kind}-{len(self.definitions)}"
        separator = {"record": ": {}", "variant": "({})"}.get(kind, "")
        lines = [
            f"    {part}{separator.format(payload) if payload else ''}," for part, payload in parts
        ]
        self.definitions.append("\n".join([f"  {kind} {name} {{", *lines, "  }"]))
        self.code.append(WRITERS[kind](camel(name), parts))
        return name


Parts = list[tuple[str, str | None]]


def write_record(name: str, parts: Parts) -> str:
    """The code for a record."""
    fields = ", ".join(f'"{part}" => {snake(part)}' for part, _ in parts)
    return f"canonical_record!({name} {{ {fields} }});"


def write_variant(name: str, parts: Parts) -> str:
    """The code for a variant."""
    cases = ", ".join(
        f'"{part}" => {camel(part)}{"(value)" if payload else ""}' for part, payload in parts
    )
    return f"canonical_variant!({name} {{ {cases} }});"


def write_enum(name: str, parts: Parts) -> str:
    """The code for an enum."""
    return write_variant(name, parts)


def write_flags(name: str, parts: Parts) -> str:
    """The code for flags."""
    flags = ", ".join(f'"{part}" => {snake(part).upper()}' for part, _ in parts)
    return f"canonical_flags!({name} {{ {flags} }});"


WRITERS = {
    "record": write_record,
    "variant": write_variant,
    "enum": write_enum,
    "flags": write_flags,
}


def main() -> None:
    """Writes both files."""
    folder = Path(sys.argv[1])
    generator = Generator()
    kinds = [*PRIMITIVES, *MADE]
    signatures = []
    functions = []
    for index in range(FUNCTIONS):
        # Every kind stands at the top once; the rest is chance.
        kind = kinds[index] if index < len(kinds) else None
        if kind in PRIMITIVES:
            value = kind
        else:
            value = generator.made(kind or generator.random.choice(MADE), 1)
        signatures.append(
            f"  check-{index}: func(value: {value}, expected: string) -> result<{value}, string>;"
        )
        functions.append(f"check_{index}: {rust(value)}")
    wit = [
        "package belljar:guests@0.1.0;",
        "",
        "interface shapes {",
        *generator.definitions,
        *signatures,
        "}",
        "",
        "world checks {",
        "  export shapes;",
        "}",
        "",
    ]
    code = [
        *generator.code,
        "",
        "impl shapes::Guest for Checks {",
        f"    checks!({', '.join(functions)});",
        "}",
        "",
    ]
    for name, lines in (("wit/world.wit", wit), ("src/generated.rs", code)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(lines))
        # They are as new as what they follow from, so that cargo compiles them only then.
        shutil.copystat(__file__, folder / name)


def split(text: str) -> list[str]:
    """The parameters of a type: what stands between its outermost commas."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def rust(wit: str) -> str:
    """A type of WIT as the bindings write it in Rust."""
    name, _, rest = wit.partition("<")
    parameters = split(rest.removesuffix(">")) if rest else []
    match name:
        case "list":
            return f"Vec<{rust(parameters[0])}>"
        case "option":
            return f"Option<{rust(parameters[0])}>"
        case "map":
            return f"BTreeMap<{rust(parameters[0])}, {rust(parameters[1])}>"
        case "tuple":
            return f"({', '.join(rust(part) for part in parameters)},)"
        case "result":
            arms = [*parameters, "_", "_"][:2]
            return f"Result<{', '.join('()' if arm == '_' else rust(arm) for arm in arms)}>"
        case "string":
            return "String"
        case "s8" | "s16" | "s32" | "s64":
            return f"i{name[1:]}"
        case _ if name in PRIMITIVES:
            return name
        case _:
            return f"shapes::{camel(name)}"


if __name__ == "__main__":
    main()
