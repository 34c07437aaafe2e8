import pytest
import torch

from poolab.errors import DataError
from poolab.measure.predictions import accuracy, check_images, predictions

IMAGES = torch.arange(11, dtype=torch.uint8).view(11, 1, 1, 1).repeat(1, 3, 2, 2)


def test_batches_come_in_order_with_the_places_of_their_images():
    batches, places = [], []

    def change(batch, place):
        places.append(place.tolist())
        return batch + 1

    def predict(images):
        assert not torch.is_grad_enabled()
        batches.append(images[:, 0, 0, 0].tolist())
        return torch.nn.functional.one_hot(images[:, 0, 0, 0].long() % 4, 4)

    found = predictions(predict, IMAGES, change=change, batch_size=4)
    assert batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    assert places == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert found.tolist() == [(n + 1) % 4 for n in range(11)]


def test_a_batch_has_512_images_by_default_and_goes_where_it_is_asked_to():
    sizes = []

    def predict(images):
        sizes.append((len(images), images.device.type))
        return torch.zeros(len(images), 2)

    predictions(predict, torch.zeros(600, 1, 1, 1, dtype=torch.uint8))
    predictions(predict, torch.zeros(2, 1, 1, 1, dtype=torch.uint8), device="meta")
    assert sizes == [(512, "cpu"), (88, "cpu"), (2, "meta")]


def test_accuracy_is_a_share_in_float64():
    assert accuracy(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0])) == 2 / 3


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 4, dtype=torch.uint8), torch.zeros(0, 3, 4, 4).byte(),
                                    torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4).char()])  # fmt: skip
def test_what_is_no_set_of_8_bit_images(images):
    with pytest.raises(DataError, match=r"must be uint8 \(N, C, H, W\) with N >= 1"):
        check_images(images)
    check_images(torch.zeros(1, 1, 1, 1, dtype=torch.uint8))


@pytest.mark.parametrize("logits", [torch.zeros(11), torch.zeros(10, 3), torch.zeros(11, 3, 1)])
def test_what_are_no_logits(logits):
    with pytest.raises(DataError, match="11 images gave"):
        predictions(lambda images: logits, IMAGES)
