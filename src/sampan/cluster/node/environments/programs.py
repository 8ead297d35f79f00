"""Small programs that stand for what an image holds beside a shell. Called by the facade for system images.

Written for the purpose, to behave as those of the images do: `argosay` speaks, reads, sleeps and fails on demand, in
the tests and examples of Argo Workflows; `cowsay` draws; `http-echo` answers every request with one text.

Source of argosay's subcommands: argo-workflows 3.7 test/e2e/images/argosay/v2.
"""

from __future__ import annotations

import os
from pathlib import Path

_ARGOSAY = r"""#!/bin/sh
case "${1:-}" in
  assert_contains)
    grep -qF -- "$3" "$2" || { echo "\"$2\" does not contain \"$3\"" >&2; exit 1; } ;;
  cat) shift; exec cat -- "$@" ;;
  echo)
    if [ $# -gt 2 ]; then mkdir -p "$(dirname "$3")" && printf %s "$2" > "$3"; else printf '%s\n' "${2:-}"; fi ;;
  exit) exit "${2:-0}" ;;
  sleep) exec sleep "${2%s}" ;;
  '') echo "hello argo!" ;;
  *) echo "usage: argosay [assert_contains FILE TEXT | cat FILE... | echo TEXT [FILE] | exit CODE | sleep TIME]" >&2
     exit 1 ;;
esac
"""
_COWSAY = r"""#!/bin/sh
text="${*:-$(cat)}"
line=$(printf '%s' "$text" | tr '\n' ' ')
bar=$(printf '%s' "--$line" | sed 's/./-/g')
printf ' %s\n< %s >\n %s\n' "$bar" "$line" "$bar"
cat <<'COW'
    \
     \   ^__^
      \  (oo)\_______
         (__)\       )
             ||----||
COW
"""
_HTTP_ECHO = r"""#!/usr/bin/env python3
import http.server, sys

options = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
host, _, port = options.get("listen", ":5678").rpartition(":")
text = options.get("text", "").strip('"').encode() + b"\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(options.get("status-code", "200")))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""
PROGRAMS = {"http-echo": _HTTP_ECHO, "argosay": _ARGOSAY, "cowsay": _COWSAY}


def program_folder(root: Path, name: str) -> Path:
    """The folder for the front of PATH that holds the program, written if it is not as it should be. OSError."""
    folder = root / name
    file = folder / name
    wanted = PROGRAMS[name].encode()
    if file.is_file() and file.read_bytes() == wanted:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed when it is whole: a container may start it meanwhile.
    new = folder / f".{name}.{os.getpid()}"
    new.write_bytes(wanted)
    new.chmod(0o755)
    new.rename(file)
    return folder
