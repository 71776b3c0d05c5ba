"""Delivery by Apprise to a webhook of our own."""

import http.server
import json
import threading

import pytest

from redyard import events
from redyard.alerts.notify import Channels
from redyard.alerts.rules import BY_NAME
from redyard.alerts.state import Alert, News
from redyard.alerts.telling import describe, letters
from redyard.errors import InvalidSetting
from tests.support.clients import heard

ALERT = Alert(rule="StoreFillsUp", subject="redis-store", stage="firing", since=0, value=0.853)


class Webhook(http.server.ThreadingHTTPServer):
    """Takes letters; answers with the statuses that it was given, then with 200."""

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), Door)
        self.statuses, self.letters = list(statuses), []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self):
        return f"json://user:hunter2@127.0.0.1:{self.server_port}/alerts"

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.letters.append(json.loads(body))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def webhook():
    hooks = []

    def make(*statuses):
        hooks.append(Webhook(*statuses))
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.close()


def letter(*what):
    return letters([News(what=word, alert=ALERT) for word in what or ("fires",)])[0]


async def test_a_letter_arrives_with_finding_and_remedy(webhook):
    """By one URL."""
    hook = webhook()
    delivered = await Channels([hook.url]).send(letter())

    assert [("json://...", True, 1)] == delivered
    (sent,) = hook.letters
    assert "[warning] redis-store: StoreFillsUp" == sent["title"]
    said = ("The memory of redis-store is 85% full.", "Finding: nearly-full", "redyard scale redis-store PLAN")
    assert [] == [part for part in said if part not in sent["message"]]


async def test_a_channel_that_refuses_is_tried_again(webhook):
    """The letter arrives once."""
    hook = webhook(500, 503)
    delivered = await Channels([hook.url], pauses=(0, 0)).send(letter())

    assert [("json://...", True, 3)] == delivered
    assert 1 == len(hook.letters)


async def test_a_channel_that_always_refuses_is_given_up(webhook):
    """With an event that shows no secret, and the others have their letter."""
    bad, good = webhook(*[500] * 9), webhook()
    with heard(events.ALERT_UNDELIVERED) as seen:
        delivered = await Channels([bad.url, good.url], pauses=(0, 0)).send(letter())

    assert [False, True] == [item.delivered for item in delivered]
    assert [("json://...", 3)] == [(event.fields["channel"], event.fields["tries"]) for event in seen]
    assert 1 == len(good.letters)


def test_an_unknown_channel_is_an_error_without_its_secret():
    """When the yard starts."""
    with pytest.raises(InvalidSetting) as caught:
        Channels(["pigeon://hunter2@roof"])

    assert "hunter2" not in str(caught.value) + caught.value.remedy
    assert "pigeon://..." in str(caught.value)


def test_a_letter_holds_all_of_an_instance():
    """The critical first, what is resolved last."""
    other = Alert(rule="Down", subject="redis-store", stage="firing", since=0)
    elsewhere = Alert(rule="Down", subject="redis-cache", stage="firing", since=0)
    news = [
        News(what="resolved", alert=ALERT),
        News(what="fires", alert=ALERT),
        News(what="still", alert=other),
        News(what="fires", alert=elsewhere),
    ]
    titles = [item.title for item in letters(news)]

    assert ["[critical] redis-store: Down, StoreFillsUp, StoreFillsUp", "[critical] redis-cache: Down"] == titles
    assert "[resolved] redis-store: StoreFillsUp" == letter("resolved").title


@pytest.mark.parametrize(
    ("rule", "value", "text"),
    [
        ("StoreFillsUp", 0.853, "85%"),
        ("SaveNeedsMore", 1 << 20, "1mb"),
        ("CertificateEnds", 90000, "1d1h"),
        ("CommandsSlow", 0.0213, "21.3 ms"),
        ("ConnectionsRefused", 12.0, "12 "),
        ("Down", None, "redis-store"),
    ],
)
def test_figures_are_for_reading(rule, value, text):
    """As a share, bytes, a time or a number."""
    alert = Alert(rule=rule, subject="redis-store", stage="firing", since=0, value=value)

    assert text in describe(alert)["summary"]
    assert "{" not in describe(alert)["summary"] + describe(alert)["remedy"]


@pytest.mark.parametrize("rule", BY_NAME)
def test_every_rule_is_described(rule):
    """Nothing is left unfilled."""
    words = describe(Alert(rule=rule, subject="redis-store", stage="firing", since=0, value=1.0))

    assert not [part for part in ("summary", "remedy") if "{" in words[part]]
