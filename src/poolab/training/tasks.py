"""The task of a run: check that its backbone and its data set are for it."""

from poolab.backbones import LIBRARIES, Backbone, backbone_task, list_backbones
from poolab.data import data_task, list_data
from poolab.errors import ConfigError, nearest
from poolab.records import HEADLINES

TASKS = tuple(HEADLINES)


def check_task(task: str, *, backbone: str, data: str) -> None:
    """Check that backbone, data set and task fit.

    Raises:
        ConfigError: an unknown task, backbone or data set; or one that is for another task, with those that fit.

    >>> check_task("segmentation", backbone="unet", data="digits")
    Traceback (most recent call last):
    ...
    poolab.errors.ConfigError: data=digits is for classification and task=segmentation was chosen: ...
    """
    if task not in TASKS:
        raise ConfigError(f"task={task} is not known: {nearest(str(task), list(TASKS))}task can be {', '.join(TASKS)}")
    chosen = {"backbone": backbone, "data": data}
    own = {"backbone": backbone_task(chosen["backbone"]), "data": data_task(chosen["data"])}
    fitting = {"backbone": list_backbones(task), "data": list_data(task)}
    if task == Backbone.task:
        fitting["backbone"] += [f"{library}/<name>" for library in LIBRARIES]
    wrong = [group for group in own if own[group] != task]
    if not wrong:
        return
    lines = [
        f"{group}={chosen[group]} is for {own[group]} and task={task} was chosen: "
        f"for it {group} can be {', '.join(fitting[group])}"
        for group in wrong
    ]
    other = own[wrong[0]]
    kept = [f"{group}={chosen[group]}" for group in own if own[group] == other]
    lines.append(f"For {other} write task={other} {' '.join(kept)}, which selects everything else that it needs")
    raise ConfigError("\n".join(lines))
