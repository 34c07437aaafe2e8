"""Read a YAML file from an unknown source: with limits, so that none takes long, and with the line of each error."""

import os
import stat
from pathlib import Path
from typing import Any

import yaml

from poolab.errors import ConfigError

LARGEST = 100_000  # bytes: a study of 2,000 listed seeds has 10,000; PyYAML takes a second for this many
DEEPEST = 50  # lists and mappings inside each other
MOST = 100_000  # values, counted with what aliases repeat
LONGEST = 2**63  # whole numbers lie below it
BYTE_ORDERS = (b"\xff\xfe", b"\xfe\xff")


class Loader(yaml.SafeLoader):
    """A safe loader that refuses deep nesting, excessive aliases, and duplicate keys.

    YAML takes the last of two equal keys without a word.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, unless it is nested too deeply."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.composer.ComposerError(
                None, None, f"it is nested deeper than {DEEPEST} levels", self.peek_event().start_mark
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct a value; one that cannot be read (5,000 digits, the 31st of February) is an error of its line."""
        try:
            value = super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            why = "a number with too many digits" if "int_max_str_digits" in str(error) else str(error)
            raise _error(node, f"{_short(node)} cannot be read: {why}") from error
        if isinstance(value, int) and not -LONGEST <= value < LONGEST:
            raise _error(node, f"{_short(node)} is too large: a whole number must be between -2^63 and 2^63")
        return value


def read_yaml(path: Path) -> Any:
    """Read a file of one YAML document.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is not a regular file, too large, not UTF-8, or not YAML; the message is one sentence about it.
    """
    return parse_yaml(_text(path))


def parse_yaml(text: str) -> Any:
    r"""Return the content of a YAML document; None if it is empty.

    Raises:
        ConfigError: it is not YAML, or beyond the limits.

    >>> parse_yaml("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}")["own"]
    {'a': 1, 'b': 3}
    """
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _size(loader, node, {})
        return loader.construct_document(node)
    except yaml.reader.ReaderError as error:
        where = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"line {where}: the character U+{int(error.character):04X} is not allowed; is it a text file?"
        ) from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_told(error)) from error


def _text(path: Path) -> str:
    """Return the text of a regular file. A named pipe is not opened, since that waits for its writer."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe or a device"
            raise ConfigError(f"it is {kind}; a study is a file")
        if about.st_size > LARGEST:
            raise ConfigError(f"it has {about.st_size:,} bytes, and a study file has at most {LARGEST:,}")
        raw = os.read(file, LARGEST + 1)
    finally:
        os.close(file)
    if raw.startswith(BYTE_ORDERS):
        raise ConfigError("it is written in UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line}: the byte {raw[error.start]:#04x} is not UTF-8; save it as UTF-8") from error


def _size(loader: Loader, node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return how many values a node has, counted again at each alias, and check the keys of its mappings."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise _error(node, "an alias (*) refers to the list or mapping that contains it")
        return size
    known[id(node)] = None
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        _check_keys(loader, node)
        parts = [part for pair in node.value for part in pair]
    size = 1 + sum(_size(loader, part, known) for part in parts)
    if size > MOST:
        raise _error(node, f"its aliases (*) repeat more than {MOST:,} values; write the values that are meant")
    known[id(node)] = size
    return size


def _check_keys(loader: Loader, node: yaml.MappingNode) -> None:
    seen: set[Any] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error(key, "a list or a mapping cannot be a key; put a key with `:` in quotes if it has brackets")
        own = (key.tag, loader.construct_object(key)) if key.tag != "tag:yaml.org,2002:merge" else (key.tag, key.value)
        if own in seen:
            raise _error(key, f"{_short(key)} is there twice")
        seen.add(own)


def _short(node: yaml.Node) -> str:
    """Return the beginning of a scalar's text."""
    text = str(node.value)
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text):,} characters)"


def _error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _told(error: yaml.MarkedYAMLError) -> str:
    """Return the error in one line, with its position."""
    mark = error.problem_mark or error.context_mark
    position = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = ", ".join(filter(None, (error.context, error.problem))) or "it is not YAML"
    hint = "; YAML indents by spaces, never by tabs" if "'\\t'" in problem else ""
    if "could not determine a constructor" in problem:
        hint = "; a study has texts, numbers, true, false, null, lists and mappings, and no tags (!)"
    return f"{position}{problem}{hint}"
