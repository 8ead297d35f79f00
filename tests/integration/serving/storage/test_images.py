"""Models in images: what lies at /models once all layers are laid over one another."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile

import pytest

from sampan.components.serving.engine.programs.initializer import images
from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.logins import login


def layer(files, links=None):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
        for name, (kind, target) in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return packed.getvalue()


class Registry:
    """One image, `team/iris:1`, for two machines."""

    def __init__(self, *layers, login=""):
        self.blobs = {f"sha256:{hashlib.sha256(each).hexdigest()}": each for each in layers}
        self.login = login
        self.url = ""
        told = [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": len(body)}
            for digest, body in self.blobs.items()
        ]
        self.manifest = json.dumps({"schemaVersion": 2, "layers": told}).encode()
        self.digest = f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"
        machines = [
            {"digest": "sha256:" + "0" * 64, "platform": {"os": "windows", "architecture": "amd64"}},
            *(
                {"digest": self.digest, "platform": {"os": "linux", "architecture": each}}
                for each in ("amd64", "arm64")
            ),
        ]
        self.index = json.dumps({"manifests": machines}).encode()

    def __call__(self, asked):
        if asked.path == "/token":
            wanted = f"Basic {base64.b64encode(self.login.encode()).decode()}" if self.login else None
            if asked.headers.get("authorization") != wanted:
                return 401, {}, b"{}"
            assert asked.query == {"service": "registry", "scope": "repository:team/iris:pull"}
            return 200, {}, b'{"token": "t"}'
        if asked.headers.get("authorization") != "Bearer t":
            realm = f'Bearer realm="{self.url}/token",service="registry",scope="repository:team/iris:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        kind, _, what = asked.path.removeprefix("/v2/team/iris/").partition("/")
        known = {"1": self.index, self.digest: self.manifest} if kind == "manifests" else self.blobs
        found = known.get(what)
        return (404, {}, b"") if found is None else (200, {}, found)


@pytest.fixture
def registry(serve):
    def make(*layers, login=""):
        answer = Registry(*layers, login=login)
        store = serve(answer)
        answer.url = store.url
        store.image = f"oci://127.0.0.1:{store.port}/team/iris"
        return store

    return make


def test_later_layers_change_earlier_ones(registry, fetch):
    store = registry(
        layer(
            {
                "models/a": b"1",
                "models/b": b"1",
                "models/old/x": b"1",
                "models/dir/y": b"1",
                "etc/passwd": b"no",
            }
        ),
        layer(
            {"models/a": b"2", "models/.wh.b": b"", "models/old/.wh..wh..opq": b"", "models/old/new": b"2"}
        ),
        layer({"models/dir": b"a file now"}),
    )
    assert fetch(f"{store.image}:1") == {"a": b"2", "old/new": b"2", "dir": b"a file now"}


@pytest.mark.parametrize("scheme", ["oci", "oci+native", "oci+fetch"])
def test_whatever_is_said_about_the_way(registry, fetch, scheme):
    store = registry(layer({"./models/a": b"1"}))
    assert fetch(f"{store.image}:1".replace("oci://", f"{scheme}://")) == {"a": b"1"}


def test_links_within_the_models(registry, fetch):
    links = {"models/soft": (tarfile.SYMTYPE, "a"), "models/hard": (tarfile.LNKTYPE, "models/a")}
    store = registry(layer({"models/a": b"1"}, links))
    assert fetch(f"{store.image}:1") == {"a": b"1", "soft": b"1", "hard": b"1"}


@pytest.mark.parametrize(
    "link", [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "../x"), (tarfile.LNKTYPE, "etc/passwd")]
)
def test_links_out_of_them(registry, fetch, link):
    store = registry(layer({"etc/passwd": b"1"}, {"models/l": link}))
    with pytest.raises(StorageError):
        fetch(f"{store.image}:1")


def test_an_image_without_models(registry, fetch):
    with pytest.raises(StorageError, match=r"No model found in .*\(/models\)"):
        fetch(f"{registry(layer({'bin/sh': b''})).image}:1")


def test_a_login(registry, fetch, tmp_path):
    store = registry(layer({"models/a": b"1"}), login="me:secret")
    with pytest.raises(StorageError, match="OCI authentication failed"):
        fetch(f"{store.image}:1")
    auth = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {f"127.0.0.1:{store.port}": {"auth": auth}}}))
    assert fetch(f"{store.image}:1", {"DOCKER_CONFIG": str(tmp_path)}) == {"a": b"1"}


@pytest.mark.parametrize(
    ("file", "keys", "gets"),
    [
        ("config.json", ["{registry}"], True),
        ("config.json", ["http://{registry}/v2/"], True),
        ("config.json", ["{registry}/team"], True),
        ("config.json", ["{registry}/team/iris", "{registry}/te"], True),
        ("config.json", ["*.0.0.*:{port}"], True),
        ("config.json", ["{registry}/other"], False),
        ("config.json", ["*:{port}"], False),
        ("config.json", ["example.com"], False),
        (".dockercfg", ["{registry}"], True),
    ],
)
def test_logins_of_pull_secrets(registry, fetch, tmp_path, file, keys, gets):
    store = registry(layer({"models/a": b"1"}), login="me:secret")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "config.json").write_text("{not json")
    names = [each.format(registry=f"127.0.0.1:{store.port}", port=store.port) for each in keys]
    auths = {each: {"username": "me", "password": "secret"} for each in names}
    said = {"auths": auths} if file == "config.json" else auths
    (tmp_path / "second" / file).write_text(json.dumps(said))
    folders = json.dumps([str(tmp_path / each) for each in ("none", "first", "second")])
    environ = {"SAMPAN_PULL_SECRETS": folders, "HOME": str(tmp_path)}
    if gets:
        assert fetch(f"{store.image}:1", environ) == {"a": b"1"}
    else:
        with pytest.raises(StorageError, match="OCI authentication failed"):
            fetch(f"{store.image}:1", environ)


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        ("https://index.docker.io/v1/", True),
        ("docker.io", True),
        ("registry-1.docker.io", True),
        ("docker.io/team", True),
        ("docker.io/tea", False),
        ("index.docker.io.evil.example", False),
        ("ghcr.io", False),
    ],
)
def test_the_hub_has_several_names(tmp_path, key, fits):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {key: {"auth": "bWU6c2VjcmV0"}}}))
    found = login("registry-1.docker.io", "team/iris", {"DOCKER_CONFIG": str(tmp_path)})
    assert found == ("bWU6c2VjcmV0" if fits else "")


def test_what_is_not_there_and_what_is_another(registry, fetch):
    store = registry(layer({"models/a": b"1"}))
    with pytest.raises(StorageError, match=r"OCI resource '.*team/iris:2' not found"):
        fetch(f"{store.image}:2")
    (digest,) = store.answer.blobs
    body = bytearray(store.answer.blobs[digest])
    store.answer.blobs[digest] = bytes(body[:-1]) + bytes([body[-1] ^ 1])
    with pytest.raises(StorageError, match="is not what its store says it is"):
        fetch(f"{store.image}:1")


def test_a_layer_that_swells(registry, fetch, monkeypatch):
    from sampan.components.serving.engine.programs.initializer import archives

    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    member = tarfile.TarInfo("models/zeros")
    member.size = 64 << 20
    body = gzip.compress(member.tobuf() + bytes(member.size) + bytes(1024))
    with pytest.raises(StorageError, match="unpacks to more than"):
        fetch(f"{registry(body).image}:1")


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("oci://reg.example/a/b:1", ("reg.example", "a/b", "1")),
        ("oci://reg.example:5000/a", ("reg.example:5000", "a", "latest")),
        ("oci://user/model:v2", ("registry-1.docker.io", "user/model", "v2")),
        ("oci://model", ("registry-1.docker.io", "library/model", "latest")),
        ("oci://docker.io/user/model", ("registry-1.docker.io", "user/model", "latest")),
        ("oci+native://r.io/a:1@sha256:" + "a" * 64, ("r.io", "a", "sha256:" + "a" * 64)),
    ],
)
def test_names_of_images(uri, found):
    parsed = images.parse(uri)
    assert (parsed.registry, parsed.name, parsed.version) == found


@pytest.mark.parametrize(
    "uri", ["oci://", "oci://r.io/", "oci://r.io/A", "oci://r.io/a:b c", "oci://r.io/../x?"]
)
def test_names_that_are_none(uri):
    with pytest.raises(StorageError, match="names no image"):
        images.parse(uri)
