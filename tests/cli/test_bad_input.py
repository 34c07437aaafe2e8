"""Bad input: exit code 2, the thing is named, and no run folder is left."""

import os

import pytest

from poolab import cli

BAD = [
    (["pooling=avg_topkk"], "pooling=avg_topkk: there is no such choice; did you mean avg_topk"),
    (["pooling=avg_topk", "pooling.k=9"], "k must be an int from 1 to 4 (the window has no more taps), found 9"),
    (["pooling=avg_topk", "pooling.k=0"], "pooling.k must be an int >= 1, found 0"),
    (["pooling.kernel_size=40"], "pool1"),
    (["backbone=resnet20", "pooling.slots=[stage2]", "pooling.kernel_size=20"], "stage2"),
    (["pooling.slots=[pool9]"], "no pooling slot pool9: did you mean pool"),
    (["pooling.slots=[]"], "pooling.slots must be all, or a list of slot names"),
    (["pooling.at.pol1=avg"], "no pooling slot pol1: did you mean pool1"),
    (["pooling.at.pool1=avgg"], "pooling.at.pool1.name=avgg: it is not known: did you mean avg"),
    (["pooling.at.pool1=null"], "pooling.at.pool1=null has no name of a pooling"),
    (["pooling.at.pool1={name: null}"], "pooling.at.pool1={name:null} has no name of a pooling"),
    (["pooling.slots=[pool1,null]"], "found [pool1,null]"),
    (["pooling.slots=true"], "found true"),
    (["pooling.at.pool1=global_gem"], "global_gem is a head and belongs in head"),
    (["pooling.at.pool1=avg_topk", "pooling.at.pool1.k=9"], "k must be an int from 1 to 4"),
    (["pooling.at.pool1.k=2"], "has no pooling: add pooling.at.pool1=NAME"),
    (["optim.lrr=1"], "optim.lrr: there is no such setting; did you mean lr"),
    (["+optim.lrr=1"], "optim.lrr: there is no such setting; did you mean lr?"),
    (["+pooling.kk=1"], "kk"),
    (["+head.k=1"], "head"),
    (["+backbone.depth=3"], "depth"),
    (["+data.shuffle=true"], "data.shuffle: there is no such setting"),
    (["+tracker.color=red"], "tracker.color: there is no such setting"),
    (["optimizer=adam"], "optimizer: there is no such setting; did you mean optim"),
    (["lr=0.01"], "lr: there is no such setting; did you mean optim.lr?"),
    (["k=3"], "did you mean head.k or pooling.k?"),
    (["epochs=2"], "did you mean trainer.epochs?"),
    (["model=resnet18"], "did you mean backbone?"),
    (["data=some/folder"], "data=some/folder: a folder is not a choice: write data=image_folder data.root=some/folder"),
    (["backbone=torchvision/resnet18/x"], "backbone can be airbench94"),
    (["+optimizer=adam"], "optimizer"),
    (["+sead=1"], "sead: there is no such setting; did you mean seed"),
    (["seed=-1"], "seed must be an int from 0"),
    (["seed=null"], "seed must be an int from 0 to 2**63 - 1, found null"),
    (["seed=1.5"], "found 1.5"),
    (["data=image_folder"], "data=image_folder needs a folder: data.root=FOLDER"),
    (["data=image_folder", "data.root=no/such/folder"], "data.root=no/such/folder is not a folder"),
    (["data.channels=2"], "data.channels must be one of 1, 3, or null, found 2"),
    (["data.limit_train=5"], "data.limit_train=5 is not possible"),
    (["data.batch_size=1000"], "data.batch_size=1000 exceeds the training split of 180 images"),
    (["data.image_size=4"], "pool"),
    (["trainer.epochs=two"], "trainer.epochs must be an int from 1 to 100000, found 'two'"),
]


@pytest.mark.parametrize(("overrides", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input(train, tmp_path, overrides, message):
    code, out, err = train(*overrides)
    assert code == 2
    assert message in err
    assert err.startswith("poolab: ")
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "runs").exists()


def test_all_wrong_settings_are_told_at_once(train, tmp_path):
    code, _, err = train("seed=-1", "trainer.epochs=0", "optim.lr=0", "measure.seconds=0", "+sead=1")
    assert code == 2
    assert all(word in err for word in ("seed must be", "epochs must", "lr must", "seconds must", "sead:"))
    assert not (tmp_path / "runs").exists()


def test_a_runs_folder_that_cannot_be_made(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.train([*tiny, f"runs_dir={tmp_path}/file"]) == 2
    assert "choose another runs_dir" in capsys.readouterr().err


def test_the_wish_for_a_traceback_is_heard(train, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception, match="avg_topkk"):
        train("pooling=avg_topkk")
    assert os.environ["HYDRA_FULL_ERROR"] == "1"
