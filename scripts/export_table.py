"""Export every pooling inside keras_cnn in every format, and write what came out as docs/export.md.

    python scripts/export_table.py measure                 # all poolings: half an hour on two cores
    python scripts/export_table.py measure spp median      # these again; the others keep their figures
    python scripts/export_table.py page > docs/export.md

Each network is trained for one epoch on the digits, exported, and compared on the 364 test images. The time in ONNX
Runtime is the processor's for 32 images on one thread, beside the network with max pooling: both in turn, medians of 60
rounds. (A clock on the wall would measure what else the machine does.)
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

RESULTS = Path("benchmarks/export.json")
TEXT = Path(__file__).with_name("export_page.md")
IMAGES, ROUNDS = 32, 60
# What is measured: a title, the format, the precision.
COLUMNS = (
    ("ONNX", "onnx", "float32"),
    ("ONNX int8", "onnx", "int8"),
    ("torch_export", "torch_export", "float32"),
    ("torchscript", "torchscript", "float32"),
)


def main() -> int:
    """Measure, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    works = parser.add_subparsers(dest="work", required=True, metavar="work")
    measure = works.add_parser("measure", help="export and compare")
    measure.add_argument("names", nargs="*", metavar="POOLING")
    measure.add_argument("--results", type=Path, default=RESULTS)
    page = works.add_parser("page", help="print docs/export.md")
    page.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    if chosen.work == "page":
        print(rendered(json.loads(chosen.results.read_text())), end="")
        return 0
    return _measure(chosen.names, chosen.results)


def _measure(names: Sequence[str], results: Path) -> int:
    import torch

    from poolab.pooling import list_pools

    torch.set_num_threads(1)
    found = json.loads(results.read_text()) if results.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        maximum = session(exported("max", Path(place), {})["file"])
        for name in names or list_pools():
            found[name] = measured(name, Path(place), maximum)
            results.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    return 0


def measured(name: str, place: Path, maximum: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what became of a pooling in each format."""
    row: dict[str, Any] = {"torch": _version()}
    content = exported(name, place, row)
    if "file" in content:
        row["bytes"] = content["file"].stat().st_size
        row["time"] = _time_ratio(session(content["file"]), maximum, content["images"])
    return row


def exported(name: str, place: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Train a network, export it in every format, and put the comparisons into `row`."""
    import torch

    from poolab.export.check_images import CheckImages
    from poolab.export.comparison import compare
    from poolab.export.culprits import culprits, reason_of
    from poolab.export.deployed import Deployed
    from poolab.export.formats import FORMATS
    from poolab.export.quiet import quiet
    from poolab.export.writers import writer_of
    from poolab.pooling import use_backend

    with use_backend("plain"), torch.no_grad():
        with torch.enable_grad():
            network, data = _trained(name)
        checked = CheckImages(data.test.images, "test images of digits", data.test.labels)
        deployed = Deployed(network, data.mean, data.std)
        makers = _makers(deployed, data, place)
        content: dict[str, Any] = {"images": checked.pixels[:IMAGES]}
        for _, form, precision in COLUMNS:
            writer = writer_of(form)
            path = place / f"{name}-{precision}{FORMATS[form].suffixes[0]}"
            try:
                with quiet():
                    path.write_bytes(makers[form, precision]())
                    outcome = compare(writer.opened(path), deployed, checked)
            except Exception as fault:
                with quiet():
                    few = deployed.normalised(checked.pixels[:4])
                    known = "fault" in row.get("onnx float32", {}) and precision == "int8"
                    told = [row["onnx float32"]["fault"]] if known else culprits(deployed.network, few, writer, place)
                row[f"{form} {precision}"] = {"fault": "; ".join(told or [reason_of(fault)])[:300]}
                continue
            assert outcome.accuracy is not None
            row[f"{form} {precision}"] = {
                "difference": float(f"{outcome.difference:.2g}"),
                "changed": round(outcome.changed, 4),
                "accuracy": [round(value, 4) for value in outcome.accuracy],
            }
            if form == "onnx" and precision == "float32":
                content["file"] = path
    return content


def _makers(deployed: Any, data: Any, place: Path) -> dict[tuple[str, str], Callable[[], bytes]]:
    """Return what makes each file; what several begin with is made once, where it is asked for first."""
    from functools import cache

    from poolab.export import onnx_file, torch_export_file
    from poolab.export.job import Job
    from poolab.export.writers import writer_of

    example = data.test.images[:2]

    @cache
    def program() -> Any:
        return torch_export_file.traced(deployed, example)

    @cache
    def model() -> Any:
        return onnx_file.converted(program())

    def int8() -> bytes:
        small = onnx_file.quantised(model(), data.train.images[:256], place, deployed.poolings)
        return bytes(small.SerializeToString())

    return {
        ("onnx", "float32"): lambda: bytes(model().SerializeToString()),
        ("onnx", "int8"): int8,
        ("torch_export", "float32"): lambda: torch_export_file.saved(program(), {}),
        ("torchscript", "float32"): lambda: writer_of("torchscript").make(Job(deployed, example, {}), place),
    }


def _trained(name: str) -> tuple[Any, Any]:
    """Return a network with a pooling after one epoch on the digits, in evaluation mode, and the data."""
    import torch

    from poolab.data import load_data, prepare

    data = load_data("digits", seed=0)
    network = _network(name, data)
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for batch in torch.randperm(len(data.train)).split(32):
        images = prepare(data.train.images_at(batch), data.mean, data.std)
        loss = torch.nn.functional.cross_entropy(network(images), data.train.labels_at(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval(), data


def _network(name: str, data: Any) -> Any:
    """Return keras_cnn with a pooling in all its slots, or as its head."""
    import torch
    from torch import nn

    from poolab.backbones import create_backbone
    from poolab.pooling import create_pool, get_pool

    if name == "inter_map":  # it halves the channels, which no slot of a backbone allows
        torch.manual_seed(0)
        body = nn.Sequential(
            nn.Conv2d(data.channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2), create_pool(name), nn.Flatten()
        )
        features = body(torch.zeros(1, data.channels, *data.image_size)).shape[1]
        return nn.Sequential(body, nn.Linear(features, len(data.classes)))
    group = "head" if get_pool(name).role == "global" else "pooling"
    settings: dict[str, Any] = {group: {"name": name, **({"project": True} if name == "pixel_pyramid" else {})}}
    if getattr(get_pool(name), "resizes", False):  # its output has no fixed size, as the network's own head needs
        settings["head"] = {"name": "global_avg"}
    return create_backbone(
        "keras_cnn",
        in_channels=data.channels,
        num_classes=len(data.classes),
        image_size=data.image_size,
        seed=0,
        **settings,
    )


def session(path: Path) -> Callable[[Any], Any]:
    """Return what runs an ONNX file."""
    from poolab.export.writers import writer_of

    return writer_of("onnx").opened(path)


def _time_ratio(one: Callable[[Any], Any], other: Callable[[Any], Any], images: Any) -> float:
    """Return how many times longer the one takes than the other, as the medians of runs in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for program, own in zip((one, other), seconds, strict=True):
            start = time.thread_time()
            program(images)
            own.append(time.thread_time() - start)
    return round(statistics.median(seconds[0]) / statistics.median(seconds[1]), 2)


def _version() -> str:
    import torch

    return ".".join(torch.__version__.split(".")[:2])


def rendered(found: dict[str, Any]) -> str:
    """Return the page: the text, with the table and the reasons in its places."""
    whole = [name for name, row in found.items() if "fault" not in row.get("onnx float32", {"fault": ""})]
    figures = {
        "count": str(len(found)),
        "whole": str(len(whole)),
        "worst": f"{max(found[name]['onnx float32']['difference'] for name in whole):.1e}",
        "table": "\n".join(_table(found)),
        "faults": "\n".join(_faults(found)) or "None.",
    }
    text = TEXT.read_text()
    for key, value in figures.items():
        text = text.replace(f"{{{{{key}}}}}", value)
    return text


def _table(found: dict[str, Any]) -> list[str]:
    heads = ["pooling", *(title for title, _, _ in COLUMNS), "kB", "time beside max"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name in sorted(found):
        row = found[name]
        cells = [_cell(row.get(f"{form} {precision}", {}), precision) for _, form, precision in COLUMNS]
        size = f"{row['bytes'] / 1000:.0f}" if "bytes" in row else "-"
        time = f"{row['time']:.2f}" if "time" in row else "-"
        lines.append(f"| [{name}](poolings/{name}.md) | {' | '.join(cells)} | {size} | {time} |")
    return lines


def _cell(outcome: dict[str, Any], precision: str) -> str:
    if "difference" not in outcome:
        return "no"
    if precision == "int8":
        file, network = outcome["accuracy"]
        return f"{100 * (file - network):+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")
    return f"{outcome['difference']:.0e}".replace("e-0", "e-") if outcome["difference"] else "0"


def _faults(found: dict[str, Any]) -> list[str]:
    lines: dict[str, list[str]] = {}
    for name in sorted(found):
        for title, form, precision in COLUMNS:
            reason = found[name].get(f"{form} {precision}", {}).get("fault")
            if reason is not None:
                lines.setdefault(f"`{name}`: {_plain(reason)}", []).append(title)
    return [f"- {reason} ({', '.join(titles)})" for reason, titles in lines.items()]


def _plain(reason: str) -> str:
    return reason.split(": ", 1)[1] if reason.startswith("slot ") else reason


if __name__ == "__main__":
    sys.exit(main())
