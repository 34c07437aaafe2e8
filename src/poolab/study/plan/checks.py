"""Check configurations before anything runs; each distinct part is checked once."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from poolab.configuration import compose
from poolab.errors import ConfigError, PoolabError
from poolab.records import NOT_IDENTITY, below, flatten
from poolab.run_config import DataConfig, RunConfig

# What a network does not depend on.
NOT_NETWORK = ("seed", "optim", "trainer", "measure", "recipe", "task", *NOT_IDENTITY)


class Checks:
    """The checks of a run before its first step. Cells that share a part share the check of it."""

    def __init__(self) -> None:
        self._done: dict[str, Any] = {}

    def __call__(self, tree: Mapping[str, Any]) -> tuple[RunConfig, tuple[str, ...]]:
        """Return a configuration that can be run, its signature, and the names that its run may have had earlier.

        The network is built on the meta device: sizes without arithmetic. What only the images can tell, and what only
        the device can, shows when the run starts.

        Raises:
            ConfigError: it cannot, with every error that was found.
        """
        from poolab.training import check_settings, faults_by_group, run_names, with_automatic

        tree = with_automatic(tree)
        settings = {**tree, "seed": _seed(tree.get("seed"))}
        results = [self._once("settings", settings, lambda: check_settings(tree))]
        # What is of a wrong kind is not looked at further: the other checks take it to be of the right one.
        wrong = self._once("groups", settings, lambda: faults_by_group(tree)) if results[0] is not None else {}
        config = RunConfig.from_tree(_without(tree, wrong))
        content = files = ""
        if "data" not in wrong:
            content = self._fingerprint(config.data)
            results.append(content)
        if not wrong.keys() & {"", "recipe", "backbone", "data"}:
            files = self._once("files", _files_key(config), lambda: _files(config))
            results.append(files)
        if not isinstance(content, PoolabError) and not wrong.keys() & {"data", "backbone", "pooling", "head"}:
            results.append(self._network(config))  # without content its images have no form
        errors = dict.fromkeys(str(result) for result in results if isinstance(result, PoolabError))
        if errors:
            raise ConfigError("\n".join(errors))
        return config, run_names(tree, f"{content}{files}")

    def _network(self, config: RunConfig) -> Any:
        network = {key: value for key, value in flatten(config.tree()).items() if not below(key, NOT_NETWORK)}
        return self._once("network", [network, config.data.root, config.data.cache_dir], lambda: _build(config))

    def _fingerprint(self, data: DataConfig) -> Any:
        from poolab.data import data_fingerprint

        return self._once("data", [data.name, data.root], lambda: data_fingerprint(data.name, root=data.root))

    def _once(self, what: str, of: Any, check: Callable[[], Any]) -> Any:
        """Return the result of a check, or the error that it raised."""
        key = f"{what} {json.dumps(of, sort_keys=True, default=str)}"
        if key not in self._done:
            try:
                self._done[key] = check()
            except PoolabError as error:
                self._done[key] = error
        return self._done[key]


def _seed(seed: Any) -> Any:
    """Return 0 for every valid seed, so that all valid seeds are checked as one."""
    fits = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63
    return 0 if fits else seed


def _without(tree: Mapping[str, Any], wrong: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with defaults in place of the groups with errors, so that the rest can be read."""
    if not wrong:
        return dict(tree)
    default = compose([])
    kept = {key: value for key, value in tree.items() if key in default or key == "recipe"}
    roots = [key for key, value in default.items() if not isinstance(value, Mapping)] if "" in wrong else []
    return {**default, **kept, **{key: default.get(key) for key in (*wrong, *roots) if key}}


def _files_key(config: RunConfig) -> Any:
    others = ("measure", "optim", "trainer")
    tree = {key: value for key, value in config.tree().items() if key not in others}
    return config.backbone.weights, config.recipe and tree


def _files(config: RunConfig) -> str:
    from poolab.training import files_of

    return files_of(config)


def _build(config: RunConfig) -> None:
    """Build the network without storage, for images of the data set's form."""
    import torch

    from poolab.backbones import create_backbone
    from poolab.data import data_shape
    from poolab.training import check_batch, check_classes, matched_settings

    shape = data_shape(config.data.reading)  # a folder that says size and channels is not decoded
    check_classes(config.task, shape.num_classes, f"data={config.data.name}")
    settings, _ = matched_settings(config, shape)
    settings |= {key: empty for key, empty in {"pretrained": False, "weights": None}.items() if settings.get(key)}
    with torch.device("meta"):
        network = create_backbone(**settings)
    if config.trainer.devices == 1 == config.trainer.num_nodes:
        check_batch(network, config.data.batch_size, 1)
