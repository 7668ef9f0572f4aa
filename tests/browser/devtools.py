"""Headless Chromium over the DevTools protocol's pipe: JSON messages that end in NUL, on the
browser's descriptors 3 (to it) and 4 (from it). One thread; every wait has a deadline.
"""

import json
import os
import select
import subprocess
import time

CALL_SECONDS = 20  # a cold Chromium on two busy cores takes some seconds to its first answer
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
    # Two windows, one of them behind: both run at full speed.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--remote-debugging-pipe",
]  # fmt: skip


class Browser:
    def __init__(self, program, profile, flags=(), environment=None):
        command_read, self._commands = os.pipe()
        self._events, event_write = os.pipe()
        self._received = b""
        self._calls = 0
        self._pages = []
        # The shell gives the pipes the numbers that Chromium expects, and becomes Chromium.
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", f'exec "$0" "$@" 3<&{command_read} 4>&{event_write}',
             program, *FLAGS, *flags, f"--user-data-dir={profile}"],
            env=environment,
            pass_fds=(command_read, event_write),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(command_read)
        os.close(event_write)

    def call(self, method, session=None, **params):
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + CALL_SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _receive(self, deadline):
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._events], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            received = os.read(self._events, 1 << 16)
            if not received:
                raise RuntimeError("the browser ended")
            self._received += received
        message, self._received = self._received.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        """A new window."""
        page = Page(self, url)
        self._pages.append(page)
        return page

    def close_windows(self):
        for page in self._pages:
            page.call("Page.close")
        self._pages.clear()

    def close(self):
        try:
            self.call("Browser.close")
        except (RuntimeError, TimeoutError, OSError):
            self._process.kill()
        self._process.wait(CALL_SECONDS)
        os.close(self._commands)
        os.close(self._events)


class Page:
    def __init__(self, browser, url):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        # Answered once the new document is there, so that nothing is evaluated in the blank one.
        self.call("Page.navigate", url=url)

    def call(self, method, **params):
        return self._browser.call(method, session=self._session, **params)

    def evaluate(self, expression):
        """The value of a JavaScript expression; of a promise, what it resolves to."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def until(self, condition, seconds=10):
        """Waits until a JavaScript condition on the document holds: woken by the document's own
        changes. Returns its value."""
        return self.evaluate(
            """new Promise((resolve, reject) => {
                 const look = () => {
                   const value = document.body && (%s);
                   if (value) done(resolve, value);
                 };
                 const done = (end, value) => {
                   observer.disconnect(); clearTimeout(late); end(value);
                 };
                 const observer = new MutationObserver(look);
                 const late = setTimeout(() => done(reject, new Error(
                     "not within %g s: " + %s + "\\n" + document.body?.innerText)), %d);
                 observer.observe(document, {childList: true, subtree: true, attributes: true,
                                             characterData: true});
                 look();
               })"""
            % (condition, seconds, json.dumps(condition), seconds * 1000)
        )

    def type_and_submit(self, selector, text):
        """Puts text into a field and presses Enter, as a person would."""
        self.evaluate(
            f"(() => {{ const field = document.querySelector({json.dumps(selector)});"
            " field.value = ''; field.focus(); })()"
        )
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                windowsVirtualKeyCode=13,
            )  # fmt: skip
