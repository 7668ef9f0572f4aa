"""What the tree must look like, beyond what the compiler and clang-tidy see.

Each rule is a function that takes a Tree and yields Finding values: a path from the root, a line
(0: the whole file) and one sentence.
"""

import os
import re
from typing import Iterator, NamedTuple

# Which rooms a room may include from. "kube/objects.h" names one header instead of a room.
ROOMS = {
    "base": [],
    "http": ["base"],
    "websocket": ["http", "base"],
    "tls": ["base"],
    "model": ["base"],
    "tls": ["base"],
    "discovery": ["model", "base"],
    "kube": ["base"],
    "dns": ["kube/objects.h", "base"],
    "controller": ["kube/objects.h", "kube/api_caller.h", "kube/api_writes.h", "tls", "model",
                   "base"],
    "proxy": ["http", "websocket", "tls", "model", "base"],
    "admin": ["base"],
}

MESSAGES = ["model", "discovery", "controller", "proxy"]
# Where a third-party library may be included: the first prefix that fits counts. "cmd" is
# cmd/holdfast; "*" is everywhere.
HOMES = [
    ("boost/asio", ["kube", "dns", "proxy", "admin", "cmd", "base/asio_library.cc",
                    "base/due_timer.h"]),
    ("boost/beast", ["kube", "admin"]),
    ("boost/system", ["kube", "dns", "proxy", "admin"]),
    ("nlohmann/", ["kube", "admin"]),
    ("yaml-cpp/", ["kube"]),
    ("grpc", ["discovery", "cmd"]),
    ("holdfast/discovery/v1/discovery.grpc.pb.h", ["discovery"]),
    ("holdfast/discovery/v1/discovery.pb.h", MESSAGES),
    ("google/protobuf/", MESSAGES),
    ("prometheus/", ["admin"]),
    ("ares.h", ["dns"]),
    ("openssl/sha.h", ["proxy", "tls"]),
    ("openssl/", ["kube", "websocket", "tls"]),
    ("spdlog/", ["base"]),
    ("re2/", ["model", "controller", "proxy"]),
    ("CLI/", ["cmd"]),
    ("absl/", ["*"]),
    ("arpa/", ["*"]),
    ("linux/", ["*"]),
    ("net/", ["*"]),
    ("netinet/", ["*"]),
    ("sys/", ["*"]),
]

LINES_MOST = 600
COLUMNS_MOST = 100
SKIPPED_FOLDERS = {"__pycache__", "node_modules", "build", "testdata"}
CPP = (".h", ".cc")
LINED = CPP + (".proto", ".py")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
USING = re.compile(r"^\s*using (?:\w+::)+(\w+);")
CLOCK = re.compile(
    r"(steady_clock|system_clock|high_resolution_clock)::now|\bstd::time\b|\bgettimeofday\b"
    r"|\bclock_gettime\b|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0)\s*\)")
SLEEP = re.compile(r"\bsleep_for\b|\bsleep_until\b|\b[un]?(ano)?sleep\s*\(")
VAGUE = re.compile(r"\b(\w*(Manager|Helper|Utils?|Impl)|\w+_(manager|helper|utils?|impl))\b")
VAGUE_FILE = re.compile(r"(^|_)(manager|helpers?|utils?|impl)(_|\.|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


class Finding(NamedTuple):
    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


class Tree:
    """The files under src, cmd, proto and tests, read once."""

    def __init__(self, root: str):
        self.root = root
        self._texts: dict[str, str] = {}
        self.paths = sorted(self._find())

    def _find(self) -> Iterator[str]:
        for top in ("src", "cmd", "proto", "tests"):
            for folder, folders, files in os.walk(os.path.join(self.root, top)):
                folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS and f[0] != "."]
                for name in files:
                    yield os.path.relpath(os.path.join(folder, name), self.root)

    def ending(self, endings: tuple[str, ...], *tops: str) -> Iterator[str]:
        for path in self.paths:
            if path.endswith(endings) and (not tops or path.startswith(tops)):
                yield path

    def text(self, path: str) -> str:
        if path not in self._texts:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()

    def code(self, path: str) -> list[str]:
        """The lines without comments, and with empty string literals."""
        if not path.endswith(CPP):
            return [PYTHON_STRING.sub('""', line).split("#")[0] for line in self.lines(path)]
        return CPP_TEXT.sub(_blank, self.text(path)).splitlines()


CPP_TEXT = re.compile(
    r'R"(?P<end>[^(\s]*)\(.*?\)(?P=end)"|//[^\n]*|/\*.*?\*/'
    r"|\"(?:\\.|[^\"\\\n])*\"|(?<!\w)'(?:\\.|[^'\\\n])+'", re.DOTALL)


PYTHON_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")


def _blank(match: re.Match) -> str:
    text = match.group(0)
    newlines = "\n" * text.count("\n")
    return newlines if text.startswith("/") else '""' + newlines


def room_of(path: str) -> str:
    """"src/kube/list.cc" -> "kube"; "cmd/holdfast/main.cc" -> "cmd"."""
    parts = path.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def allowed(names: list[str], path: str) -> bool:
    inside = path.removeprefix("src/")
    return any(name in ("*", room_of(path), inside) for name in names)


def _includes(tree: Tree, path: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(tree.lines(path), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def check_rooms(tree: Tree) -> Iterator[Finding]:
    """A room includes only from the rooms below it."""
    for path in tree.ending(CPP, "src/"):
        room = room_of(path)
        if room not in ROOMS:
            yield Finding(path, 0, f"the room {room} has no line in ROOMS of tests/tidy/rules.py.")
            continue
        for number, _, target in _includes(tree, path):
            other = target.split("/")[0]
            if other not in ROOMS or other == room or "/" not in target:
                continue
            if other not in ROOMS[room] and target not in ROOMS[room]:
                yield Finding(path, number, f"{room} may not include {target}.")


def check_homes(tree: Tree) -> Iterator[Finding]:
    """A third-party library is included only in its home."""
    for path in tree.ending(CPP, "src/", "cmd/"):
        for number, quote, target in _includes(tree, path):
            if "/" not in target or target.split("/")[0] in ROOMS:
                continue
            home = next((names for prefix, names in HOMES if target.startswith(prefix)), None)
            if home is None and quote == "<":
                yield Finding(path, number, f"<{target}> has no home in tests/tidy/rules.py.")
            elif home is not None and not allowed(home, path):
                yield Finding(path, number, f"{room_of(path)} is no home of {target}.")


def check_include_roots(tree: Tree) -> Iterator[Finding]:
    """Quoted includes are rooted at src/; outside it siblings too, in tests the tree's root."""
    for path in tree.ending(CPP):
        roots = ["src"]
        if path.startswith(("cmd/", "tests/")):
            roots.append(os.path.dirname(path))
        if path.startswith("tests/"):
            roots.append(".")
        for number, quote, target in _includes(tree, path):
            if quote == "<" or target.endswith(".pb.h"):
                continue
            found = any(os.path.exists(os.path.join(tree.root, r, target)) for r in roots)
            if not found or ".." in target.split("/"):
                yield Finding(path, number, f'"{target}" is not rooted at src.')


def check_headers(tree: Tree) -> Iterator[Finding]:
    for path in tree.ending((".h",)):
        if not tree.text(path).startswith("#pragma once\n"):
            yield Finding(path, 1, "a header begins with #pragma once.")


def check_clocks(tree: Tree) -> Iterator[Finding]:
    """Only base reads a clock, so that everything can be tested without waiting."""
    for path in tree.ending(CPP, "src/", "cmd/"):
        if path.startswith("src/base/"):
            continue
        for number, line in enumerate(tree.code(path), 1):
            if CLOCK.search(line):
                yield Finding(path, number, "only base reads a clock; take a base::Clock.")


def check_sleeps(tree: Tree) -> Iterator[Finding]:
    """Tests wait for what they wait for. Polling, with a deadline, lives in tests/support."""
    for path in tree.ending(CPP + (".py",), "tests/"):
        if path.startswith("tests/support/"):
            continue
        for number, line in enumerate(tree.code(path), 1):
            if SLEEP.search(line):
                yield Finding(path, number, "tests do not sleep; wait for the event itself.")


def check_sizes(tree: Tree) -> Iterator[Finding]:
    for path in tree.ending(LINED):
        lines = tree.lines(path)
        if len(lines) > LINES_MOST:
            yield Finding(path, len(lines), f"the file has more than {LINES_MOST} lines.")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MOST:
                yield Finding(path, number, f"the line has more than {COLUMNS_MOST} columns.")


def check_readmes(tree: Tree) -> Iterator[Finding]:
    present = set(tree.paths)
    rooms = {os.path.dirname(path) for path in tree.ending(CPP, "src/", "cmd/")}
    for room in sorted(rooms):
        if f"{room}/README.md" not in present:
            yield Finding(room, 0, "the room has no README.md.")


def check_names(tree: Tree) -> Iterator[Finding]:
    """Names that say nothing."""
    for path in tree.ending(CPP):
        if VAGUE_FILE.search(os.path.basename(path)):
            yield Finding(path, 0, "the file's name says nothing.")
        for number, line in enumerate(tree.code(path), 1):
            match = VAGUE.search(line)
            if match and not INCLUDE.match(line):
                yield Finding(path, number, f"the name {match.group(1)} says nothing.")


def check_usings(tree: Tree) -> Iterator[Finding]:
    """clang-tidy looks for these only where it is given the file alone."""
    for path in tree.ending((".cc",)):
        code = tree.code(path)
        for number, line in enumerate(code, 1):
            match = USING.match(line)
            if match and len(re.findall(rf"\b{match.group(1)}\b", "\n".join(code))) == 1:
                yield Finding(path, number, f"{match.group(1)} is not used.")


def check_unfinished(tree: Tree) -> Iterator[Finding]:
    for path in tree.ending(CPP + (".proto",)):
        for number, line in enumerate(tree.lines(path), 1):
            if UNFINISHED.search(line):
                yield Finding(path, number, "unfinished work belongs in an issue.")


RULES = [check_rooms, check_homes, check_include_roots, check_headers, check_clocks, check_sleeps,
         check_sizes, check_readmes, check_names, check_usings, check_unfinished]


def findings(root: str) -> list[Finding]:
    tree = Tree(root)
    return sorted(finding for rule in RULES for finding in rule(tree))
