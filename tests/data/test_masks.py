"""Images with masks: drawn shapes, their splits, and batches in which a mask moves as its image."""

import hashlib

import pytest
import torch
from torchvision.transforms import functional as TF

from poolab.data import (
    EvalBatches,
    ImageDataModule,
    Split,
    TrainBatches,
    data_shape,
    data_task,
    drawn_shapes,
    list_data,
    load_data,
)
from poolab.data.augment import prepare, prepare_labels
from poolab.data.fit import fit_masks, fit_size
from poolab.data.subsets import hold_out, limit
from poolab.errors import ConfigError, DataError

IGNORED = 255


@pytest.fixture(scope="module")
def shapes():
    return load_data("shapes", seed=0)


@pytest.fixture(scope="module")
def drawn():
    return drawn_shapes.draw(100, torch.Generator().manual_seed(3))


@pytest.fixture
def masked():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (53, 3, 8, 8), dtype=torch.uint8, generator=generator)
    masks = torch.randint(0, 4, (53, 8, 8), dtype=torch.uint8, generator=generator)
    return Split(images, masks.where(masks < 3, IGNORED))


def digest(*tensors):
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


def rows(split):
    return {digest(image, mask) for image, mask in zip(split.images, split.labels, strict=True)}


def test_shapes_are_what_they_promise(shapes):
    assert (shapes.task, shapes.channels, shapes.image_size) == ("segmentation", 3, (64, 64))
    assert shapes.classes == ("background", "disc", "square", "triangle")
    assert [len(split) for split in (shapes.train, shapes.val, shapes.test)] == [900, 100, 200]
    for split in (shapes.train, shapes.val, shapes.test):
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.uint8)
        assert split.labels.shape == (len(split), 64, 64)
        assert split.labels.unique().tolist() == [0, 1, 2, 3]
    assert data_shape({"name": "shapes"}) == (3, (64, 64), 4)
    assert len(rows(shapes.train) | rows(shapes.val) | rows(shapes.test)) == 1200


def test_shapes_are_the_same_again(shapes):
    again = load_data("shapes", seed=0)
    for split in ("train", "val", "test"):
        one, other = getattr(again, split), getattr(shapes, split)
        assert digest(one.images, one.labels) == digest(other.images, other.labels)


def test_the_seed_chooses_the_validation_images_and_nothing_else(shapes):
    other = load_data("shapes", seed=1)
    assert rows(other.train) | rows(other.val) == rows(shapes.train) | rows(shapes.val)
    assert rows(other.val) != rows(shapes.val)
    assert rows(other.test) == rows(shapes.test)


def test_a_mask_lies_on_its_shape(drawn):
    """A shape's pixels differ from their image's ground far more than the ground does."""
    images, masks = drawn
    off = []
    for image, mask in zip(images.float(), masks, strict=True):
        ground = image[:, mask == 0].mean(1)
        inside = [image[:, mask == kind].sub(ground[:, None]).abs().mean() for kind in mask.unique() if kind]
        outside = image[:, mask == 0].sub(ground[:, None]).abs().mean()
        off += [float(one / outside) for one in inside]
    assert sum(ratio > 1.2 for ratio in off) > 0.95 * len(off)


def test_only_the_outline_tells_the_kinds_apart():
    generator = torch.Generator().manual_seed(0)
    areas = []
    for kind in (1, 2, 3):
        inside = drawn_shapes._shape(torch.full((1500,), kind), generator)[0]
        areas.append(inside.sum((1, 2)).float().mean().item())
    assert max(areas) < 1.03 * min(areas)


def test_one_outline_of_each_kind_is_the_one_it_says():
    """A disc fills pi/4 of the square around it; a square's corners lie twice as far out as the middles of its sides,
    squared; of a triangle no pixel's mirror image in the centre reaches the corners."""
    generator = torch.Generator().manual_seed(5)
    reach = {}
    for kind in (1, 2, 3):
        inside = drawn_shapes._shape(torch.full((400,), kind), generator)[0]
        ratios = []
        for shape in inside:
            places = shape.nonzero().float()
            if len(places) < 200 or places.min() < 1 or places.max() > 62:
                continue  # cut by the edge, or coarse
            far = (places - places.mean(0)).norm(dim=1).max()
            ratios.append(float(torch.pi * far**2 / len(places)))
        reach[kind] = sorted(ratios)[len(ratios) // 2]
    # area of the circle around a shape over the shape's: 1, pi / 2 and 4 pi / sqrt(27)
    assert reach == pytest.approx({1: 1.0, 2: 1.571, 3: 2.418}, rel=0.08)


def test_limits_take_random_images_the_same_for_every_seed(shapes):
    small, other = (load_data("shapes", seed=seed, limit_train=20, limit_test=10, image_size=16) for seed in (0, 1))
    assert (len(small.train), len(small.val), len(small.test)) == (18, 2, 10)
    assert rows(small.train) | rows(small.val) == rows(other.train) | rows(other.val)
    assert torch.equal(small.test.images, other.test.images)
    wider = load_data("shapes", limit_train=40, image_size=16)
    assert rows(small.train) | rows(small.val) < rows(wider.train) | rows(wider.val)


def test_subsets_of_masks_that_cannot_be(masked):
    with pytest.raises(ConfigError, match=r"limit_train=0 is not possible: choose from 1 to 53"):
        limit(masked, 0, ("a", "b", "c"), "limit_train")
    with pytest.raises(DataError, match="at least 2 training images: found 1"):
        hold_out(Split(masked.images[:1], masked.labels[:1]), 0.5, ("a", "b", "c"), seed=0)


def test_the_task_is_known_before_anything_is_loaded(shapes):
    assert data_task("shapes") == "segmentation"
    assert list_data("segmentation") == ["image_mask_folder", "shapes"]
    assert set(list_data("classification")) | set(list_data("segmentation")) == set(list_data())
    assert load_data("digits").task == data_task("digits") == "classification"


def test_a_mask_is_resized_to_the_nearest_index_and_keeps_to_its_image():
    masks = torch.zeros(1, 64, 64, dtype=torch.uint8)
    masks[:, 20:44, 8:40] = 3
    masks[:, :8] = IGNORED
    small = fit_masks(masks, (32, 16))
    assert small.unique().tolist() == [0, 3, IGNORED]
    assert torch.equal(small[0], masks[0, ::2, ::4])  # edges on the coarse grid
    for size in (23, 100):
        moved = fit_masks(masks, (size, size))[0] == 3
        image = fit_size((masks == 3)[:, None].byte() * 200, (size, size))[0, 0] > 100
        assert (moved != image).float().mean() < 0.02


def one_by_one(masks, shift, flip, padding):
    """torchvision's own functions, mask by mask."""
    results = []
    for i, mask in enumerate(masks[:, None]):
        if shift is not None:
            mask = TF.crop(TF.pad(mask, [padding] * 4, fill=IGNORED), *shift[i].tolist(), *masks.shape[1:])
        results.append(TF.hflip(mask)[0] if flip is not None and flip[i] else mask[0])
    return torch.stack(results).long()


@pytest.mark.parametrize("moves", ["both", "shift", "flip", "none"])
@pytest.mark.parametrize("padding", [0, 2, 9])
def test_masks_move_as_torchvision_moves_them(masked, moves, padding):
    generator = torch.Generator().manual_seed(padding)
    shift = torch.randint(0, 2 * padding + 1, (53, 2), generator=generator) if moves in ("both", "shift") else None
    flip = torch.rand(53, generator=generator) < 0.5 if moves in ("both", "flip") else None
    targets = prepare_labels(masked.labels, shift=shift, flip=flip, crop_padding=padding)
    assert targets.dtype == torch.int64
    assert torch.equal(targets, one_by_one(masked.labels, shift, flip, padding))


def test_labels_of_images_do_not_move():
    labels = torch.arange(5)
    assert prepare_labels(labels, shift=torch.ones(5, 2, dtype=torch.int64), crop_padding=1) is labels


def test_image_and_mask_move_together(drawn):
    """An image that is its mask is, once moved, still its mask; padding is black there and ignored here."""
    masks = drawn[1]
    split = Split(masks[:, None].contiguous(), masks)
    data = load_data("shapes", limit_train=20, limit_test=10)
    settings = {"batch_size": 10, "eval_batch_size": 10, "seed": 0, "flip": True, "crop_padding": 6}
    module = ImageDataModule(data, **settings)
    for batch in TrainBatches(split, 10, seed=0, flip=True, crop_padding=6):
        moves = {"shift": batch["shift"], "flip": batch["flip"], "crop_padding": 6}
        image = prepare(batch["image"], (0.0,), (1 / 255,), **moves)[:, 0].round().long()
        label = prepare_labels(batch["label"], **moves)
        assert torch.equal(label.where(label != IGNORED, 0), image)
        assert (label == IGNORED).any()
    done = module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0)
    assert sorted(done) == ["image", "index", "label"]
    assert (done["label"].shape, done["label"].dtype) == ((10, 64, 64), torch.int64)
    tested = module.on_after_batch_transfer(next(iter(module.test_dataloader())), 0)
    assert torch.equal(tested["label"], data.test.labels.long())


def test_batches_of_masks_are_those_of_their_images(masked):
    labelled = Split(masked.images, torch.arange(53) % 5)
    both = (list(TrainBatches(split, 10, seed=1, flip=True, crop_padding=2)) for split in (masked, labelled))
    for batch, other in zip(*both, strict=True):
        assert all(torch.equal(batch[name], other[name]) for name in ("image", "index", "shift", "flip"))
        assert torch.equal(batch["label"], masked.labels[batch["index"]])
    shares = [list(EvalBatches(masked, 20, rank, 2)) for rank in (0, 1)]
    seen = [batch["label"] for pair in zip(*shares, strict=True) for batch in pair]
    assert torch.equal(torch.cat(seen), masked.labels)
