"""report.md: the report as Markdown, for a repository or an issue."""

from __future__ import annotations

from poolab.report.arm_sentences import sentences_of
from poolab.report.document import Document
from poolab.report.tables import as_markdown, markdown_table


def markdown(document: Document) -> str:
    """Return the report as Markdown."""
    analysis = document.analysis
    shown = [str(sentence) for sentence in document.verdict]
    parts = [f"# {as_markdown(document.title)}", *map(as_markdown, [*shown, document.estimand, document.looks])]
    for table in analysis.tables:
        parts += [f"## {as_markdown(table.label)}", _listed([str(one) for one in sentences_of(analysis, table)])]
        parts.append(markdown_table(table, analysis))
        parts += [
            f"![{as_markdown(f'{one.title}: {one.description}')}](figures/{one.name}.svg)"
            for one in document.figures
            if one.setting == table.label and one.svg and one.name.startswith(("forest", "pareto"))
        ]
    parts += ["## What a reviewer would remark", _listed(document.remarks) or "None of the usual remarks applies."]
    parts += ["## Provenance", _listed([f"{fact.name}: {fact}" for fact in document.facts])]
    parts += ["### Runs that take no part", _listed(document.left_out) or "Every run that was found takes part."]
    parts += ["### For the method section", *map(as_markdown, document.methods)]
    commands = [
        f"{as_markdown(arm)}:\n\n    {command}"
        for table in analysis.tables
        for arm, command in document.commands_of(table)
    ]
    parts += ["## Commands", *commands] if commands else []
    parts.append(f"Made by `{document.command}`, poolab {document.version}.")
    return "\n\n".join(parts) + "\n"


def _listed(sentences: list[str]) -> str:
    return "\n".join(f"- {as_markdown(sentence)}" for sentence in sentences)
