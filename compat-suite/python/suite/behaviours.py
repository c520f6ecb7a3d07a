"""The list of behaviours, and which client checks which.

A client checks a behaviour when a source file in its folder names the id. So the check works for
clients in any language.
"""

import re
from pathlib import Path

SUITE = Path(__file__).resolve().parents[2]
LIST = SUITE / "behaviours.md"
SOURCES = {".py", ".js", ".mjs", ".ts", ".go", ".java", ".kt", ".rb", ".php", ".cs", ".rs", ".sh"}
# Folders that are no clients: what was installed, and what clients of a language share.
FOREIGN = {"node_modules", ".venv", ".cache", "__pycache__", "python", "node"}
# Folders that try a tool of the suite: what they name, they do not check.
TOOLS = {"comparison"}


def listed():
    """The behaviours of the list: id to sentence, in order. Raises when an id is there twice."""
    found = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| ([a-z]+-\d{2}) \| (.+) \| (.+) \|$", line)
        if row:
            if row[1] in found:
                raise ValueError(f"{row[1]} is listed twice")
            found[row[1]] = row[2]
    return found


def checked():
    """Which client names which id: id to the set of clients (names of folders)."""
    themes = "|".join(sorted({id.split("-")[0] for id in listed()}))
    named = re.compile(rf"""["'`\s\[(]((?:{themes})-\d{{2}})\b""")
    found = {}
    for folder in sorted(SUITE.iterdir()):
        if not folder.is_dir() or folder.name in FOREIGN | TOOLS:
            continue
        for file in folder.rglob("*"):
            inside = file.relative_to(folder).parts
            if file.suffix in SOURCES and not FOREIGN.intersection(inside):
                for id in named.findall(file.read_text(encoding="utf-8")):
                    found.setdefault(id, set()).add(folder.name)
    return found


def problems():
    """What is wrong with the list and the tests: ids that nobody checks, and ids that nobody listed."""
    ids, named = listed(), checked()
    unchecked = [f"{id} of behaviours.md is checked by no test" for id in ids if id not in named]
    unknown = [
        f"{id} is not in behaviours.md, but in the tests of {' and '.join(sorted(clients))}"
        for id, clients in named.items()
        if id not in ids
    ]
    return unchecked + unknown


def main():
    """Prints one line per behaviour: id, sentence, clients."""
    clients = checked()
    for id, sentence in listed().items():
        print(f"{id:<18} {sentence} ({', '.join(sorted(clients.get(id, {'nobody'})))})")
