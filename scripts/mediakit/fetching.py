"""One public document from the web: no key, bounded, redirects only where they may lead."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from .contracts import ContractError

TIMEOUT = 20.0
MAX_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 5
_CHUNK = 65536


class Fetcher:
    """Reads documents for contracts.load: (url) -> (final URL, bytes).

    The first document may be redirected to another origin, since the user named it; later ones
    are named by that document and stay on their origin.
    """

    def __init__(self):
        self._first = True

    def __call__(self, url: str) -> tuple[str, bytes]:
        """Raises ContractError: `document_not_found`, `document_unreachable`, `document_too_large`, `reference_forbidden`."""
        import requests

        roams, self._first = self._first, False
        try:
            with requests.Session() as session:
                session.auth = lambda request: request  # keeps a ~/.netrc out
                return self._follow(session, url, roams)
        except (requests.RequestException, ValueError) as error:
            raise ContractError(
                "document_unreachable", f"{_host(url)} does not answer: {type(error).__name__}. Check the address."
            ) from None

    def _follow(self, session, url: str, roams: bool) -> tuple[str, bytes]:
        for _ in range(MAX_REDIRECTS):
            with session.get(url, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
                if not answer.is_redirect:
                    return url, _read(answer)
                target = urljoin(url, answer.headers["Location"])
            if not roams and urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise ContractError("reference_forbidden", "A $ref was redirected to another origin than its own.")
            url = target
        raise ContractError("document_unreachable", f"{_host(url)} redirects without end.")


def _read(answer) -> bytes:
    if answer.status_code >= 400:
        code = (
            "document_unreachable"
            if answer.status_code in (408, 429) or answer.status_code >= 500
            else "document_not_found"
        )
        raise ContractError(code, f"{_host(answer.url)} answers HTTP {answer.status_code}. Check the address.")
    content = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        content += chunk
        if len(content) > MAX_BYTES:
            raise ContractError("document_too_large", f"The document is larger than {MAX_BYTES // 2**20} MiB.")
    return bytes(content)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "The address"
    except ValueError:
        return "The address"
