"""Holds the settings of a network: its poolings, its head and its backbone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from poolab.run_config.group import Group, Size, frozen, thawed

GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
OWN = "own"


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


def _pooling(choice: Any) -> Mapping[str, Any]:
    return choice if isinstance(choice, Mapping) else {"name": choice}
