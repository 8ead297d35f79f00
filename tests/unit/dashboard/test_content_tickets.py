"""Addresses on the content host."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sampan.dashboard.content import policies
from sampan.dashboard.content.tickets import Ticket, TicketError, Tickets, key_of
from sampan.ui.content import KINDS, Content
from sampan.web.guards import User

TICKET = Ticket(
    User("ann", ("team",), "7", {"scope": ("a", "b")}),
    Content("html", "/apis/v2beta1/artifacts/x:read", {"path": "é/ü.html"}, ("outputs", 2, "source")),
    "localhost:8080",
    1000,
)


def test_a_ticket_says_what_it_was_signed_for() -> None:
    tickets = Tickets(b"k" * 32)
    assert tickets.read(tickets.sign(TICKET), now=999) == TICKET


def test_it_expires() -> None:
    tickets = Tickets(b"k" * 32)
    with pytest.raises(TicketError, match="expired"):
        tickets.read(tickets.sign(TICKET), now=1000)


@pytest.mark.parametrize("text", ["", ".", "a.b", "x" * 20_000, "é.ü", "probe.gif", "../../etc/passwd"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(TicketError, match="none of this server's"):
        Tickets(b"k" * 32).read(text, now=0)


def test_nothing_of_it_can_be_changed_and_no_other_server_signs_it() -> None:
    tickets = Tickets(b"k" * 32)
    good = tickets.sign(TICKET)
    for at in range(0, len(good), 7):
        changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        with pytest.raises(TicketError):
            tickets.read(changed, now=0)
    with pytest.raises(TicketError):
        Tickets(b"o" * 32).read(good, now=0)


def test_the_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    key = key_of(tmp_path)
    assert len(key) == 32
    assert key_of(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "dashboard" / "content.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_whatever_it_is_it_has_no_origin_and_no_network(kind: str) -> None:
    policy = policies.policy(kind, "localhost:8080").split("; ")
    rules = {rule.partition(" ")[0]: rule.partition(" ")[2] for rule in policy}
    assert "allow-same-origin" not in rules["sandbox"]
    assert "top-navigation" not in rules["sandbox"]
    assert (
        rules["default-src"] == rules["connect-src"] == rules["frame-src"] == rules["form-action"] == "'none'"
    )
    assert rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "http://localhost:8080 https://localhost:8080"
    assert all("http" not in value for name, value in rules.items() if name != "frame-ancestors")
    assert ("script-src" in rules) == (kind == "html")
    assert ("allow-scripts" in rules["sandbox"]) == (kind == "html")


def test_a_host_is_a_host() -> None:
    assert "frame-ancestors" not in policies.policy("html", "x; script-src *")
    assert "frame-ancestors" not in policies.policy("html", "")
