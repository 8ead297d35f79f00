"""The storage initializer against stores: what lies in the pod afterwards is what upstream's would have brought."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.initializer import main as program
from sampan.components.serving.engine.programs.initializer import repositories, transfer
from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.main import Initializer

BIG = os.urandom(300_000)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(transfer, "_FIRST_WAIT_SECONDS", 0.01)


def keys(store, **more):
    return {
        "AWS_ENDPOINT_URL": store.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        **more,
    }


def tgz(files, mode="w:gz"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return packed.getvalue()


class TestS3:
    def test_what_lies_below_a_folder(self, s3_store, fetch):
        objects = {
            "bar/models/weights.pt": b"w",
            "bar/a/very/long/path/config.json": b"{}",
            "bar/": b"",
            "bar/empty/": b"",
            "bar/pkg/__init__.py": b"",
            "bar2/other": b"no",
        }
        found = fetch("s3://models/bar", keys(s3_store(objects)))
        assert found == {
            "models/weights.pt": b"w",
            "a/very/long/path/config.json": b"{}",
            "pkg/__init__.py": b"",
        }

    def test_a_slash_at_the_end_and_a_whole_bucket(self, s3_store, fetch, tmp_path):
        store = s3_store({"bar/m": b"1", "n": b"2"})
        assert fetch("s3://models/bar/", keys(store), tmp_path / "a") == {"m": b"1"}
        assert fetch("s3://models", keys(store), tmp_path / "b") == {"bar/m": b"1", "n": b"2"}

    def test_the_object_itself_counts_before_others_whose_names_begin_so(self, s3_store, fetch):
        objects = {"test/churn-pickle": b"1", "test/churn-pickle-logs": b"2", "test/churn-pickle/x": b"3"}
        assert fetch("s3://models/test/churn-pickle", keys(s3_store(objects))) == {"churn-pickle": b"1"}

    def test_a_beginning_of_names_where_there_is_nothing_else(self, s3_store, fetch):
        objects = {"test/churn-pickle": b"1", "test/churn-logs": b"2"}
        found = fetch("s3://models/test/churn", keys(s3_store(objects)))
        assert found == {"-pickle": b"1", "-logs": b"2"}

    def test_a_listing_of_many_pages_and_names_of_all_kinds(self, s3_store, fetch):
        objects = {
            f"m/{name}": name.encode() for name in ("ä b", "c+d", "e%20f", "g&h", "i=j", "k/l~m", "n'o")
        }
        found = fetch("s3://models/m", keys(s3_store(objects, page=2)))
        assert found == {key.removeprefix("m/"): body for key, body in objects.items()}

    def test_requests_are_signed_unless_they_shall_not_be(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/a": b"1"})
        fetch("s3://models/m", keys(store, AWS_SESSION_TOKEN="t"), tmp_path / "a")
        assert all("Credential=id/" in each.headers["authorization"] for each in store.asked)
        assert all(each.headers["x-amz-security-token"] == "t" for each in store.asked)
        store.asked.clear()
        fetch("s3://models/m", keys(store, awsAnonymousCredential="True"), tmp_path / "b")
        assert store.asked
        assert not any("authorization" in each.headers for each in store.asked)

    def test_without_credentials_it_says_how_to_give_them(self, s3_store, fetch):
        with pytest.raises(StorageError, match=r"S3 authentication failed. Set AWS_ACCESS_KEY_ID"):
            fetch("s3://models/m", {"AWS_ENDPOINT_URL": s3_store({}).url})

    @pytest.mark.parametrize(
        ("refusal", "said"),
        [
            ((403, "InvalidAccessKeyId"), "Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID"),
            ((403, "SignatureDoesNotMatch"), "Invalid AWS credentials"),
            ((403, "AccessDenied"), "Access denied to S3 resource 'models'. Verify permissions."),
            ((404, "NoSuchBucket"), "S3 bucket 'models' does not exist."),
            ((400, "AuthorizationHeaderMalformed"), r"S3 error \[AuthorizationHeaderMalformed\]"),
        ],
    )
    def test_why_it_was_refused(self, s3_store, fetch, refusal, said):
        store = s3_store({"m/a": b"1"})
        store.answer.refusal = refusal
        with pytest.raises(StorageError, match=said) as caught:
            fetch("s3://models/m", keys(store))
        assert "hidden" not in str(caught.value)

    def test_nothing_there(self, s3_store, fetch):
        with pytest.raises(StorageError, match=r"Failed to fetch model\. No model found in s3://models/none"):
            fetch("s3://models/none", keys(s3_store({"m": b""})))

    def test_another_region_is_learnt_from_the_server(self, serve, fetch):
        def answer(asked):
            if "/eu-west-1/" not in asked.headers["authorization"]:
                return (
                    400,
                    {"x-amz-bucket-region": "eu-west-1"},
                    b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>",
                )
            if "list-type" in asked.query:
                return 200, {}, b"<L><Contents><Key>m</Key><Size>1</Size></Contents></L>"
            return 200, {}, b"x"

        assert fetch("s3://models/m", keys(serve(answer))) == {"m": b"x"}

    def test_an_entry_of_the_secret_of_stores(self, s3_store, fetch):
        store = s3_store({"m/a": b"1"})
        store.answer.needs_signature = True
        told = {
            "type": "s3",
            "access_key_id": "i",
            "secret_access_key": "s",
            "endpoint_url": "http://nobody:1",
        }
        environ = {
            "STORAGE_CONFIG": json.dumps({**told, "anonymous": "False"}),
            "STORAGE_OVERRIDE_CONFIG": json.dumps({"endpoint_url": store.url}),
        }
        assert fetch("s3://models/m", environ) == {"a": b"1"}

    def test_patterns_choose_among_files(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/a.bin": b"1", "m/b.safetensors": b"2", "m/sub/c.json": b"3"})
        chosen = keys(
            store, STORAGE_ALLOW_PATTERNS='["*.safetensors", "*.json"]', STORAGE_IGNORE_PATTERNS="sub/*"
        )
        assert fetch("s3://models/m", chosen, tmp_path / "a") == {"b.safetensors": b"2"}
        # The object itself is meant.
        assert fetch("s3://models/m/a.bin", chosen, tmp_path / "b") == {"a.bin": b"1"}

    def test_what_answers_may_be_no_s3(self, serve, fetch):
        with pytest.raises(StorageError, match="no S3"):
            fetch("s3://models/m", keys(serve(lambda _: (200, {}, b"<html>hello"))))

    def test_a_single_archive_is_what_it_holds(self, s3_store, fetch, tmp_path):
        store = s3_store(
            {"m/model.tar.gz": tgz({"a/b": b"1"}), "n/m.zip": zipped({"c": b"2"}), "o/x.zip": b"", "o/y": b""}
        )
        assert fetch("s3://models/m", keys(store), tmp_path / "a") == {"a/b": b"1"}
        assert fetch("s3://models/n/m.zip", keys(store), tmp_path / "b") == {"c": b"2"}
        assert set(fetch("s3://models/o", keys(store), tmp_path / "c")) == {"x.zip", "y"}


class TestInterruptions:
    def test_what_breaks_off_is_gone_on_with(self, s3_store, fetch):
        store = s3_store({"m/big": BIG})
        store.cuts = [100_000, 50_000]
        assert fetch("s3://models/m", keys(store)) == {"big": BIG}
        assert [each.offset for each in store.asked if each.path.endswith("/big")] == [0, 100_000, 150_000]

    def test_a_store_that_is_away_for_a_moment_is_asked_again(self, s3_store, fetch):
        store = s3_store({"m/a": b"1"})
        real, left = store.answer, [503, 500]
        store.answer = lambda asked: (left.pop(), {}, b"") if left else real(asked)
        assert fetch("s3://models/m", keys(store)) == {"a": b"1"}

    def test_in_the_end_it_is_given_up_and_nothing_half_is_there(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/big": BIG, "m/small": b"1"})
        store.answer = lambda asked, real=store.answer: (
            (503, {}, b"") if asked.path.endswith("/big") else real(asked)
        )
        with pytest.raises(StorageError, match="big: S3 answered 503"):
            fetch("s3://models/m", keys(store), tmp_path / "m")
        assert not (tmp_path / "m/big").exists()
        assert not [each for each in (tmp_path / "m").rglob("*") if each.name.startswith(".")]

    def test_an_object_that_changes_meanwhile_is_not_put_together(self, serve, fetch, tmp_path):
        def answer(asked):
            if "list-type" in asked.query:
                return 200, {}, b"<L><Contents><Key>m</Key><Size>6</Size><ETag>one</ETag></Contents></L>"
            return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"

        with pytest.raises(StorageError, match="has changed meanwhile"):
            fetch("s3://models/m", keys(serve(answer)), tmp_path / "m")

    def test_leftovers_of_a_killed_attempt_go(self, s3_store, fetch, tmp_path):
        left = tmp_path / "m" / ".sampan-part-0123"
        left.parent.mkdir()
        left.write_bytes(b"half")
        assert fetch("s3://models/m", keys(s3_store({"m/a": b"1"})), tmp_path / "m") == {"a": b"1"}

    def test_a_full_disk_is_said_before_anything_is_written(self, serve, fetch, tmp_path):
        size = 1 << 60

        def answer(_):
            return 200, {}, f"<L><Contents><Key>m</Key><Size>{size}</Size></Contents></L>".encode()

        with pytest.raises(StorageError, match="No space left for the model: it has"):
            fetch("s3://models/m", keys(serve(answer)), tmp_path / "m")


class TestCache:
    def environ(self, tmp_path, store, most=1 << 30, **more):
        folder = tmp_path / "cache"
        folder.mkdir(exist_ok=True)
        (folder / "rules.json").write_text(json.dumps({"most_bytes": most}))
        return keys(store, SAMPAN_MODEL_CACHE=str(folder), **more)

    def test_the_next_replica_downloads_nothing_and_takes_no_room(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/big": BIG, "m/small": b"1"})
        environ = self.environ(tmp_path, store)
        first = fetch("s3://models/m", environ, tmp_path / "a")
        store.asked.clear()
        assert fetch("s3://models/m", environ, tmp_path / "b") == first
        assert [each.path for each in store.asked] == ["/models/"]
        assert (tmp_path / "a/big").stat().st_ino == (tmp_path / "b/big").stat().st_ino

    def test_another_content_is_another_file(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/a": b"1"})
        environ = self.environ(tmp_path, store)
        fetch("s3://models/m", environ, tmp_path / "a")
        store.answer.objects["m/a"] = b"2"
        assert fetch("s3://models/m", environ, tmp_path / "b") == {"a": b"2"}
        assert (tmp_path / "a/a").read_bytes() == b"1"

    def test_who_may_not_read_the_store_has_nothing_of_it(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/a": b"1"})
        environ = self.environ(tmp_path, store)
        fetch("s3://models/m", environ, tmp_path / "a")
        store.answer.refusal = (403, "AccessDenied")
        with pytest.raises(StorageError, match="Access denied"):
            fetch("s3://models/m", environ, tmp_path / "b")

    def test_files_that_may_be_written_to_are_nobody_elses(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/big": BIG})
        environ = self.environ(tmp_path, store, SAMPAN_MODEL_WRITABLE="true")
        fetch("s3://models/m", environ, tmp_path / "a")
        fetch("s3://models/m", environ, tmp_path / "b")
        (tmp_path / "a/big").chmod(0o644)
        (tmp_path / "a/big").write_bytes(b"changed")
        assert fetch("s3://models/m", environ, tmp_path / "c") == {"big": BIG}
        assert (tmp_path / "b/big").read_bytes() == BIG

    def test_an_archive_is_unpacked_once(self, serve, fetch, tmp_path):
        body = tgz({"a/b": BIG})

        def answer(asked):
            return 200, {"ETag": '"one"', "Content-Type": "application/gzip"}, body

        store = serve(answer)
        environ = self.environ(tmp_path, store)
        first = fetch(f"{store.url}/m.tgz", environ, tmp_path / "a")
        assert fetch(f"{store.url}/m.tgz", environ, tmp_path / "b") == first == {"a/b": BIG}
        assert [each.method for each in store.asked] == ["HEAD", "GET", "HEAD"]
        assert (tmp_path / "a/a/b").stat().st_ino == (tmp_path / "b/a/b").stat().st_ino

    def test_a_part_that_a_killed_pod_left_is_gone_on_with(self, s3_store, fetch, tmp_path, monkeypatch):
        store = s3_store({"m/big": BIG})
        store.cuts = [200_000]
        environ = self.environ(tmp_path, store, S3_MAX_ATTEMPTS="1")
        with pytest.raises(StorageError, match=r"broke off|in part"):
            fetch("s3://models/m", environ, tmp_path / "a")
        store.asked.clear()
        assert fetch("s3://models/m", environ, tmp_path / "b") == {"big": BIG}
        assert [each.offset for each in store.asked if each.path.endswith("/big")] == [200_000]

    def test_pods_that_start_together_download_once(self, s3_store, tmp_path):
        store = s3_store({"m/big": BIG})
        environ = {**self.environ(tmp_path, store), "PYTHONPATH": "src", "PATH": os.environ["PATH"]}
        module = "sampan.components.serving.engine.programs.initializer"
        command = [sys.executable, "-m", module, "s3://models/m"]
        running = [
            subprocess.Popen([*command, str(tmp_path / f"pod{n}")], env=environ, stderr=subprocess.PIPE)
            for n in range(3)
        ]
        for each in running:
            _, said = each.communicate(timeout=60)
            assert each.returncode == 0, said
        assert all((tmp_path / f"pod{n}/big").read_bytes() == BIG for n in range(3))
        assert len([each for each in store.asked if each.path.endswith("/big")]) == 1

    def test_what_is_too_large_to_be_kept_is_not(self, s3_store, fetch, tmp_path):
        store = s3_store({"m/big": BIG})
        fetch("s3://models/m", self.environ(tmp_path, store, most=1000), tmp_path / "a")
        assert [each.name for each in (tmp_path / "cache").rglob("*")] == ["rules.json"]


class TestWeb:
    def test_a_file_with_headers_of_a_secret(self, serve, fetch):
        store = serve(lambda asked: (200, {"Content-Type": "application/octet-stream"}, b"model"))
        environ = {"127.0.0.1-headers": json.dumps({"Authorization": "Bearer hidden"})}
        assert fetch(f"{store.url}/a/model.joblib?sig=x", environ) == {"model.joblib": b"model"}
        assert {each.headers["authorization"] for each in store.asked} == {"Bearer hidden"}

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("model.tar.gz", tgz({"model.pth": b"1"})),
            ("model.tgz?foo=bar", tgz({"model.pth": b"1"})),
            ("model.tar.xz", tgz({"model.pth": b"1"}, "w:xz")),
            ("model.tar", tgz({"model.pth": b"1"}, "w:")),
            ("model.zip", zipped({"model.pth": b"1"})),
            ("download?path=/20210530/model.zip", zipped({"model.pth": b"1"})),
        ],
    )
    def test_archives_are_unpacked(self, serve, fetch, path, body):
        store = serve(lambda asked: (200, {"Content-Type": "application/octet-stream"}, body))
        assert fetch(f"{store.url}/{path}") == {"model.pth": b"1"}

    def test_a_compressed_file_is_what_it_holds(self, serve, fetch):
        store = serve(lambda asked: (200, {}, gzip.compress(b"{}")))
        assert fetch(f"{store.url}/model.json.gz") == {"model.json": b"{}"}

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            ((401, {}, b""), "HTTP authentication failed for '.*/m'. Verify credentials."),
            ((403, {}, b""), "HTTP access denied for '.*/m'. Verify permissions."),
            ((404, {}, b""), "HTTP resource not found at '.*/m'."),
            ((500, {}, b""), "failed with status code 500"),
            ((200, {"Content-Type": "text/html; charset=utf-8"}, b"log in"), "but with a page"),
        ],
    )
    def test_why_it_was_refused(self, serve, fetch, reply, said):
        with pytest.raises(StorageError, match=said) as caught:
            fetch(f"{serve(lambda _: reply).url}/m?sig=hidden")
        assert "hidden" not in str(caught.value)

    def test_what_is_called_an_archive_must_be_one(self, serve, fetch, tmp_path):
        store = serve(
            lambda asked: (200, {"Content-Type": "application/octet-stream"}, b"nothing of the kind")
        )
        with pytest.raises(StorageError, match="did not respond with a zip file"):
            fetch(f"{store.url}/m.zip", target=tmp_path / "a")
        with pytest.raises(StorageError, match="The file format is not valid"):
            fetch(f"{store.url}/m.tgz", target=tmp_path / "b")

    def test_a_folder_is_no_file(self, serve, fetch):
        with pytest.raises(StorageError, match="No filename contained in URI"):
            fetch(f"{serve(lambda _: (200, {}, b'')).url}/models/")

    def test_a_digest_that_the_server_says_is_verified(self, serve, fetch):
        said = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        store = serve(lambda asked: (200, {"Repr-Digest": f"sha-256=:{said}:"}, b"model"))
        with pytest.raises(StorageError, match="is not what its store says it is: its sha256"):
            fetch(f"{store.url}/m.bin")

    def test_a_secret_is_told_to_its_host_only(self, serve, fetch):
        other = serve(lambda asked: (200, {}, b"model"))
        store = serve(
            lambda asked: (302, {"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/m"}, b"")
        )
        environ = {"127.0.0.1-headers": json.dumps({"Authorization": "Bearer hidden"})}
        assert fetch(f"{store.url}/m.bin", environ) == {"m.bin": b"model"}
        assert "authorization" in store.asked[0].headers
        assert not any("authorization" in each.headers for each in other.asked)


class TestCertificates:
    """Of a server whose certificate nobody has signed but itself."""

    @pytest.fixture
    def secure(self, serve, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        def answer(asked):
            if "list-type" in asked.query:
                return 200, {}, b"<L><Contents><Key>m</Key><Size>1</Size></Contents></L>"
            return 200, {}, b"x"

        return serve(answer, context)

    def test_it_is_not_trusted(self, secure, fetch):
        with pytest.raises(StorageError, match=r"The certificate of 'localhost' is not trusted: self.signed"):
            fetch(f"{secure.url}/m.bin", {"S3_MAX_ATTEMPTS": "1"})

    def test_a_bundle_of_the_cluster_makes_it_so(self, secure, fetch, certificate, tmp_path):
        bundle = {"CA_BUNDLE_CONFIGMAP_NAME": "x", "CA_BUNDLE_VOLUME_MOUNT_POINT": str(certificate.parent)}
        assert fetch(f"{secure.url}/m.bin", bundle, tmp_path / "a") == {"m.bin": b"x"}
        assert fetch("s3://models/m", keys(secure, **bundle), tmp_path / "b") == {"m": b"x"}
        assert fetch(f"{secure.url}/m.bin", {"SSL_CERT_FILE": str(certificate)}, tmp_path / "c") == {
            "m.bin": b"x"
        }

    def test_an_s3_may_be_believed_unseen(self, secure, fetch, certificate, tmp_path):
        assert fetch("s3://models/m", keys(secure, S3_VERIFY_SSL="0"), tmp_path / "a") == {"m": b"x"}
        assert fetch("s3://models/m", keys(secure, AWS_CA_BUNDLE=str(certificate)), tmp_path / "b") == {
            "m": b"x"
        }
        with pytest.raises(StorageError, match="is not trusted"):
            fetch("s3://models/m", keys(secure, S3_VERIFY_SSL="1"), tmp_path / "c")

    def test_the_certificate_is_of_the_name_that_was_asked(self, secure, fetch, certificate):
        url = secure.url.replace("localhost", "127.0.0.1")
        with pytest.raises(StorageError, match=r"The certificate of '127\.0\.0\.1' is not trusted"):
            fetch(f"{url}/m.bin", {"SSL_CERT_FILE": str(certificate)})

    def test_hdfs_has_certificates_of_its_own(self, secure, fetch, certificate, tmp_path):
        told = {"FileStatus": {"type": "FILE", "length": 1}}
        secure.answer = lambda asked: (
            (200, {}, b"x") if asked.query["op"] == "OPEN" else (200, {}, json.dumps(told).encode())
        )
        trusted = base64.b64encode(certificate.read_bytes()).decode()
        store = {"type": "hdfs", "HDFS_NAMENODE": secure.url}
        with pytest.raises(StorageError, match="is not trusted"):
            fetch("hdfs://m", {"STORAGE_CONFIG": json.dumps(store)}, tmp_path / "a")
        for more in ({"TLS_CA": trusted}, {"TLS_SKIP_VERIFY": "true"}):
            found = fetch("hdfs://m", {"STORAGE_CONFIG": json.dumps({**store, **more})}, tmp_path / "b")
            assert found == {"m": b"x"}


class TestHub:
    def test_a_repository_with_its_revision(self, hub, fetch, tmp_path):
        files = {"config.json": b"{}", "sub/model.safetensors": BIG}
        store = hub(files)
        assert fetch("hf://org/model", {"HF_ENDPOINT": store.url}, tmp_path / "a") == files
        assert fetch("hf://org/model:v1", {"HF_ENDPOINT": store.url}, tmp_path / "b") == files
        assert store.asked[-3].path == "/api/models/org/model/revision/v1"

    def test_patterns(self, hub, fetch):
        environ = {
            "HF_ENDPOINT": hub({"a.bin": b"1", "b.json": b"2"}).url,
            "STORAGE_ALLOW_PATTERNS": "*.json",
        }
        assert fetch("hf://org/model", environ) == {"b.json": b"2"}

    def test_a_token_opens_a_gated_one(self, hub, fetch):
        store = hub({"a": b"1"}, token="secret")
        assert fetch("hf://org/model", {"HF_ENDPOINT": store.url, "HF_TOKEN": "secret"}) == {"a": b"1"}
        with pytest.raises(
            StorageError, match=r"HuggingFace authentication failed. Set HF_TOKEN or request access"
        ):
            fetch("hf://org/model", {"HF_ENDPOINT": store.url, "HF_TOKEN": "wrong"})

    def test_what_is_not_there(self, hub, fetch):
        environ = {"HF_ENDPOINT": hub({"a": b"1"}).url}
        with pytest.raises(StorageError, match="resource 'org/model:v9' not found"):
            fetch("hf://org/model:v9", environ)
        with pytest.raises(StorageError, match=r"HuggingFace authentication failed.*Repository not found"):
            fetch("hf://org/none", environ)

    @pytest.mark.parametrize("uri", ["hf://model", "hf://a/b/c", "hf:///model", "hf://org/", "hf://org/:v1"])
    def test_uris_that_are_none(self, fetch, uri):
        with pytest.raises(StorageError, match=r"Invalid Hugging Face URI|cannot be empty"):
            fetch(uri, {"HF_ENDPOINT": "http://127.0.0.1:1"})

    def test_another_content_than_the_hub_says(self, hub, fetch, tmp_path):
        store = hub({"model.safetensors": BIG})
        real = store.answer
        store.answer = lambda asked: (
            (200, {}, BIG[:-1] + bytes([BIG[-1] ^ 1])) if "/resolve/" in asked.path else real(asked)
        )
        with pytest.raises(StorageError, match="is not what its store says it is: its sha256"):
            fetch("hf://org/model", {"HF_ENDPOINT": store.url}, tmp_path / "m")
        assert not (tmp_path / "m/model.safetensors").exists()


class TestGoogle:
    def test_a_folder_and_a_file(self, gcs_store, fetch, tmp_path):
        store = gcs_store({"bar/test/mock.object": b"1", "bar/": b"", "bar2": b"2", "bar/x y": b"3"}, page=1)
        environ = {"STORAGE_EMULATOR_HOST": store.url}
        assert fetch("gs://models/bar", environ, tmp_path / "a") == {"test/mock.object": b"1", "x y": b"3"}
        assert fetch("gs://models/bar/test/mock.object", environ, tmp_path / "b") == {"mock.object": b"1"}

    def test_what_is_not_there(self, gcs_store, fetch):
        environ = {"STORAGE_EMULATOR_HOST": gcs_store({"a": b"1"}).url}
        with pytest.raises(StorageError, match=r"GCS resource 'none' not found.*bucket does not exist"):
            fetch("gs://none/x", environ)
        with pytest.raises(StorageError, match="No model found in gs://models/x"):
            fetch("gs://models/x", environ)

    def test_another_content_than_the_store_says(self, gcs_store, fetch):
        store = gcs_store({"a": b"one"})
        real = store.answer
        store.answer = lambda asked: (200, {}, b"two") if "alt" in asked.query else real(asked)
        with pytest.raises(StorageError, match="its md5 digest"):
            fetch("gs://models/a", {"STORAGE_EMULATOR_HOST": store.url})


class TestHdfs:
    def tree(self, asked):
        folders = {"/user/m": [("a", 3), ("sub", None)], "/user/m/sub": [("b", 1)]}
        bodies = {"/user/m/a": b"abc", "/user/m/sub/b": b"d"}
        path, operation = asked.path.removeprefix("/webhdfs/v1"), asked.query["op"]
        if operation == "OPEN":
            return 200, {}, bodies[path]
        if path not in folders and path not in bodies:
            why = {"exception": "FileNotFoundException", "message": f"File {path} does not exist."}
            return 404, {}, json.dumps({"RemoteException": why}).encode()
        if operation == "GETFILESTATUS":
            told = {"type": "FILE", "length": len(bodies[path])} if path in bodies else {"type": "DIRECTORY"}
            return 200, {}, json.dumps({"FileStatus": told}).encode()
        listed = [
            {"pathSuffix": name, "type": "DIRECTORY" if size is None else "FILE", "length": size or 0}
            for name, size in folders[path]
        ]
        return 200, {}, json.dumps({"FileStatuses": {"FileStatus": listed}}).encode()

    def environ(self, tmp_path, **told):
        for name, text in told.items():
            (tmp_path / "secret").mkdir(exist_ok=True)
            (tmp_path / "secret" / name).write_text(text)
        return {"HDFS_SECRET_DIR": str(tmp_path / "secret")}

    def test_folders_and_files(self, serve, fetch, tmp_path):
        store = serve(self.tree)
        environ = self.environ(tmp_path, HDFS_NAMENODE=store.url, USER_PROXY="me", HEADERS='{"x-y": "z"}')
        assert fetch("hdfs://user/m", environ, tmp_path / "a") == {"a": b"abc", "sub/b": b"d"}
        assert fetch("webhdfs://user/m/a", environ, tmp_path / "b") == {"a": b"abc"}
        assert {each.headers["x-y"] for each in store.asked} == {"z"}
        assert {each.query["user.name"] for each in store.asked} == {"me"}

    def test_below_a_root_by_an_entry_of_the_secret_of_stores(self, serve, fetch):
        told = {"type": "hdfs", "HDFS_NAMENODE": serve(self.tree).url, "HDFS_ROOTPATH": "/user/"}
        assert fetch("hdfs://m/sub", {"STORAGE_CONFIG": json.dumps(told)}) == {"b": b"d"}

    def test_the_active_one_of_several_name_nodes(self, serve, fetch, tmp_path):
        why = {"exception": "StandbyException", "message": "Operation not supported in state standby"}
        standby = serve(lambda _: (403, {}, json.dumps({"RemoteException": why}).encode()))
        environ = self.environ(tmp_path, HDFS_NAMENODE=f"{standby.url};{serve(self.tree).url}")
        assert fetch("hdfs://user/m/sub", environ) == {"b": b"d"}

    def test_what_is_wrong_is_said(self, serve, fetch, tmp_path):
        environ = self.environ(tmp_path, HDFS_NAMENODE=serve(self.tree).url)
        with pytest.raises(StorageError, match=r"HDFS resource '/none' not found.*does not exist"):
            fetch("hdfs://none", environ)
        with pytest.raises(StorageError, match="needs a Secret with HDFS_NAMENODE"):
            fetch("hdfs://user/m", {})
        with pytest.raises(StorageError, match="Kerberos"):
            fetch("hdfs://user/m", self.environ(tmp_path, KERBEROS_PRINCIPAL="me@REALM"))


class TestLocalFiles:
    def test_entries_of_a_folder_are_linked(self, fetch, tmp_path):
        source = tmp_path / "iris"
        (source / "sub").mkdir(parents=True)
        (source / "model.joblib").write_bytes(b"1")
        (source / "sub/x").write_bytes(b"2")
        (source / ".hidden").write_bytes(b"3")
        target = tmp_path / "target"
        found = fetch(f"file://{source}", target=target)
        assert found == {"model.joblib": b"1"}
        assert os.readlink(target / "sub") == str(source / "sub")
        # As often as the container is started.
        assert fetch(f"file://{source}", target=target) == found

    def test_a_file_and_one_with_a_space(self, fetch, tmp_path):
        (tmp_path / "my model").write_bytes(b"1")
        assert fetch(f"file://{tmp_path}/my%20model") == {"my model": b"1"}

    def test_an_archive_is_unpacked_and_stays_where_it_was(self, fetch, tmp_path):
        (tmp_path / "m.tgz").write_bytes(tgz({"a": b"1"}))
        assert fetch(f"file://{tmp_path}/m.tgz") == {"a": b"1"}
        assert (tmp_path / "m.tgz").exists()

    def test_what_is_not_there(self, fetch, tmp_path):
        with pytest.raises(StorageError, match=r"Local path file:///no/such/model does not exist\."):
            fetch("file:///no/such/model")
        with pytest.raises(
            StorageError, match=r"does not exist\. Pods have a /tmp of their own: .* hostPath"
        ):
            fetch("file:///tmp/machine-that-is-not-here/m")
        with pytest.raises(StorageError, match="No model found in file://"):
            fetch(f"file://{tmp_path}/mnt/models")

    def test_with_many_users_only_below_the_roots(self, fetch, tmp_path):
        (tmp_path / "team").mkdir()
        (tmp_path / "team/m").write_bytes(b"1")
        (tmp_path / "other").write_bytes(b"2")
        (tmp_path / "team/link").symlink_to(tmp_path / "other")
        environ = {"SAMPAN_FILE_ROOTS": json.dumps([str(tmp_path / "team")])}
        assert fetch(f"file://{tmp_path}/team/m", environ) == {"m": b"1"}
        for uri in (f"{tmp_path}/other", f"{tmp_path}/team/link", f"{tmp_path}/team/../other", "/etc/passwd"):
            with pytest.raises(StorageError, match=r"may not be served from here.*serving\.file_roots"):
                fetch(f"file://{uri}", environ)


class TestMachinesTmp:
    """Pods have a /tmp of their own, and see the machine's at another place."""

    @pytest.fixture
    def shown(self, tmp_path, monkeypatch):
        """Where what stands for the machine's /tmp is shown, and the variables of a pod that has it so."""
        from sampan.components.serving.engine.programs.initializer import local

        monkeypatch.setattr(local, "_TMP", "/tmp/machine-that-is-not-here")
        (tmp_path / "shown").mkdir()
        return tmp_path / "shown", {"SAMPAN_MACHINE_TMP": str(tmp_path / "shown")}

    def test_files_are_copied_with_what_links_lead_to(self, shown, fetch, tmp_path):
        folder, environ = shown
        (folder / "m/sub").mkdir(parents=True)
        (folder / "blobs").mkdir()
        (folder / "blobs/weights").write_bytes(b"1")
        (folder / "m/config").write_bytes(b"2")
        (folder / "m/sub/relative").symlink_to("../../blobs/weights")
        (folder / "m/absolute").symlink_to("/tmp/machine-that-is-not-here/blobs/weights")
        found = fetch("file:///tmp/machine-that-is-not-here/m", environ, tmp_path / "t")
        assert found == {"config": b"2", "sub/relative": b"1", "absolute": b"1"}
        assert not any(each.is_symlink() for each in (tmp_path / "t").rglob("*"))
        assert fetch("file:///tmp/machine-that-is-not-here/m/absolute", environ, tmp_path / "u") == {
            "weights": b"1"
        }

    def test_links_that_go_round(self, shown, fetch):
        folder, environ = shown
        (folder / "m").mkdir()
        (folder / "m/again").symlink_to("/tmp/machine-that-is-not-here/m")
        (folder / "loop").symlink_to("loop")
        with pytest.raises(StorageError, match="round in a circle"):
            fetch("file:///tmp/machine-that-is-not-here/m", environ)
        with pytest.raises(StorageError, match="does not exist"):
            fetch("file:///tmp/machine-that-is-not-here/loop", environ)

    def test_roots_are_the_machines_names(self, shown, fetch):
        folder, environ = shown
        (folder / "m").write_bytes(b"1")
        roots = {"SAMPAN_FILE_ROOTS": json.dumps(["/tmp/machine-that-is-not-here"])}
        assert fetch("file:///tmp/machine-that-is-not-here/m", {**environ, **roots}) == {"m": b"1"}
        with pytest.raises(StorageError, match="may not be served"):
            fetch("file:///etc/passwd", {**environ, **roots})


class TestGit:
    @pytest.fixture
    def repository(self, tmp_path, serve):
        """Served as dumb HTTP: files of a bare repository."""
        work, bare = tmp_path / "work", tmp_path / "repo.git"
        work.mkdir()
        (work / "model.json").write_text("{}")
        (work / "link").symlink_to("/etc/passwd")
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        run = {"cwd": work, "check": True, "capture_output": True}
        subprocess.run([*git, "init"], **run)
        subprocess.run([*git, "add", "."], **run)
        subprocess.run([*git, "commit", "-m", "one"], **run)
        subprocess.run([*git, "clone", "--bare", str(work), str(bare)], **run)
        subprocess.run([*git, "update-server-info"], cwd=bare, check=True, capture_output=True)

        def answer(asked):
            place = tmp_path / asked.path.lstrip("/")
            return (200, {}, place.read_bytes()) if place.is_file() else (404, {}, b"")

        return serve(answer)

    def test_its_files_and_no_links(self, repository, fetch, tmp_path, monkeypatch):
        # Dumb HTTP knows no shallow clones.
        monkeypatch.setattr(repositories, "_DEPTH", ())
        target = tmp_path / "target"
        fetch(f"{repository.url}/repo.git", {"PATH": os.environ["PATH"]}, target)
        assert (target / "model.json").read_text() == "{}"
        assert not (target / "link").is_symlink()

    def test_why_it_was_refused(self, repository, fetch, serve):
        with pytest.raises(StorageError, match=r"Git resource '.*none\.git' not found"):
            fetch(f"{repository.url}/none.git", {"PATH": os.environ["PATH"]})
        private = serve(lambda _: (401, {"WWW-Authenticate": "Basic"}, b""))
        environ = {"PATH": os.environ["PATH"], "GIT_USERNAME": "me", "GIT_PASSWORD": "hidden"}
        with pytest.raises(
            StorageError, match=r"Git authentication failed. Set GIT_USERNAME/GIT_PASSWORD"
        ) as caught:
            fetch(f"{private.url}/repo.git", environ)
        assert "hidden" not in str(caught.value)
        assert any("authorization" in each.headers for each in private.asked)


class TestProgram:
    def test_several_sources(self, s3_store, tmp_path):
        store = s3_store({"m/a": b"1"})
        (tmp_path / "own").mkdir()
        (tmp_path / "own/b").write_bytes(b"2")
        pairs = ["s3://models/m", f"{tmp_path}/x/m", f"file://{tmp_path}/own", f"{tmp_path}/x/own"]
        assert program.main(pairs, keys(store)) == 0
        assert (tmp_path / "x/m/a").read_bytes() + (tmp_path / "x/own/b").read_bytes() == b"12"

    @pytest.mark.parametrize("arguments", [[], ["one"], ["a", "b", "c"]])
    def test_arguments_come_in_pairs(self, arguments, capsys):
        assert program.main(arguments, {}) == 1
        assert "Usage" in capsys.readouterr().out

    def test_why_it_fails_is_its_last_line(self, tmp_path):
        command = [sys.executable, "-m", "sampan.components.serving.engine.programs.initializer"]
        done = subprocess.run(
            [*command, "file:///no/such", str(tmp_path)],
            env={"PYTHONPATH": "src"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.endswith(
            "ERROR Storage initialization failed: Local path file:///no/such does not exist."
        )

    @pytest.mark.parametrize("uri", ["ftp://x/y", "what", "sftp://h/m", ""])
    def test_what_is_no_source(self, uri, fetch):
        with pytest.raises(StorageError, match="Cannot recognize storage type"):
            fetch(uri)

    def test_models_of_an_agent_are_left_to_it(self, fetch):
        assert fetch("/mnt/models") == {}

    def test_confidential_models_are_refused(self, tmp_path, capsys):
        assert program.main(["s3://a/b", str(tmp_path)], {"CONFIDENTIAL_ENABLED": "true"}) == 1

    def test_no_secret_is_in_the_log(self, s3_store, tmp_path, capfd):
        store = s3_store({"m/a": b"1"})
        store.answer.refusal = (403, "SignatureDoesNotMatch")
        program.main(["s3://models/m", str(tmp_path / "a")], keys(store))
        page = f"http://user:hidden@127.0.0.1:{store.port}/x?sig=hidden"
        program.main([page, str(tmp_path / "b")], {"127.0.0.1-headers": '{"A": "hidden"}'})
        said = capfd.readouterr().err
        assert said
        assert "hidden" not in said

    def test_it_needs_nothing_but_the_standard_library(self, tmp_path):
        """In the environment of an image there is nothing else, and imports cost time."""
        code = (
            "import sys, sampan.components.serving.engine.programs.initializer.main;"
            "names = {n.partition('.')[0] for n in sys.modules};"
            "print(sorted(n for n in names if n not in sys.stdlib_module_names and n != 'sampan'))"
        )
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, 'src'); {code}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == "['__main__']" or done.stdout.strip() == "[]"

    def test_an_initializer_is_made_once_for_several(self, s3_store, tmp_path):
        initializer = Initializer(keys(s3_store({"m/a": b"1", "n/b": b"2"})))
        initializer.download("s3://models/m", tmp_path / "a")
        initializer.download("s3://models/n", tmp_path / "b")
        assert (tmp_path / "b/b").read_bytes() == b"2"


def test_places_of_several_mounts(tmp_path: Path) -> None:
    """`real_place` of what no second mount shows is the path itself."""
    from sampan.components.serving.engine.programs.initializer.places import real_place

    assert real_place(tmp_path / "x") == tmp_path / "x"
