"""What the hash of own code covers, where it stands, and the names of entry points."""

import json
import sys
from pathlib import Path

from poolab.configuration import compose
from poolab.own_code import code_facts, find_own, finding, is_own
from poolab.pooling import create_pool
from poolab.pooling import registry as pools
from poolab.records import signature
from poolab.run_config import RunConfig
from poolab.training import check_settings
from tests.own_code.modules import POOL
from tests.own_code.test_found import refusal, told

# -- identity


def test_the_hash_follows_the_file_and_not_its_place(files, monkeypatch):
    def hashed(place, text, name="MyPool"):
        place.mkdir(exist_ok=True)
        (place / "moved_pool.py").write_text(text)
        monkeypatch.chdir(place)
        sys.modules.pop("moved_pool", None)
        finding._FOUND.clear()
        monkeypatch.setattr(sys, "path", [one for one in sys.path if str(files) not in one])
        return signature(compose([f"pooling=moved_pool:{name}"]), "data")

    first = hashed(files / "a", POOL)
    assert first == hashed(files / "b", POOL)
    assert first != hashed(files / "a", POOL + "# changed\n")
    assert first != hashed(files / "a", POOL, "Own")


def test_the_hash_follows_the_file_of_a_base_class(lab):
    def hashed():
        for name in ("base_pool", "leaf_pool"):
            sys.modules.pop(name, None)
        finding._FOUND.clear()
        return find_own("leaf_pool:Leaf", "pooling")

    (lab / "base_pool.py").write_text(POOL)
    (lab / "leaf_pool.py").write_text("from base_pool import MyPool\nclass Leaf(MyPool): pass\n")
    first = hashed()
    assert [path.name for path in first.files] == ["leaf_pool.py", "base_pool.py"]
    (lab / "base_pool.py").write_text(POOL + "#\n")
    assert hashed().sha256 != first.sha256


def test_names_of_poolab_have_no_hash(files):
    config = compose(["pooling=avg_topk"])
    assert "code_sha256" not in json.dumps(config)
    assert code_facts(config) == {}
    assert not is_own("torchvision/resnet18", "backbone")


def test_the_hash_stands_wherever_a_choice_of_own_code_stands(files):
    config = compose(
        ["pooling.at.pool1=own_pool:MyPool", "backbone.match=parameters", "backbone.match_to=own_pool:Own"]
    )
    assert set(config["pooling"]["at"]["pool1"]) == {"name", "code_sha256"}
    assert set(config["backbone"]["match_to"]) == {"name", "code_sha256"}
    assert sorted(code_facts(config)) == ["own_pool.MyPool", "own_pool.Own"]
    check_settings(config)
    assert RunConfig.from_tree(config).tree() == config


def test_a_run_of_code_that_was_changed_since_is_refused(files, launched, configured):
    config = configured(files / "runs", "pooling=own_pool:MyPool")
    config["pooling"]["code_sha256"] = "0" * 64
    assert "own_pool.py was changed after this configuration was made" in refusal(lambda: check_settings(config))


def test_a_record_says_the_code_and_a_change_of_it_is_another_run(files, launched):
    import hashlib

    record, folder, _ = launched(files / "runs", "pooling=own_pool:MyPool")
    own = hashlib.sha256(Path("own_pool.py").read_bytes()).hexdigest()
    assert record.environment["own_code"] == {"own_pool.MyPool": f"own_pool.py {own}"}
    assert record.config["pooling"]["code_sha256"] == find_own("own_pool:MyPool", "pooling").sha256
    assert launched(files / "runs", "pooling=own_pool:MyPool")[1:] == (folder, False)
    Path("own_pool.py").write_text(POOL + "# changed\n")
    sys.modules.pop("own_pool")
    finding._FOUND.clear()
    pools.OWN.clear()
    assert launched(files / "runs", "pooling=own_pool:MyPool")[1] != folder


# -- entry points


def test_entry_points_are_names(files, monkeypatch):
    package = files / "installed"
    (package / "names-1.0.dist-info").mkdir(parents=True)
    (package / "names-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: names\nVersion: 1.0\n")
    (package / "names-1.0.dist-info" / "entry_points.txt").write_text(
        "[poolab.poolings]\nmine = pointed:MyPool\nmax = pointed:MyPool\n"
        "[poolab.backbones]\nlittle = own_net:MyNet\n[poolab.data]\ntwo = own_data:right\n"
    )
    (package / "pointed.py").write_text(POOL)
    monkeypatch.syspath_prepend(package)
    finding._entry_points.cache_clear()
    try:
        config = compose(["pooling=mine", "pooling.share=0.1", "backbone=little", "data=two"])
        check_settings(config)
        assert (config["pooling"]["name"], config["pooling"]["share"]) == ("mine", 0.1)
        assert list(code_facts(config)) == ["pointed.MyPool", "own_net.MyNet", "own_data.right"]
        assert create_pool("mine", kernel_size=2).share == 0.7
        assert "code_sha256" not in compose(["pooling=max"])["pooling"]  # that name is poolab's
        assert "did you mean" in told(["pooling=mien"])
        assert "mine" in told(["pooling=mien"])
    finally:
        finding._entry_points.cache_clear()
