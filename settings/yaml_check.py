"""What is wrong with the YAML of an inventory, in every file at once: Ansible would stop at the first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from settings.masking import MASK, may_hold_secrets
from settings.names import PREFIXES
from settings.places import short
from settings.problem import Problem
from settings.yaml_files import VAULT, File, Holds, TooDeep, compose, files, line_of, pairs

LARGEST_FILE = 4 * 1024**2
LARGEST_VALUE = 100_000  # nodes of a file, anchors expanded
STANDARD = "tag:yaml.org,2002:"
TAGS = ("!vault", "!vault-encrypted", "!unsafe")
PLAIN_TAGS = ("null", "bool", "int", "float", "binary", "timestamp", "set", "str", "seq", "map", "merge", "value")
# YAML 1.1 reads 1:30 as 90 and 010 as 8; both are rarely meant.
SURPRISING = re.compile(r"[-+]?(\d[\d_]*(:[0-5]?\d)+(\.\d*)?|0[0-7_]+|0[bx][0-9a-fA-F_]+)", re.ASCII)


def _text_of(path: Path) -> str | Problem:
    place = short(path)
    try:
        content = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
    except OSError as error:
        return Problem(
            rule="yaml-unreadable",
            where=place,
            message=f"the file cannot be read: {error.strerror}",
            fix="make it a readable file",
        )
    if content is None:
        return Problem(
            rule="yaml-unreadable",
            where=place,
            message=f"the file has more than {LARGEST_FILE // 1024**2} MiB: no settings are so long",
            fix="move it out of the inventory",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem(
            rule="yaml-unreadable",
            where=short(path, content[: error.start].count(b"\n") + 1),
            message="the file is not UTF-8 text",
            fix="save it as UTF-8",
        )


def _not_yaml(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    line, said = 1, "it cannot be read"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, said = (mark.line + 1 if mark else 1), str(error.problem or error.context)
    elif isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        said = f"the character #x{ord(text[error.position]):04x} is not allowed"
    rule = "yaml-depth" if isinstance(error, TooDeep) else "yaml-syntax"
    row = text.split("\n")[line - 1] if line <= text.count("\n") + 1 else ""
    return Problem(
        rule=rule, where=short(path, line), message=f"this is not YAML: {said}", fix=_syntax_fix(rule, row, said)
    )


def _syntax_fix(rule: str, row: str, said: str) -> str:
    if rule == "yaml-depth":
        return "flatten it"
    if "\t" in row or "'\\t'" in said:
        return "indent with spaces: YAML takes no tab"
    if re.search(r":\s+\{\{", row):
        return 'put quotes around the value: "{{ ... }}"'
    if re.search(r"[^\x20-\x7e]", row) and "not allowed" in said:
        return "delete the control character"
    return "mend this line or the one above: close every quote and bracket, indent with spaces"


def syntax_problems(source: Path) -> tuple[list[Problem], list[Problem]]:
    """Find what YAML refuses, and what it would silently read in another way.

    Returns:
        Two lists: problems for which nothing can be read, and problems that let the reading go on.
    """
    fatal: list[Problem] = []
    others: list[Problem] = []
    for file in files(source):
        text = _text_of(file.path)
        if isinstance(text, Problem):
            fatal.append(text)
            continue
        if text.startswith(VAULT):
            continue
        broken = text_problems(file, text)
        fatal.extend(broken)
        if not broken:
            for document in compose(text) if file.path.suffix != ".json" else []:
                others.extend(_duplicate_keys(file.path, document))
                others.extend(_odd_values(file, document))
    return fatal, others


def text_problems(file: File, text: str) -> list[Problem]:
    """Find what keeps the text of a file from being read."""
    try:
        documents = compose(text)
    except yaml.YAMLError as error:
        if file.path.suffix == ".json" and _is_json(text):
            return []  # Ansible reads it as JSON first, which takes tabs
        return [_not_yaml(file.path, text, error)]
    return list(_document_problems(file.path, documents))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _document_problems(path: Path, documents: list[yaml.Node]) -> Iterator[Problem]:
    if not documents:
        yield Problem(
            rule="yaml-empty",
            where=short(path, 1),
            message="the file holds nothing",
            fix="write a setting into it, or delete the file",
        )
    for document in documents[1:]:
        yield Problem(
            rule="yaml-documents",
            where=short(path, line_of(document)),
            message="a second document begins here, and one is read",
            fix="delete the line ---",
        )
    for document in documents[:1]:
        if not isinstance(document, yaml.MappingNode):
            yield Problem(
                rule="yaml-mapping",
                where=short(path, line_of(document)),
                message="the file must hold `name: value` lines, and holds something else",
                fix="write `redis_maxmemory: 512mb`, one setting per line",
            )
        else:
            yield from _unreadable(path, document)


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield every node once, however often anchors repeat it."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in reversed(node.value) for part in reversed(pair))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(reversed(node.value))


def _size(node: yaml.Node, sizes: dict[int, int], around: frozenset[int]) -> int:
    """Count the nodes with anchors expanded; -1 where an anchor holds itself."""
    if id(node) in around:
        return -1
    if id(node) not in sizes:
        inner = around | {id(node)}
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        counts = [_size(part, sizes, inner) for part in parts]
        sizes[id(node)] = -1 if -1 in counts else 1 + sum(counts)
    return sizes[id(node)]


def _unreadable(path: Path, root: yaml.MappingNode) -> Iterator[Problem]:
    size = _size(root, {}, frozenset())
    if size < 0 or size > LARGEST_VALUE:
        yield Problem(
            rule="yaml-anchors",
            where=short(path, line_of(root)),
            message="an anchor holds itself" if size < 0 else "anchors multiply the file beyond all reason",
            fix="write the values out",
        )
        return
    constructor = yaml.constructor.SafeConstructor()
    for node in _nodes(root):
        standard = node.tag.removeprefix(STANDARD) in PLAIN_TAGS and node.tag.startswith(STANDARD)
        if not standard and node.tag not in TAGS:
            yield Problem(
                rule="yaml-tag",
                where=short(path, line_of(node)),
                message=f"there is no type {node.tag.replace(STANDARD, '!!')}",
                fix="delete the tag; known are !vault and !unsafe",
            )
        elif isinstance(node, yaml.ScalarNode):
            yield from _unreadable_value(path, node, constructor)
        elif isinstance(node, yaml.MappingNode) and any(not isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            yield Problem(
                rule="yaml-syntax",
                where=short(path, line_of(node)),
                message="a value in braces stands where a key is due, as in an unquoted {{ template }}",
                fix='put quotes around the value: "{{ ... }}"',
            )


def _unreadable_value(
    path: Path, node: yaml.ScalarNode, constructor: yaml.constructor.SafeConstructor
) -> Iterator[Problem]:
    kind = {"bool": "yes or no", "int": "number", "float": "number", "timestamp": "date", "binary": "base64"}.get(
        node.tag.removeprefix(STANDARD)
    )
    said = ""
    if re.search(r"[\ud800-\udfff]", node.value):
        said = "it holds half a character, which UTF-8 cannot carry"
    elif kind:
        try:
            constructor.construct_object(node)
        except (ArithmeticError, AttributeError, LookupError, ValueError, yaml.YAMLError):
            said = f"YAML reads this as a {kind}, and it is none"
    if said:
        yield Problem(
            rule="yaml-value",
            where=short(path, line_of(node)),
            message=said,
            fix="put quotes around what is meant as text",
        )


def _duplicate_keys(path: Path, root: yaml.Node) -> Iterator[Problem]:
    for node in _nodes(root):
        seen: dict[str, int] = {}
        for key, _ in pairs(node):
            if key.value in seen:
                yield Problem(
                    rule="yaml-duplicate",
                    variable=key.value,
                    where=short(path, line_of(key)),
                    message=f"it is written a second time, after line {seen[key.value]}; YAML would keep the last",
                    fix="delete one of the two",
                )
            seen[key.value] = line_of(key)


def _settings_of(file: File, root: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Yield the settings of a file: its own, or those below vars: and hosts: of its groups."""
    if file.holds is Holds.VARIABLES:
        yield from ((key, value) for key, value in pairs(root) if key.value.startswith(PREFIXES))
        return
    for node in _nodes(root):
        yield from ((key, value) for key, value in pairs(node) if key.value.startswith(PREFIXES))


def _odd_values(file: File, root: yaml.Node) -> Iterator[Problem]:
    """Find numbers that YAML 1.1 reads in its own way, and keys that are no text."""
    for name, top in _settings_of(file, root):
        for node in _nodes(top):
            if isinstance(node, yaml.ScalarNode) and node.style is None and SURPRISING.fullmatch(node.value):
                shown = not may_hold_secrets(name.value)
                read = yaml.constructor.SafeConstructor().construct_object(node)
                yield Problem(
                    rule="yaml-number",
                    variable=name.value,
                    value=node.value if shown else MASK,
                    where=short(file.path, line_of(node)),
                    message=f"YAML reads this as the number {read}" if shown else "YAML reads this as another number",
                    fix=f"write {read}, or put quotes around what is meant as text"
                    if shown
                    else "put quotes around it",
                )
            yield from _odd_keys(file, name.value, node)
    if file.holds is Holds.VARIABLES:
        yield from _odd_keys(file, "", root)


def _odd_keys(file: File, variable: str, node: yaml.Node) -> Iterator[Problem]:
    for key, _ in pairs(node):
        if key.tag.removeprefix(STANDARD) not in ("str", "merge", "value"):
            yield Problem(
                rule="yaml-key",
                variable=variable,
                where=short(file.path, line_of(key)),
                message=f"a key is text, and YAML reads {key.value} as something else",
                fix="put quotes around it",
            )
