"""report.md: the report as Markdown, for a repository or an issue."""

from __future__ import annotations

from poolab.report.document import Document
from poolab.report.tables import markdown_table
from poolab.report.verdict import sentences_of


def markdown(document: Document) -> str:
    """Return the report as Markdown."""
    analysis = document.analysis
    parts = [f"# {document.title}", *map(str, document.verdict), document.estimand]
    for table in analysis.tables:
        parts += [f"## {table.label}", "\n".join(f"- {sentence}" for sentence in sentences_of(analysis, table))]
        parts.append(markdown_table(table, analysis))
        parts += [
            f"![{one.title}: {one.description}](figures/{one.name}.svg)"
            for one in document.figures
            if one.setting == table.label and one.svg and one.name.startswith(("forest", "pareto"))
        ]
    parts += ["## What a reviewer would remark", _listed(document.remarks) or "None of the usual remarks applies."]
    parts += ["## Provenance", _listed([f"{fact.name}: {fact}" for fact in document.facts])]
    parts += ["### Runs that take no part", _listed(document.left_out) or "Every run that was found takes part."]
    parts += ["### For the method section", *document.methods]
    commands = [f"{arm}:\n\n    {command}" for table in analysis.tables for arm, command in document.commands_of(table)]
    parts += ["## Commands", *commands] if commands else []
    parts.append(f"Made by `{document.command}`, poolab {document.version}.")
    return "\n\n".join(parts) + "\n"


def _listed(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
