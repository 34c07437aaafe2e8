"""The HTTP side: POST /graphql, the stream of a run's lines, and PUT for whole files."""

import base64
import json
import re
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from tests.wandb_server.operations import OPERATIONS
from tests.wandb_server.store import Store

KEY = "local-0123456789abcdef0123456789abcdef01234567"
OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")
STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")
STORAGE = re.compile(r"/storage/([^/]+)/(.+)")


class WandbServer:
    """A server on a free port of 127.0.0.1, for the length of a `with`.

    `runs` and `sweeps` are what it was told, by their ids; `requests` every request as (operation or path, run);
    `unknown` the operations that it does not have; `faults` how it is to misbehave.
    """

    def __init__(self):
        self.requests, self.unknown, self.faults = [], set(), []
        self.store = Store()
        self.lock = threading.Lock()
        self.http = None
        self.port = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.die()

    def start(self):
        """Listen, if it does not: on the port of the last time, where there was one."""
        if self.http is not None:
            return
        self.http = _Quiet(("127.0.0.1", self.port), type("Handler", (Handler,), {"server_": self}))
        self.port = self.http.server_address[1]
        self.store.url = self.url
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def die(self):
        """Listen no more, and drop whoever is connected; what it was told stays."""
        if self.http is not None:
            self.http.shutdown()
            self.http.server_close()
            self.http.drop()
            self.http = None

    @property
    def url(self):
        """What WANDB_BASE_URL is to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self):
        """The runs by their ids."""
        return self.store.runs

    @property
    def sweeps(self):
        """The sweeps by their ids."""
        return self.store.sweeps

    @property
    def artifacts(self):
        """The artifacts by their ids."""
        return self.store.artifacts

    def client(self, folder):
        """The environment of a client that knows this server alone, and keeps its own files in `folder`."""
        places = {f"WANDB_{name}_DIR": str(Path(folder) / "wandb_home") for name in ("CONFIG", "CACHE", "DATA")}
        address = {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        return {**places, **address, "NETRC": str(Path(folder) / "wandb_home" / "netrc")}

    def stop(self, run):
        """Stop a run: of a sweep through its agent, as an early termination does, else through its client."""
        self.store.to_stop.add(run)

    def count(self, what, run=None):
        """How many requests there were of an operation or path, of one run or of all."""
        return sum(what in name and run in (None, of) for name, of in list(self.requests))


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server_: WandbServer

    def log_message(self, *_):
        """Nothing."""

    def do_GET(self):
        """There is nothing to fetch."""
        self._answer(404, {})

    def do_POST(self):
        """An operation, or lines of a run's files."""
        asked = json.loads(self._body())
        stream = STREAM.fullmatch(unquote(self.path))
        if not self._knows_the_key():
            self._answer(401, {"errors": [{"message": "who are you?"}]})
        elif self.path == "/graphql":
            self._operation(asked)
        elif stream:
            self._unless_at_fault("file_stream", stream[3], lambda: self._lines(asked, *stream.groups()))
        else:
            self._answer(404, {})

    def do_PUT(self):
        """A whole file."""
        content, found = self._body(), STORAGE.fullmatch(unquote(self.path))

        def keep():
            owner = self.server_.runs.get(found[1]) or self.server_.artifacts[found[1]]
            owner.files[found[2]] = content
            return {}

        self._unless_at_fault(f"PUT {found[2]}", found[1], keep)

    def _operation(self, asked):
        name = OPERATION.search(asked["query"])[1]
        given = asked.get("variables") or {}
        run = given.get("run") or (given.get("name") if name in ("UpsertBucket", "RunResumeStatus") else None)
        if name not in OPERATIONS:
            self.server_.unknown.add(name)
            self._answer(200, {"errors": [{"message": f"unknown operation {name}"}]})
            return
        given = _Absent(given)
        self._unless_at_fault(name, run, lambda: {"data": OPERATIONS[name](self.server_.store, given)})

    def _lines(self, asked, entity, project, run):
        run = self.server_.store.run(entity, project, run)
        for name, part in (asked.get("files") or {}).items():
            for number, line in enumerate(part["content"]):
                run.lines.setdefault(name, {})[part["offset"] + number] = line
        if asked.get("complete"):
            run.exit_code = asked["exitcode"]
            run.state = "finished" if run.exit_code == 0 else "failed"
            run.sessions += 1
        return {"stopped": run.id in self.server_.store.to_stop and run.sweep is None}  # else its agent is told

    def _unless_at_fault(self, what, run, action):
        with self.server_.lock:
            self.server_.requests.append((what, run))
            fault = next((one for one in self.server_.faults if one.meets(what, run)), None)
        time.sleep(0.0 if fault is None else fault.wait)
        if fault is not None and fault.status != 200:
            self._answer(fault.status, {"errors": [{"message": "on a bad day"}]})
            return
        with self.server_.lock:
            content = action()
        self._answer(200, content)

    def _knows_the_key(self):
        wanted = base64.b64encode(f"api:{KEY}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    connected = ()

    def process_request(self, request, client_address):
        """Remember the connection: it outlives a request, and would outlive the server."""
        self.connected = (*(one for one in self.connected if one.fileno() >= 0), request)
        super().process_request(request, client_address)

    def drop(self):
        """Close all connections."""
        for one in self.connected:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_):
        """Nothing: a client that ends resets its connections."""


class _Absent(dict):
    """Variables of an operation: what the client left out is None."""

    def __missing__(self, key):
        return None
