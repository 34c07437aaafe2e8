import torch

from poolab.data import training_sample
from poolab.data.augment import prepare
from poolab.data.image_data import ImageData, channel_statistics


def data(split):
    mean, std = channel_statistics(split.images)
    return ImageData("some", tuple("abcde"), split, split, split, mean, std, "some-1")


def test_all_images_where_there_are_no_more(split):
    (batch,) = training_sample(data(split), count=100)
    mean, std = channel_statistics(split.images)
    assert torch.equal(batch, prepare(split.images, mean, std))


def test_evenly_spaced_images_of_all_classes(split):
    whole, few = torch.cat(list(training_sample(data(split)))), torch.cat(list(training_sample(data(split), count=10)))
    assert len(few) == 10
    assert torch.equal(few, whole[[0, 5, 10, 15, 21, 26, 31, 37, 42, 47]])


def test_in_parts_that_fit_into_memory(split, monkeypatch):
    monkeypatch.setattr("poolab.data.sample.PART", 20)
    assert [len(batch) for batch in training_sample(data(split))] == [20, 20, 13]
