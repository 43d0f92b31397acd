"""The old name of six rooms, until nobody uses it any more."""

from urllib.parse import urlsplit  # noqa: F401

from .addresses import (  # noqa: F401
    above,
    is_loopback,
    is_private_literal,
    is_private_peer,
    is_public_peer,
    origin_of,
    resolve_base_url,
    resolve_endpoint,
)
from .answers import Answer, Lost, StreamChunk, StreamEnded, StreamOpened, retry_after  # noqa: F401
from .exchange import Exchange  # noqa: F401
from .faults import is_final, reason  # noqa: F401
from .receiving import LARGEST_ANSWER, refuse_layers  # noqa: F401
from .sessions import watched_session, watching  # noqa: F401
from .wire import LONGEST_CONNECT, Wire, answer_of, ask  # noqa: F401
