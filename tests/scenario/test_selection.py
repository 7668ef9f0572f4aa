"""Goal: whose Ingresses are served, and what gets the requests that nobody claims.

Method: manifests of the test's own, edited under an open WebSocket where that could matter.
"""

from holdfast_test.edge import objects_for
from holdfast_test.peers import answering, echo_websocket, frame, handshake, response, take_frame


def status_of(edge, host, path="/"):
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    return edge.ask(request).take_response()[0].status


def write(edge, name, backend, edit=None):
    """Ingress, Service and slice for NAME.test; edit(service, ingress) before they are written."""
    objects = objects_for(name, f"{name}.test", [backend.endpoint], ["/"], {})
    if edit is not None:
        edit(objects[0], objects[-1])
    edge.manifests.write(name, objects)


def put(edge, *arguments):
    write(edge, *arguments)
    edge.wait_for_change()


def classless(_service, ingress):
    del ingress["spec"]["ingressClassName"]


def test_without_a_class_only_when_told(own_edge):
    edge = own_edge("--watch-without-class")
    backend = edge.backend(echo_websocket)

    def foreign(_service, ingress):
        ingress["spec"]["ingressClassName"] = "somebody-else"

    write(edge, "foreign", backend, foreign)
    put(edge, "classless", backend, classless)
    client = edge.ask(handshake("classless.test"))
    assert client.take_head().status == 101
    assert status_of(edge, "foreign.test") == 404
    # Taken over by somebody else: no route any more, and the WebSocket stays.
    put(edge, "classless", backend, foreign)
    assert status_of(edge, "classless.test") == 404
    client.send(frame(b"still here", masked=True))
    assert take_frame(client)[1] == b"still here"


def test_without_a_class_not_else(own_edge):
    edge = own_edge()
    backend = edge.backend(echo_websocket)
    write(edge, "classless", backend, classless)
    put(edge, "ours", backend)
    assert status_of(edge, "classless.test") == 404


def put_class(edge, annotations=None, **spec):
    edge.manifests.write(
        "class",
        [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": "holdfast", "annotations": annotations or {}},
                "spec": {"controller": "holdfast.dev/ingress", **spec},
            }
        ],
    )


def put_config_map(edge, name, **data):
    edge.manifests.write(
        name,
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "infra"},
                "data": {key.replace("_", "-"): value for key, value in data.items()},
            }
        ],
    )


def test_without_a_class_when_ours_is_the_default(own_edge):
    edge = own_edge()
    write(edge, "classless", edge.backend(echo_websocket), classless)
    put(edge, "ours", edge.backend(echo_websocket))
    assert status_of(edge, "classless.test") == 404
    put_class(edge, {"ingressclass.kubernetes.io/is-default-class": "true"})
    edge.wait_for_change()
    client = edge.ask(handshake("classless.test"))
    assert client.take_head().status == 101
    put_class(edge)
    edge.wait_for_change()
    assert status_of(edge, "classless.test") == 404
    client.send(frame(b"still here", masked=True))
    assert take_frame(client)[1] == b"still here"


def test_defaults_of_the_class_and_of_the_flag(own_edge):
    """The Service that one of them names is the Ingress's neighbour, not the ConfigMap's."""
    edge = own_edge("--defaults-configmap", "infra/global")
    plain = edge.backend(answering(response("200 OK", b"plain")))
    put(edge, "plain", plain)
    put(edge, "live", edge.backend(echo_websocket))

    def said():
        """What the response's fields tell."""
        head = edge.ask(b"GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n").take_response()[0]
        return head.get("x-said-by")

    assert said() is None
    put_config_map(edge, "global", response_headers="X-Said-By: flag", websocket_service="live:80")
    edge.wait_for_change()
    assert said() == "flag"
    client = edge.ask(handshake("plain.test"))
    assert client.take_head().status == 101
    parameters = {"kind": "ConfigMap", "name": "near", "namespace": "infra", "scope": "Namespace"}
    put_config_map(edge, "near", response_headers="X-Said-By: class")
    put_class(edge, parameters=parameters)
    edge.wait_for_change()
    assert said() == "class"
    put_config_map(edge, "near", response_headers="X-Said-By: class, edited")
    edge.wait_for_change()
    assert said() == "class, edited"
    edge.manifests.remove("near")
    edge.wait_for_change()
    assert said() == "flag"
    client.send(frame(b"still here", masked=True))
    assert take_frame(client)[1] == b"still here"


def test_the_default_backend_gets_what_nobody_claims(own_edge):
    edge = own_edge("--default-backend", "default/rest:80")
    rest = edge.backend(answering(response(200, b"the rest")))
    one = edge.backend(answering(response(200, b"one")))
    put(edge, "rest", rest)
    put(edge, "one", one)

    def answer(host, path="/"):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        head, body = edge.ask(request).take_response()
        return head.status, body

    assert answer("one.test") == (200, b"one")
    assert answer("unheard.of") == (200, b"the rest")

    def elsewhere(_service, ingress):
        ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/only"

    put(edge, "one", one, elsewhere)
    assert answer("one.test", "/only") == (200, b"one")
    assert answer("one.test", "/other") == (200, b"the rest")


def test_an_ingress_with_a_default_backend_of_its_own(own_edge):
    edge = own_edge("--default-backend", "default/rest:80")
    rest = edge.backend(answering(response(200, b"the rest")))
    own = edge.backend(answering(response(200, b"its own")))

    def with_default(service, ingress):
        name = service["metadata"]["name"]
        ingress["spec"]["defaultBackend"] = {"service": {"name": name, "port": {"number": 80}}}
        ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/only"

    put(edge, "rest", rest)
    put(edge, "own", own, with_default)
    for path in ("/only", "/other"):
        client = edge.ask(f"GET {path} HTTP/1.1\r\nHost: own.test\r\n\r\n".encode())
        assert client.take_response()[1] == b"its own"


def test_the_cluster_ip_in_place_of_the_pods(own_edge):
    edge = own_edge()
    pod = edge.backend(answering(response(200, b"pod")))
    balancer = edge.backend(answering(response(200, b"cluster IP")), host="127.0.0.9")

    def by_cluster_ip(service, ingress):
        service["spec"]["clusterIP"] = balancer.endpoint[0]
        service["spec"]["ports"][0]["port"] = balancer.endpoint[1]
        path = ingress["spec"]["rules"][0]["http"]["paths"][0]
        path["backend"]["service"]["port"]["number"] = balancer.endpoint[1]
        ingress["metadata"]["annotations"]["holdfast.dev/service-upstream"] = "true"

    put(edge, "upstream", pod, by_cluster_ip)
    request = b"GET / HTTP/1.1\r\nHost: upstream.test\r\n\r\n"
    assert edge.ask(request).take_response()[1] == b"cluster IP"
