"""How the storage initializer proves who it is: signatures held against those that their makers publish."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sampan.components.serving.engine.programs.initializer import (
    azure,
    digests,
    google,
    listing,
    s3,
    signing,
    spec,
)
from sampan.components.serving.engine.programs.initializer.addresses import Reach
from sampan.components.serving.engine.programs.initializer.errors import StorageError, shown
from sampan.components.serving.engine.programs.initializer.items import Patterns
from sampan.components.serving.engine.programs.initializer.listing import Found
from sampan.components.serving.engine.programs.initializer.web import Web

# In two pieces: whoever looks for keys that were left here must not find this one, which Amazon publishes.
_PUBLISHED_ID = "AKIA" + "IOSFODNN7EXAMPLE"
KEYS = signing.Keys(_PUBLISHED_ID, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def at(*moment):
    return lambda: datetime(*moment, tzinfo=UTC)


class TestAmazon:
    """Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header", its examples."""

    def signature(self, url, headers):
        made = signing.signed("GET", url, headers, KEYS, "us-east-1", at(2013, 5, 24))
        return made["Authorization"].rpartition("Signature=")[2]

    def test_an_object_with_a_range(self):
        found = self.signature("https://examplebucket.s3.amazonaws.com/test.txt", {"Range": "bytes=0-9"})
        assert found == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"

    def test_a_listing(self):
        found = self.signature("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", {})
        assert found == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"

    def test_keys_show_in_no_text(self):
        assert "EXAMPLEKEY" not in repr(KEYS)

    @pytest.mark.parametrize(
        ("environ", "url"),
        [
            ({}, "https://b.s3.us-east-1.amazonaws.com/k%20y"),
            ({"AWS_DEFAULT_REGION": "eu-west-1"}, "https://b.s3.eu-west-1.amazonaws.com/k%20y"),
            ({"AWS_ENDPOINT_URL": "http://minio:9000"}, "http://minio:9000/b/k%20y"),
            (
                {"AWS_ENDPOINT_URL": "http://minio:9000/", "S3_USER_VIRTUAL_BUCKET": "true"},
                "http://b.minio:9000/k%20y",
            ),
            ({"AWS_ENDPOINT_URL": "https://s3.amazonaws.com"}, "https://s3.amazonaws.com/b/k%20y"),
            (
                {"AWS_ENDPOINT_URL": "https://s3.amazonaws.com", "AWS_DEFAULT_REGION": "eu-west-1"},
                "https://b.s3.amazonaws.com/k%20y",
            ),
            ({"S3_USE_ACCELERATE": "True"}, "https://b.s3-accelerate.amazonaws.com/k%20y"),
            ({"AWS_ENDPOINT_URL": "minio"}, "https://minio/b/k%20y"),
        ],
    )
    def test_where_a_bucket_is(self, environ, url):
        keys = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s"}
        assert s3.bucket_of("b", {**keys, **environ}, Web(Reach())).url("k y") == url

    def test_a_bucket_with_dots_is_in_no_host(self):
        keys = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s"}
        assert s3.bucket_of("a.b", keys, Web(Reach())).url("k") == "https://s3.us-east-1.amazonaws.com/a.b/k"

    @pytest.mark.parametrize("name", ["", "../x", "a/b", "a?b", "-a", "é"])
    def test_names_of_buckets_that_are_none(self, name):
        with pytest.raises(StorageError, match="is not the name of a bucket"):
            s3.bucket_of(name, {}, Web(Reach()))

    def test_certificates_that_are_missing_are_named(self, tmp_path):
        keys = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s"}
        with pytest.raises(StorageError, match=r"Failed to find ca bundle file\(/none\)"):
            s3.bucket_of("b", {**keys, "AWS_CA_BUNDLE": "/none"}, Web(Reach()))
        bundle = {"CA_BUNDLE_CONFIGMAP_NAME": "x", "CA_BUNDLE_VOLUME_MOUNT_POINT": str(tmp_path)}
        (tmp_path / "cabundle.crt").touch()
        assert s3.bucket_of("b", {**keys, **bundle}, Web(Reach())).trust.only == f"{tmp_path}/cabundle.crt"
        assert not s3.bucket_of("b", {**keys, **bundle, "S3_VERIFY_SSL": "0"}, Web(Reach())).trust.verify


class TestAzure:
    def test_a_shared_key(self):
        """Held against the string that "Authorize with Shared Key" gives for a listing, in version 2015-02-21."""
        key = base64.b64decode("c2VjcmV0")
        headers = {"x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT", "x-ms-version": "2015-02-21"}
        query = {"timeout": "20", "restype": "container", "comp": "metadata"}
        text = (
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
            "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        )
        import hashlib
        import hmac

        signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
        assert (
            azure._shared_key("myaccount", key, "/mycontainer", query, headers)
            == f"SharedKey myaccount:{signature}"
        )

    @pytest.mark.parametrize(
        ("uri", "blob", "file"),
        [
            ("https://a.blob.core.windows.net/triton/simple_string/", True, False),
            ("https://a.z20.blob.storage.azure.net/c/x", True, False),
            ("https://a.file.core.windows.net/share/x", False, True),
            ("https://example.com/blob.core.windows.net", False, False),
        ],
    )
    def test_uris(self, uri, blob, file):
        assert bool(azure.BLOB.match(uri)) is blob
        assert bool(azure.FILE.match(uri)) is file


class TestGoogle:
    @pytest.mark.parametrize(
        "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    )
    def test_a_signature_is_what_the_public_key_takes(self, form):
        private = rsa.generate_private_key(65537, 2048)
        pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        told = {"private_key": pem, "client_email": "me@project", "token_uri": "https://tokens"}
        text, _, signature = google._assertion(told, "file").rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        private.public_key().verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        assert (claims["iss"], claims["aud"]) == ("me@project", "https://tokens")

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{}",
            "[]",
            '{"type": "external_account"}',
            '{"type": "service_account", "private_key": "hidden"}',
        ],
    )
    def test_files_that_are_no_key(self, tmp_path, content):
        file = tmp_path / "key.json"
        file.write_text(content)
        with pytest.raises(StorageError, match="GCS authentication failed") as caught:
            google.token({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}, Web(Reach()))
        assert "hidden" not in str(caught.value)


class TestConfig:
    @pytest.mark.parametrize("text", ["{hidden", "[]", "7"])
    def test_what_is_no_object_is_not_shown(self, text):
        with pytest.raises(StorageError, match="STORAGE_CONFIG is no JSON object") as caught:
            spec.with_config({"STORAGE_CONFIG": text})
        assert "hidden" not in str(caught.value)

    def test_what_is_not_said_stays_as_the_pod_has_it(self):
        found = spec.with_config(
            {"STORAGE_CONFIG": '{"type": "s3", "region": "r"}', "AWS_ACCESS_KEY_ID": "i"}
        )
        assert (found["AWS_DEFAULT_REGION"], found["AWS_ACCESS_KEY_ID"]) == ("r", "i")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('["*.a", " *.b "]', ("*.a", "*.b")),
        ("*.a, *.b,", ("*.a", "*.b")),
        ('"*.a"', ("*.a",)),
        ("", ()),
        ("  ", ()),
    ],
)
def test_patterns(text, wanted):
    assert Patterns.of({"STORAGE_ALLOW_PATTERNS": text}).allow == wanted


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("https://u:p@h/x?sig=s#f", "https://h/x"),
        ("s3://b/k", "s3://b/k"),
        ("hf://o/m:v1", "hf://o/m:v1"),
        ("http://[", "http://["),
    ],
)
def test_uris_are_shown_without_secrets(uri, text):
    assert shown(uri) == text


def test_digests_of_headers():
    assert digests.from_base64("md5", "no base64!") is None
    assert digests.from_base64("crc32", "AAAAAQ==") == digests.Digest("crc32", "00000001")
    # Of an object in parts: the number of parts follows.
    assert digests.from_base64("sha256", "AAAAAQ==-2") is None


def test_marks_of_folders_are_no_files():
    found = [
        Found(key, size)
        for key, size in (("m", 0), ("m/a", 0), ("m/a/b", 1), ("m/c_$folder$", 0), ("m/d/", 0))
    ]
    assert set(listing.chosen(found, "m")) == {"a/b"}
