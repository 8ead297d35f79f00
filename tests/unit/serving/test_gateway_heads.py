"""What is passed on of a request's head, and of an answer's."""

from __future__ import annotations

import pytest

from sampan.components.serving.engine.gateway import heads
from sampan.components.serving.engine.gateway.heads import Passed
from sampan.components.serving.engine.gateway.limits import LimitError, limits_of
from sampan.web.interception import Head

PASSED = Passed(b"/v1", b"id-1", {})


def sent(*headers: tuple[bytes, bytes], passed: Passed = PASSED, upgrade: bytes = b"") -> dict[bytes, bytes]:
    head = Head(b"POST", b"/", "1.1", [(b"host", b"x"), *headers], b"x", "127.0.0.1", False, False, upgrade)
    lines = heads.request_bytes(head, passed).split(b"\r\n")
    assert lines[0] == b"POST " + passed.target + b" HTTP/1.1"
    assert lines[-2:] == [b"", b""]
    found = [line.split(b": ", 1) for line in lines[1:-2]]
    assert len({key for key, _ in found}) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    "name",
    [
        *("kubeflow-userid", "kubeflow_userid", "kubeflow-groups", "x-remote-user", "x-remote-extra-a"),
        *("x-auth-request-email", "x-forwarded-user", "x-forwarded-groups", "impersonate-user"),
        *("x-goog-authenticated-user-email", "x-webauth-user"),
        *(
            "keep-alive",
            "proxy-authorization",
            "te",
            "trailer",
            "upgrade",
            "expect",
            "http2-settings",
            "forwarded",
        ),
    ],
)
def test_what_stays_here(name: str) -> None:
    assert name.encode() not in sent((name.encode(), b"x"))


def test_what_goes_on() -> None:
    given = (
        (b"traceparent", b"00-1"),
        (b"authorization", b"Bearer sk-1"),
        (b"cookie", b"a=b"),
        (b"x-a", b"1"),
    )
    found = sent(*given)
    assert {key: found[key] for key, _ in given} == dict(given)


def test_our_own_token_and_cookies_are_not_for_pods() -> None:
    passed = Passed(b"/", b"id", {}, hides_token=True, by_path=True)
    found = sent((b"authorization", b"Bearer ours"), (b"cookie", b"session=1"), passed=passed)
    assert not {b"authorization", b"cookie"} & found.keys()


def test_what_is_set_is_set_whatever_the_client_says() -> None:
    passed = Passed(b"/", b"id", {b"kserve-isvc-name": b"iris"})
    assert sent((b"kserve-isvc-name", b"other"), passed=passed)[b"kserve-isvc-name"] == b"iris"
    assert sent((b"x-forwarded-for", b"10.0.0.1"))[b"x-forwarded-for"] == b"127.0.0.1"


def test_headers_that_connection_names_stay_here() -> None:
    found = sent(
        (b"connection", b"X-Hop, close, Host, content-length"), (b"x-hop", b"1"), (b"content-length", b"2")
    )
    assert b"x-hop" not in found
    assert (found[b"host"], found[b"content-length"]) == (b"x", b"2")


def test_a_body_has_one_end() -> None:
    assert sent((b"transfer-encoding", b"chunked"))[b"transfer-encoding"] == b"chunked"
    found = sent((b"transfer-encoding", b"chunked"), (b"content-length", b"3"))
    assert b"content-length" not in found


@pytest.mark.parametrize(
    "codings", [[b"gzip, chunked"], [b"chunked", b"chunked"], [b"identity"], [b"xchunked"]]
)
def test_codings_that_others_may_read_otherwise(codings: list[bytes]) -> None:
    headers = [(b"transfer-encoding", each) for each in codings]
    head = Head(b"POST", b"/", "1.1", headers, b"x", "", False, False)
    assert not heads.is_understood(head)


def test_an_answer_on_our_own_name_has_no_rights_there() -> None:
    given = [
        (b"set-cookie", b"session=evil"),
        (b"clear-site-data", b'"*"'),
        (b"alt-svc", b'h2=":1"'),
        (b"content-security-policy", b"default-src *"),
        (b"access-control-allow-origin", b"*"),
        (b"content-type", b"text/html"),
        (b"connection", b"keep-alive"),
        (b"content-length", b"3"),
    ]
    by_path = heads.answer_bytes(200, b"", given, (), by_path=True, framing=b"content-length: 3\r\n")
    assert not any(each in by_path for each in (b"set-cookie", b"clear-site-data", b"alt-svc"))
    assert by_path.count(b"content-security-policy: sandbox ") == 1
    by_host = heads.answer_bytes(200, b"Fine", given, (), by_path=False, framing=b"")
    assert by_host.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert b"set-cookie: session=evil" in by_host
    for each in (by_path, by_host):
        assert b"access-control" not in each
        assert b"content-type: text/html\r\n" in each


def test_annotations() -> None:
    def of(**given: str) -> object:
        annotations = {f"sampan.dev/{key.replace('_', '-')}": value for key, value in given.items()}
        found = limits_of({"metadata": {"annotations": annotations}})
        return sorted(found.origins), found.most_bytes

    assert of() == ([], 0)
    assert of(cors_origins=" https://A.example/ ,http://b", max_request_size="1Ki") == (
        ["http://b", "https://a.example"],
        1024,
    )
    for bad in ({"cors_origins": "example.com"}, {"max_request_size": "big"}, {"max_request_size": "-1"}):
        with pytest.raises(LimitError, match=r"sampan\.dev/"):
            of(**bad)
