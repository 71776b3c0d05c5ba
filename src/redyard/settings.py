"""Every setting that Redyard reads from the environment: one typed table, read in one place.

The environment comes in as a parameter, so that nothing else looks at it. Each field says its unit, default and reason;
the reference page and the tests read the same fields.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, NamedTuple, Self, cast

import msgspec
from msgspec import Meta, Struct, field, inspect

from redyard.errors import InvalidSetting

SECRET = {"secret": True}
"""Marks a setting whose value no message may show."""


class Settings(Struct, frozen=True, kw_only=True):
    """What the environment says; an absent or empty variable has its default."""

    home: Annotated[str, Meta(description="The yard's directory. Default: the project's `.redyard`.")] = field(
        name="REDYARD_HOME", default=""
    )
    engine: Annotated[
        str,
        Meta(
            description="The engine's program. Default: the embedded Valkey, then `valkey-server`, then "
            "`redis-server` of the PATH."
        ),
    ] = field(name="REDYARD_ENGINE", default="")
    ports: Annotated[
        str,
        Meta(
            description="The ports for instances, FIRST-LAST. Default 17000-17999: below 32768, so that the system "
            "gives none of them to an outgoing connection, and port + 10000 (a cluster's bus) is free as well.",
            pattern=r"^\d{4,5}-\d{4,5}$",
        ),
    ] = field(name="REDYARD_PORTS", default="17000-17999")
    runtime: Annotated[
        str,
        Meta(description="The directory for sockets. Default `/tmp/redyard-UID`: short, as a socket's path must be."),
    ] = field(name="REDYARD_RUNTIME", default="")
    backups: Annotated[
        str,
        Meta(
            description="Where the yard keeps the backups of its stores: a directory, or the URL of an object store "
            "such as `s3://BUCKET/PATH` (extra `backups`); `off` for none. Default: the yard's own directory, which "
            "does not survive this machine."
        ),
    ] = field(name="REDYARD_BACKUPS", default="")
    backups_recipient: Annotated[
        str, Meta(description="The public key of age (`age1...`) that backups are encrypted for. Default: in plain.")
    ] = field(name="REDYARD_BACKUPS_RECIPIENT", default="")
    backups_identity: Annotated[
        str, Meta(description="The file with age's secret key, where encrypted backups are restored or proved.")
    ] = field(name="REDYARD_BACKUPS_IDENTITY", default="")
    backups_every: Annotated[
        str, Meta(description="How often all keys are read of a server that lets nobody follow it, such as `15m`.")
    ] = field(name="REDYARD_BACKUPS_EVERY", default="1h")
    alerts: Annotated[
        str,
        Meta(
            description="Where alerts go: URLs of Apprise, with spaces between them, such as `slack://...` `mailto://...`.",
            extra=SECRET,
        ),
    ] = field(name="REDYARD_ALERTS", default="")
    traceback: Annotated[
        str, Meta(description="Set to anything, a command shows the traceback of a fault of ours. Default: one line.")
    ] = field(name="REDYARD_TRACEBACK", default="")
    app_env: Annotated[
        str,
        Meta(
            description="`production`, or any other word for what is not. Default: what the platform calls the "
            "environment (RAILWAY_ENVIRONMENT_NAME). In production logs are lines of JSON."
        ),
    ] = field(name="APP_ENV", default="")
    redis_url: Annotated[
        str,
        Meta(
            description="The store: sessions, jobs, limits. `redis://USER:PASSWORD@HOST:PORT/DB`.",
            extra=SECRET,
        ),
    ] = field(name="REDIS_URL", default="")
    redis_url_file: Annotated[
        str,
        Meta(
            description="A file that holds the address: a secret that is mounted, or what `redyard run` names. It is "
            "read again when it changes, so that a new password needs no restart. REDIS_URL counts before it only "
            "where it differs in more than the password."
        ),
    ] = field(name="REDIS_URL_FILE", default="")
    redis_cache_url_file: Annotated[str, Meta(description="The same for REDIS_CACHE_URL.")] = field(
        name="REDIS_CACHE_URL_FILE", default=""
    )
    redis_private_url: Annotated[
        str, Meta(description="Counts where REDIS_URL is not set (Railway's old name for it).", extra=SECRET)
    ] = field(name="REDIS_PRIVATE_URL", default="")
    redis_cache_url: Annotated[
        str, Meta(description="The cache, which may forget. Default: the store's URL.", extra=SECRET)
    ] = field(name="REDIS_CACHE_URL", default="")
    redis_ca_file: Annotated[
        str, Meta(description="The authority's certificate for `rediss://`, a PEM file. Default: the system's.")
    ] = field(name="REDIS_CA_FILE", default="")
    redis_cert_file: Annotated[
        str,
        Meta(description="The certificate that this app shows, a PEM file, where the server asks for one."),
    ] = field(name="REDIS_CERT_FILE", default="")
    redis_key_file: Annotated[str, Meta(description="The key of REDIS_CERT_FILE. Default: it is in the same file.")] = (
        field(name="REDIS_KEY_FILE", default="")
    )
    redis_host: Annotated[str, Meta(description="Host, where there is no REDIS_URL (Railway's spelling).")] = field(
        name="REDISHOST", default=""
    )
    redis_port: Annotated[int, Meta(description="Port beside REDISHOST. Default 6379.", ge=1, le=65535)] = field(
        name="REDISPORT", default=6379
    )
    redis_user: Annotated[str, Meta(description="User beside REDISHOST. Default `default`.")] = field(
        name="REDISUSER", default="default"
    )
    redis_password: Annotated[str, Meta(description="Password beside REDISHOST.", extra=SECRET)] = field(
        name="REDISPASSWORD", default=""
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the table's variables from an environment, or raise InvalidSetting for the first that cannot be used."""
        given = {name: value for name, value in environ.items() if value}
        if broken := {name for name, value in given.items() if _is_broken(value)}:
            _refuse(broken)
        try:
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise _explain(given, error) from None


class Row(NamedTuple):
    """A setting as the reference page shows it."""

    variable: str
    default: object
    meaning: str
    secret: bool


def table() -> list[Row]:
    """Return every setting in the order of its definition."""
    rows = []
    for item in cast("inspect.StructType", inspect.type_info(Settings)).fields:
        kind = cast("inspect.Metadata", item.type)
        meta = kind.extra_json_schema or {}
        extra = kind.extra or {}
        rows.append(Row(item.encode_name, item.default, meta.get("description", ""), bool(extra.get("secret"))))
    return rows


def _is_broken(text: str) -> bool:
    """Say whether bytes that are no UTF-8 came from the system."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _refuse(broken: Collection[str]) -> None:
    """Raise InvalidSetting for the first of these variables that is a setting."""
    for row in table():
        if row.variable in broken:
            expected = row.meaning.removesuffix(".")
            raise InvalidSetting(name=row.variable, value="...", reason="it is no text", expected=expected)


def _explain(given: Mapping[str, str], error: msgspec.ValidationError) -> InvalidSetting:
    reason, _, where = str(error).partition(" - at `$.")
    name = where.removesuffix("`")
    row = next(row for row in table() if row.variable == name)
    value = "..." if row.secret else given[name]
    reason = reason[0].lower() + reason[1:]
    return InvalidSetting(name=name, value=value, reason=reason, expected=row.meaning.removesuffix("."))
