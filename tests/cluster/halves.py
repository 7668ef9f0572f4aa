"""Control plane and data plane as processes of their own, and what each half knows."""

import json

from holdfast_test.metrics import get
from holdfast_test.process import Holdfast

DATA_PLANE_FLAGS = ("--http-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")


def start_controller(server, path, *flags):
    """Data planes connect to `path`."""
    return Holdfast(
        "controller", "--kubeconfig", server.kubeconfig, "--discovery-listen", f"unix:{path}",
        "--admin-listen", "127.0.0.1:0", *flags,
    )  # fmt: skip


def start_proxy(path, *flags):
    return Holdfast("proxy", "--discovery", f"unix:{path}", *DATA_PLANE_FLAGS, *flags)


def resources(holdfast, half="data_plane"):
    """What the data plane has in force, or the control plane has compiled."""
    return json.loads(get(holdfast.port("admin"), "/debug/config")[1])[half]["resources"]
