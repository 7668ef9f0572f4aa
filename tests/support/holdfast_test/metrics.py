"""Scrapes the admin port and reads the Prometheus text format."""

import http.client
import re

from holdfast_test.process import wait_until

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def get(port, path, host="127.0.0.1", timeout=10):
    """(status, text) of a GET on the admin port."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            match = _LINE.match(line)
            if match:
                labels = dict(_LABEL.findall(match[2] or ""))
                self.samples.append((match[1], labels, float(match[3])))

    def series(self, name, **labels):
        """[(labels, value)] of the series of that name that have these labels."""
        return [
            (found, value)
            for sample, found, value in self.samples
            if sample == name and all(found.get(key) == labels[key] for key in labels)
        ]

    def value(self, name, **labels):
        """The sum of those series; 0 when there is none."""
        return sum(value for _, value in self.series(name, **labels))


def scrape(port, host="127.0.0.1"):
    status, text = get(port, "/metrics", host)
    assert status == 200, (status, text)
    return Metrics(text)


def wait_for_value(port, expected, name, host="127.0.0.1", **labels):
    """Polls until the sum of the series is `expected`."""
    wait_until(
        lambda: scrape(port, host).value(name, **labels) == expected,
        f"{name}{labels} to be {expected}",
    )
