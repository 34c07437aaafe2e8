"""A folder larger than the memory that a process may have: everything goes over it in parts."""

import os
import subprocess
import sys

import pytest
import torch
from PIL import Image

from poolab.data import load_data
from poolab.data.image_data import Split

# 160 images of 512x512 in colour are 126 MB; the process gets 80 MB beyond what its imports took.
SIDE, TRAIN, TEST, ALLOWED = 512, 120, 40, 80 << 20

SCRIPT = f"""
import resource, sys, threading
import torch
import poolab.data.load, PIL.Image, PIL.PngImagePlugin, multiprocessing.pool
from poolab.data import EvalBatches, TrainBatches, load_data, training_sample, ImageDataModule

torch.set_num_threads(1)
threading.stack_size(1 << 19)  # 8 MB for each thread would count, though it is not used
def memory():
    # VmData is what RLIMIT_DATA counts: private writable pages. Files that are mapped read-only do not count.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmData")]
    return int(line.split()[1]) * 1024

small = torch.zeros(2, 3, 8, 8).float().mul(2).sum()  # torch's own first allocations
limit = memory() + {ALLOWED}
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    torch.zeros({TRAIN} * 3 * {SIDE} ** 2, dtype=torch.uint8)
    sys.exit("the limit is none")
except RuntimeError:
    pass
data = load_data(sys.argv[1], root=sys.argv[2], **eval(sys.argv[3]))
seen = [0.0, 0.0, 0.0]
for batch in TrainBatches(data.train, 4, seed=0, flip=True, crop_padding=4):
    seen[0] += batch["image"].max().item()
for batch in EvalBatches(data.val, 4):
    seen[1] += batch["image"].max().item()
for batch in EvalBatches(data.test, 4):
    seen[2] += batch["image"].max().item()
print(len(data.train), len(data.val), len(data.test), data.mean, seen, data.train.mapped)
"""


def make_folder(root, kind):
    for split, count in (("train", TRAIN), ("test", TEST)):
        for name in ("cat", "dog") if kind == "image_folder" else ("images", "masks"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count // 2 if kind == "image_folder" else count):
                level = i % 2 if name == "masks" else 100 + i
                Image.new(
                    "L" if name == "masks" else "RGB", (SIDE, SIDE), level if name == "masks" else (level,) * 3
                ).save(folder / f"{i:03}.png", compress_level=1)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts what only Linux counts so")
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "settings"), [("image_folder", {}), ("image_mask_folder", {"limit_train": 100, "limit_test": 20})]
)
def test_a_folder_larger_than_memory_is_decoded_and_trained_on(tmp_path, kind, settings):
    make_folder(tmp_path / "tree", kind)
    command = [sys.executable, "-c", SCRIPT, kind, str(tmp_path / "tree"), repr(settings)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "POOLAB_CACHE": str(tmp_path / "cache")}
    for _ in range(2):  # decode and train, then train on what was decoded
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.rstrip().endswith("True")
    count = settings.get("limit_train", TRAIN)
    assert done.stdout.startswith(f"{count - count // 10} {count // 10} {settings.get('limit_test', TEST)} ")


@pytest.fixture
def stored():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("masks", [False, True])
def test_a_mapped_split_is_a_split_in_memory(stored, masks):
    rows = torch.arange(39, 9, -1)
    labels = stored[:, 0].contiguous() % 3 if masks else torch.arange(30) % 3
    mapped = Split(stored, labels, rows)
    plain = Split(stored[rows], labels[rows] if masks else labels)
    places = torch.tensor([3, 29, 0])
    for one, other in ((mapped, plain), (mapped.take(places), plain.take(places))):
        assert len(one) == len(other)
        assert (one.masked, one.image_shape) == (other.masked, other.image_shape)
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        for some in (slice(0, 2), slice(1, None), torch.tensor([2, 0]), torch.tensor([], dtype=torch.int64)):
            assert torch.equal(one.images_at(some), other.images_at(some))
            assert torch.equal(one.labels_at(some), other.labels_at(some))
    assert mapped.mapped
    assert not plain.mapped


def test_what_a_mapped_split_gives_may_be_written_to(make_tree):
    root = make_tree()
    data = load_data("image_folder", root=root, val_fraction=0.2)
    before = data.test.images
    for rows in (slice(0, 2), torch.tensor([1])):
        data.test.images_at(rows).fill_(7)
    data.test.images.fill_(7)
    assert torch.equal(data.test.images, before)
