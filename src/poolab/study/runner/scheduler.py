"""Decide which cell runs next, is retried, or is done: the runner's side of the fork server."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records import RunFolder
from poolab.run_config import RunConfig
from poolab.study.runner.cell import write_cell
from poolab.study.runner.connection import Link
from poolab.study.runner.jobs import Files, Held, Job
from poolab.study.runner.journal import DiskFull, Journal
from poolab.study.runner.locks import BEAT, Claim
from poolab.study.runner.messages import StartCell
from poolab.study.runner.orphans import adopt_orphans, orphan_ended
from poolab.study.runner.outcomes import Ending, ending, last_line
from poolab.study.runner.processes import drop_empty, record, send
from poolab.study.runner.sources import JobSource
from poolab.study.runner.state import State, Watcher

AGAIN = 1.0  # seconds until a cell that another runner has is looked at again
LOOK = 0.5  # seconds between two looks at the progress
DEATHS = 3  # fork servers that may die one after the other without the end of a cell between them


class Scheduler:
    """Runs the jobs of a source, `workers` at a time, until each has a final outcome."""

    def __init__(
        self,
        source: JobSource,
        files: Files,
        watcher: Watcher,
        *,
        workers: int,
        retries: int,
        fork: bool,
        tracker: str = "none",
        link: Link | None = None,
    ):
        self.source, self.files, self.watcher = source, files, watcher
        self.workers, self.retries, self.fork, self.tracker = workers, retries, fork, tracker
        self.state = State(source)
        self.journal = Journal(files.journal)
        self.link = link
        self.deaths = 0
        self.requests = 0  # to stop: the first asks, the second kills
        self.heeded = 0

    def run(self) -> State:
        """Run all jobs.

        Raises:
            PoolabError: the fork server cannot live.
        """
        adopt_orphans(True)
        looked, beaten = 0.0, time.monotonic()
        with self._requests():
            try:
                while self._feed():
                    self._heed()
                    self._listen()
                    self._adopted()
                    now = time.monotonic()
                    if now - looked >= LOOK:
                        looked = now
                        self._halt()
                        self.watcher.look(self.state)
                    if now - beaten >= BEAT:
                        beaten = now
                        for held in self.state.running.values():
                            held.claim.beat()
            finally:
                if self.link is not None:
                    self.link.close()
                adopt_orphans(False)
        self.watcher.look(self.state)
        return self.state

    @property
    def stopping(self) -> bool:
        """True if no more cells are started."""
        return self.requests > 0 or self.state.error is not None

    def _feed(self) -> bool:
        """Start the cells that can start; return True if anything is left."""
        state, now = self.state, time.monotonic()
        if self.stopping:
            self.source.close()
            state.elsewhere.clear()
        due = [job for when, job in state.elsewhere if when <= now]
        state.elsewhere = [(when, job) for when, job in state.elsewhere if when > now]
        for one in reversed(due):
            self.source.again(one, soon=True)
        while self.source.waiting and len(state.running) < self.workers and not self.stopping:
            job = self._next()
            if job is None:
                break
            self._begin(job)
        return state.left

    def _next(self) -> Job | None:
        try:
            return self.source.next()
        except OSError as error:
            self.state.error = f"the study cannot continue: {error}"
        except PoolabError as error:
            self.state.error = str(error)
        return None

    def _begin(self, job: Job) -> None:
        if self._earlier(job):
            return
        try:
            claim = Claim.take(self.files.claim(job.key))
            if claim is None:
                self.state.elsewhere.append((time.monotonic() + AGAIN, job))
                return
            if self._earlier(job):  # another runner has made it since
                claim.release(done=self.state.ended[job.key].finished)
                return
            self._hand_over(job, claim)
        except OSError as error:
            self.state.error = f"the study cannot continue: {error}"
        except DiskFull as error:
            self.state.error = str(error)

    def _hand_over(self, job: Job, claim: Claim) -> None:
        attempt = self.state.attempts.get(job.key, 0) + 1
        config = self.files.config(job.key)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            if self.link is None:
                self.link = Link(self.files, self.fork, self.tracker)
            if job.config is not None:
                write_cell(job.config, config)
            entry = self.journal.begin({"cell": job.key, "what": job.text, "attempt": attempt, "started": started})
        except (DiskFull, OSError):
            claim.release(done=False)
            raise
        self.state.attempts[job.key] = attempt
        held = Held(job, claim, entry, str(self.files.log(job.key)), attempt)
        self.state.running[job.key] = held
        message: StartCell = {
            "key": job.key,
            "config": str(config),
            "command": job.command,
            "entry": entry,
            "log": held.log,
            "folder": None if job.folder is None else str(job.folder),
        }
        self.link.tell(message, [claim.file])

    def _earlier(self, job: Job) -> bool:
        """Return True if the job was finished before, and note its outcome."""
        if job.folder is None:
            found = Ending("completed") if Claim.done(self.files.claim(job.key)) else None
        else:
            found = None if job.forced else _recorded(job.folder, job.config)
        if found is None or not (found.finished or found.outcome == "refused"):
            found = self.source.before(job)
        if found is None:
            return False
        self.state.ended[job.key] = found
        if found.outcome == "refused":
            self.watcher.ended(job, found, 0, False)
        else:
            self.state.earlier.add(job.key)
        self.source.ended(job, found)
        return True

    def _listen(self) -> None:
        if self.link is None:
            time.sleep(0.05 if self.state.left else 0)
            return
        messages = self.link.receive(0.05 if any(held.adopted for held in self.state.running.values()) else LOOK)
        if messages is None:
            self._server_died()
            return
        for message in messages:
            if "ready" in message:
                self.link.ready = True
            elif "began" in message:
                held = self.state.running[message["began"]]
                held.pid, held.started = message["pid"], time.monotonic()
            else:
                self.deaths = 0
                held = self.state.running.pop(message["ended"])
                held.claim.close()  # the fork server has written into it
                self._ended(held, Ending(message["outcome"], message["reason"]))

    def _ended(self, held: Held, became: Ending) -> None:
        """Note an attempt's end, and retry its cell or pass its final outcome to the source."""
        job = held.job
        self.state.ended[job.key] = became
        busy = became.outcome == "busy"
        again = not became.final and not self.stopping and (busy or held.attempt <= self.retries)
        if busy and again:  # a run of its own, not of a study, has the folder: that is no failure
            self.state.attempts[job.key] -= 1
            self.state.elsewhere.append((time.monotonic() + AGAIN, job))
        elif again:
            self.source.again(job)
        if again:
            del self.state.ended[job.key]
        else:
            self.source.ended(job, became)
        self.watcher.ended(job, became, held.attempt, again)

    def _server_died(self) -> None:
        """Adopt the cells of a dead fork server; what it had not started, the next server starts."""
        assert self.link is not None
        link, self.link = self.link, None
        link.close()
        self.deaths += 1
        for held in list(self.state.running.values()):
            if held.adopted:
                continue
            if held.pid is not None:
                held.adopted = True
                continue
            del self.state.running[held.job.key]
            why = "it was stopped before it began" if self.requests else "the fork server died before it began"
            became = Ending("interrupted", why)
            record(self.journal, held.entry, held.job.key, held.claim, None, became, 0.0)
            self.state.attempts[held.job.key] -= 1
            self.source.again(held.job, soon=True)
        if self.deaths > DEATHS:
            raise PoolabError(
                f"the process that starts the cells died {self.deaths} times, the last time with exit code "
                f"{link.process.returncode}: {last_line(str(link.log))} ({link.log})"
            )

    def _adopted(self) -> None:
        for held in [held for held in self.state.running.values() if held.adopted]:
            assert held.pid is not None
            ended, code = orphan_ended(held.pid)
            if not ended:
                continue
            del self.state.running[held.job.key]
            became = ending(code, held.log, held.job.folder)
            if not became.finished and (held.stopped or self.requests):
                became = Ending("stopped", held.stopped) if held.stopped else Ending("interrupted", became.reason)
            record(self.journal, held.entry, held.job.key, held.claim, code, became, time.monotonic() - held.started)
            drop_empty(held.log)
            if code is not None:
                os.waitpid(held.pid, 0)
            self._ended(held, became)

    def _halt(self) -> None:
        """Stop the cells that their source wants no longer; each writes its checkpoint first."""
        begun = [held for held in self.state.running.values() if held.pid is not None and held.stopped is None]
        for key, reason in self.source.stops([held.job for held in begun]).items():
            held = self.state.running[key]
            held.stopped = reason
            if held.adopted and held.pid is not None:
                send(held.pid, signal.SIGTERM)
            elif self.link is not None:
                self.link.tell({"halt": key, "reason": reason})

    def _heed(self) -> None:
        """Pass a request to stop on: the first lets the cells write their checkpoints, a further one ends them."""
        if self.requests == self.heeded:
            return
        self.heeded = self.requests
        number = signal.SIGTERM if self.requests == 1 else signal.SIGKILL
        if self.link is not None and not self.link.ready:
            self.link.process.kill()  # it has begun nothing
        elif self.link is not None:
            self.link.tell({"stop": int(number)})
        for held in self.state.running.values():
            if held.adopted and held.pid is not None:
                send(held.pid, number)

    @contextmanager
    def _requests(self) -> Iterator[None]:
        def receive(*_: Any) -> None:
            self.requests += 1

        heard = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup: it shall outlive the terminal
            heard.remove(signal.SIGHUP)
        before = {number: signal.signal(number, receive) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _recorded(folder: Path, config: RunConfig | None) -> Ending | None:
    """Return the outcome in a run's record; a damaged record refuses that cell, and is not overwritten.

    A record that lacks measures which the cell asks for says nothing: the cell is started, and takes them.
    """
    from poolab.training import missing_measures

    try:
        record = RunFolder(folder.parent, folder.name).latest  # of a run that is made again, its own
    except PoolabError as error:
        return Ending("refused", str(error))
    if record is None or (config is not None and missing_measures(config, record)):
        return None
    return Ending(record.status, record.reason or "")
