"""The inputs that services have, and under which names; by whose account, without the key."""

from __future__ import annotations

import os
import time

from .schema import blake2b
from .table import Table
from .unusable import Unusable


class Uploads:
    """The inputs that one ledger knows of."""

    def __init__(self, table: Table):
        self._table = table

    def name_of(self, service: str, origin: str, account: str, identity: str, since: float) -> str | None:
        """The name under which a service has had an input since `since`, in seconds since the epoch."""
        found = self._table.rows(
            "SELECT reference FROM upload WHERE service = ? AND origin = ? AND account = ? AND identity = ? AND at > ?",
            service,
            origin,
            account,
            identity,
            since,
        )
        return found[0][0] if found and isinstance(found[0][0], str) else None

    def note(self, service: str, origin: str, account: str, identity: str, reference: str) -> None:
        """The service has the input with this identity (a hash of its bytes, say) under this name from now on."""
        with self._table.transaction():
            values = (service, origin, account, identity, reference, time.time())
            self._table.rows("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?)", *values)

    def forget(self, reference: str) -> None:
        """The service does not take this name any more."""
        with self._table.transaction():
            self._table.rows("DELETE FROM upload WHERE reference = ?", reference)


class Accounts:
    """Tells one key from another by a salted hash that leads back to none."""

    def __init__(self, table: Table):
        self._table = table

    def of(self, key: str | None) -> str:
        """The hash of a key; "" without a key."""
        if not key:
            return ""
        salt = self._salt()
        if salt is None and not self._table.is_read_only:
            with self._table.transaction():
                self._table.rows("INSERT OR IGNORE INTO setting VALUES ('salt', ?)", os.urandom(32).hex())
            salt = self._salt()
        return blake2b(key.encode(), key=salt or os.urandom(32)).hexdigest()[:32]

    def _salt(self) -> bytes | None:
        found = self._table.rows("SELECT value FROM setting WHERE name = 'salt'")
        try:
            salt = bytes.fromhex(found[0][0]) if found else None
        except (ValueError, TypeError):
            salt = b""
        if salt is not None and len(salt) != 32:
            raise Unusable("corrupt", f"{self._table.path} has lost what its accounts are told apart by")
        return salt
