"""How a notice leaves: over HTTP, signed, or as a mail. Loads httpx and smtplib, so it is loaded when it is needed."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from sampan.client.outgoing import Outgoing, OutgoingError, RefusedError
from sampan.client.protocol import Client
from sampan.components.pipelines.api import notice_texts
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.notice_texts import Notice
from sampan.components.pipelines.api.settings import MailSettings
from sampan.components.pipelines.api.signatures import SIGNATURE_HEADER, sign
from sampan.components.pipelines.engine.notifications.sending import Undelivered
from sampan.components.pipelines.engine.secret_texts import read_reference
from sampan.components.pipelines.store.notices import NotificationRow
from sampan.lib.clock import parse_rfc3339

_HTTP_SECONDS = 15.0
_MAIL_SECONDS = 30.0
_MAIL_THREADS = 4
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Channels:
    """For one event loop; `close` ends it. Errors name hosts, never whole URLs or secrets."""

    def __init__(self, client: Client, mail: MailSettings, *, allow_private: bool) -> None:
        self._client = client
        self._mail = mail
        self._http = Outgoing(allow_private=allow_private)
        # Their own threads: a mail server that hangs holds up mails only.
        self._mailers = ThreadPoolExecutor(_MAIL_THREADS, thread_name_prefix="mail")

    def close(self) -> None:
        self._http.close()
        self._mailers.shutdown(wait=False, cancel_futures=True)

    async def send(self, notification: NotificationRow, notice: Notice) -> None:
        """Returns when it has been taken. Raises Undelivered."""
        target = json.loads(notification.target)
        try:
            if notification.channel == "email":
                await self._send_mail(target["to"], notice)
            elif notification.channel == "slack":
                message = notice_texts.slack(notice, target.get("channel", ""))
                await self._post(notification, target, message, {"content-type": "application/json"})
            else:
                headers = {
                    "content-type": "application/cloudevents+json",
                    "idempotency-key": notice.notice_id,
                }
                await self._post(notification, target, notice_texts.cloud_event(notice), headers)
        except RefusedError as error:
            raise Undelivered(str(error), for_good=True) from error
        except OutgoingError as error:
            raise Undelivered(str(error), retry_after=error.retry_after) from error
        except PipelinesError as error:
            raise Undelivered(error.message) from error

    async def _post(
        self, notification: NotificationRow, target: Mapping[str, Any], message: Any, headers: dict[str, str]
    ) -> None:
        secrets = json.loads(notification.secrets)
        url = secrets.get("url") or await self._referred(notification, target["url_secret_ref"])
        body = json.dumps(message, ensure_ascii=False).encode()
        secret = secrets.get("secret", "")
        if not secret and "secret_ref" in target:
            secret = await self._referred(notification, target["secret_ref"])
        if secret:
            headers = headers | {SIGNATURE_HEADER: sign(secret, body)}
        await self._http.post(url.strip(), body, headers, _HTTP_SECONDS)

    async def _referred(self, notification: NotificationRow, reference: Mapping[str, str]) -> str:
        return (await read_reference(self._client, notification.namespace, reference)).strip()

    async def _send_mail(self, to: list[str], notice: Notice) -> None:
        mail = self._mail
        if not mail.host:
            raise Undelivered("no mail server is set in the table [mail] of settings.toml")
        password = mail.password
        if mail.password_secret:
            namespace, name, key = mail.password_secret.split("/")
            reference = {"name": name, "key": key}
            password = (await read_reference(self._client, namespace, reference)).strip()
        message = _mail(mail, to, notice)
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self._mailers, _hand_over, mail, password, message)
        try:
            async with asyncio.timeout(2 * _MAIL_SECONDS):
                await sending
        except TimeoutError as error:
            raise OutgoingError(f"the mail server {mail.host} did not take it in time") from error


def _mail(mail: MailSettings, to: list[str], notice: Notice) -> EmailMessage:
    subject, text = notice_texts.mail(notice)
    sender = mail.sender or f"sampan@{mail.host}"
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(parse_rfc3339(notice.time))
    # Of the notice: one that is sent twice is shown once.
    domain = sender.rpartition("@")[2] or "sampan"
    message["Message-ID"] = f"<{notice.notice_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _hand_over(mail: MailSettings, password: str, message: EmailMessage) -> None:
    """Blocks. Raises OutgoingError."""
    port = mail.port or _PORTS[mail.security]
    where = f"the mail server {mail.host}:{port}"
    if mail.security == "none" and mail.username and mail.host not in _LOOPBACK:
        raise RefusedError(f"{where} would be sent the password in the clear: set mail.security")
    context = ssl.create_default_context(cafile=mail.authority or None)
    try:
        if mail.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, port, timeout=_MAIL_SECONDS, context=context)
        else:
            server = smtplib.SMTP(mail.host, port, timeout=_MAIL_SECONDS)
        with server:
            if mail.security == "starttls":
                server.starttls(context=context)
            if mail.username:
                server.login(mail.username, password)
            refused = server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        raise OutgoingError(f"{where} refused every recipient") from error
    except smtplib.SMTPResponseException as error:
        raise OutgoingError(f"{where} answered {error.smtp_code}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise OutgoingError(f"{where} was not reached: {error}") from error
    if refused:
        raise RefusedError(f"{where} refused {', '.join(sorted(refused))}; the others have it")
