"""A headless Chromium, spoken to by its driver's own protocol (https://www.w3.org/TR/webdriver2/)."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage")  # fmt: skip


def missing():
    """What is not installed, or None."""
    binaries = [name for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
                if not any(map(shutil.which, names)) for name in names[:1]]  # fmt: skip
    return f"{' and '.join(binaries)} cannot be found" if binaries else None


class Browser:
    """A window of a browser; a context, since its processes are to end."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                self.url = f"http://127.0.0.1:{found[1]}"
                break
        binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        options = {"binary": binary, "args": [*FLAGS, f"--user-data-dir={self.folder.name}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def __exit__(self, *fault):
        try:
            self._call("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()
            self.folder.cleanup()

    def _call(self, method, path, content=None):
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def _command(self, path, **content):
        return self._call("POST", f"/session/{self.session}/{path}", content)

    def cdp(self, name, **parameters):
        """Run a command of Chromium's own protocol."""
        return self._command("goog/cdp/execute", cmd=name, params=parameters)

    def open(self, path, view="", width=1440, height=900):
        """Open a file of the disk in a window of this size."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._command("url", url="about:blank")
        self._command("url", url=Path(path).resolve().as_uri() + view)
        # The command may come back before a navigation has begun: once in some 60 the page was still empty.
        for _ in range(200):
            if self.run("return document.readyState === 'complete' && location.href !== 'about:blank'"):
                return
            time.sleep(0.05)
        raise TimeoutError(f"{path} was not loaded within 10 s")

    def run(self, script, *arguments):
        """Run a function's body in the page; returns its result."""
        return self._command("execute/sync", script=script, args=list(arguments))

    def press(self, key, modifiers=0):
        """Press a key and let it go; 8 is the shift key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.cdp("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=modifiers,
                     windowsVirtualKeyCode={"Tab": 9}[key])  # fmt: skip

    def log(self):
        """What the page has written to its console since it was asked last: errors, and files that are not there."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._command("se/log", type="browser")]

    def media(self, kind="screen", dark=False):
        """Show the page as on paper, or in the dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.cdp("Emulation.setEmulatedMedia", media=kind, features=features)

    def picture(self, path):
        """Save the whole page as PNG."""
        told = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(told["data"]))

    def pdf(self):
        """Print the page; returns the PDF's bytes."""
        return base64.b64decode(self.cdp("Page.printToPDF", printBackground=True)["data"])
