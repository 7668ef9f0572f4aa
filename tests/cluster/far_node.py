"""A network namespace that reaches the API server over a link that can be cut.

A second link, which stays, is for the admin port: `admin_address` is the far end's.
"""

import os
import subprocess

from holdfast_test.process import wait_until


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


class FarNode:
    admin_address = "10.201.0.2"

    def __init__(self):
        # Whose namespace it is; gone with it.
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        there = f"/proc/{self._holder.pid}/ns/net"
        wait_until(
            lambda: os.readlink(there) != os.readlink("/proc/self/ns/net"), "the far namespace"
        )
        self.prefix = ["nsenter", f"--net={there}"]
        for near, far in (("link0", "link1"), ("ops0", "ops1")):
            run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            run("ip", "link", "set", far, "netns", self._holder.pid)
        run("ip", "link", "set", "link0", "master", "br0")
        run("ip", "addr", "add", "10.201.0.1/24", "dev", "ops0")
        for near in ("link0", "ops0"):
            run("ip", "link", "set", near, "up")
        run(*self.prefix, "ip", "addr", "add", "10.200.0.2/24", "dev", "link1")
        run(*self.prefix, "ip", "addr", "add", f"{self.admin_address}/24", "dev", "ops1")
        for far in ("lo", "link1", "ops1"):
            run(*self.prefix, "ip", "link", "set", far, "up")

    def cut(self):
        run("ip", "link", "set", "link0", "down")

    def mend(self):
        run("ip", "link", "set", "link0", "up")

    def stop(self):
        self._holder.kill()
        self._holder.wait()
