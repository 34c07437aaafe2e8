"""For mkdocstrings: examples in docstrings become code. Markdown would take their brackets for links."""

from typing import Any

import griffe


class DoctestsAsCode(griffe.Extension):
    """Put the examples of every docstring into code blocks."""

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:
        """Change a docstring after it was read."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Return a docstring with its examples, from >>> to an empty line, in code blocks.

    >>> print(fenced("Return x.").count("python"))
    0
    """
    lines: list[str] = []
    is_open = False
    for line in text.splitlines():
        if line.startswith(">>>") and not is_open:
            lines.append("```python")
            is_open = True
        elif is_open and not line.strip():
            lines.append("```")
            is_open = False
        lines.append(line)
    return "\n".join([*lines, "```"] if is_open else lines)
