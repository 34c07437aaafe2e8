"""Every setting of conf/ except those of poolings and backbones: its kind, range and unit.

The poolings declare theirs beside their formulas; `network` has those of the backbones.
"""

from poolab.measure import CORRUPTIONS, ROBUSTNESS, SCALE_MODES, SCALES, SEVERITIES, SHIFT_PADDINGS
from poolab.pooling.core import Choice, Integer, Option, Real, Size, flag
from poolab.training.settings.kinds import (
    AUTO,
    AtSlots,
    BatchSize,
    Betas,
    Devices,
    Place,
    Several,
    Slots,
    Text,
    nullable,
)

Table = dict[str, Option]

LARGEST_BATCH = 65_536
MANY_IMAGES = 1_000_000_000

# 64-true, bf16-true and 16-true are left out: the batches are made in float32, and they change the weights' type.
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")

TRAINER: Table = {
    "accelerator": Choice("auto", ("auto", "cpu", "gpu", "cuda", "mps")),
    "strategy": Choice("auto", ("auto", "ddp")),
    "devices": Devices(1),
    "num_nodes": Integer(1, most=1024, unit="machines"),
    "precision": Choice("32-true", (AUTO, *PRECISIONS)),
    "epochs": Integer(10, most=100_000),
    "gradient_clip": nullable(Real(1.0, least=0.0, most=1e6, open_least=True)),
    "channels_last": Choice(AUTO, (AUTO, True, False)),
    "compile": flag(False),
    # Not auto: a run that goes on from a checkpoint must round as the one that wrote it.
    "backend": Choice("fused", ("fused", "plain", "auto")),
    "sync_batchnorm": flag(False),
    "checkpoint_epochs": Integer(1, most=100_000, unit="epochs"),
    "progress_bar": flag(True),
    "threads": nullable(Integer(1, most=1024, unit="threads")),
}

SCHEDULE: Table = {
    # A rate far too large is a run that diverges, and is recorded so; beyond 1e30 float32 has no room for the step.
    "lr": Real(0.001, least=0.0, most=1e30, open_least=True),
    "weight_decay": Real(0.0, least=0.0, most=1000.0),
    "schedule": Choice("cosine", ("cosine", "one_cycle", "constant")),
    "warmup": Real(0.0, least=0.0, most=0.9, unit="share of the steps"),
    "label_smoothing": Real(0.0, least=0.0, most=0.99),
}
ADAM: Table = {**SCHEDULE, "betas": Betas((0.9, 0.999))}
OPTIMIZERS: dict[str, Table] = {
    "adam": ADAM,
    "adamw": ADAM,
    "sgd": {**SCHEDULE, "momentum": Real(0.9, least=0.0, most=0.999), "nesterov": flag(True)},
}

# What goes to the batches; the rest of `data` goes to load_data.
LOADER = ("batch_size", "eval_batch_size", "flip", "crop_padding")
DATA: Table = {
    "root": nullable(Place(None)),
    "image_size": nullable(Size(32, most=8192, unit="pixels")),
    "channels": nullable(Choice(3, (1, 3))),
    "batch_size": BatchSize(128, most=LARGEST_BATCH, unit="images"),
    "eval_batch_size": Integer(512, most=LARGEST_BATCH, unit="images"),
    "val_fraction": Real(0.1, least=0.0, most=0.5, unit="share of the training images"),
    "flip": flag(True),
    "crop_padding": Integer(4, least=0, most=1024, unit="pixels"),
    "limit_train": nullable(Integer(1, most=MANY_IMAGES, unit="images")),
    "limit_test": nullable(Integer(1, most=MANY_IMAGES, unit="images")),
    "cache_dir": nullable(Place(None)),
    "download": flag(True),
    "background": Choice("white", ("white", "black", "grey")),
}
# Settings that not every choice of their group has; all others must be there.
OPTIONAL = {
    "data": ("background", "code_sha256"),
    "tracker": ("pictures", "learning_rate", "log_model", "export_model"),  # earlier cells have none of them
}

COSTS: Table = {
    "latency_batch_size": Integer(1, most=LARGEST_BATCH, unit="images"),
    "throughput_batch_size": Integer(256, most=LARGEST_BATCH, unit="images"),
    "seconds": Real(2.0, least=0.0, most=3600.0, open_least=True, unit="seconds"),
}
MEASURES: dict[str, Table] = {
    "costs": COSTS,
    "full": {
        **COSTS,
        "robustness": Several(ROBUSTNESS, option=Choice("shift", ROBUSTNESS), empty=True),
        "calibration": flag(True),
        "gradient_support": flag(True),
        "images": nullable(Integer(1, most=MANY_IMAGES, unit="images")),
        "max_shift": nullable(Integer(1, most=4096, unit="pixels")),
        "shift_padding": Choice("circular", tuple(SHIFT_PADDINGS)),
        "corruptions": Several(CORRUPTIONS, option=Choice("jpeg", CORRUPTIONS)),
        "severities": Several(SEVERITIES, option=Integer(1, least=1, most=5)),
        # Images eight times as large take 64 times the memory.
        "scales": Several(SCALES, option=Real(1.0, least=0.05, most=8.0, unit="times as large")),
        "scale_mode": Choice("canvas", SCALE_MODES),
        "gradient_support_images": Integer(64, most=LARGEST_BATCH, unit="images"),
    },
}

TRACKERS: dict[str, Table] = {
    "none": {},
    "wandb": {
        "mode": nullable(Choice("offline", ("offline", "online"))),
        "project": nullable(Text("", without="/\\#?%:")),
        "entity": nullable(Text("", without="/")),
        "group": nullable(Text("")),
        "tags": Several((), option=Text("", longest=64), empty=True),
        "init_timeout": Real(20, least=0.0, most=3600.0, open_least=True, unit="seconds"),
        "finish_timeout": Real(60, least=0.0, most=86_400.0, open_least=True, unit="seconds"),
        "pictures": flag(True),
        "learning_rate": flag(True),
        "log_model": flag(False),
        "export_model": flag(False),
    },
}
RECIPES: dict[str, Table] = {"finetune": {"checkpoint": nullable(Place(None))}}
ROOTS: Table = {
    "seed": Integer(0, least=0, most=2**63 - 1),
    "runs_dir": Place("runs"),
    "force": flag(False),
}

# What every pooling takes beside its own options; null keeps the slot's own geometry.
SIDE = Size(1, most=1024, unit="elements")
GEOMETRY: Table = {
    "kernel_size": nullable(SIDE),
    "stride": nullable(SIDE),
    "padding": nullable(Size(0, least=0, most=1024, unit="elements")),
    "dilation": nullable(SIDE),
    "ceil_mode": nullable(flag(False)),
}
POOLING: Table = {**GEOMETRY, "slots": nullable(Slots("all")), "at": AtSlots({})}

# What the backbones declare in their constructors, and what a run makes of it.
BACKBONE: Table = {
    "width_mult": Real(1.0, least=0.001, most=64.0, unit="times as wide"),
    "width": Integer(64, most=4096, unit="channels"),
    "pretrained": flag(False),
    "weights": nullable(Place(None)),
}
MATCH: Table = {"match": nullable(Choice("parameters", ("parameters", "multiply_adds")))}
GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "tracker", "measure")
ROOT = ("task", "seed", "runs_dir", "force", "recipe", *GROUPS)
