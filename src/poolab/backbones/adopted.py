"""A network of torchvision or timm as a backbone: surgery finds its slots and fills them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from poolab.backbones.base import Backbone
from poolab.backbones.libraries import build_network
from poolab.backbones.probe import FAULTS, VanishError, meta_twin, smallest_image
from poolab.backbones.slots import Slot, SlotFiller, unknown_slots
from poolab.backbones.surgery import Site, SwapReport, find_sites, swap_pooling
from poolab.backbones.surgery.geometry import window_of
from poolab.backbones.surgery.plan import choose
from poolab.errors import ConfigError
from poolab.pooling import Pool
from poolab.run_config import OWN, PoolingConfig


class Adopted(Backbone):
    """A network that poolab did not write.

    Its slots are what surgery finds: windows and strided convolutions by their qualified names, and the head.
    `pooling.slots=all` fills the windows; strided convolutions are filled on request, all of them by
    `pooling.slots=strided_conv`, a single one by `pooling.at` and its name. What is not asked for stays as the network
    has it. Weights start as the network's author has them start, from torch's generator; poolings as everywhere.

    Attributes:
        network: the network itself.
        notes: remarks on its weights, for the user.
        swaps: what surgery did.
    """

    def __init__(
        self,
        slots: SlotFiller,
        *,
        in_channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        pretrained: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        self.notes: list[str] = []
        self.network = build_network(
            self.name,
            in_channels=in_channels,
            num_classes=num_classes,
            image_size=image_size,
            pretrained=pretrained,
            weights=weights,
            tell=self.notes.append,
        )
        self.classifier = nn.Identity()  # it is in the network
        self.features_out = num_classes
        self.swaps: list[SwapReport] = []
        self._check_size()
        self._fill(slots, torch.zeros(1, in_channels, *image_size))

    def features(self, images: Tensor) -> Tensor:
        """Return the class scores: a network of a library keeps its head to itself."""
        return self.embed(images)

    def embed(self, images: Tensor) -> Tensor:
        """Return the class scores."""
        scores: Tensor = self.network(images)
        return scores

    def reset_module(self, module: nn.Module) -> None:
        """Leave it: the network drew its own start when it was built, before any pooling."""

    def _check_size(self) -> None:
        """Check that the network takes images of this size; raise VanishError or ConfigError otherwise."""
        height, width = self.image_size
        try:
            with torch.no_grad():
                meta_twin(self).embed(torch.empty(1, self.in_channels, height, width, device="meta"))
        except FAULTS as fault:
            message = f"{self.name} cannot run on {height}x{width} images: {fault}"
            smallest = smallest_image(meta_twin(self))
            if smallest is not None and smallest > min(height, width):
                needs = f". The smallest image that works is {smallest}x{smallest}: data.image_size={smallest}."
                raise VanishError(message + needs, smallest) from fault
            raise ConfigError(message) from fault

    def _fill(self, slots: SlotFiller, example: Tensor) -> None:
        training = self.network.training
        with torch.no_grad():
            sites = [site for site in find_sites(self.network.eval(), example).all if site.kind != "gate"]
        self.network.train(training)
        if slots.pooling.name != OWN:
            self._fill_all(slots.pooling, sites, example)
        self._fill_single(slots.pooling, sites, example)
        if slots.head.name != OWN:
            self._swap(slots.head.name, "head", example, dict(slots.head.options))
        self._note(sites)

    def _fill_all(self, asked: PoolingConfig, sites: list[Site], example: Tensor) -> None:
        """Put a pooling into its slots, except those with a pooling of their own."""
        where: str | Sequence[str] = "window" if asked.slots is None else asked.slots
        if where == "window" and not any(site.kind == "window" for site in sites):
            if asked.at:
                return
            raise ConfigError(
                f"{self.name} pools nowhere over windows: pooling.slots=strided_conv fills its strided "
                "convolutions, pooling.name=own keeps it as it is."
            )
        if asked.at:
            chosen = self._told(lambda: choose(sites, where, asked.name))
            where = [site.name for site in chosen if site.name not in asked.at]
        if where:
            self._swap(asked.name, where, example, {**asked.geometry, **asked.options})

    def _fill_single(self, asked: PoolingConfig, sites: list[Site], example: Tensor) -> None:
        """Fill the places that have a request of their own, one after the other."""
        known = [site.name for site in sites if site.kind != "head"]
        faults = unknown_slots(self.name, "pooling.at", asked.at, known)
        if faults:
            raise ConfigError(faults[0])
        for slot, one in asked.at.items():
            if one.name != OWN:
                self._swap(one.name, [slot], example, {**one.geometry, **one.options})

    def _swap(self, name: str, where: str | Sequence[str], example: Tensor, options: dict[str, Any]) -> None:
        report = self._told(lambda: swap_pooling(self.network, name, slots=where, example_input=example, **options))
        for left in report.unreachable:
            warnings.warn(f"{self.name} keeps {left.was} at {left.name}: {left.reason}", stacklevel=2)
        self.swaps.append(report)

    def _told(self, step: Callable[[], Any]) -> Any:
        """Return what surgery gives; its faults name the network."""
        try:
            return step()
        except ConfigError as fault:
            raise ConfigError(f"{self.name}: {fault}") from fault

    def _note(self, sites: list[Site]) -> None:
        """Name the slots. A function that was not replaced has no layer, and is not a slot."""
        filled = {place.name: report.pooling for report in self.swaps for place in report.replaced}
        for site in sites:
            if site.name not in filled and site.is_wired:
                continue
            name = "head" if site.kind == "head" else site.name
            kind: Any = site.kind
            self.slots[name] = Slot(name, kind, site.channels or 0, None, None, None, site.was, site.was)
            layer = f"network.{site.name}"
            self._paths[name] = f"{layer}.pool" if site.name in filled and kind == "strided_conv" else layer
            stands = self.slot_module(name)
            if isinstance(stands, Pool):
                self.note_swap(self._paths[name], stands)
            elif kind != "head":
                window = window_of(stands, {})
                kernel_size, stride, padding = (window[key] for key in ("kernel_size", "stride", "padding"))
                self.slots[name] = replace(self.slots[name], kernel_size=kernel_size, stride=stride, padding=padding)
