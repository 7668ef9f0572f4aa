"""A DNS server, on 127.0.0.1 by default, over UDP and TCP, that says what a test tells it to."""

import socket
import socketserver
import struct
import threading

A, AAAA = 1, 28
NO_ERROR, NO_SUCH_NAME = 0, 3
# The head's bits (RFC 1035, section 4.1.1): an answer, recursion available; truncated.
ANSWER, TRUNCATED = 0x8180, 0x0200
HEAD = struct.Struct("!6H")


class DnsServer:
    """Names are set by set(); others do not exist. `asked` counts questions by (name, protocol)."""

    def __init__(self, host="127.0.0.1", port=0):
        self._names = {}
        self.silent = False
        self.truncating = False
        self.asked = {}
        self._tcp = _TcpServer((host, port), _TcpHandler)
        self._udp = _UdpServer(self._tcp.server_address, _UdpHandler)
        for server in (self._tcp, self._udp):
            server.dns = self
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"{host}:{self._tcp.server_address[1]}"

    def set(self, name, *addresses, ttl=1):
        """From now on; without addresses the name exists, and has none."""
        self._names[name] = (addresses, ttl)

    def forget(self, name):
        self._names.pop(name, None)

    def count(self, name, protocol="udp"):
        return self.asked.get((name, protocol), 0)

    def answer(self, question, protocol):
        """Bytes for bytes; None: no answer."""
        labels, at = [], HEAD.size
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels).lower()
        (wanted,) = struct.unpack_from("!H", question, at + 1)
        self.asked[name, protocol] = self.count(name, protocol) + 1
        if self.silent:
            return None
        flags, records = ANSWER, []
        if name not in self._names:
            flags |= NO_SUCH_NAME
        elif self.truncating and protocol == "udp":
            flags |= TRUNCATED
        else:
            records = self._records(name, wanted)
        head = HEAD.pack(int.from_bytes(question[:2], "big"), flags, 1, len(records), 0, 0)
        return head + question[HEAD.size : at + 5] + b"".join(records)

    def _records(self, name, wanted):
        addresses, ttl = self._names[name]
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}[wanted]
        of_family = [a for a in addresses if (":" in a) == (wanted == AAAA)]
        packed = [socket.inet_pton(family, address) for address in of_family]
        # The name is the question's.
        return [struct.pack("!3HIH", 0xC00C, wanted, 1, ttl, len(data)) + data for data in packed]

    def stop(self):
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()


class _UdpServer(socketserver.UDPServer):
    max_packet_size = 4096


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self):
        question, peer = self.request
        answer = self.server.dns.answer(question, "udp")
        if answer is not None:
            peer.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    def handle(self):
        while size := self.rfile.read(2):
            question = self.rfile.read(int.from_bytes(size, "big"))
            answer = self.server.dns.answer(question, "tcp")
            if answer is not None:
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)
