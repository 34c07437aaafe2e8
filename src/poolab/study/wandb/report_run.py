"""`poolab report --wandb`: a report as a run of W&B, with the verdict, the tables, the page and its files.

The run has the job type "report". Its summary holds the verdict, its history the page (`report`, a wandb.Html) and one
table for each setting (`table/SETTING`), and an artifact of the type "report" the files of the report.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolab.errors import ConfigError, PoolabError
from poolab.study.wandb.uploader import reach
from poolab.text import one_line

if TYPE_CHECKING:
    from poolab.report import Analysis, Document
    from poolab.training import WandbSettings

JOB_TYPE = "report"
# Files of the report that the artifact holds. The figures stand in the page.
KEPT = ("index.html", "report.md", "results.json", "methods.txt", "tables/*.csv", "tables/*.tex")
INIT_TIMEOUT, FINISH_TIMEOUT = 20.0, 120.0  # seconds; a page of 12 settings has a few megabytes
PATIENCE = 10.0  # seconds that W&B's client may take beyond its own time limits
NAME = 100  # characters of a name; W&B takes 128 for an artifact


@dataclass(frozen=True)
class Target:
    """The destination of the run: a project, and the user or team that has it (None: that of the API key)."""

    project: str
    entity: str | None = None


def read_target(text: str) -> Target:
    """Read --wandb.

    Raises:
        ConfigError: it is not ENTITY/PROJECT, or PROJECT alone.

    >>> read_target("team/poolings"), read_target("poolings")
    (Target(project='poolings', entity='team'), Target(project='poolings', entity=None))
    """
    parts = text.strip().split("/")
    if len(parts) > 2 or not all(part.strip() for part in parts) or re.search(r"[\\#?%:]", text):
        raise ConfigError(
            f"--wandb {text}: name a project of W&B as ENTITY/PROJECT, e.g. --wandb my-team/poolings, or as PROJECT "
            "for that of your API key; the names hold none of \\ # ? % :"
        )
    return Target(parts[-1].strip(), parts[0].strip() if len(parts) == 2 else None)


def check_access(target: Target) -> None:
    """Check what can be checked before a report is made: W&B is not switched off, there is a key, and a server.

    Raises:
        ConfigError: WANDB_MODE or WANDB_DISABLED leaves W&B out, or there is no key.
        PoolabError: the server cannot be reached.
    """
    from poolab.training import has_key, server, settings_for_upload, without_secrets

    mode = settings_for_upload(target.project, target.entity, Path("report"), "report").mode
    if mode == "disabled":
        raise ConfigError(
            "--wandb asks for a run of W&B, and WANDB_MODE or WANDB_DISABLED leaves W&B out: unset it, or set "
            "WANDB_MODE=offline for a run that `wandb sync` sends later"
        )
    if mode == "online":
        address = server()
        if not has_key(address):
            raise ConfigError(
                f"W&B has no key for {without_secrets(address)}: wandb login, or WANDB_API_KEY; or set "
                "WANDB_MODE=offline for a run that `wandb sync` sends later"
            )
        reach(address)


def log_report(document: Document, folder: Path, target: Target) -> str:
    """Write a report that lies in a folder to W&B, and return a sentence that says where it is.

    Offline (WANDB_MODE=offline) the run is written into the report's folder, or into WANDB_DIR.

    Raises:
        PoolabError: W&B did not take it; the report's folder is complete without it.
    """
    from poolab.training import NoAnswer, bounded, client_process, kill, settings_for_upload, without_secrets

    chosen = settings_for_upload(target.project, target.entity, folder, f"report of {document.title}")
    told: list[str] = []
    process: list[int | None] = [None]
    # Online nothing is left behind: the report's folder is what is kept.
    scratch = tempfile.mkdtemp(prefix="poolab-report-") if chosen.mode == "online" else None
    chosen = replace(chosen, folder=Path(scratch)) if scratch else chosen

    def write() -> None:
        process[0] = _write(document, folder, chosen, told.append)

    try:
        bounded(write, INIT_TIMEOUT + FINISH_TIMEOUT + PATIENCE)
    except Exception as error:
        if isinstance(error, NoAnswer):
            kill(process[0] or client_process())
        where = f"{target.entity}/{target.project}" if target.entity else target.project
        raise PoolabError(
            f"W&B did not take the report for {where}: {without_secrets(one_line(str(error)))[:300]}. The names of "
            f"user or team and project must be yours to write to. The report itself is complete in {folder}; the same "
            "command tries again"
        ) from error
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    return told[0]


def _write(document: Document, folder: Path, chosen: WandbSettings, tell: Callable[[str], None]) -> int | None:
    """Make the run, and return the process of W&B's client."""
    import wandb

    from poolab.training import client_process, refusal

    os.environ.setdefault("WANDB_SILENT", "true")
    wandb.setup()
    process = client_process()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        entity=chosen.entity,
        project=chosen.project,
        name=chosen.name,
        group=chosen.group or one_line(document.title),
        job_type=chosen.job_type or JOB_TYPE,
        tags=list(chosen.tags),
        notes=chosen.notes or "\n\n".join(str(sentence) for sentence in document.verdict),
        dir=str(chosen.folder),
        config={"report": _facts(document.analysis, document.version)},
        settings=wandb.Settings(
            mode="online" if chosen.mode == "online" else "offline",
            init_timeout=INIT_TIMEOUT,
            finish_timeout=FINISH_TIMEOUT,
            finish_timeout_raises=True,
            silent=chosen.silent,
            console="off",
            x_disable_stats=True,
        ),
    )
    session = Path(run.dir).parent
    try:
        _log(run, document, folder, chosen.mode == "online")
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish(exit_code=0)
    refused = refusal(session) if chosen.mode == "online" else None
    if refused is not None:
        raise ConnectionError(f"its server refused a part: {refused}")
    tell(f"on W&B: {run.url}" if chosen.mode == "online" else f"for W&B, offline: wandb sync {session}")
    return process


def _log(run: Any, document: Document, folder: Path, online: bool) -> None:
    """Log the page, a table for each setting, the verdict, and the files as an artifact."""
    import wandb

    from poolab.report import table_values

    analysis = document.analysis
    logged: dict[str, Any] = {"report": wandb.Html(str(folder / "index.html"), inject=False)}
    for table in analysis.tables:
        names, rows = table_values(table, analysis)
        logged[f"table/{_key(table.label)}"] = wandb.Table(columns=[*names], data=rows, allow_mixed_types=True)
    run.log(logged)
    run.summary.update({"verdict": " ".join(str(one) for one in document.verdict), **_counts(analysis)})
    artifact = wandb.Artifact(f"report-{_key(document.title)}", type=JOB_TYPE, metadata={"poolab": document.version})
    for pattern in KEPT:
        for path in sorted(folder.glob(pattern)):
            artifact.add_file(str(path), name=str(path.relative_to(folder)), policy="immutable")
    logged_artifact = run.log_artifact(artifact)
    if online:  # else a refusal would be told to nobody
        logged_artifact.wait(timeout=int(FINISH_TIMEOUT))


def _facts(analysis: Analysis, version: str) -> dict[str, Any]:
    return {
        "poolab": version,
        "baseline": analysis.baseline,
        "metric": analysis.metric.name,
        "margin": analysis.margin or None,
        "confidence": analysis.confidence,
        "arms": analysis.evidence.arms,
        "settings": [table.label for table in analysis.tables],
        "runs": len(analysis.evidence.runs),
    }


def _counts(analysis: Analysis) -> dict[str, int]:
    """Return how many arms, over all settings, have each verdict."""
    found = Counter(str(row.compared.verdict) for table in analysis.tables for row in table.others)
    return {f"arms/{verdict}": found[verdict] for verdict in ("better", "worse", "equivalent", "undecided")}


def _key(text: str) -> str:
    """Return a name as W&B takes it in keys and names of artifacts: letters, digits, dashes, underscores and dots.

    >>> _key("pooling small, a/b.yaml")
    'pooling-small-a-b.yaml'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")[:NAME]
