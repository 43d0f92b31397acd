"""How much a service bears of one account, by what is known of the account.

of    the limits of this user's account at a service
TIER  the setting in which a user says which tier that is: modellix=100,runway=5
"""

from __future__ import annotations

import os

from ..base import errors
from .provider import Provider

TIER = "AI_MEDIA_TIER"


def of(provider: Provider) -> dict:
    """`{requests_per_minute, jobs_at_once}` as far as the service says them: of the tier that the user has named, else
    of every account. Raises Failure 2 for a tier that the descriptor does not have."""
    usual = {name: value for name, value in provider.limits.items() if name != "tiers"}
    tiers, tier = provider.limits.get("tiers", {}), _tiers().get(provider.name)
    if tier is None:
        return usual
    if tier not in tiers:
        known = (
            ", ".join(f"{provider.name}={name}" for name in tiers) or f"without {provider.name}: it tells of no tiers"
        )
        raise errors.bad_argument(TIER, f"expected {known}")
    return {**usual, **tiers[tier]}


def _tiers() -> dict[str, str]:
    """Service -> tier; from the environment, else from the user's own store, never from a working directory."""
    from . import keys

    text = os.environ.get(TIER) or keys.stored(TIER) or ""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and tier.strip() for name, _, tier in pairs):
        raise errors.bad_argument(TIER, "expected SERVICE=TIER, several with commas between")
    return {name.strip(): tier.strip() for name, _, tier in pairs}
