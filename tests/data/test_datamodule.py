import pytest
import pytorch_lightning as pl
import torch

from poolab.data import ImageDataModule, load_data, prepare

# Lightning 2.6 on torch 2.15: its own use of a class that torch will take away.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

SETTINGS = {"batch_size": 32, "eval_batch_size": 64, "seed": 0, "flip": True, "crop_padding": 2}


@pytest.fixture(scope="module")
def data():
    return load_data("digits", limit_train=200, limit_test=70, image_size=8)


class Recorder(pl.LightningModule):
    """A small network that writes down which images it was given."""

    def __init__(self, classes=10, stop_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(64, classes)
        self.trained, self.validated, self.tested, self.stop_at = [], [], [], stop_at

    def training_step(self, batch, batch_idx):
        if self.stop_at == (self.current_epoch, batch_idx):
            raise RuntimeError("pulled the plug")
        self.trained.append((self.current_epoch, batch_idx, batch["index"].tolist(), batch["image"].clone()))
        return torch.nn.functional.cross_entropy(self.layer(batch["image"].flatten(1)), batch["label"])

    def validation_step(self, batch, batch_idx):
        self.validated += batch["index"].tolist()

    def test_step(self, batch, batch_idx):
        self.tested += batch["index"].tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveAt(pl.Callback):
    """A checkpoint at one batch's end, or when the run breaks off."""

    def __init__(self, path, at=None):
        self.path, self.at = path, at

    def on_train_batch_end(self, trainer, *_):
        if self.at == (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx):
            trainer.save_checkpoint(self.path)

    def on_exception(self, trainer, *_):
        trainer.save_checkpoint(self.path)


class SaveAtValidationEnd(SaveAt):
    def on_validation_end(self, trainer, *_):
        if self.at == trainer.current_epoch and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)


class SaveAtEpochEnd(SaveAt):
    def on_train_epoch_end(self, trainer, *_):
        if self.at == trainer.current_epoch:
            trainer.save_checkpoint(self.path)


def fit(data, module, callbacks=(), checkpoint=None, max_epochs=4):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=ImageDataModule(data, **SETTINGS), ckpt_path=checkpoint, weights_only=False)
    return module


def compare(parts, whole):
    assert [(e, b, index) for e, b, index, _ in parts] == [(e, b, index) for e, b, index, _ in whole]
    assert all(torch.equal(left[3], right[3]) for left, right in zip(parts, whole, strict=True))


@pytest.fixture(scope="module")
def uninterrupted(data):
    return fit(data, Recorder())


def test_an_epoch_is_an_epoch(data, uninterrupted):
    assert len(data.train) == 180
    assert [(e, b) for e, b, *_ in uninterrupted.trained] == [(e, b) for e in range(4) for b in range(5)]
    orders = {tuple(index) for _, b, index, _ in uninterrupted.trained if b == 0}
    assert len(orders) == 4, "Lightning tells the loader the epoch"


@pytest.mark.parametrize("stop", [(0, 2), (0, 0), (2, 0), (1, 3), (2, 4)])
def test_resumes_where_a_step_failed(data, uninterrupted, tmp_path, stop):
    first = Recorder(stop_at=stop)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        fit(data, first, [SaveAt(tmp_path / "c.ckpt")])
    second = fit(data, Recorder(), checkpoint=tmp_path / "c.ckpt")
    compare(first.trained + second.trained, uninterrupted.trained)
    assert torch.equal(second.layer.weight, uninterrupted.layer.weight)


@pytest.mark.parametrize("at", [(0, 1), (1, 0), (2, 3), (2, 4), (0, 4)])
def test_resumes_from_a_batchs_end(data, uninterrupted, tmp_path, at):
    fit(data, Recorder(), [SaveAt(tmp_path / "c.ckpt", at)])
    second = fit(data, Recorder(), checkpoint=tmp_path / "c.ckpt")
    compare(second.trained, [row for row in uninterrupted.trained if row[:2] > at])
    assert torch.equal(second.layer.weight, uninterrupted.layer.weight)


@pytest.mark.parametrize("kind", [SaveAtEpochEnd, SaveAtValidationEnd])
@pytest.mark.parametrize("epoch", [0, 2])
def test_resumes_from_an_epochs_end(data, uninterrupted, tmp_path, kind, epoch):
    fit(data, Recorder(), [kind(tmp_path / "c.ckpt", epoch)])
    second = fit(data, Recorder(), checkpoint=tmp_path / "c.ckpt")
    compare(second.trained, [row for row in uninterrupted.trained if row[0] > epoch])
    assert torch.equal(second.layer.weight, uninterrupted.layer.weight)


def test_validation_and_test_see_every_sample_once(data):
    module, trainer = Recorder(), pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.validate(module, datamodule=ImageDataModule(data, **SETTINGS), verbose=False)
    trainer.test(module, datamodule=ImageDataModule(data, **SETTINGS), verbose=False)
    assert sorted(module.validated) == list(range(20))
    assert sorted(module.tested) == list(range(70))


@pytest.mark.parametrize("channels_last", [False, True])
def test_only_training_batches_are_augmented(data, channels_last):
    module = ImageDataModule(data, channels_last=channels_last, **SETTINGS)
    raw = next(iter(module.test_dataloader()))
    done = module.on_after_batch_transfer(raw, 0)
    assert sorted(done) == ["image", "index", "label"]
    assert torch.equal(done["image"], prepare(raw["image"], data.mean, data.std))
    raw = next(iter(module.train_dataloader()))
    done = module.on_after_batch_transfer(raw, 0)["image"]
    moves = {"shift": raw["shift"], "flip": raw["flip"], "crop_padding": 2}
    assert torch.equal(done, prepare(raw["image"], data.mean, data.std, **moves))
    assert not torch.equal(done, prepare(raw["image"], data.mean, data.std))
