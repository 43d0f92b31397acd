"""The ledger: intent before the POST, outcome after, delivered at the end.

A SQLite file in the state folder (WAL, every commit synchronous), for several processes at once.
It knows neither HTTP nor services, and holds no key.

    Ledger    one open ledger
    Order     what somebody wants to buy
    Entry     one job in it
    Decision  what a claim came to: buy, resume, wait, or unknown
    Unusable  it cannot be trusted or written

The outcome of a job:

    planned   claimed; no byte of the POST has left
    sending   the first byte is about to leave
    not_sent, rejected, accepted, unknown   as codes.OUTCOMES

Whoever claimed a job holds a lock on a file of its own for as long as the process lives; the system
drops it with the process, however that ends. `planned` without such an owner was not sent, `sending`
without one is unknown. No clock and no process id takes part in that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import sys
import threading
import time
from collections import namedtuple
from contextlib import contextmanager
from decimal import Decimal

from ..base import amounts, errors, paths

FILE = paths.LEDGER
LOCK_PATIENCE = 15.0
# Newest first, the estimate of a model's price looks at so many of its jobs.
PAST_JOBS = 20

_KEY = re.compile(r"job_[0-9a-f]{16}")
_NETWORK_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "ceph",
        "lustre",
        "beegfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
    ]
)

# Each script leads from the version of its index to the next; they are only ever appended.
_MIGRATIONS = (
    """
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE job (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        purchase TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        request TEXT NOT NULL,
        service TEXT NOT NULL,
        origin TEXT NOT NULL,
        practice INTEGER NOT NULL,
        account TEXT NOT NULL,
        model TEXT,
        base_url TEXT,
        output_dir TEXT,
        intent TEXT,
        copy INTEGER NOT NULL,
        command TEXT NOT NULL,
        payload TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        outcome TEXT NOT NULL,
        generation_id TEXT,
        accepted_at REAL,
        status TEXT,
        state TEXT,
        reserved INTEGER,
        reserved_unit TEXT,
        reserved_by TEXT,
        cost INTEGER,
        cost_unit TEXT,
        usage TEXT,
        paths TEXT,
        exit_code INTEGER,
        delivered_at REAL,
        closed TEXT
    );
    CREATE INDEX job_fingerprint ON job (fingerprint);
    CREATE INDEX job_request ON job (request);
    CREATE INDEX job_model ON job (service, model);
    CREATE UNIQUE INDEX job_id ON job (service, account, generation_id) WHERE generation_id IS NOT NULL;
    CREATE TABLE change (key TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL);
    CREATE INDEX change_key ON change (key);
    """,
    # What is sent beside the payload, and whose contract an embedded service spoke.
    """
    ALTER TABLE job ADD COLUMN sent_with TEXT;
    ALTER TABLE job ADD COLUMN speaks TEXT;
    """,
    # What was saved, to know it again; and the inputs that a service has, and under which name.
    """
    ALTER TABLE job ADD COLUMN assets TEXT;
    CREATE TABLE upload (
        service TEXT NOT NULL, origin TEXT NOT NULL, account TEXT NOT NULL, identity TEXT NOT NULL,
        reference TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (service, origin, account, identity)
    );
    """,
)

# service     the provider's name         origin   where it is, or the embedded one
# practice    nothing real is bought      account  a salted hash of the key, "" without one
# request     digest of what is asked for, fingerprint the same with intent and copy
# payload     as JSON text; None where it is not to be kept
# price       amounts.Price, or None for an unknown one
# sent_with   what is sent beside the payload, as JSON text: the idempotency key, the service's own guard
# speaks      the contract that an embedded service has
Order = namedtuple(
    "Order",
    "fingerprint request service origin practice account model base_url output_dir intent copy command payload "
    "price sent_with speaks",
    defaults=(None, None),
)
Entry = namedtuple(
    "Entry",
    "seq key purchase fingerprint request service origin practice account model base_url output_dir intent copy "
    "command payload created_at updated_at outcome generation_id accepted_at status state reserved reserved_unit "
    "reserved_by cost cost_unit usage paths exit_code delivered_at closed sent_with speaks assets",
)
# word is "buy", "resume", "wait" (its owner is alive and has no id yet) or "unknown"
Decision = namedtuple("Decision", "word entry")

# Of several open jobs of one order, a command goes on with the first of these.
_PREFERENCE = {"resume": 0, "wait": 1, "unknown": 2}
_COLUMNS = ", ".join(Entry._fields)
# A job that may have cost something: everything that is not proven to be free.
_MAY_COST = "outcome IN ('sending', 'accepted', 'unknown', 'planned')"
_OPEN = f"delivered_at IS NULL AND closed IS NULL AND {_MAY_COST}"


class Unusable(Exception):
    """The ledger cannot be used. `kind`: absent, foreign, corrupt, network, newer, full, busy."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


class Ledger:
    """One ledger; raises Unusable.

    folder       an existing folder that can be written
    names_hosts  whether addresses in it are the user's own: not where the folder lies in a working
                 directory, which can come from anybody
    """

    def __init__(self, folder: str, names_hosts: bool = True):
        self.names_hosts = names_hosts
        self.path = os.path.join(folder, FILE)
        self._owners = os.path.join(folder, "owners")
        self._lock = threading.RLock()
        self._held: dict[str, int] = {}
        if is_on_network(folder):
            raise Unusable("network", f"{folder} is on a network file system, where locks cannot be relied on")
        with _translated(self.path):
            os.makedirs(self._owners, mode=0o700, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(
                self.path, timeout=LOCK_PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._migrate()
            self._database.execute("PRAGMA synchronous=FULL")

    def _migrate(self) -> None:
        if self._version() < len(_MIGRATIONS):
            # Changing the ledger mode fails at once where another process does it too: one at a time.
            with _locked_file(os.path.join(self._owners, "schema.lock")):
                if self._version() == 0:
                    self._database.execute("PRAGMA journal_mode=WAL")
                for script in _MIGRATIONS[self._version() :]:
                    self._database.executescript(
                        f"BEGIN IMMEDIATE; {script} PRAGMA user_version={self._version() + 1}; COMMIT;"
                    )
        if self._version() > len(_MIGRATIONS):
            raise Unusable("newer", f"{self.path} was written by a newer version of this program")

    def _version(self) -> int:
        return self._database.execute("PRAGMA user_version").fetchone()[0]

    @contextmanager
    def _transaction(self):
        with self._lock, _translated(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *values) -> list:
        with self._lock, _translated(self.path):
            return self._database.execute(query, values).fetchall()

    def _entries(self, condition: str, *values) -> list[Entry]:
        return [Entry(*row) for row in self._rows(f"SELECT {_COLUMNS} FROM job WHERE {condition}", *values)]

    # -- who is at it ------------------------------------------------------------------------------

    def _owner_file(self, key: str) -> str:
        return os.path.join(self._owners, f"{key}.lock")

    def _hold(self, key: str) -> None:
        handle = os.open(self._owner_file(key), os.O_CREAT | os.O_RDWR, 0o600)
        _lock(handle, exclusive=True)
        self._held[key] = handle

    def release(self, key: str) -> None:
        """This process is done with a job."""
        handle = self._held.pop(key, None)
        if handle is not None:
            os.close(handle)
            _remove(self._owner_file(key))

    def has_owner(self, entry: Entry) -> bool:
        """Whether the process that claimed the job is alive and at it, this one included."""
        if entry.key in self._held:
            return True
        try:
            handle = os.open(self._owner_file(entry.key), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            if not _lock(handle, exclusive=False):
                return True
        finally:
            os.close(handle)
        _remove(self._owner_file(entry.key))
        return False

    def outcome_of(self, entry: Entry) -> str:
        """A word of codes.OUTCOMES, or `under_way` while its owner has no answer."""
        if entry.outcome == "accepted" and entry.generation_id is None and entry.delivered_at is None:
            return "unknown"
        if entry.outcome not in ("planned", "sending", "unknown"):
            return entry.outcome
        if self.has_owner(entry):
            return "under_way"
        return "not_sent" if entry.outcome == "planned" else "unknown"

    # -- claiming ----------------------------------------------------------------------------------

    def claim(
        self,
        orders: list[Order],
        caps: list[amounts.Cap],
        *,
        began_at: float = float("inf"),
        allow_duplicate: bool = False,
        retry_unknown: bool = False,
        accept_unknown_cost: bool = False,
    ) -> list[Decision]:
        """Decide about every order of one command, and write the intents of those to buy, durably.

        One transaction: two commands never both buy what one of them should resume, and no cap is
        overdrawn by two at once. A job that was delivered after this command began (`began_at`,
        seconds since the epoch) is its own: nobody who asked could know that it was there.
        While a part is being bought by another process, only the decisions to wait come back, and
        nothing is written. Raises Failure 27 where a cap refuses; then nothing is written either.
        """
        keys = [f"job_{os.urandom(8).hex()}" for _ in orders]
        with _translated(self.path):
            for key in keys:
                self._hold(key)
        purchase = keys[0]
        try:
            with self._transaction() as database:
                known = [None] * len(orders)
                if not allow_duplicate:
                    known = self._known(orders, began_at, retry_unknown)
                waiting = [found for found in known if found and found.word == "wait"]
                to_buy = [order for order, found in zip(orders, known) if found is None and not waiting]
                if to_buy:
                    self._release_reservations()
                    self._check_caps(to_buy, caps, accept_unknown_cost)
                    purchase = next((found.entry.purchase for found in known if found), purchase)
                decisions = []
                for order, key, found in zip(orders, keys, known):
                    if found is None and not waiting:
                        self._insert(database, order, key, purchase)
                        found = Decision("buy", self._entries("key = ?", key)[0])
                    decisions.append(found)
                decisions = waiting or decisions
        except BaseException:
            for key in keys:
                self.release(key)
            raise
        claimed = {decision.entry.key for decision in decisions}
        for key in keys:
            if key not in claimed:
                self.release(key)
        return decisions

    def _known(self, orders: list[Order], began_at: float, retry_unknown: bool) -> list[Decision | None]:
        """For each order the job that it means already, if any."""
        purchases: set[str] = set()
        found = [self._open_job(order, began_at, retry_unknown, purchases) for order in orders]
        # What one command bought together is delivered together: while a part of it is open, a part
        # that has been delivered is not bought again.
        for index, order in enumerate(orders):
            if found[index] is None and purchases:
                delivered = self._entries(
                    "fingerprint = ? AND delivered_at IS NOT NULL AND closed IS NULL ORDER BY seq DESC LIMIT 1",
                    order.fingerprint,
                )
                if delivered and delivered[0].purchase in purchases and delivered[0].generation_id:
                    found[index] = Decision("resume", delivered[0])
        return found

    def _open_job(self, order: Order, began_at: float, retry_unknown: bool, purchases: set) -> Decision | None:
        """The open job of an order that a command is to go on with; adds the purchases that have open jobs."""
        decisions = []
        for entry in self._entries(
            f"fingerprint = ? AND (({_OPEN}) OR (delivered_at > ? AND closed IS NULL)) ORDER BY seq DESC",
            order.fingerprint,
            began_at,
        ):
            purchases.add(entry.purchase)
            outcome = self.outcome_of(entry)
            if outcome == "not_sent":
                self._set(entry.key, "found not sent", outcome="not_sent")
            elif outcome == "unknown" and retry_unknown:
                self._set(entry.key, "replaced by --retry-unknown", closed="replaced", outcome="unknown")
            else:
                word = {"accepted": "resume", "under_way": "wait"}.get(outcome, "unknown")
                decisions.append(Decision(word, entry))
        return min(decisions, key=lambda decision: _PREFERENCE[decision.word], default=None)

    def _insert(self, database, order: Order, key: str, purchase: str) -> None:
        now = time.time()
        price = order.price
        row = {
            **{name: value for name, value in order._asdict().items() if name != "price"},
            "key": key,
            "purchase": purchase,
            "created_at": now,
            "updated_at": now,
            "outcome": "planned",
            "reserved": price.amount.micro if price else None,
            "reserved_unit": price.amount.unit if price else None,
            "reserved_by": price.source if price else None,
        }
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO job ({names}) VALUES ({marks})", tuple(row.values()))
        self._note(key, "planned")

    # -- caps --------------------------------------------------------------------------------------

    def _release_reservations(self) -> None:
        """What was reserved by commands that ended before their create is free again."""
        for entry in self._entries("outcome = 'planned'"):
            if not self.has_owner(entry):
                self._set(entry.key, "found not sent", outcome="not_sent")

    def _check_caps(self, orders: list[Order], caps: list[amounts.Cap], accept_unknown_cost: bool) -> None:
        for cap in caps:
            unit = cap.amount.unit
            prices = [order.price.amount.micro if order.price and order.price.amount.unit == unit else None
                      for order in orders]  # fmt: skip
            if None in prices and not accept_unknown_cost:
                raise _cap_refused(
                    "unknown_cost",
                    f"{cap.name} is {cap.amount}, and what this costs in {unit} is not known beforehand",
                    "Add --accept-unknown-cost to buy it all the same.",
                )
            wanted = sum(price or 0 for price in prices)
            spent = self.spent(unit, orders[0].practice, cap.window)
            if cap.window == 0:
                wanted, spent = max(price or 0 for price in prices), 0
            if spent + wanted > cap.amount.micro or (not wanted and spent >= cap.amount.micro):
                raise _cap_refused(
                    "spend_cap",
                    f"{cap.name} allows {cap.amount}; {amounts.Amount(spent, unit)} are spent or reserved, and this "
                    f"would take {amounts.Amount(wanted, unit)}",
                    "See what was spent with jobs.py spend.",
                )

    def spent(self, unit: str, practice: bool, window: float | None = None) -> int:
        """Millionths of `unit` that were spent or are reserved, in the last `window` seconds or in all.

        What was measured counts as measured; what is not known to be free counts as reserved.
        """
        since = time.time() - window if window is not None else -1e18
        return self._rows(
            f"""SELECT COALESCE(SUM(CASE WHEN cost_unit = ?1 THEN cost WHEN reserved_unit = ?1 THEN reserved END), 0)
                FROM job WHERE practice = ?2 AND created_at > ?3 AND {_MAY_COST}""",
            unit,
            int(practice),
            since,
        )[0][0]

    def estimate(self, service: str, model: str | None, count_field: str = "n", count=None) -> amounts.Price | None:
        """The most that one of this model's latest jobs has cost, said to be an estimate; None without any.

        count  how many results are asked for in `count_field`; a job of which that is not known counts as one result
        """
        rows = self._rows(
            "SELECT cost, cost_unit, payload FROM job WHERE service = ? AND model IS ? AND cost > 0 "
            "ORDER BY seq DESC LIMIT ?",
            service,
            model,
            PAST_JOBS,
        )
        if not rows:
            return None
        unit = rows[0][1]
        past = [amounts.Amount(cost, unit) for cost, its, _ in rows if its == unit]
        if _is_count(count):
            counts = [
                (json.loads(payload) if payload else {}).get(count_field) for _, its, payload in rows if its == unit
            ]
            past = [amount.times(Decimal(count) / (its if _is_count(its) else 1)) for amount, its in zip(past, counts)]
        return amounts.Price(max(past), "estimate")

    # -- what became of it -------------------------------------------------------------------------

    def _note(self, key: str, what: str) -> None:
        self._database.execute("INSERT INTO change VALUES (?, ?, ?)", (key, time.time(), what))

    def _set(self, key: str, what: str, **columns) -> None:
        names = ", ".join(f"{name} = ?" for name in (*columns, "updated_at"))
        self._database.execute(f"UPDATE job SET {names} WHERE key = ?", (*columns.values(), time.time(), key))
        self._note(key, what)

    def record(self, key: str, what: str, **columns) -> None:
        """Set columns of a job, durably; `what` says in a few words what happened."""
        with self._transaction():
            self._set(key, what, **columns)

    def note_outcome(self, key: str, outcome: str) -> bool:
        """An outcome as far as it is known without an id; False where the job was accepted meanwhile, which stands."""
        with self._transaction():
            if self._entries("key = ? AND outcome = 'accepted'", key):
                return False
            self._set(key, outcome, outcome=outcome)
            return True

    def accepted(self, key: str, generation_id: str, source: str) -> bool:
        """The id of a job; False where another job in the ledger has it already.

        source  "answer", or how else it was found
        """
        try:
            self.record(
                key, f"accepted, by {source}", outcome="accepted", generation_id=generation_id, accepted_at=time.time()
            )
            return True
        except sqlite3.IntegrityError:
            if source == "answer":  # the service gave one id twice: that is one job, and it is the other entry's
                self.record(key, "accepted under an id that another entry has", outcome="accepted", closed="same_id")
            return False

    # -- looking -----------------------------------------------------------------------------------

    def find(self, word: str, service: str | None = None) -> Entry | None:
        """A job by its key, else the newest one with that id; of one service where it is named."""
        of = "service = COALESCE(?, service)"
        found = self._entries(f"key = ? AND {of}", word, service) if _KEY.fullmatch(word) else []
        # A service's own ids may look like our keys.
        found = found or self._entries(f"generation_id = ? AND {of} ORDER BY seq DESC LIMIT 1", word, service)
        return found[0] if found else None

    def newest(self, limit: int, **equal) -> list[Entry]:
        """The newest jobs whose columns have these values, but for forgotten ones."""
        conditions = [f"{name} = ?" for name in equal]
        where = " AND ".join(["COALESCE(closed, '') <> 'forgotten'", *conditions])
        return self._entries(f"{where} ORDER BY seq DESC LIMIT ?", *equal.values(), limit)

    def count(self, **equal) -> int:
        """How many jobs `newest` could tell of."""
        where = " AND ".join(["COALESCE(closed, '') <> 'forgotten'", *(f"{name} = ?" for name in equal)])
        return self._rows(f"SELECT COUNT(*) FROM job WHERE {where}", *equal.values())[0][0]

    def open_jobs(self) -> list[Entry]:
        """Every job that is neither delivered nor settled, oldest first."""
        return self._entries(f"{_OPEN} ORDER BY seq")

    def changes(self, key: str) -> list[tuple[float, str]]:
        return self._rows("SELECT at, what FROM change WHERE key = ? ORDER BY at, rowid", key)

    def unclaimed(self, service: str, ids: list[str]) -> list[str]:
        """Those ids that no job in the ledger has."""
        return [
            found
            for found in ids
            if not self._rows("SELECT 1 FROM job WHERE service = ? AND generation_id = ?", service, found)
        ]

    def has_rival(self, entry: Entry) -> bool:
        """Whether a living process is buying the same at this moment, and has no id yet."""
        rivals = self._entries(
            f"request = ? AND key <> ? AND {_OPEN} AND outcome <> 'accepted'", entry.request, entry.key
        )
        return any(self.has_owner(rival) for rival in rivals)

    def totals(self) -> list[tuple]:
        """`(day, service, model, practice, unit, jobs, measured, estimated, unknown)`, newest day first, UTC.

        measured and estimated are millionths of the unit; unknown counts jobs without any amount.
        """
        with self._transaction():
            self._release_reservations()
        return self._rows(
            f"""SELECT date(created_at, 'unixepoch') AS day, service, model, practice,
                       COALESCE(cost_unit, reserved_unit) AS unit, COUNT(*),
                       COALESCE(SUM(cost), 0),
                       COALESCE(SUM(CASE WHEN cost IS NULL THEN reserved END), 0),
                       SUM(cost IS NULL AND reserved IS NULL)
                FROM job WHERE {_MAY_COST}
                GROUP BY day, service, model, practice, unit ORDER BY day DESC, service, model"""
        )

    def forget(self, key: str) -> None:
        """Take out what was asked for and where it went; what it cost stays counted."""
        with self._transaction() as database:
            database.execute("DELETE FROM change WHERE key = ?", (key,))
            self._set(
                key,
                "forgotten",
                payload=None,
                output_dir=None,
                paths=None,
                assets=None,
                command="",
                intent=None,
                closed="forgotten",
            )

    def settled_before(self, moment: float) -> list[Entry]:
        """Jobs from before `moment` that nothing is left to do for."""
        return self._entries(f"created_at < ? AND NOT ({_OPEN}) AND COALESCE(closed, '') <> 'forgotten'", moment)

    # -- inputs ------------------------------------------------------------------------------------

    def uploaded(self, service: str, origin: str, account: str, identity: str, since: float) -> str | None:
        """The name under which a service has had an input since `since`, in seconds since the epoch."""
        rows = self._rows(
            "SELECT reference FROM upload WHERE service = ? AND origin = ? AND account = ? AND identity = ? AND at > ?",
            service,
            origin,
            account,
            identity,
            since,
        )
        return rows[0][0] if rows else None

    def note_upload(self, service: str, origin: str, account: str, identity: str, reference: str) -> None:
        """The service has the input with this identity (a hash of its bytes, say) under this name from now on."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?)",
                (service, origin, account, identity, reference, time.time()),
            )

    def forget_upload(self, reference: str) -> None:
        """The service does not take this name any more."""
        with self._transaction() as database:
            database.execute("DELETE FROM upload WHERE reference = ?", (reference,))

    def account(self, key: str | None) -> str:
        """A salted hash that tells one key from another and leads back to none; "" without a key."""
        if not key:
            return ""
        salt = self._rows("SELECT value FROM setting WHERE name = 'salt'")
        if not salt:
            with self._transaction() as database:
                database.execute("INSERT OR IGNORE INTO setting VALUES ('salt', ?)", (os.urandom(32).hex(),))
            salt = self._rows("SELECT value FROM setting WHERE name = 'salt'")
        return hashlib.blake2b(key.encode(), key=bytes.fromhex(salt[0][0])).hexdigest()[:32]


def _is_count(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _cap_refused(code: str, message: str, guidance: str) -> errors.Failure:
    return errors.Failure(code, message, "guard", outcome="not_sent", retryable=False, guidance=[guidance])


# -- what can be wrong with the file -----------------------------------------------------------------

# A part of SQLite's own message -> kind of Unusable; the first that fits.
_PROBLEMS = (
    ("locked", "busy"),
    ("full", "full"),
    ("disk i/o", "full"),
    ("readonly", "absent"),
    ("unable to open", "absent"),
    ("not a database", "corrupt"),
    ("malformed", "corrupt"),
    ("no such table", "corrupt"),
    ("no such column", "corrupt"),
)


@contextmanager
def _translated(path: str):
    """SQLite's and the system's errors as Unusable."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as problem:
        words = str(problem).lower()
        kind = next((kind for part, kind in _PROBLEMS if part in words), "corrupt")
        raise Unusable(kind, f"{path}: {problem}") from problem
    except OSError as problem:
        import errno

        full = problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Unusable("full" if full else "absent", f"{path}: {problem.strerror}") from problem


def is_on_network(folder: str) -> bool:
    """Whether a folder is on a file system that other machines share; False where that cannot be told."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(os.path.abspath(folder))[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == 4
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return file_system_of(os.path.realpath(folder), file.read()) in _NETWORK_FILE_SYSTEMS
    except OSError:
        return False


def file_system_of(folder: str, mountinfo: str) -> str:
    """The type of the file system that holds an absolute path, as proc(5) lists the mounts; "" for none."""
    best, found = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        # A later mount over the same point hides the earlier one.
        if len(point) >= best and (folder == point or folder.startswith(point.rstrip("/") + "/")):
            best, found = len(point), right.split()[0]
    return found


# -- file locks that end with the process -------------------------------------------------------------


def _lock(handle: int, exclusive: bool, wait: bool = False) -> bool:
    """Lock a whole file for as long as it is open; whether it could be done."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        return True
    except (BlockingIOError, PermissionError):
        return False


@contextmanager
def _locked_file(path: str):
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        _lock(handle, exclusive=True, wait=True)
        yield
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # gone already, or (on Windows) being looked at: an empty file that means nothing


def as_json(value) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=True)
