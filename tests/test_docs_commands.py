"""Every command and every Python block of the README and the pages runs: long ones are shrunk, none is changed else."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from poolab.cli import main
from tests.test_docs import ROOT, TYPED, blocks, commands

pytestmark = pytest.mark.docs

# What is no test of the page: who runs it instead.
LEFT_OUT = {
    r"make |make$": "continuous integration",
    r"pip install|python -m venv|\. \.venv": "make install",
    r"wandb |poolab report .*--wandb": "tests marked services, with a server",
    r".*hydra/launcher=slurm": "tests marked services, with a SLURM",
    r".*my_module": "tests/test_own_code.py",
    r"python scripts/(bench.py (net|data|startup)|simulate|interception)": "tests/bench and tests of the scripts",
    r"poolab predict .* --out masks": "tests/export/test_predict_verb.py: it needs a network for segmentation",
    r".*--devices cuda": "a machine with a GPU",
    r"torchrun|srun|sbatch|squeue|scancel|sinfo|export |source ": "a cluster",
    r"git |cd ": "the shell",
}
TRAIN = [
    *("trainer.epochs=1", "data.limit_train=40", "data.limit_test=20", "measure.seconds=0.01", "tracker=none"),
    *("trainer.progress_bar=false", "trainer.threads=1", "data.batch_size=8"),
]
FULL = [
    *("measure.images=10", "measure.corruptions=[jpeg]", "measure.severities=[1]"),
    "measure.gradient_support_images=2",
]
# What a page's reader has and a test has not, or what would take minutes.
STAND_INS = {r"data=cifar10": "data=digits", r"backbone.pretrained=true": "backbone.pretrained=false",
             r"backbone=timm/resnet18": "backbone=timm/resnet10t", "runs/0123456789ab": "runs/<signature>"}  # fmt: skip


def typed():
    lines = dict.fromkeys(line.split(" #")[0].rstrip() for line in commands(*TYPED))
    return [line for line in lines if not any(re.match(pattern, line) for pattern in LEFT_OUT)]


STUDY = """\
program: train.py
method: grid
parameters:
  pooling: {values: [max, avg]}
  data: {value: digits}
  seed: {values: [0, 1]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as a reader has it after the first pages: images, a study, finished runs."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("POOLAB_CACHE", str(folder / "cache"))
        patch.setenv("WANDB_MODE", "offline")
        for name in ("sweeps", "scripts", "benchmarks"):
            (folder / name).symlink_to(ROOT / name)
        _draw(folder)
        for name in ("mine.yaml", "study.yaml"):
            (folder / name).write_text(STUDY)
        for name in ("old", "new", "other_machine"):
            (folder / f"{name}.jsonl.gz").symlink_to(ROOT / "benchmarks" / "pooling_small.jsonl.gz")
        for name in ("old", "new", "before", "after"):
            (folder / f"{name}.json").symlink_to(ROOT / "benchmarks" / "ops-cpu-topk.json")
        assert main(["train", "data=image_folder", "data.root=photos", *TRAIN]) == 0
        [run] = (folder / "runs").glob("*/model.json")
        (folder / "signature").write_text(run.parent.name)
        yield folder


def _draw(folder):
    generator = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 8)):
        for shade, label in ((0, "cat"), (90, "ship"), (180, "truck")):
            for number in range(count):
                file = folder / "photos" / split / label / f"{number:04}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(generator.integers(shade, shade + 70, (32, 32, 3), dtype=np.uint8)).save(file)
        for number in range(count):
            image = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            mask = (image[..., 0] > 128).astype(np.uint8)
            for kind, pixels in (("images", image), ("masks", mask)):
                file = folder / "masks" / split / kind / f"{number:04}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
    (folder / "folder").symlink_to(folder / "photos" / "test" / "ship")
    (folder / "photo.jpg").symlink_to(folder / "photos" / "test" / "cat" / "0000.jpg")


def _remove_exported(folder):
    """Remove the files of earlier exports: poolab does not write over them."""
    for file in (*folder.glob("*.onnx"), *folder.glob("*.pt2")):
        file.unlink()


def _signature(folder):
    return (folder / "signature").read_text()


def _here(line, folder):
    for pattern, other in STAND_INS.items():
        line = re.sub(pattern, other, line)
    root = "masks" if "image_mask_folder" in line else "photos"
    return line.replace("FOLDER", root).replace("runs/<signature>", f"runs/{_signature(folder)}")


def _write_studies(words, folder):
    """Write the study files that a command reads and that another line of the pages makes: it may run elsewhere."""
    for line in typed():
        file = line.partition(" --out ")[2]
        if line.startswith("poolab new ") and file in words and not (folder / file).exists():
            assert main(shlex.split(_here(line, folder))[1:]) == 0


@pytest.mark.parametrize("line", typed())
def test_a_command_runs(line, place, capsys):
    words = shlex.split(_here(line, place))
    file = words[-1] if ">" in words else None
    words = words[: words.index(">")] if file else words
    if words[:2] == ["python", "train.py"]:
        words = ["poolab", "train", *words[2:]]
    if words[0] == "python":
        done = subprocess.run([sys.executable, *_shrunk_script(words[1:])], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return
    assert words[0] == "poolab"
    needs_runs = {("report",): 2, ("study", "table"): 3, ("study", "measure"): 3}
    if words[1] != "new":
        _write_studies(words, place)
    study = next((words[at] for verb, at in needs_runs.items() if tuple(words[1 : 1 + len(verb)]) == verb), "")
    if study.endswith(".yaml"):  # a reader has run the study before
        assert main(_shrunk(["study", "run", study])) == 0
    _remove_exported(place)
    if words[1] == "new" and "--out" in words:  # several pages write mine.yaml, and poolab does not write over a file
        (place / words[words.index("--out") + 1]).unlink(missing_ok=True)
    assert main(_shrunk(words[1:])) == 0, capsys.readouterr().err
    if file:
        (place / file).write_text(capsys.readouterr().out)


def _shrunk(words):
    verb = " ".join(words[: 2 if words[0] == "study" else 1])
    more = [*TRAIN, *(FULL if "measure=full" in words else [])]
    if any("pooling_cifar10.yaml" in word for word in words):
        more += ["data=digits", "backbone=keras_cnn"]
    if verb == "train":
        return _shrunk_train(words, more)
    if verb == "report" and words[1] == "runs/":  # which has the runs of all pages here, of two tasks
        return [*words, "--metric", "test/accuracy"]
    if verb == "report" and words[1].endswith(".yaml"):
        return [*words, *more, *_few_cells(words)]
    if verb in ("study plan", "study run", "study status", "study table", "study measure"):
        return _shrunk_study(verb, words, more)
    if "--int8" in words:  # 20 test images of a network that was hardly trained
        return [*words, "--tolerance", "1"]
    if verb in ("study submit", "study sync"):
        return [*words, *([] if "--dry-run" in words else ["--dry-run"])]
    return words


def _shrunk_study(verb, words, more):
    if any("gated_bayes" in word for word in words):
        count = ["--count", "1"] if verb == "study run" and "--count" not in words else []
        return [*words, *more, *count]
    return [*words, *more, *_few_cells(words)]


def _few_cells(words):
    """One arm and one seed; a study of an option that max does not take keeps its pooling."""
    return ["seed=0"] if "several_k.yaml" in words else ["pooling=max", "seed=0"]


def _shrunk_train(words, more):
    if "recipe=finetune" in words:
        more += ["data=image_folder", "data.root=photos"]
    if "task=segmentation" in words:
        more = [word for word in more if "limit" not in word]
        more += [] if "data.root=masks" in words else ["data.limit_train=16", "data.limit_test=4"]
    if "data.batch_size=auto" in words:
        more = [word for word in more if "data.batch_size" not in word]
    several = [word for word in words if "," in word and "[" not in word]
    words = [",".join(word.split(",")[:2]) if word in several else word for word in words]
    return [*words, "--cfg", "job"] if "trainer=ddp" in words else [*words, *more]


def _shrunk_script(words):
    if words[:2] == ["scripts/bench.py", "ops"]:
        quick = (
            "--methods avg_topk --shapes 1x2x8x8 --kernels 2/2 --rounds 1 --seconds 0.01 --sample 0.0001 --threads 1"
        )
        kept = [word for word in words if word != "draws"]
        return [*kept, *quick.split()]
    if words[:2] == ["-m", "poolab.testing"]:
        return [*words, "--help"]
    return words


@pytest.mark.parametrize("page", ["docs/how_do_i.md", "docs/models.md", "docs/export.md"])
def test_the_python_of_a_page_runs_in_that_folder(page, place):
    source = "\n".join(text for _, text in blocks("python", page))
    source = _here(source, place)
    _remove_exported(place)
    known = {"pil_image": Image.open("photo.jpg").convert("RGB"), "uint8_array": np.zeros((32, 32, 3), dtype=np.uint8)}
    exec(compile(source, page, "exec"), known)
