"""Each constellation of a platform's variables has its exact words; production is never guessed."""

import logging
import socket

import pytest

from redyard.client.url import find_url
from redyard.errors import NoURL, RedyardError, UnusableHere
from redyard.platform import HEROKU, LOCAL, RAILWAY, RENDER, detect, explain_lookup, has_private_network, is_production

ON_RAILWAY = {"RAILWAY_PROJECT_ID": "1", "RAILWAY_ENVIRONMENT_ID": "2", "RAILWAY_ENVIRONMENT_NAME": "production"}
INSIDE = "redis://default:secret@redis.railway.internal:6379"
PROXIED = "redis://default:secret@roundhouse.proxy.rlwy.net:12345"
REFERENCE = "${{Redis.REDIS_URL}}"
REFER = (
    "On Railway a service has only its own variables. Set a reference on this one: REDIS_URL=${{Redis.REDIS_URL}}, "
    "with the exact name of the Redis service (capitals count), and deploy."
)
TUNNEL = (
    "From elsewhere use the public address (REDIS_PUBLIC_URL of the Redis service, once it is exposed), or a tunnel: "
    "`railway connect Redis --tunnel-only`."
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, LOCAL),
        ({"RAILWAY_PROJECT_ID": "1"}, RAILWAY),
        ({"RAILWAY_ENVIRONMENT_ID": "1"}, RAILWAY),
        ({"RAILWAY_ENVIRONMENT": "production"}, RAILWAY),
        ({"RAILWAY_PROJECT_ID": ""}, LOCAL),
        ({"RAILWAY_STATIC_URL": "x", "RAILWAY_SERVICE_API_URL": "y"}, LOCAL),
        ({"DYNO": "web.1"}, HEROKU),
        ({"RENDER": "true"}, RENDER),
    ],
)
def test_the_platform_is_known_by_its_variables(environ, expected):
    """By those that the platforms document, not by those that they have given up."""
    assert expected is detect(environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"RAILWAY_PROJECT_ID": "1"}, False),
        (ON_RAILWAY, True),
        ({**ON_RAILWAY, "RAILWAY_ENVIRONMENT_NAME": "pr-17"}, False),
        ({"RAILWAY_ENVIRONMENT": "production"}, True),
        ({"RAILWAY_ENVIRONMENT": "production", "RAILWAY_ENVIRONMENT_NAME": "staging"}, False),
        ({**ON_RAILWAY, "APP_ENV": "staging"}, False),
        ({"APP_ENV": "production"}, True),
        ({"DYNO": "web.1"}, False),
        ({"DYNO": "web.1", "APP_ENV": "production"}, True),
        ({"RENDER": "true", "IS_PULL_REQUEST": "true"}, False),
        ({"RENDER": "true", "APP_ENV": "production"}, True),
    ],
)
def test_production_is_what_somebody_called_so(environ, expected):
    """By APP_ENV, else by the platform's name of the environment; being on a platform does not make it."""
    assert expected is is_production(environ)


@pytest.mark.parametrize(("row", "late"), [(RAILWAY, True), (RENDER, True), (HEROKU, False)])
def test_names_are_waited_for_where_they_come_late(row, late):
    """On platforms whose services find each other by names of a private network."""
    assert late is has_private_network({row.marks[0]: "1"})


@pytest.mark.parametrize(
    ("environ", "error", "message", "hint"),
    [
        (
            {},
            NoURL,
            "no Redis is named: neither REDIS_URL nor REDISHOST is set",
            "Run the app under `redyard run -- COMMAND`, or set REDIS_URL=redis://USER:PASSWORD@HOST.",
        ),
        (ON_RAILWAY, NoURL, "no Redis is named: neither REDIS_URL nor REDISHOST is set", REFER),
        (
            {**ON_RAILWAY, "REDIS_URL": ""},
            NoURL,
            "no Redis is named: REDIS_URL is set and empty",
            f"A reference to a variable that does not exist is empty. {REFER}",
        ),
        (
            {"DYNO": "web.1"},
            NoURL,
            "no Redis is named: neither REDIS_URL nor REDISHOST is set",
            "On Heroku the add-on sets it: `heroku addons:create heroku-redis:mini`, or attach an existing one.",
        ),
        (
            {"RENDER": "true"},
            NoURL,
            "no Redis is named: neither REDIS_URL nor REDISHOST is set",
            "On Render copy the Internal URL of the Key Value service to REDIS_URL, or use `fromService` in "
            "render.yaml.",
        ),
        (
            {"REDIS_HOST": "h", "REDIS_PORT": "1"},
            NoURL,
            "no Redis is named: neither REDIS_URL nor REDISHOST is set, and REDIS_HOST (with an underscore) is not "
            "read",
            "Write REDISHOST, REDISPORT, REDISUSER and REDISPASSWORD, or one REDIS_URL. Run the app under "
            "`redyard run -- COMMAND`, or set REDIS_URL=redis://USER:PASSWORD@HOST.",
        ),
        (
            {**ON_RAILWAY, "REDIS_URL": REFERENCE},
            UnusableHere,
            "REDIS_URL is a reference that nobody resolved: it still contains ${",
            REFER,
        ),
        (
            {"REDIS_URL": REFERENCE},
            UnusableHere,
            "REDIS_URL is a reference that nobody resolved: it still contains ${",
            "Files such as .env are read as they are: write the address itself, or take it from where it lives "
            "(`railway run -- COMMAND`, `redyard run -- COMMAND`).",
        ),
        (
            {"REDIS_URL": INSIDE},
            UnusableHere,
            "REDIS_URL names redis.railway.internal, which exists only inside Railway while a service runs there",
            TUNNEL,
        ),
        (
            {"REDISHOST": "redis.railway.internal", "REDISPASSWORD": "secret"},
            UnusableHere,
            "REDISHOST names redis.railway.internal, which exists only inside Railway while a service runs there",
            TUNNEL,
        ),
        (
            {"REDIS_PRIVATE_URL": INSIDE},
            UnusableHere,
            "REDIS_PRIVATE_URL names redis.railway.internal, which exists only inside Railway while a service runs "
            "there",
            TUNNEL,
        ),
    ],
)
def test_what_cannot_work_has_its_words(environ, error, message, hint):
    """Each constellation is told what it is and what to do; no password is in it."""
    with pytest.raises(RedyardError) as caught:
        find_url(environ)

    assert (error, message, hint) == (type(caught.value), str(caught.value), caught.value.remedy)
    assert "secret" not in message + hint


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({**ON_RAILWAY, "REDIS_URL": INSIDE}, INSIDE),
        ({**ON_RAILWAY, "REDIS_PRIVATE_URL": INSIDE}, INSIDE),
        ({**ON_RAILWAY, "REDIS_PRIVATE_URL": INSIDE, "REDIS_URL": "redis://h"}, "redis://h"),
        ({"REDIS_URL": PROXIED}, PROXIED),
        (
            {**ON_RAILWAY, "REDISHOST": "redis.railway.internal", "REDISPORT": "6379", "REDISPASSWORD": "p"},
            "redis://default:p@redis.railway.internal:6379/0",
        ),
    ],
)
def test_what_works_is_taken(environ, expected, caplog):
    """In silence."""
    with caplog.at_level(logging.WARNING):
        assert expected == find_url(environ)

    assert [] == caplog.messages


def test_a_proxy_on_the_platform_is_taken_and_told(caplog):
    """It works; that it costs money and is not encrypted is said once, without the password."""
    with caplog.at_level(logging.WARNING):
        assert PROXIED == find_url({**ON_RAILWAY, "REDIS_URL": PROXIED})

    assert [
        "REDIS_URL goes through the public proxy roundhouse.proxy.rlwy.net: slower, billed as egress, and not "
        "encrypted. Inside Railway use the private address: REDIS_URL=${{Redis.REDIS_URL}}."
    ] == caplog.messages


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "no such name (NXDOMAIN)"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "fails (SERVFAIL)"),
        (socket.gaierror(socket.EAI_FAIL, "x"), "could not be looked up"),
    ],
)
def test_the_answers_of_a_name_server_are_told_apart(error, words):
    """No such name is another trouble than no name server."""
    assert words in explain_lookup(error)
    assert "railway run" not in explain_lookup(error, "redis://h")
    assert "`railway run` on another machine it never exists" in explain_lookup(error, INSIDE)
    assert "" == explain_lookup(OSError("x"))
