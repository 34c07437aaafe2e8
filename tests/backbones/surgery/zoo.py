"""`python -m tests.backbones.surgery.zoo`: surgery on networks of torchvision and timm, as a Markdown table.

Each row is written to the file of results when it is known; a run that is started again takes those up and goes on.
"""

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from poolab.backbones import swap_pooling
from poolab.backbones.surgery import find_sites
from tests.backbones.surgery.uses import USES, attempt

METHODS = {"avg_topk": {}, "mixed": {"learnable": True, "sharing": "channel"}}
USED = "avg_topk"  # the method that the uses are tried with
SIDE = 64  # pixels, unless a network needs more: name:side

TORCHVISION = """
alexnet:96 convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3:299 maxvit_t:224
mnasnet0_5 mobilenet_v2 mobilenet_v3_small regnet_y_400mf resnet18 resnext50_32x4d shufflenet_v2_x0_5
squeezenet1_0 squeezenet1_1 swin_t vgg11 vgg11_bn wide_resnet50_2
"""
TIMM = """
coatnet_pico_rw_224:224 convnext_atto cs3darknet_s cspdarknet53 cspresnet50 darknet17 densenet121 dla34 dpn68
eca_botnext26ts_256:256 ecaresnet26t edgenext_xx_small efficientformer_l1:224 efficientnet_b0 ese_vovnet19b_dw
fasternet_t0 fastvit_t8 fbnetc_100 gernet_s ghostnet_050 hardcorenas_a hgnet_tiny hgnetv2_b0 hrnet_w18_small
inception_next_atto inception_resnet_v2:128 inception_v3:128 inception_v4:128 lambda_resnet26t:128
legacy_seresnet18 legacy_xception levit_128s:224 maxvit_pico_rw_256:256 mixnet_s mnasnet_small
mobilenetv3_small_050 mobilenetv4_conv_small mobileone_s0 mobilevit_xxs mvitv2_tiny:224 nasnetalarge
nextvit_small nf_resnet26 nfnet_f0 pit_ti_224:224 pnasnet5large poolformer_s12 pvt_v2_b0 regnety_002 repvgg_a0
repvit_m0_9 res2net50_14w_8s resnest14d resnet18 resnet26d resnetv2_50 resnext26ts rexnet_100 selecsls42
shvit_s1 skresnet18 starnet_s1 swiftformer_xs tf_efficientnet_b0 tresnet_m vgg11 visformer_tiny:224 vovnet39a
xception41
"""
NETWORKS = [f"torchvision/{name}" for name in TORCHVISION.split()] + [f"timm/{name}" for name in TIMM.split()]


@dataclass
class Row:
    """What surgery did to one network with one method."""

    network: str
    method: str
    slots: str
    replaced: int = 0
    unreachable: int = 0
    forward: bool = False
    backward: bool = False
    reason: str = ""
    uses: dict[str, str] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        """Whether everything that pools was replaced, and the network computes and learns with it."""
        return self.replaced > 0 and not self.unreachable and self.forward and self.backward

    def __str__(self) -> str:
        """A row of the table."""
        marks = ["yes" if mark else "NO" for mark in (self.forward, self.backward)]
        uses = [_mark(self.uses.get(use)) for use in USES]
        cells = [self.network, self.method, self.slots, self.replaced, self.unreachable, *marks, *uses, self.reason]
        return "| " + " | ".join(map(str, cells)) + " |"


def _mark(told):
    if told is None:
        return ""
    return "yes" if not told else "no, nor the original" if told.startswith("original: ") else "NO"


def build(network):
    """A network of ten classes with random weights, in training mode."""
    library, _, name = network.partition("/")
    torch.manual_seed(0)
    if library == "timm":
        import timm

        return timm.create_model(name, num_classes=10).train()
    from torchvision.models import get_model

    # The Inceptions draw their start by scipy, for half a minute.
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return get_model(name, num_classes=10, **more).train()


def images_of(entry):
    """Two images of the size that a network needs."""
    side = int(entry.partition(":")[2] or SIDE)
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def operate(entry, method, uses=()):
    """Windows where there are any, else the strided convolutions: swapped, run, trained one step, and used."""
    network, images = entry.partition(":")[0], images_of(entry)
    model = build(network)
    kinds = {site.kind for site in find_sites(model.eval(), images).all}
    model.train()
    row = Row(network, method, "window" if "window" in kinds else "strided_conv")
    try:
        report = swap_pooling(model, method, slots=row.slots, example_input=images, **METHODS[method])
        row.replaced, row.unreachable = len(report.replaced), len(report.unreachable)
        row.reason = "; ".join(left.reason for left in report.unreachable)
        output = model(images)
        main = output[0] if isinstance(output, tuple) else output
        row.forward = main.shape == (2, 10) and bool(torch.isfinite(main).all())
        main.square().sum().backward()
        row.backward = all(_learns(model.get_submodule(place.name)) for place in report.replaced)
        model.zero_grad(set_to_none=True)
    except Exception as fault:  # whatever a stranger's network says is the answer
        row.reason = f"{type(fault).__name__}: {str(fault).splitlines()[0]}"
        return row
    for use in uses:
        row.uses[use] = _used(use, network, model, images)
    return row


def _used(use, network, model, images):
    """Return how a use went; where the original fails too, its fault says so."""
    fault = attempt(use, model, images)
    if fault and attempt(use, build(network), images):
        return f"original: {fault}"
    return fault


def _learns(layer):
    return all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in layer.parameters())


def _rows(entries, results, uses, seconds):
    """Yield every row, from the file of results where it is there."""
    known = {}
    if results.exists():
        read = [Row(**json.loads(line)) for line in results.read_text().splitlines()]
        known = {(row.network, row.method): row for row in read}
    begun = time.monotonic()
    for entry in entries:
        for method in METHODS:
            key = (entry.partition(":")[0], method)
            if key not in known and time.monotonic() - begun < seconds:
                row = operate(entry, method, uses if method == USED else ())
                known[key] = row
                with results.open("a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
                print(f"{row.network} {row.method}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            if key in known:
                yield known[key]


def main():
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--results", type=Path, default=Path("runs/zoo.jsonl"))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no network after that")
    parser.add_argument("--uses", nargs="*", default=list(USES), help="which uses are tried, none with no word")
    asked = parser.parse_args()
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = list(_rows(asked.networks, asked.results, asked.uses, asked.seconds))
    print("# Surgery on the networks of torchvision and timm\n")
    print(
        "`swap_pooling` on untrained networks of ten classes; windows, or where there are none strided convolutions. "
        f'What people do with a network is tried with {USED}; a blank cell was not tried, and "no, nor the original" '
        "failed before the swap too.\n"
    )
    print(f"| network | method | slots | replaced | not reached | forward | backward | {' | '.join(USES)} | reason |")
    print(f"|---|---|---|---:|---:|---|---|{'---|' * len(USES)}---|")
    print("\n".join(map(str, rows)))
    good = {row.network for row in rows} - {row.network for row in rows if not row.works}
    print(f"\n{len(good)} of {len({row.network for row in rows})} networks work with every method.\n")
    print('What is not "yes":\n')
    for row in rows:
        for use, told in row.uses.items():
            if told:
                print(f"- {row.network}, {use}: {told}")
    sys.exit(not all(row.works for row in rows))


if __name__ == "__main__":
    main()
