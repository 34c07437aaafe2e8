"""A folder of images and masks: what is read from it, and every fault of it in one message."""

import shutil
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import data_fingerprint, image_cache, image_mask_folder, load_data
from poolab.errors import ConfigError, DataError


def load(root, **settings):
    return load_data("image_mask_folder", root=root, **{"val_fraction": 0.2, **settings})


@pytest.fixture
def make_pairs(tmp_path):
    """A folder of random PNG pairs; masks hold 0, 1, 2 and 255."""

    def make(name="pairs", *, train=10, test=4, size=(8, 12), classes=("ground", "cat", "dog"), mode="L"):
        root, generator = tmp_path / name, np.random.default_rng(0)
        for split, count in (("train", train), ("test", test)):
            for kind in ("images", "masks"):
                (root / split / kind).mkdir(parents=True)
            for i in range(count):
                image = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
                mask = generator.choice(np.array([0, 1, 2, 255], np.uint8), size)
                Image.fromarray(image).save(root / split / "images" / f"{i:02}.{'bmp' if i % 2 else 'png'}")
                shown = Image.fromarray(mask)
                if mode == "P":
                    shown = shown.convert("P")
                    shown.putpalette(generator.integers(0, 256, 768, dtype=np.uint8).tolist())
                    shown = Image.fromarray(mask, "L") if np.asarray(shown).tolist() != mask.tolist() else shown
                shown.save(root / split / "masks" / f"{i:02}.png")
        if classes:
            (root / "classes.txt").write_text("\n".join(classes) + "\n")
        return root

    return make


def write_mask(path, values):
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_images_and_masks_come_from_the_files(make_pairs, mode):
    root = make_pairs(mode=mode)
    data = load(root)
    assert data.classes == ("ground", "cat", "dog")
    assert (data.task, data.channels, data.image_size) == ("segmentation", 3, (8, 12))
    assert (len(data.train), len(data.val), len(data.test)) == (8, 2, 4)
    for i, (image, mask) in enumerate(zip(data.test.images, data.test.labels, strict=True)):
        (path,) = (root / "test" / "images").glob(f"{i:02}.*")
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(path)))
        assert np.array_equal(mask.numpy(), np.asarray(Image.open(root / "test" / "masks" / f"{i:02}.png")))


def test_a_palette_gives_its_places_and_not_its_colours(make_pairs):
    root = make_pairs()
    mask = Image.new("P", (12, 8), 2)
    mask.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    mask.save(root / "test" / "masks" / "00.png")
    assert (load(root).test.labels[0] == 2).all()
    Image.new("1", (12, 8), 1).save(root / "test" / "masks" / "00.png")
    assert (load(root).test.labels[0] == 1).all()


def test_without_names_the_classes_are_the_indices(make_pairs):
    assert load(make_pairs(classes=None)).classes == ("0", "1", "2")


def test_a_class_that_resizing_loses_is_a_class_all_the_same(make_pairs):
    root = make_pairs(classes=None)
    for path in root.glob("*/masks/*.png"):
        write_mask(path, np.eye(8, 12, k=1))
    masks = np.zeros((8, 12))
    masks[5, 3] = 2
    write_mask(root / "train" / "masks" / "00.png", masks)
    data = load(root, image_size=2)
    assert data.classes == ("0", "1", "2")
    assert not (torch.cat([data.train.labels, data.val.labels]) == 2).any()


def test_another_size_crops_image_and_mask_alike(make_pairs):
    root = make_pairs(size=(20, 60))
    for split in ("train", "test"):
        for path in (root / split / "masks").iterdir():
            mask = np.zeros((20, 60), np.uint8)
            mask[4:16, 24:44] = 1
            write_mask(path, mask)
            for image in (root / split / "images").glob(f"{path.stem}.*"):
                write_mask(image, mask * 200)
    data = load(root, image_size=10)
    assert data.image_size == (10, 10)
    assert ((data.test.images[:, 0] > 100) == (data.test.labels == 1)).float().mean() > 0.95
    assert 0.4 < (data.test.labels == 1).float().mean() < 0.7


def test_the_second_load_does_not_read_the_files(make_pairs, own_folders, monkeypatch):
    root = make_pairs()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = load(root)

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(image_cache, "decode", refuse)
    monkeypatch.setattr(image_cache, "decode_mask", refuse)
    monkeypatch.setattr(image_mask_folder, "read_mask", refuse)
    again = load(root)
    assert torch.equal(again.train.labels, first.train.labels)
    assert torch.equal(again.test.images, first.test.images)
    assert len(list((own_folders / "cache" / "images").iterdir())) == 3  # images, masks, and the indices that they hold
    (root / "classes.txt").write_text("ground\nanimal\n")
    with pytest.raises(DataError, match=r"train/masks/00.png holds 2, but classes.txt names the classes 0 to 1"):
        load(root)


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(make_pairs, tmp_path):
    root = make_pairs()
    first = data_fingerprint("image_mask_folder", root=root)
    assert first.startswith("image_mask_folder-")
    assert data_fingerprint("image_mask_folder", root=shutil.copytree(root, tmp_path / "copy")) == first
    assert load(root).fingerprint == first
    (root / "classes.txt").write_text("ground\ncat\nfox")
    named = data_fingerprint("image_mask_folder", root=root)
    path = root / "train" / "masks" / "00.png"
    path.write_bytes(path.read_bytes() + b"x")
    assert len({first, named, data_fingerprint("image_mask_folder", root=root)}) == 3


def test_all_faults_come_at_once(make_pairs):
    root = make_pairs()
    (root / "train" / "masks" / "00.png").unlink()
    (root / "test" / "images" / "00.png").unlink()
    shutil.copy(root / "train" / "images" / "03.bmp", root / "train" / "images" / "03.png")
    write_mask(root / "train" / "masks" / "01.png", np.zeros((8, 11)))
    whole = (root / "train" / "images" / "02.png").read_bytes()
    (root / "train" / "images" / "02.png").write_bytes(whole[: len(whole) // 2])
    (root / "train" / "masks" / "04.png").write_bytes(b"no image")
    write_mask(root / "train" / "masks" / "05.png", np.full((8, 12), 7))
    Image.new("RGB", (12, 8)).save(root / "train" / "masks" / "06.png")
    Image.fromarray(np.full((8, 12), 1000, np.uint16)).save(root / "train" / "masks" / "07.png")
    with pytest.raises(DataError) as caught:
        load(root)
    lines = str(caught.value).splitlines()
    for words in (
        "train/images/00.png has no mask: train/masks/00.png is missing",
        "test/masks/00.png has no image of its name in test/images/",
        "train/images/03.png has the name of train/images/03.bmp",
        "train/images/01.bmp is 8x12 and its mask 8x11 (height x width)",
        "train/images/02.png cannot be read as an image",
        "train/masks/04.png cannot be read as a mask",
        "train/masks/05.png holds 7, but classes.txt names the classes 0 to 2 (255 is ignored)",
        "train/masks/06.png cannot be read as a mask: it is in colour (mode RGB)",
        "train/masks/07.png cannot be read as a mask: it has more than 8 bits",
    ):
        assert any(words in line for line in lines), words
    assert "9 faults" in lines[0]


@pytest.mark.parametrize("names", ["one", "a\na\nb", "a\n\nb", "", "\n".join(map(str, range(256)))])
def test_names_that_do_not_do(make_pairs, names):
    root = make_pairs()
    (root / "classes.txt").write_text(names)
    with pytest.raises(DataError, match=r"classes.txt must name 2 to 255 classes, one a line, each once"):
        load(root)


def test_names_that_are_no_text(make_pairs):
    root = make_pairs()
    (root / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"classes.txt cannot be read as text"):
        load(root)


@pytest.mark.parametrize(("values", "shown"), [((0, 255), "indices 0 "), ((0, 2), "indices 0, 2 "), ((255,), "none")])
def test_masks_that_are_no_indices_are_told_of(make_pairs, values, shown):
    root = make_pairs(classes=None)
    for path in root.glob("*/masks/*.png"):
        write_mask(path, np.resize(values, (8, 12)))
    with pytest.raises(DataError, match=rf"(?s){shown}.*Masks in black and white.*indices"):
        load(root)


def test_a_mask_that_is_no_png(make_pairs):
    root = make_pairs()
    (root / "train" / "masks" / "00.png").rename(root / "train" / "masks" / "00.jpg")
    with pytest.raises(DataError, match=r"train/masks/00.jpg is not a PNG"):
        load(root)


def test_images_of_different_sizes_need_a_size(make_pairs):
    root = make_pairs()
    Image.new("RGB", (20, 10)).save(root / "test" / "images" / "00.png")
    Image.new("L", (20, 10), 1).save(root / "test" / "masks" / "00.png")
    with pytest.raises(DataError, match=r"train/images/00.png is 8x12, test/images/00.png is 10x20.*data.image_size="):
        load(root)
    assert load(root, image_size=6).image_size == (6, 6)


def test_wrong_roots(make_pairs, tmp_path):
    with pytest.raises(ConfigError, match=r"data.root=FOLDER with train/images/\* with train/masks/\*.png"):
        load(None)
    root = make_pairs()
    with pytest.raises(DataError, match=r"has no train/ and no test/: it holds images/, masks/; expected train/images"):
        load(root / "train")
    shutil.rmtree(root / "test" / "masks")
    with pytest.raises(DataError, match=r"test/masks/ is missing"):
        load(root)
    (root / "test" / "masks").mkdir()
    shutil.rmtree(root / "test" / "images")
    (root / "test" / "images").mkdir()
    with pytest.raises(DataError, match=r"test/images/ and test/masks/ hold no images"):
        load(root)


def test_a_cache_folder_that_cannot_be_written_to(make_pairs, tmp_path):
    root = make_pairs()
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match=r"cannot be kept in .*data.cache_dir"):
        data = load(root, cache_dir=tmp_path / "file")
    assert torch.equal(data.train.labels, load(root).train.labels)
