import numpy as np
import pytest
import torch
from PIL import Image

from poolab import cli
from poolab.catalogue import __main__ as work
from poolab.catalogue import listed
from poolab.catalogue.chosen import make
from poolab.catalogue.drawing import as_image, draw_input, scale, tiled
from poolab.catalogue.gallery import COLUMNS, _method
from poolab.catalogue.kept import kept
from poolab.catalogue.photograph import SIDE, features, grey, photograph
from poolab.catalogue.picture import extent, part
from poolab.pooling import get_pool


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture
def show(tmp_path, capsys, photo):
    """`poolab pools NAME --show` on the test's photograph: the pixels that it wrote."""

    def call(name, *words):
        file = tmp_path / f"{name}.png"
        code = cli.main(["pools", name, *words, "--show", str(file), "--image", photo])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        assert out == f"picture: {file}\n"
        return pixels(file)

    return call


# --- pictures on disk


@pytest.mark.parametrize(("words", "message"), [
    ("inter_map groups=3", "inter_map cannot pool the map (1, 8, 48, 48) that it is shown or measured on"),
    ("superpixel regions=4", "leave regions null there and choose grid"),
    ("fractional_max output_ratio=0.001", "would be 0x0"),
    ("avg_topk kernel_size=9999", "windows of at most 32 pixels a side"),
])  # fmt: skip
def test_what_a_method_refuses_at_the_map_is_told(words, message, tmp_path, capsys, photo):
    file = tmp_path / "x.png"
    assert cli.main(["pools", *words.split(), "--show", str(file), "--image", photo]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert (out, file.exists()) == ("", False)


def test_a_stride_beyond_the_map_has_a_picture(show):
    assert show("max", "kernel_size=3", "stride=200").shape == (960, 1188, 3)


def test_pictures_have_the_size_of_their_columns_and_differ(show):
    largest, mean, drawn = show("max"), show("avg"), show("stochastic")
    assert largest.shape == mean.shape == (960, 1188, 3)
    assert drawn.shape == (960, 1980, 3)  # evaluation and training beside each other
    for column in (slice(400, 740), slice(790, 1100)):  # the output and the gradient
        assert (largest[100:400, column] != mean[100:400, column]).mean() > 0.05
    assert (largest > 250).mean() > 0.25  # a light background


def test_an_option_changes_the_picture_and_the_same_words_do_not(show):
    first, again, other = show("avg_topk"), show("avg_topk"), show("avg_topk", "k=9", "kernel_size=5", "stride=3")
    assert np.array_equal(first, again)
    assert (first != other).mean() > 0.05


@pytest.mark.parametrize(("name", "words"), [("global_max", []), ("adaptive_avg", ["output_size=[5,6]"])])
def test_heads_have_one_row(show, name, words):
    assert show(name, *words).shape == (595, 1188, 3)


def test_a_file_that_cannot_be_written_or_read(tmp_path, capsys, photo):
    def err(*words):
        assert cli.main(["pools", "max", *words]) == 2
        return capsys.readouterr().err

    assert "cannot be written" in err("--show", str(tmp_path / "no" / "x.png"), "--image", photo)
    assert "no such kind of picture" in err("--show", str(tmp_path / "x.xyz"), "--image", photo)
    assert "there is no such file" in err("--show", str(tmp_path / "x.png"), "--image", str(tmp_path / "none.png"))
    (tmp_path / "text.png").write_text("no image")
    assert "cannot be read as an image" in err("--show", str(tmp_path / "x.png"), "--image", str(tmp_path / "text.png"))
    assert not (tmp_path / "x.png").exists()


def test_the_gallery_has_a_tile_for_each_window_method(tmp_path, monkeypatch, photo, capsys):
    drawn = []

    def noted(figure, index, height, cls, *more):
        drawn.append(cls.name)
        if len(drawn) <= 3:  # the others cost the test a second each on a busy core
            _method(figure, index, height, cls, *more)

    monkeypatch.setattr("poolab.catalogue.gallery._method", noted)
    file = tmp_path / "gallery.png"
    assert work.main(["gallery", "--file", str(file), "--image", photo]) == 0
    assert capsys.readouterr().out == f"picture: {file}\n"
    own = listed("window")
    assert drawn == [name for name in own if get_pool(name).__module__.startswith("poolab.")]
    picture = pixels(file)
    assert picture.shape[1] == 1700
    tile = 1700 // COLUMNS
    assert all(picture[80:260, tile * place : tile * (place + 1)].std() > 5 for place in range(4))
    assert work.main(["gallery", "--file", str(tmp_path / "no" / "x.png"), "--image", photo]) == 2


def test_every_method_can_be_shown(photo):
    """What the pictures are made of: an output and gradients that are numbers, for each method with its defaults."""
    image = photograph(photo, side=64)
    for name in listed():
        cls = get_pool(name)
        window = cls.role == "window"
        input = grey(image) if window or cls.role == "same" else features(image, 24)
        pool, _ = make(cls, {}, channels=input.shape[1], kernels=(4, 2, 3))
        for training in (False, True)[: 1 + cls.random]:
            one = kept(pool, input, training)
            assert one.gradient.shape == one.apart.shape == input.shape[1:], name
            assert all(each.isfinite().all() for each in (one.output, one.gradient, one.apart)), name
            if name != "hwd":  # its ReLU may be shut for a single channel
                assert one.gradient.abs().sum() > 0, name


# --- what they are made of


def test_the_gradient_of_the_maximum_is_one_tap_a_window_and_of_the_mean_all():
    x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    largest = kept(make(get_pool("max"), {"kernel_size": 4}, channels=1)[0], x)
    mean = kept(make(get_pool("avg"), {"kernel_size": 4}, channels=1)[0], x)
    assert largest.step == 2
    assert largest.gradient.unique().tolist() == [0.0, 1.0]
    assert largest.gradient.sum() == 16
    assert largest.apart.sum() == 4  # every second window in both directions
    assert mean.gradient.unique().tolist() == [1 / 16]
    rows, columns = torch.nonzero(mean.apart[0], as_tuple=True)
    assert set((rows // 4).tolist()) == set((columns // 4).tolist()) == {1, 3}


def test_windows_that_overlap_are_still_told_apart():
    x = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    pool, _ = make(get_pool("avg"), {"kernel_size": 7, "stride": 2, "count_include_pad": False}, channels=1)
    one = kept(pool, x)
    assert one.step == 4
    assert one.apart.max() == pytest.approx(1 / 49)
    assert one.gradient.max() > 5 / 49


def test_a_draw_is_reproducible_and_moves_no_global_generator():
    x = torch.rand(1, 1, 16, 16)
    pool, _ = make(get_pool("stochastic"), {"kernel_size": 4}, channels=1)
    pool.train()
    before = torch.get_rng_state()
    first, second, evaluated = kept(pool, x, True), kept(pool, x, True), kept(pool, x)
    assert torch.equal(first.output, second.output)
    assert not torch.equal(first.output, evaluated.output)
    assert torch.equal(torch.get_rng_state(), before)
    assert pool.training


def test_start_values_are_those_of_seed_0_and_leave_the_generator():
    before = torch.get_rng_state()
    first, second = (make(get_pool("strided_conv"), {}, channels=3)[0] for _ in range(2))
    assert torch.equal(first.conv.weight, second.conv.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_default_photograph_is_the_flower():
    image = photograph()
    assert image.shape == (1, 3, SIDE, SIDE)
    middle, corner = image[0, :, 40:88, 40:88].mean((1, 2)), image[0, :, :10, :10].mean((1, 2))
    assert middle[0] > 2 * middle[2]  # orange
    assert corner.max() < 0.4  # before a dark ground


def test_a_photograph_is_cut_to_its_middle(tmp_path):
    strip = np.zeros((40, 120, 3), dtype=np.uint8)
    strip[:, 40:80] = 255
    Image.fromarray(strip).save(tmp_path / "strip.png")
    assert photograph(tmp_path / "strip.png", side=20).min() > 0.9
    Image.fromarray(strip[..., 0]).save(tmp_path / "grey.png")
    assert photograph(tmp_path / "grey.png", side=20).shape == (1, 3, 20, 20)


def test_the_magnified_part_is_where_windows_vary():
    image = torch.full((1, 1, 128, 128), 0.5)
    image[..., 64:100, 60:96] = torch.rand(36, 36, generator=torch.Generator().manual_seed(0))
    pool, _ = make(get_pool("max"), {"kernel_size": 4}, channels=1)
    left, right, top, bottom = part(image, pool, kept(pool, image))
    assert right - left == bottom - top == 28
    assert 50 < (left + right) / 2 < 100
    assert 54 < (top + bottom) / 2 < 104


def test_a_part_of_a_map_that_is_hardly_larger_than_a_window():
    image = torch.rand(1, 1, 32, 32)
    pool, _ = make(get_pool("max"), {"kernel_size": 16}, channels=1)
    left, right, top, bottom = part(image, pool, kept(pool, image))
    assert (left, right, top, bottom) == (-0.5, 31.5, -0.5, 31.5)


def test_outputs_lie_over_the_middle_of_their_windows():
    x = torch.rand(1, 1, 32, 32)
    for arguments, wanted in [
        ({"kernel_size": 4}, (-0.5, 31.5, 31.5, -0.5)),
        ({"kernel_size": 3, "stride": 2, "padding": 1}, (-1.0, 31.0, 31.0, -1.0)),
    ]:
        pool, _ = make(get_pool("max"), arguments, channels=1)
        assert extent(pool, kept(pool, x).output, x) == wanted


def test_a_dark_photograph_is_drawn_dark():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw_input(axes, torch.linspace(0.01, 0.05, 48).view(3, 4, 4))
    assert axes.images[0].get_array().max() == pytest.approx(0.05)


def test_maps_become_images():
    image, stretched = as_image(torch.full((3, 4, 4), 0.5))
    assert image.shape == (4, 4, 3)
    assert not stretched
    image, stretched = as_image(torch.linspace(-3, 5, 16).view(1, 4, 4))
    assert (image.min(), image.max(), stretched) == (0.0, 1.0, True)
    image, stretched = as_image(torch.linspace(-0.1, 1.1, 16).view(1, 4, 4))
    assert (image.min(), image.max(), stretched) == (0.0, 1.0, False)
    assert image[1, 1] == pytest.approx(-0.1 + 1.2 * 5 / 15)
    image, stretched = as_image(torch.linspace(0.01, 0.05, 16).view(1, 4, 4))  # all black as it is
    assert (image.min(), image.max(), stretched) == (0.0, 1.0, True)
    assert tiled(torch.zeros(8, 24, 24)).shape == (74, 74)
    assert tiled(torch.zeros(8, 24, 24)).sum() == 74 * 74 - 8 * 24 * 24


def test_the_colour_goes_by_the_root():
    norm = scale()
    assert [float(norm(value)) for value in (-1.0, 0.0, 1 / 16, 1.0, 7.0)] == pytest.approx([0, 0.5, 0.625, 1, 1])


def test_a_window_too_large_to_draw_is_told(tmp_path, capsys):
    assert cli.main(["pools", "avg_topk", "kernel_size=100", "--show", str(tmp_path / "p.png")]) == 2
    assert "--show draws windows of at most 32 pixels a side" in capsys.readouterr().err
