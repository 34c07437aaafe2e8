import pytest
import torch
from torchvision.transforms import functional as TF

from poolab.data.augment import _by_gather, _moved, _offsets, prepare, prepare_labels

MEAN, STD = (0.49, 0.48, 0.44), (0.25, 0.24, 0.26)


def draw(count, channels, height, width, padding):
    generator = torch.Generator().manual_seed(count * 100 + padding)
    images = torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)
    shift = torch.randint(0, 2 * padding + 1, (count, 2), generator=generator)
    return images, shift, torch.rand(count, generator=generator) < 0.5


def one_by_one(images, mean, std, shift, flip, padding):
    """torchvision's own functions, image by image, in float64."""
    results = []
    for i, image in enumerate(images):
        if shift is not None:
            padded = TF.pad(image, [padding] * 4)
            image = TF.crop(padded, int(shift[i, 0]), int(shift[i, 1]), *images.shape[2:])
        if flip is not None and flip[i]:
            image = TF.hflip(image)
        results.append(TF.normalize(image.double() / 255, mean, std))
    return torch.stack(results).float()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("moves", ["both", "shift", "flip", "none"])
@pytest.mark.parametrize(
    ("count", "channels", "height", "width", "padding"),
    [(1, 1, 1, 1, 1), (200, 3, 32, 32, 4), (70, 1, 28, 28, 2), (9, 3, 7, 12, 9), (5, 3, 6, 5, 0)],
)
def test_equals_torchvision_image_by_image(count, channels, height, width, padding, moves, memory_format):
    images, shift, flip = draw(count, channels, height, width, padding)
    shift = shift if moves in ("both", "shift") else None
    flip = flip if moves in ("both", "flip") else None
    mean, std = MEAN[:channels], STD[:channels]
    out = prepare(images, mean, std, shift=shift, flip=flip, crop_padding=padding, memory_format=memory_format)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(out, one_by_one(images, mean, std, shift, flip, padding), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("with_shift", "with_flip"), [(True, True), (True, False), (False, True)])
def test_both_ways_to_move_are_the_same(with_shift, with_flip):
    images, shift, flip = draw(150, 3, 9, 11, 3)
    shift, flip = shift if with_shift else None, flip if with_flip else None
    windows = torch.cat([part for _, part in _moved(images, shift, flip, 3)])
    rows, columns = _offsets(shift, flip, len(images), 3, images.device)
    assert torch.equal(windows, _by_gather(images, rows, columns, flip))
    assert not torch.equal(windows, images)


def test_an_image_is_what_it_is_in_any_batch():
    images, shift, flip = draw(130, 3, 32, 32, 4)
    whole = prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=4)
    part = prepare(images[60:75], MEAN, STD, shift=shift[60:75], flip=flip[60:75], crop_padding=4)
    assert torch.equal(whole[60:75], part)


def test_takes_an_empty_batch():
    images, shift, flip = draw(0, 3, 8, 8, 2)
    assert prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=2).shape == (0, 3, 8, 8)


def test_leaves_its_input_alone_and_takes_strided_images():
    images, shift, flip = draw(12, 3, 8, 8, 2)
    before = images.clone()
    strided = images.to(memory_format=torch.channels_last)
    out = prepare(strided, MEAN, STD, shift=shift, flip=flip, crop_padding=2)
    assert torch.equal(out, prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=2))
    assert torch.equal(images, before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_gives_the_wanted_type_from_wide_arithmetic(dtype):
    images, _, _ = draw(4, 3, 8, 8, 2)
    out = prepare(images, MEAN, STD, dtype=dtype)
    assert out.dtype == dtype
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (MEAN, STD))
    exact = (images.double() / 255 - mean) / std
    tolerance = {torch.float64: 1e-12, torch.float16: 2e-3, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(out.double(), exact, rtol=tolerance, atol=tolerance)
    if dtype != torch.float64:
        assert torch.equal(out, prepare(images, MEAN, STD).to(dtype))


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_given_back(fails):
    images, shift, flip = draw(8, 3, 8, 8, 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        if fails:
            with pytest.raises(IndexError):
                prepare(images, MEAN, STD, shift=shift + 10_000, flip=flip, crop_padding=2)
        else:
            prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_constants_made_under_inference_mode_serve_training():
    images, _, _ = draw(2, 3, 4, 4, 1)
    with torch.inference_mode():
        prepare(images, (0.1, 0.2, 0.3), STD)
    weight = torch.ones((), requires_grad=True)
    (prepare(images, (0.1, 0.2, 0.3), STD) * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_on_cuda_without_waiting_for_it():
    images, shift, flip = draw(64, 3, 32, 32, 4)
    expected = prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=4)
    images, shift, flip = images.cuda(), shift.cuda(), flip.cuda()
    prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=4)  # the constants are copied once
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=4)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(out.cpu(), expected)


@pytest.mark.parametrize("moves", ["both", "shift", "flip", "none"])
def test_on_an_accelerator_all_stays_there(moves):
    """On torch's meta device, which has no numbers: a copy from or to the host would fail."""
    images, shift, flip = (tensor.to("meta") for tensor in draw(5, 3, 9, 11, 2))
    shift, flip = shift if moves in ("both", "shift") else None, flip if moves in ("both", "flip") else None
    out = prepare(images, MEAN, STD, shift=shift, flip=flip, crop_padding=2, dtype=torch.bfloat16)
    assert (out.device.type, out.shape, out.dtype) == ("meta", (5, 3, 9, 11), torch.bfloat16)
    masks = prepare_labels(images[:, 0], shift=shift, flip=flip, crop_padding=2)
    assert (masks.device.type, masks.shape, masks.dtype) == ("meta", (5, 9, 11), torch.int64)


@pytest.mark.parametrize("moves", ["both", "shift", "flip", "none"])
def test_masks_move_as_their_images_and_are_ignored_beyond_them(moves):
    masks, shift, flip = draw(70, 1, 9, 11, 3)
    shift, flip = shift if moves in ("both", "shift") else None, flip if moves in ("both", "flip") else None
    moved = prepare_labels(masks[:, 0], shift=shift, flip=flip, crop_padding=3)
    # An image of numbers from 1 on: what becomes 0 came from beyond it.
    numbers = (torch.arange(99).view(1, 1, 9, 11) + 1).to(torch.uint8).expand(70, -1, -1, -1)
    places = prepare(numbers, (0.0,), (1.0,), shift=shift, flip=flip, crop_padding=3).mul(255).round().long()[:, 0]
    expected = torch.cat([torch.full((70, 1), 255), masks.flatten(1)], 1).gather(1, places.flatten(1)).view(70, 9, 11)
    assert moved.dtype == torch.int64
    assert torch.equal(moved, expected)
    labels = torch.tensor([3, 1, 2])
    assert prepare_labels(labels, shift=shift, flip=flip) is labels


def test_a_large_image_is_a_part_of_its_own_and_small_ones_share_one():
    large, *_ = draw(3, 3, 300, 300, 1)
    small, *_ = draw(130, 3, 32, 32, 1)
    assert [len(part) for _, part in _moved(large, None, None, 0)] == [1, 1, 1]
    assert [len(part) for _, part in _moved(small, None, None, 0)] == [64, 64, 2]
