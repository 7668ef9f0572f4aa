"""Certificates made by openssl(1) for one run, and the Secrets that hold them."""

import base64
import subprocess

KEYS = {
    "EC": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
    "RSA": ("-newkey", "rsa:2048", "-nodes"),
}


def _run(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Maker:
    """Certificates that are signed by themselves."""

    def __init__(self, folder):
        self._folder = folder
        self._count = 0

    def _paths(self):
        self._count += 1
        return [self._folder / f"{self._count}.{kind}" for kind in ("crt", "key", "csr", "ext")]

    def make(self, *names, more=(), key_type="EC"):
        """(certificate, key), PEM."""
        certificate, key, _, _ = self._paths()
        alternatives = ",".join(f"DNS:{name}" for name in names)
        _run("req", "-x509", *KEYS[key_type], "-keyout", key, "-out", certificate, "-days",
             "2", "-subj", f"/CN={self._count}", "-addext", f"subjectAltName={alternatives}",
             *more)  # fmt: skip
        return certificate.read_bytes(), key.read_bytes()

    def make_expired(self, *names):
        """One that was good until yesterday."""
        self.make(*names)
        fresh, key = (self._folder / f"{self._count}.{kind}" for kind in ("crt", "key"))
        expired = self._paths()[0]
        _run("x509", "-in", fresh, "-signkey", key, "-days", "-1", "-out", expired)
        return expired.read_bytes(), key.read_bytes()


class Authority(Maker):
    """Signs; `certificate` is its own, PEM."""

    def __init__(self, folder, name):
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        self._certificate, self._key = folder / "ca.crt", folder / "ca.key"
        _run("req", "-x509", *KEYS["EC"], "-keyout", self._key, "-out", self._certificate,
             "-days", "2", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        self.certificate = self._certificate.read_bytes()

    def issue(self, common_name, *names, key_type="EC"):
        """The paths of (certificate, key). A name without a type is a DNS name."""
        certificate, key, request, extensions = self._paths()
        _run("req", *KEYS[key_type], "-keyout", key, "-out", request, "-subj", f"/CN={common_name}")
        alternatives = ",".join(
            name if name.startswith(("DNS:", "URI:")) else f"DNS:{name}"
            for name in names or ("nobody.test",)
        )
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _run("x509", "-req", "-in", request, "-CA", self._certificate, "-CAkey", self._key,
             "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out",
             certificate)  # fmt: skip
        return certificate, key


def secret(name, kind="Opaque", **values):
    """`values`: bytes, by their keys with "_" for "."."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "type": kind,
        "data": {
            key.replace("_", "."): base64.b64encode(value).decode()
            for key, value in values.items()
        },
    }


def tls_ingress(name, *entries):
    """An Ingress beside others that names Secrets: (hosts, Secret) each."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "ingressClassName": "holdfast",
            "tls": [{"hosts": hosts, "secretName": secret_name} for hosts, secret_name in entries],
            "rules": [{"host": hosts[0]} for hosts, _ in entries],
        },
    }


def tls_secret(name, certificate, key):
    return secret(name, "kubernetes.io/tls", tls_crt=certificate, tls_key=key)
