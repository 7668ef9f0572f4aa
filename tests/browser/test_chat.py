"""Two windows of a real browser talk through Holdfast while a manifest changes under them."""

import json
import threading
import time
import urllib.error
import urllib.request

OPEN = "document.body.dataset.state === 'open' && document.querySelector('#pod').textContent"
# What the page noted about its connections, oldest first, without the times.
EVENTS = "[...document.querySelectorAll('#events span')].map((e) => e.textContent).reverse()"


def open_chat(browser, demo, name):
    page = browser.open(f"{demo.url}?name={name}")
    pod = page.until(f"{OPEN}.startsWith('pod-') && {OPEN}")
    return page, pod


def hears(page, text):
    """Waits until the window shows a message; its author's name and pod."""
    return page.until(
        "[...document.querySelectorAll('#messages li')]"
        f".filter((li) => li.querySelector('p')?.textContent === {json.dumps(text)})"
        ".map((li) => [...li.querySelectorAll('span')].map((e) => e.textContent))[0]"
    )


def read(url):
    """Status and body of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def in_force(demo, address):
    """Whether the data plane has an endpoint of that address."""
    config = json.loads(read(f"http://127.0.0.1:{demo.admin_port}/debug/config")[1])
    return address in json.dumps(config["data_plane"]["resources"])


def until(condition, otherwise, seconds=10):
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, otherwise
        pause.wait(0.02)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new))


def test_windows_talk_across_pods_and_stay_when_a_path_moves(demo, browser):
    ada, ada_pod = open_chat(browser, demo, "Ada")
    ben, ben_pod = open_chat(browser, demo, "Ben")
    assert {ada_pod, ben_pod} == {"pod-a", "pod-b"}, "least connections puts them on two pods"

    ada.type_and_submit("#text", "ahoy, Ben")
    assert hears(ben, "ahoy, Ben") == ["Ada", ada_pod]
    ben.type_and_submit("#text", "ahoy, Ada \N{ANCHOR}")
    assert hears(ada, "ahoy, Ada \N{ANCHOR}") == ["Ben", ben_pod]

    assert read(demo.url + "talk")[0] == 404
    edit(demo.manifests / "chat.yaml", "path: /chat", "path: /talk")
    until(lambda: read(demo.url + "talk")[0] == 200, "/talk is not served")
    until(lambda: read(demo.url + "chat")[0] == 404, "/chat is still served")
    ada.type_and_submit("#text", "still here after the move")
    assert hears(ben, "still here after the move") == ["Ada", ada_pod]
    for page in (ada, ben):
        assert page.evaluate(EVENTS) == ["open at /chat"], "no window lost its connection"

    # A new connection finds the new path, and only that.
    ben.type_and_submit("#path", "/talk")
    ben.until(f"{EVENTS}.includes('open at /talk')")
    ada.type_and_submit("#text", "welcome back")
    assert hears(ben, "welcome back") == ["Ada", ada_pod]


def test_endpoint_taken_away_keeps_its_window_and_comes_back(demo, browser):
    first, first_pod = open_chat(browser, demo, "First")
    second, second_pod = open_chat(browser, demo, "Second")
    removed = {"pod-a": "127.0.0.2", "pod-b": "127.0.0.3"}[second_pod]
    manifest = demo.manifests / "chat.yaml"
    whole = manifest.read_text()
    edit(manifest, f'  - addresses: ["{removed}"]\n    conditions:\n      ready: true\n', "")
    until(lambda: not in_force(demo, removed), f"{removed} is still in force")
    # Least connections alone would put one of these two on the removed pod.
    newcomers = [open_chat(browser, demo, name) for name in ("Third", "Fourth")]
    assert [pod for _, pod in newcomers] == [first_pod, first_pod]
    second.type_and_submit("#text", "my pod has left the slice")
    assert hears(first, "my pod has left the slice") == ["Second", second_pod]

    manifest.write_text(whole)
    until(lambda: in_force(demo, removed), f"{removed} is not back in force")
    assert open_chat(browser, demo, "Fifth")[1] == second_pod, "three windows there, one here"
    for page in (first, second, *(page for page, _ in newcomers)):
        assert page.evaluate(EVENTS) == ["open at /chat"], "no change closed a connection"


def test_window_reconnects_when_its_pod_goes_away(demo, browser):
    page, pod = open_chat(browser, demo, "Ada")
    demo.stop_pod(pod)
    page.until(f"{EVENTS}.some((e) => /^closed after .*: 1001 pod-. is going away$/.test(e))")
    page.until(f"{EVENTS}.filter((e) => e === 'open at /chat').length === 2")
    (other,) = {"pod-a", "pod-b"} - {pod}
    page.until(f"document.querySelector('#pod').textContent === '{other}'")
