#!/usr/bin/env python3
"""A chat backend: one "pod" of the demo, in Python's standard library alone.

It serves the chat page to every plain GET and a WebSocket to every upgrade, on any path, so that
the path is the Ingress's to choose. Pods hand each other what is said over links: plain TCP on the
loopback, one JSON object a line, on the port after the chat's own. Each pair of pods has one link,
dialled (and dialled again when it breaks) by the pod that was given `--link`.

    backend.py --name pod-a --listen 127.0.0.2:9000
    backend.py --name pod-b --listen 127.0.0.3:9000 --link 127.0.0.2:9001
"""

import argparse
import asyncio
import json
import pathlib
import signal
import sys
import urllib.parse

import websocket

PAGE = (pathlib.Path(__file__).parent / "page.html").read_bytes()
SUBPROTOCOL = "holdfast-chat.json"  # what the page speaks; without it, plain lines for people
HEAD_BYTES_MOST = 16 * 1024  # a browser's request head, with room
LINK_LINE_BYTES_MOST = 64 * 1024  # a message in JSON, or the names of some thousand people
NAME_CHARACTERS_MOST = 32  # fits a line of the page
BACKLOG_BYTES_MOST = 256 * 1024  # unsent bytes at which a reader counts as gone
PING_SECONDS = 20  # finds dead people, and keeps quiet ones from looking idle
LINK_RETRY_SECONDS = 0.5  # both pods start at the same moment; the second try succeeds
CLOSE_WAIT_SECONDS = 1  # for everyone's answer to our Close frame at the end


class Person:
    def __init__(self, name, socket, writer):
        self.name = name
        self.socket = socket
        self.writer = writer

    def tell(self, event):
        if self.writer.transport.get_write_buffer_size() > BACKLOG_BYTES_MOST:
            self.writer.transport.abort()
        elif self.socket.subprotocol:
            self.socket.send(json.dumps(event))
        elif event["type"] == "message":
            self.socket.send(f"{event['from']} ({event['pod']}): {event['text']}")
        elif event["type"] == "hello":
            self.socket.send(f"You are {event['name']}, on {event['pod']}. Say something.")


class Room:
    """The people of this pod, and what the other pods said of theirs."""

    def __init__(self, pod):
        self.pod = pod
        self.people = set()
        self.empty = asyncio.Event()
        self.empty.set()
        self.links = {}  # a link's writer -> (its pod, its people's names)
        self.guests = 0

    def guest_name(self):
        self.guests += 1
        return f"guest-{self.guests}-of-{self.pod}"

    def enter(self, person):
        self.people.add(person)
        self.empty.clear()
        person.tell({"type": "hello", "pod": self.pod, "name": person.name})
        self.people_changed()

    def leave(self, person):
        self.people.discard(person)
        if not self.people:
            self.empty.set()
        self.people_changed()

    def say(self, person, text):
        event = {"type": "message", "from": person.name, "pod": self.pod, "text": text}
        self.tell_people(event)
        self.tell_links(event)

    def people_changed(self):
        self.tell_links(self.own_people())
        self.tell_people(self.all_people())

    def own_people(self):
        return {"type": "people", "pod": self.pod, "names": sorted(p.name for p in self.people)}

    def all_people(self):
        pods = [(self.pod, self.own_people()["names"]), *self.links.values()]
        return {"type": "people", "pods": [{"pod": p, "names": names} for p, names in sorted(pods)]}

    def tell_people(self, event):
        for person in list(self.people):
            person.tell(event)

    def tell_links(self, event):
        for writer in self.links:
            writer.write(json.dumps(event).encode() + b"\n")

    async def link(self, reader, writer):
        """Lives as long as one link to another pod."""
        self.links[writer] = ("?", [])
        try:
            writer.write(json.dumps(self.own_people()).encode() + b"\n")
            while line := await reader.readline():
                event = json.loads(line)
                if event["type"] == "people":
                    self.links[writer] = (event["pod"], event["names"])
                    self.tell_people(self.all_people())
                else:
                    self.tell_people(event)
        except (ConnectionError, ValueError) as error:
            print(f"{self.pod}: a link broke: {error}", flush=True)
        finally:
            del self.links[writer]
            writer.close()
            self.tell_people(self.all_people())

    async def keep_link(self, host, port):
        while True:
            try:
                streams = await asyncio.open_connection(host, port, limit=LINK_LINE_BYTES_MOST)
            except OSError:
                pass  # not up yet, or away for a moment
            else:
                await self.link(*streams)
            await asyncio.sleep(LINK_RETRY_SECONDS)

    async def keep_pinging(self):
        while True:
            await asyncio.sleep(PING_SECONDS)
            for person in self.people:
                person.socket.ping()


async def read_head(reader):
    """The request line's words and the headers, or None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first.split(" "), headers


def answer(writer, status, content_type, body, with_body=True):
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    writer.write(head.encode() + (body if with_body else b""))


async def converse(room, reader, writer, target, headers):
    """From the upgrade request to the end of the WebSocket."""
    offered = [p.strip() for p in headers.get("sec-websocket-protocol", "").split(",")]
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
    writer.write(
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {websocket.accept_value(headers['sec-websocket-key'])}\r\n"
            + (f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else "")
            + "\r\n"
        ).encode()
    )
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
    name = query.get("name", [""])[0].strip()[:NAME_CHARACTERS_MOST] or room.guest_name()
    socket = websocket.WebSocket(reader, writer, subprotocol)
    person = Person(name, socket, writer)
    room.enter(person)
    try:
        while (text := await socket.receive()) is not None:
            room.say(person, text)
    except websocket.ProtocolError as error:
        socket.close(error.code, error.reason)
    finally:
        room.leave(person)


async def serve(room, reader, writer):
    """One connection: plain requests until it ends or becomes a WebSocket."""
    try:
        while request := await read_head(reader):
            words, headers = request
            if len(words) != 3 or "transfer-encoding" in headers or "content-length" in headers:
                answer(writer, "400 Bad Request", "text/plain", b"no bodies here\n")
                break
            method, target, _ = words
            if websocket.is_upgrade(headers) and "sec-websocket-key" in headers:
                await converse(room, reader, writer, target, headers)
                break
            if method in ("GET", "HEAD"):
                answer(writer, "200 OK", "text/html; charset=utf-8", PAGE, method == "GET")
            else:
                answer(writer, "405 Method Not Allowed", "text/plain", b"GET or HEAD\n")
            await writer.drain()
            if headers.get("connection", "").lower() == "close":
                break
    except ConnectionError:
        pass  # the peer went away; there is nobody left to tell
    finally:
        writer.close()


async def run(name, host, port, links):
    room = Room(name)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    chat = await asyncio.start_server(
        lambda r, w: serve(room, r, w), host, port, limit=HEAD_BYTES_MOST
    )
    link = await asyncio.start_server(room.link, host, port + 1, limit=LINK_LINE_BYTES_MOST)
    tasks = [asyncio.create_task(room.keep_link(*address)) for address in links]
    tasks.append(asyncio.create_task(room.keep_pinging()))
    print(f"{name}: chat on {host}:{port}, links on {host}:{port + 1}", flush=True)
    await stop.wait()
    chat.close()
    link.close()
    for task in tasks:
        task.cancel()
    for person in room.people:
        person.socket.close(1001, f"{name} is going away")
    try:
        await asyncio.wait_for(room.empty.wait(), CLOSE_WAIT_SECONDS)
    except asyncio.TimeoutError:
        pass  # whoever does not answer a Close frame by now never will


def address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDR:PORT")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description="one pod of the chat demo")
    parser.add_argument("--name", required=True, help="the pod's name, shown to everyone")
    parser.add_argument("--listen", type=address, required=True, metavar="ADDR:PORT")
    parser.add_argument(
        "--link", type=address, action="append", default=[], metavar="ADDR:PORT",
        help="the link port (chat port + 1) of a pod to join; repeatable",
    )
    flags = parser.parse_args()
    try:
        asyncio.run(run(flags.name, *flags.listen, flags.link))
    except OSError as error:
        sys.exit(f"{flags.name} cannot listen: {error.strerror}")


if __name__ == "__main__":
    main()
