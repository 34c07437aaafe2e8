import json

import pytest
import torch

from poolab.records import RunFolder


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trace():
    """What two runs are compared by: the final weights, the losses of the epochs, and each test example."""

    def read(folder):
        checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
        rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        losses = [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
        metrics = RunFolder(folder.parent, folder.name).result.metrics
        test = {name: value for name, value in metrics.items() if name.startswith("test/")}
        weights = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith("network.")}
        return weights, losses, test

    return read


@pytest.fixture(scope="session")
def same():
    """Asserts that two traces agree to the last bit."""

    def check(one, other):
        weights, others = one[0], other[0]
        assert weights.keys() == others.keys()
        assert weights
        assert all(torch.equal(weights[name], others[name]) for name in weights)
        assert one[1:] == other[1:]

    return check


@pytest.fixture
def stop_after(monkeypatch):
    """Asks the run to stop once so many training steps of this session are done, as a signal would."""

    # Here, not above: Lightning brings torchmetrics and, where it is installed, transformers, which tests that only
    # start programs do not need (half of the time of test_wandb_online.py's own process).
    from poolab.training.interruption import StopRequest
    from poolab.training.module import Classifier

    def arrange(steps):
        requests, done = [], []
        install, step = StopRequest.install, Classifier.training_step

        def remember(request):
            requests.append(request)
            install(request)

        def counted(module, batch, batch_idx):
            done.append(batch_idx)
            if len(done) == steps:
                requests[-1].reason = "SIGINT"
            return step(module, batch, batch_idx)

        monkeypatch.setattr(StopRequest, "install", remember)
        monkeypatch.setattr(Classifier, "training_step", counted)
        return done

    return arrange
