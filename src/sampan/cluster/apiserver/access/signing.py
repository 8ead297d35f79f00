"""JSON Web Tokens signed by a key of the home. The only module that knows joserfc, and it loads when first used.

A fifteenth of a second and 20 MB: a server whose pods ask for no token pays neither.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from sampan.lib.files import replace_bytes

ALGORITHM = "ES256"
_CURVE = "P-256"
_REMEMBERED = 1024
_LONGEST = 16 * 1024


class Signer:
    """`file` holds the private key, made when first needed; without one the key lives as long as this object."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._loaded: Any = None
        self._verified: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def sign(self, claims: dict[str, Any]) -> str:
        from joserfc import jwt  # noqa: PLC0415  the import budget

        header = {"alg": ALGORITHM, "kid": self._key().thumbprint()}
        return jwt.encode(header, claims, self._key(), algorithms=[ALGORITHM])

    def claims(self, token: str) -> dict[str, Any] | None:
        """Of a token that this key has signed, whatever they say; None for any other."""
        known = self._verified.get(token)
        if known is not None:
            self._verified.move_to_end(token)
            return known
        if len(token) > _LONGEST or token.count(".") != 2:
            return None
        claims = self._verify(token)
        if claims is not None:
            self._verified[token] = claims
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return claims

    def public_keys(self) -> dict[str, Any]:
        """As a JSON Web Key Set."""
        key = self._key()
        public = key.as_dict(private=False)
        return {"keys": [{**public, "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}]}

    def _verify(self, token: str) -> dict[str, Any] | None:
        from joserfc import jwt  # noqa: PLC0415  the import budget
        from joserfc.errors import JoseError  # noqa: PLC0415  the import budget

        try:
            # The algorithm is ours, never the token's choice.
            return dict(jwt.decode(token, self._key(), algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError, TypeError, KeyError):
            return None

    def _key(self) -> Any:
        if self._loaded is None:
            from joserfc.jwk import ECKey  # noqa: PLC0415  the import budget

            if self._file is None:
                self._loaded = ECKey.generate_key(_CURVE)
            else:
                if not self._file.exists():
                    pem = ECKey.generate_key(_CURVE).as_pem(private=True)
                    self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    replace_bytes(self._file, pem, 0o600)
                self._loaded = ECKey.import_key(self._file.read_bytes())
        return self._loaded
