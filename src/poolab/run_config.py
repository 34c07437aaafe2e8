"""The settings of one run as frozen dataclasses, one for each group of conf/; needs neither torch nor Hydra.

`RunConfig.from_tree` reads what Hydra composed, and `tree` gives it back for the record, the signature and other
processes. The values are checked before, by `poolab.training.read_settings`, which names every fault at once.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self, TypeVar

from poolab.errors import ConfigError, nearest

Devices = int | str | tuple[int, ...]
Size = int | tuple[int, ...]

GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
OWN = "own"


class Group:
    """A group of settings whose fields are those of its dataclass."""

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a group from plain dictionaries.

        Raises:
            ConfigError: a setting is missing or not known.
        """
        known = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
        given = {key: frozen(value) for key, value in tree.items()}
        missing = [name for name, one in known.items() if name not in given and one.default is MISSING]
        unknown = [key for key in given if key not in known]
        if missing or unknown:
            lacks = [f"{name} is missing" for name in missing]
            lacks += [f"there is no setting {key}; {nearest(str(key), list(known))}" for key in unknown]
            raise ConfigError(f"{cls.__name__}: {', '.join(lacks)}")
        return cls(**given)

    def tree(self) -> dict[str, Any]:
        """Return the group as plain dictionaries and lists."""
        return {one.name: thawed(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class PoolingConfig(Group):
    """One pooling: its name, the slots that it goes to, its geometry where it differs from the slot's, its options.

    `slots` is "all" (or None), a slot's name, or names. A geometry of None keeps the slot's own. `at` has the poolings
    of single slots, each for itself.

    >>> PoolingConfig.from_tree({"name": "avg_topk", "k": 3, "slots": ["pool1"]}).options
    {'k': 3}
    """

    name: str
    slots: str | tuple[str, ...] | None = "all"
    kernel_size: Size | None = None
    stride: Size | None = None
    padding: Size | None = None
    dilation: Size | None = None
    ceil_mode: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, "PoolingConfig"] = field(default_factory=dict)
    code_sha256: str | None = None  # of a class outside of poolab
    given: tuple[str, ...] = field(default=(), repr=False, compare=False)  # settings that its tree names, in order

    NAMED: ClassVar = ("name", "slots", "at", "code_sha256", *GEOMETRY)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a pooling; what is neither its place nor its geometry is an option."""
        named = {key: frozen(tree[key]) for key in cls.NAMED if key in tree and key != "at"}
        at = {str(slot): PoolingConfig.from_tree(_pooling(one)) for slot, one in (tree.get("at") or {}).items()}
        options = {key: frozen(value) for key, value in tree.items() if key not in cls.NAMED}
        return cls(**named, options=options, at=at, given=tuple(map(str, tree)))

    def tree(self) -> dict[str, Any]:
        """Return it as it was given: what was left out stays out."""
        found: dict[str, Any] = {}
        for key in self.given or (*self.NAMED, *self.options):
            if key == "at":
                found[key] = {slot: one.tree() for slot, one in self.at.items()}
            else:
                found[key] = thawed(getattr(self, key) if key in self.NAMED else self.options[key])
        return found

    @property
    def geometry(self) -> dict[str, Any]:
        """The geometry where it differs from the slot's own."""
        return {key: getattr(self, key) for key in GEOMETRY if getattr(self, key) is not None}

    def filling(self, slot: str) -> "PoolingConfig | None":
        """Return what fills a slot, or None where the backbone keeps its own pooling."""
        if slot in self.at:
            return self.at[slot].filling(slot)
        everywhere = self.slots in ("all", None)
        here = everywhere or slot in ((self.slots,) if isinstance(self.slots, str) else self.slots or ())
        return self if self.name != OWN and here else None


@dataclass(frozen=True)
class HeadConfig(Group):
    """The head of a network: its name and its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    code_sha256: str | None = None  # of a class outside of poolab

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a head; what is not its name is an option."""
        options = {key: frozen(value) for key, value in tree.items() if key not in ("name", "code_sha256")}
        return cls(tree["name"], options, tree.get("code_sha256"))

    def tree(self) -> dict[str, Any]:
        """Return its name and options in one mapping."""
        code = {} if self.code_sha256 is None else {"code_sha256": self.code_sha256}
        return {"name": self.name, **thawed(self.options), **code}


@dataclass(frozen=True)
class BackboneConfig(Group):
    """A network: its name, what it is made as large as (`match`, `match_to`), and its own options."""

    name: str
    match: str | None = None
    match_to: str | PoolingConfig | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    code_sha256: str | None = None  # of a class outside of poolab
    given: tuple[str, ...] = field(default=(), repr=False, compare=False)

    NAMED: ClassVar = ("name", "match", "match_to", "code_sha256")

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a network; what is not named here is an option of its own."""
        to = tree.get("match_to")
        return cls(
            name=tree["name"],
            match=tree.get("match"),
            match_to=PoolingConfig.from_tree(to) if isinstance(to, Mapping) else to,
            options={key: frozen(value) for key, value in tree.items() if key not in cls.NAMED},
            code_sha256=tree.get("code_sha256"),
            given=tuple(map(str, tree)),
        )

    def tree(self) -> dict[str, Any]:
        """Return it as it was given."""
        return {key: thawed(self._value(key)) for key in self.given or (*self.NAMED, *self.options)}

    def _value(self, key: str) -> Any:
        value = getattr(self, key) if key in self.NAMED else self.options[key]
        return value.tree() if isinstance(value, PoolingConfig) else value

    @property
    def weights(self) -> str | None:
        """The file of weights, where the network takes one and it is named."""
        return self.options.get("weights")


@dataclass(frozen=True)
class DataConfig(Group):
    """A data set, its splits, and how its batches are made; `background` is that of folders of images."""

    name: str
    root: str | None
    image_size: Size | None
    channels: int | None
    batch_size: int
    eval_batch_size: int
    val_fraction: float
    flip: bool
    crop_padding: int
    limit_train: int | None
    limit_test: int | None
    cache_dir: str | None
    download: bool
    background: str | None = None
    code_sha256: str | None = None  # of a function outside of poolab

    LOADER: ClassVar = ("batch_size", "eval_batch_size", "flip", "crop_padding")
    OPTIONAL: ClassVar = ("background", "code_sha256")

    def tree(self) -> dict[str, Any]:
        """Return the settings that this data set has."""
        return {key: value for key, value in super().tree().items() if value is not None or key not in self.OPTIONAL}

    @property
    def loading(self) -> dict[str, Any]:
        """The arguments of the loaders of batches."""
        return {name: getattr(self, name) for name in self.LOADER}

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments of `poolab.data.load_data`, without the seed."""
        left = (*self.LOADER, "code_sha256")
        tree = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left}
        return {key: value for key, value in tree.items() if key != "background" or value is not None}


@dataclass(frozen=True)
class OptimConfig(Group):
    """An optimiser and the schedule of its learning rate."""

    name: str
    lr: float
    weight_decay: float
    schedule: str
    warmup: float
    label_smoothing: float


@dataclass(frozen=True)
class AdamConfig(OptimConfig):
    """Adam or AdamW."""

    betas: tuple[float, float]


@dataclass(frozen=True)
class SGDConfig(OptimConfig):
    """Stochastic gradient descent with momentum."""

    momentum: float
    nesterov: bool


@dataclass(frozen=True)
class TrainerConfig(Group):
    """The settings of training: devices and number of epochs."""

    accelerator: str
    strategy: str
    devices: Devices
    num_nodes: int
    precision: Literal["32-true", "16-mixed", "bf16-mixed"]
    epochs: int
    gradient_clip: float | None
    channels_last: bool
    compile: bool
    backend: Literal["fused", "plain", "auto"]
    sync_batchnorm: bool
    checkpoint_epochs: int
    progress_bar: bool
    threads: int | None

    AUTOMATIC: ClassVar = ("channels_last", "precision")  # may be `auto` until `read_settings` gives them a value

    def check_settled(self) -> None:
        """Check that no setting is still `auto`, which stands for no computation.

        Raises:
            ConfigError: one is.
        """
        for name in self.AUTOMATIC:
            if getattr(self, name) == "auto":
                raise ConfigError(f"trainer.{name} is still auto: poolab.training.with_automatic gives it a value")


@dataclass(frozen=True)
class MeasureConfig(Group):
    """The measures of a trained network: its costs."""

    name: str
    latency_batch_size: int
    throughput_batch_size: int
    seconds: float


@dataclass(frozen=True)
class FullMeasureConfig(MeasureConfig):
    """The measures of a trained network: costs, robustness, calibration and gradient support."""

    robustness: tuple[str, ...]
    calibration: bool
    gradient_support: bool
    images: int | None
    max_shift: int | None
    shift_padding: str
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    scales: tuple[float, ...]
    scale_mode: str
    gradient_support_images: int


@dataclass(frozen=True)
class TrackerConfig(Group):
    """No tracker."""

    name: str


@dataclass(frozen=True)
class WandbConfig(TrackerConfig):
    """W&B; what is None here is taken from its environment variables."""

    mode: str | None
    project: str | None
    entity: str | None
    group: str | None
    tags: tuple[str, ...]
    init_timeout: float
    finish_timeout: float
    pictures: bool = True
    learning_rate: bool = True
    log_model: bool = False
    export_model: bool = False


@dataclass(frozen=True)
class RecipeConfig(Group):
    """A run that goes on from another one."""

    name: str
    checkpoint: str | None


OPTIMS: dict[str, type[OptimConfig]] = {"adam": AdamConfig, "adamw": AdamConfig, "sgd": SGDConfig}
MEASURES: dict[str, type[MeasureConfig]] = {"costs": MeasureConfig, "full": FullMeasureConfig}
TRACKERS: dict[str, type[TrackerConfig]] = {"none": TrackerConfig, "wandb": WandbConfig}
G = TypeVar("G", bound=Group)


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run.

    >>> from poolab.configuration import compose
    >>> config = RunConfig.from_tree(compose(["pooling=avg_topk", "pooling.k=3"]))
    >>> config.pooling.options, config.trainer.epochs, config.tree() == compose(["pooling=avg_topk", "pooling.k=3"])
    ({'k': 3}, 10, True)
    """

    task: str
    seed: int
    runs_dir: str
    force: bool
    pooling: PoolingConfig
    head: HeadConfig
    backbone: BackboneConfig
    data: DataConfig
    optim: OptimConfig
    trainer: TrainerConfig
    measure: MeasureConfig
    tracker: TrackerConfig
    recipe: RecipeConfig | None = None

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a resolved configuration, as `poolab.configuration.compose` gives it.

        Raises:
            ConfigError: a setting is missing or not known.
        """
        recipe = tree.get("recipe")
        return cls(
            task=tree["task"],
            seed=tree["seed"],
            runs_dir=tree["runs_dir"],
            force=tree["force"],
            pooling=PoolingConfig.from_tree(tree["pooling"]),
            head=HeadConfig.from_tree(tree["head"]),
            backbone=BackboneConfig.from_tree(tree["backbone"]),
            data=DataConfig.from_tree(tree["data"]),
            optim=_by_name(OPTIMS, tree["optim"]),
            trainer=TrainerConfig.from_tree(tree["trainer"]),
            measure=_by_name(MEASURES, tree["measure"]),
            tracker=_by_name(TRACKERS, tree["tracker"]),
            recipe=None if recipe is None else RecipeConfig.from_tree(recipe),
        )

    def tree(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, as the record keeps them."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "recipe" or value is not None:
                found[one.name] = value.tree() if isinstance(value, Group) else value
        return found


def frozen(value: Any) -> Any:
    """Return a value with tuples for its lists."""
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    """Return a value with lists for its tuples."""
    if isinstance(value, Mapping):
        return {key: thawed(one) for key, one in value.items()}
    return list(map(thawed, value)) if isinstance(value, list | tuple) else value


def _by_name(kinds: Mapping[str, type[G]], tree: Mapping[str, Any]) -> G:
    name = tree["name"]
    if name not in kinds:
        raise ConfigError(f"{name} is not known: {nearest(str(name), list(kinds))}choose from {', '.join(kinds)}")
    return kinds[name].from_tree(tree)


def _pooling(choice: Any) -> Mapping[str, Any]:
    return choice if isinstance(choice, Mapping) else {"name": choice}
