"""A search as a source of jobs: caps, duplicates, small spaces, targets, stops, several runners."""

import json

import pytest

from poolab.errors import ConfigError
from poolab.records import RunFolder
from poolab.study.runner.jobs import Job
from poolab.study.runner.journal import DiskFull, Journal
from poolab.study.runner.outcomes import Ending
from poolab.study.search.samplers import Sampler
from poolab.study.search.search import Search, hash_of
from poolab.study.search.setup import conclusion
from poolab.study.status import counted, status

METRIC = "metric: {name: val/accuracy, goal: maximize}"
HYPERBAND = "early_terminate: {type: hyperband, min_iter: 2, eta: 3}"
PLANE = "{x: {min: 0.0, max: 1.0}, y: {values: [0, 1, 2]}}"


@pytest.fixture
def searching(written, tmp_path):
    """Makes a runner of a search whose cells are known by their words."""

    def make(parameters=PLANE, limit=10, sampler="tpe", method="bayes", more=METRIC, extra=(), seed=0, refuse=None):
        study = written(parameters, method, more)

        def job(cell):
            if refuse and refuse(cell.values):
                raise ConfigError("it cannot be")
            return Job(hash_of(cell), str(cell), (), folder=tmp_path / "runs" / hash_of(cell))

        goal = study.metric.goal if study.metric else "minimize"
        return Search(study, extra, tmp_path / "runs", job, Sampler(sampler, goal, seed, limit), limit)

    return make


def finish(search, job, value, status="completed"):
    """Write the record of a job and tell the search."""
    metrics = {"val/accuracy": value} if status == "completed" else {}
    record = {"signature": job.key, "status": status, "reason": None, "metrics": metrics, "config": {}}
    RunFolder(search.runs, job.key).make().write_json("result.json", record)
    search.ended(job, Ending(status))


def all_of(search, value=lambda job: 0.5):
    jobs = []
    while (job := search.next()) is not None:
        jobs.append(job)
        finish(search, job, value(job))
    return jobs


def x_of(one):
    """The first value of a job or a trial."""
    return float(getattr(one, "text", getattr(one, "what", "")).split()[0].partition("=")[2])


def test_the_cap_counts_runs_and_the_best_is_known(searching):
    search = searching(limit=6)
    jobs = all_of(search, x_of)
    assert (len(jobs), search.total, search.waiting) == (6, 6, 0)
    assert len({job.key for job in jobs}) == 6
    best = max(jobs, key=x_of)
    assert search.best == (x_of(best), search._by_key[best.key])
    assert search.note.startswith("best val/accuracy 0.")
    more = searching(limit=8)
    assert [job.key for job in all_of(more, x_of)][:6] == [job.key for job in jobs]
    assert more.total == 8


def test_random_draws_do_not_depend_on_who_ends_when(searching, tmp_path):
    first = [job.text for job in all_of(searching(method="random", sampler="random"))]
    (tmp_path / "runs" / "studies" / "study.trials.jsonl").unlink()
    search = searching(method="random", sampler="random")
    assert [search.next().text for _ in range(10)] == first  # all ten at once
    (tmp_path / "runs" / "studies" / "study.trials.jsonl").unlink()
    assert [job.text for job in all_of(searching(method="random", sampler="random", seed=1))] != first


@pytest.mark.parametrize("sampler", ["random", "tpe", "genetic"])
def test_a_small_space_is_drawn_whole_and_no_cell_twice(searching, sampler):
    parameters = "{a: {values: [0, 1, 2]}, b: {values: [x, y, z], probabilities: [0.98, 0.02, 0]}, c: {value: 1}}"
    search = searching(parameters, limit=50, sampler=sampler)
    jobs = all_of(search)
    assert len(jobs) == len({job.key for job in jobs}) == 6
    assert search.over == "all 6 cells that can be drawn have been"
    assert search.total == 6


def test_a_space_that_cannot_be_listed_ends_when_nothing_new_is_drawn(searching):
    search = searching("{a: {distribution: q_uniform, min: 0, max: 4, q: 2}}", limit=50)
    assert len(all_of(search)) == 3
    assert search.over == "200 draws one after the other gave cells that were there already"


def test_cells_that_are_one_run_are_no_two_trials(searching, written, tmp_path):
    """Two values may give one signature: then there are fewer runs than combinations."""
    search = searching("{a: {values: [0, 1, 2]}, b: {values: [0, 1]}}", limit=50, sampler="random")
    make = search.make
    search.make = lambda cell: make(type(cell)({"a": cell.values["a"]}))
    assert len(all_of(search)) == 3
    assert search.over == "all 3 different cells that can be drawn have been"


def test_what_was_interrupted_goes_on_before_anything_is_drawn(searching):
    search = searching()
    first, second, third = (search.next() for _ in range(3))
    finish(search, second, 0.5)
    again = searching()
    assert [again.next().key for _ in range(3)] == [first.key, second.key, third.key]
    assert again.next().key not in {first.key, second.key, third.key}


def test_two_runners_draw_from_one_search(searching):
    one, two = searching(limit=9), searching(limit=9)
    drawn = []
    for search in (one, two, two, one, two, one, one, two, one):
        drawn.append(search.next())
        finish(search, drawn[-1], x_of(drawn[-1]))
    assert len({job.key for job in drawn}) == 9
    # At the end each has the other's too, so that both know the best and see to what the other leaves.
    rest = all_of(two, x_of)
    assert {job.key for job in rest} == {job.key for index, job in enumerate(drawn) if index in (0, 3, 5, 6, 8)}
    assert two.best[0] == max(map(x_of, drawn))


def test_other_words_are_another_search(searching):
    first = all_of(searching(limit=3))
    assert searching(limit=3, extra=["z=1"]).total == 3
    other = all_of(searching(limit=3, extra=["z=1"]))
    assert not {job.key for job in first} & {job.key for job in other}
    assert [job.key for job in all_of(searching(limit=3))] == [job.key for job in first]


def test_a_metric_that_there_is_not_ends_the_search(searching):
    search = searching(more="metric: {name: val/acuracy, goal: maximize}")
    finish(search, search.next(), 0.5)
    with pytest.raises(ConfigError, match="did you mean val/accuracy"):
        search.next()


def test_a_target_ends_the_search(searching):
    search = searching(more="metric: {name: val/accuracy, goal: maximize, target: 0.9}", limit=20)
    scores = iter([0.5, 0.89, 0.9])
    assert len(all_of(search, lambda job: next(scores))) == 3
    assert search.over.startswith("the target 0.9 was reached by x=")


def test_diverged_failed_and_refused_trials_are_told(searching):
    search = searching(limit=6, refuse=lambda values: values["y"] == 0)
    jobs = [search.next() for _ in range(6)]
    refused = [job for job in jobs if job.key.startswith("refused")]
    assert 0 < len(refused) < 6
    assert search.before(refused[0]) == Ending("refused", "it cannot be")
    first, second, *_ = (job for job in jobs if job not in refused)
    finish(search, first, None, "diverged")
    finish(search, second, float("nan"))
    told = dict(zip([trial.cell for trial in search.trials.known], search.results.of(search.trials.known), strict=True))
    assert (told[first.key].state, told[first.key].value) == ("complete", None)
    assert told[second.key].state == told[refused[0].key].state == "failed"
    assert search.best is None
    assert counted(status(search.study, search.runs))["failed"] == len(refused)


def history(search, job, *rows):
    RunFolder(search.runs, job.key).make()
    lines = [json.dumps({"epoch": index, "val/accuracy": row}) + "\n" for index, row in enumerate(rows, 1)]
    (search.runs / job.key / "history.jsonl").write_text("".join(lines))


def test_what_falls_behind_is_stopped_and_stays_so(searching):
    search = searching(more=f"{METRIC}\n{HYPERBAND}")
    good, bad, young = (search.next() for _ in range(3))
    history(search, good, 0.5, 0.9)
    history(search, bad, 0.5, None, 0.6, 0.7)
    history(search, young, 0.1)
    stops = search.stops([good, bad, young])
    words = "stopped early: not among the best 1/3 of 2 runs at epoch 2: 0.7 at best, 0.9 was needed"
    assert stops == {bad.key: words}
    journal = Journal(search.runs / "studies" / "study.jsonl")
    journal.end(journal.begin({"cell": bad.key}), {"outcome": "stopped", "reason": words})
    RunFolder(search.runs, bad.key).write_json("result.json", {"status": "interrupted", "reason": "SIGTERM"})
    again = searching(more=f"{METRIC}\n{HYPERBAND}")
    assert [again.before(again.next()) for _ in range(3)] == [None, Ending("stopped", words), None]
    told = again.results.of(again.trials.known)[1]
    assert (told.state, told.rows) == ("stopped", [0.5, 0.6, 0.7])
    state = status(search.study, search.runs)[1]
    assert (state.state, state.reason) == ("stopped", words)
    # Somebody else has run it to its end since.
    finish(again, bad, 0.8)
    assert again.results.of(again.trials.known)[1].value == 0.8


def test_the_last_words(searching, tmp_path):
    search = searching("{optim.lr: {min: 0.1, max: 0.2}, seed: {values: [0, 4]}}", limit=3)
    all_of(search, lambda job: 0.75)
    said = list(conclusion(search))
    assert said[0] == "best val/accuracy: 0.75"
    assert said[1].startswith("  python train.py optim.lr=0.1")
    assert "luckiest of 3 runs" in said[2]
    assert "train.py -m optim.lr=0.1" in said[3]
    assert said[3].endswith(f"seed=5,6,7,8,9 runs_dir={tmp_path / 'runs'}")


def test_a_full_disk_draws_nothing(searching, monkeypatch):
    search = searching(limit=3)
    first = search.next()

    def full(*_):
        raise DiskFull("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("poolab.study.search.trials.write_whole", full)
        with pytest.raises(DiskFull):
            search.next()
    second = search.next()
    assert [trial.cell for trial in search.trials.known] == [first.key, second.key]


def test_a_torn_line_and_a_file_that_is_deleted(searching):
    search = searching(limit=4)
    first = search.next()
    with search.trials.path.open("a") as file:
        file.write('{"search": "torn')
    again = searching(limit=4)
    assert again.next().key == first.key
    again.next()
    assert len(searching(limit=4).trials.known) == 2
    search.trials.path.unlink()
    assert search.next() is not None
    assert len(search.trials.known) == 1


def test_of_equals_the_first_is_the_best_whichever_ended_first(searching):
    search = searching()
    first, second = search.next(), search.next()
    for job in (second, first):
        finish(search, job, 0.5)
    assert search.best[1].cell == first.key
