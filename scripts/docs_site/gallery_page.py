"""The gallery: a card for each method with what it keeps of a photograph, its family, cost, learning and export."""

import io
import json
from html import escape
from pathlib import Path
from typing import Any

from poolab.catalogue import card, listed
from poolab.catalogue.chosen import known, make, own
from poolab.catalogue.drawing import as_image
from poolab.catalogue.kept import kept
from poolab.catalogue.photograph import photograph
from poolab.catalogue.picture import KERNELS
from poolab.pooling import Pool

MEASURED = Path(__file__).parents[2] / "benchmarks" / "export.json"
SIDE = 168  # pixels of a picture
FAMILIES = {
    "window.basic": "maximum, mean, minimum",
    "window.adaptive": "maximum, mean, minimum",
    "window.rank": "ranks",
    "window.ordinal": "ranks",
    "window.powers": "power means",
    "window.softmax": "soft maximum",
    "window.adapool": "soft maximum",
    "window.entropy": "soft maximum",
    "window.mixtures": "maximum and mean mixed",
    "window.fuzzy": "maximum and mean mixed",
    "window.gated": "maximum and mean mixed",
    "window.stochastic": "random",
    "window.rank_stochastic": "random",
    "window.subsampled": "random",
    "window.gaussian": "random",
    "window.lip": "learned weights",
    "window.dpp": "learned weights",
    "window.universal": "learned weights",
    "window.recurrent": "learned weights",
    "window.blur": "anti-aliasing",
    "window.polyphase": "anti-aliasing",
    "window.learned_polyphase": "anti-aliasing",
    "window.pasa": "anti-aliasing",
    "window.fourier": "frequency",
    "window.diffstride": "frequency",
    "window.wavelets": "frequency",
    "window.haar": "frequency",
    "window.lift": "frequency",
    "window.adown": "learned weights",
    "window.controls": "no pooling (controls)",
    "head.basic": "heads: one value a channel",
    "head.statistics": "heads: one value a channel",
    "head.attention": "heads: attention",
    "head.clip_attention": "heads: attention",
    "head.transport": "heads: attention",
    "head.second_order": "heads: second order",
    "head.covariance": "heads: second order",
    "head.vlad": "heads: clusters",
    "head.spatial_pyramid": "heads: pyramids and regions",
    "head.superpixel": "heads: pyramids and regions",
    "channel.inter_map": "across channels",
}
LEARNS = {"never": "no", "option": "by an option", "always": "yes"}
# The time in ONNX Runtime beside max pooling up to which a cost has this name.
COSTS = ((1.5, "as max pooling"), (6.0, "up to 6 times"), (float("inf"), "more than 6 times"))
EIGHT_BITS = 0.005  # change of the accuracy
INTRODUCTION = """---
title: The gallery
hide: [toc]
---
# The gallery

A card for each method. The picture is what comes out of the method with windows of 4x4 (or the nearest that it takes)
on a photograph of 128x128. Methods that learn are shown at the weights that training starts from. A head gives numbers,
not a map, and has no picture.

**Cost** is the time of the exported network in ONNX Runtime on one thread, divided by that of the same network with max
pooling ([how, and all figures](export.md#every-pooling)). What a method costs in training is another question:
[speed](speed.md). **8 bits** is the change of the accuracy in points when the exported network is quantised to 8 bits.
It comes from one training of one epoch on the digits, and one of the 364 test digits is 0.3 points: small numbers say
nothing.
"""


def page() -> str:
    """Return the page as Markdown with HTML."""
    measured = json.loads(MEASURED.read_text())
    names = [name for name in listed() if name in own()]
    cards = [_card(name, measured.get(name)) for name in names]
    return "\n".join([INTRODUCTION, _filters(names, measured), '<div class="gallery" id="gallery">', *cards, "</div>"])


def pictures() -> dict[str, bytes]:
    """Return a PNG file of what each method keeps of the photograph, by its path in the site."""
    image = photograph()
    names = [name for name in listed() if name in own() and known(name).role == "window"]
    return {f"gallery/{name}.png": _picture(known(name), image) for name in names}


def differences() -> str:
    """Return what the classes say about other implementations, as a table."""
    rows = ["| method | difference |", "|---|---|"]
    for name in (name for name in listed() if name in own()):
        told = [f"- {one}" if len(card(name).disagreements) > 1 else one for one in card(name).disagreements]
        if told:
            text = "<br>".join(told).replace("|", "\\|")
            rows.append(f"| [{name}](poolings/{name}.md) | {text} |")
    return "\n".join(rows)


def _picture(cls: type[Pool], image: Any) -> bytes:
    from PIL import Image

    pool, _ = make(cls, {}, channels=image.shape[1], kernels=KERNELS)
    shown, _ = as_image(kept(pool, image, cls.random).output)
    pixels = (shown * 255).round().astype("uint8")
    file = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(file, "PNG", optimize=True)
    return file.getvalue()


def _facts(name: str, measured: Any) -> dict[str, str]:
    """Return what a card can be filtered by."""
    cls = known(name)
    return {
        "family": FAMILIES.get(cls.__module__.removeprefix("poolab.pooling."), "others"),
        "learns": LEARNS[cls.learns],
        "random": "in training" if cls.random else "no",
        "cost": _cost(measured),
        "export": _export(measured),
    }


def _cost(measured: Any) -> str:
    if measured is None:
        return "not measured"
    return next(words for most, words in COSTS if measured["time"] <= most)


def _export(measured: Any) -> str:
    if measured is None or "onnx int8" not in measured:
        return "not measured"
    change = abs(_change(measured))
    return f"ONNX; 8 bits {'within' if change <= EIGHT_BITS else 'beyond'} {100 * EIGHT_BITS:g} points"


def _change(measured: Any) -> float:
    """Return the change of the accuracy by 8 bits: below 0 where the file is worse than the network."""
    file, network = measured["onnx int8"]["accuracy"]
    return float(file - network)


def _filters(names: list[str], measured: Any) -> str:
    columns: dict[str, set[str]] = {}
    for name in names:
        for key, value in _facts(name, measured.get(name)).items():
            columns.setdefault(key, set()).add(value)
    labels = {"family": "Family", "learns": "Learns", "random": "Random", "cost": "Cost", "export": "Export"}
    fields = ['<input type="search" data-filter="text" placeholder="name or word" aria-label="name or word">']
    for key, values in columns.items():
        options = "".join(f"<option>{escape(value)}</option>" for value in sorted(values))
        fields.append(
            f'<label>{labels[key]} <select data-filter="{key}"><option value="">all</option>{options}</select></label>'
        )
    return f'<form class="filters">{"".join(fields)}<output data-count>{len(names)} of {len(names)}</output></form>'


def _card(name: str, measured: Any) -> str:
    facts = _facts(name, measured)
    told = card(name)
    data = "".join(f' data-{key}="{escape(value)}"' for key, value in facts.items())
    picture = ""
    if known(name).role == "window":
        alt = f"a photograph after {name} pooling"
        picture = f'<img src="gallery/{name}.png" alt="{alt}" width="{SIDE}" height="{SIDE}" loading="lazy">'
    rows = [f"{facts['family']}", f"learns: {facts['learns']}", f"random: {facts['random']}"]
    if measured is not None:
        eight = f", 8 bits {100 * _change(measured):+.1f}" if "onnx int8" in measured else ""
        rows.append(f"ONNX: {measured['time']:.1f} times max{eight}")
    items = "".join(f"<li>{escape(row)}</li>" for row in rows)
    return (
        f'<article data-name="{name}"{data}><h3><a href="poolings/{name}.html">{name}</a></h3>{picture}'
        f"<p>{escape(_first_words(told.formula))}</p><ul>{items}</ul></article>"
    )


def _first_words(formula: str) -> str:
    return formula.removeprefix("Apply ").partition(":")[0].partition(";")[0].rstrip(".")
