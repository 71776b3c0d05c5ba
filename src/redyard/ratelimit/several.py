"""Several limits in one round trip: a hit counts in all of them, or, when one refuses, in none."""

from typing import NamedTuple

from redyard.errors import InvalidValue, RedisAway
from redyard.ratelimit.limit import RateLimit
from redyard.ratelimit.terms import Decision


class Hit(NamedTuple):
    """A client's hit at one limit."""

    limit: RateLimit
    client: str
    cost: int = 1


async def hit_all(*hits: Hit) -> dict[RateLimit, Decision]:
    """Count a hit in each limit if all allow it, and return what each says: it is allowed when all are.

    A limit that is known to refuse answers alone. All limits are on one client of Redis, and no limit comes twice.
    """
    _check(hits)
    refused = {hit.limit: refusal for hit in hits if (refusal := hit.limit.held(hit.client, hit.cost))}
    if refused or not hits:
        return _told(refused)
    names = [hit.limit.key(hit.client) for hit in hits]
    words = [word for hit in hits for word in hit.limit.words(hit.cost)]
    ask = hits[0].limit.ask
    try:
        reply = await ask.run((*ask.head, b"%d" % len(hits), *names, b"hit", *words))
    except RedisAway:
        return _told(_without_redis(hits))
    answers = (reply[5 * number : 5 * number + 5] for number in range(len(hits)))
    found = zip(hits, answers, strict=True)
    return _told({hit.limit: hit.limit.read(said, hit.client, hit.cost) for hit, said in found})


def _told(decisions: dict[RateLimit, Decision]) -> dict[RateLimit, Decision]:
    return {limit: limit.told(decision) for limit, decision in decisions.items()}


def _check(hits: tuple[Hit, ...]) -> None:
    if len({hit.limit for hit in hits}) < len(hits):
        raise InvalidValue(value=[hit.limit.name for hit in hits], kind="choice of limits", example="each of them once")
    if len({id(hit.limit.redis) for hit in hits}) > 1:
        raise InvalidValue(value=[hit.limit.name for hit in hits], kind="choice of limits", example="all on one Redis")


def _without_redis(hits: tuple[Hit, ...]) -> dict[RateLimit, Decision]:
    for verb in ("peek", "hit"):
        said = {hit.limit: hit.limit.without_redis(verb, hit.client, hit.cost) for hit in hits}
        if not all(decision.allowed for decision in said.values()):
            break
    return said
