"""Kubernetes objects as dictionaries, as short as the tests need them."""


def service(name, port=80, port_name="ws"):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"name": port_name, "port": port, "targetPort": 9000}]},
    }


def endpoint_slice(service_name, addresses, port=9000, port_name="ws", suffix="1", **conditions):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{suffix}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": True, **conditions}}
            for address in addresses
        ],
    }


def endpoints(service_name, addresses, port=9000, port_name="ws"):
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": service_name, "namespace": "default"},
        "subsets": [
            {
                "addresses": [{"ip": address} for address in addresses],
                "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
            }
        ],
    }


def ingress(name, host, paths, annotations=None, class_name="holdfast"):
    """`paths`: {path: (service, port number)}, all of type Prefix."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "ingressClassName": class_name,
            "rules": [
                {
                    "host": host,
                    "http": {
                        "paths": [
                            {
                                "path": path,
                                "pathType": "Prefix",
                                "backend": {"service": {"name": to, "port": {"number": port}}},
                            }
                            for path, (to, port) in paths.items()
                        ]
                    },
                }
            ],
        },
    }
