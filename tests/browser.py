"""Headless Chromium, driven over a pipe by its own DevTools protocol: what a page shows, says and asks for.

Ref: https://chromedevtools.github.io/devtools-protocol
"""

import json
import os
import select
import subprocess
import tempfile
import time
from base64 import b64decode
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: Seconds for any answer.
_PATIENCE = 180
# Without these Chromium looks for updates and its maker's hosts.
_QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-extensions",
)


class Browser:
    """A browser with one page. It can reach no host."""

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours, self._out = os.pipe()
        self._in, theirs = os.pipe()
        # Chromium reads commands from 3 and answers on 4.
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{ours} 4>&{theirs}', "bash"),
                *("chromium", "--headless=new", "--no-sandbox", "--remote-debugging-pipe", *_QUIET),
                *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self._profile.name}", "about:blank"),
            ],
            pass_fds=(ours, theirs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours)
        os.close(theirs)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        #: Methods and parameters of what the page did since ``open``.
        self.events: list[tuple[str, dict[str, Any]]] = []
        # It answers before it has opened its page.
        while not (pages := [one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]):
            time.sleep(0.05)
        page = pages[0]["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=_PATIENCE)
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()

    def open(
        self, page: Path, *, width: int = 1280, height: int = 800, dark: bool = False, script: bool = True
    ) -> None:
        """Show a page and wait until it is complete."""
        self.events.clear()
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        loader = self.call("Page.navigate", url=page.resolve().as_uri())["loaderId"]
        # Of this page: the one before may say so only now.
        while ("load", loader) not in [(said.get("name"), said.get("loaderId")) for _, said in self.events]:
            self._receive()

    def requests(self) -> list[str]:
        """Give the addresses that the page asked for."""
        return [said["request"]["url"] for method, said in self.events if method == "Network.requestWillBeSent"]

    def complaints(self) -> list[dict[str, Any]]:
        """Give what the console shows: messages, errors, what the page's policy refused."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [said for method, said in self.events if method in kinds]

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Give the value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, selector: str) -> bytes:
        """Give a PNG of the first element that a selector finds."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        x, y, right, _, _, bottom, *_ = self.call("DOM.getBoxModel", nodeId=node)["model"]["border"]
        clip = {"x": x, "y": y, "width": right - x, "height": bottom - y, "scale": 1}
        return b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])

    def point(self, selector: str, across: float, down: float) -> None:
        """Move the mouse to a place in the first element that a selector finds, as shares of its box."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        left, top, width, height = self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + across * width, y=top + down * height)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give the answer to one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                result = answer["result"]
                assert isinstance(result, dict)
                return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], _PATIENCE)[0], "Chromium does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "Chromium has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        found = json.loads(message)
        assert isinstance(found, dict)
        if "method" in found:
            self.events.append((found["method"], found["params"]))
        return found
