"""The app's settings: addresses of databases as platforms write them, and values that cannot be used."""

import pytest
from examples.agent_tasks.settings import DATABASE, BadSetting, Settings, read_database


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", DATABASE),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("sqlite+aiosqlite:////tmp/x.db", "sqlite+aiosqlite:////tmp/x.db"),
        ("postgres://ada:pw@db:5433/app", "postgresql+asyncpg://ada:pw@db:5433/app"),
        ("postgresql://ada:p%40w@db/app", "postgresql+asyncpg://ada:p%40w@db/app"),
        ("postgresql+asyncpg://db/app", "postgresql+asyncpg://db/app"),
        ("postgres://db/app?sslmode=require&channel_binding=require", "postgresql+asyncpg://db/app?ssl=require"),
    ],
)
def test_an_address_gets_its_async_driver(given: str, expected: str):
    """What platforms provide is what SQLAlchemy's async engine wants."""
    assert expected == read_database(given).render_as_string(hide_password=False)


@pytest.mark.parametrize("given", ["mysql://ada:geheim@db/app", "geheim", "postgres://ada:geheim@db:port/app"])
def test_an_address_that_cannot_be_used_is_refused_without_its_password(given: str):
    """The message says what is expected and shows no password."""
    with pytest.raises(BadSetting, match="expected postgresql://") as refused:
        read_database(given)

    assert "geheim" not in str(refused.value)


def test_the_offline_summariser_answers_unless_an_endpoint_is_named():
    """A key alone means OpenAI's own endpoint, a URL alone a server without keys."""
    names = {"OPENAI_MODEL": "small"}
    cases = [{}, {"OPENAI_API_KEY": "k"}, {"OPENAI_BASE_URL": "http://x/v1/"}]
    read = [Settings.read({**names, **case}) for case in cases]

    assert ["", "small", "small"] == [settings.model for settings in read]
    assert ["", "https://api.openai.com/v1", "http://x/v1"] == [settings.openai_url for settings in read]


def test_secrets_are_taken_in_order_or_made_up():
    """SESSION_SECRET holds the new one first; without it, each process has one of its own."""
    assert ["new", "old"] == Settings.read({"SESSION_SECRET": "new old"}).session_secrets
    assert Settings.read({}).session_secrets != Settings.read({}).session_secrets


def test_secrets_are_not_printed():
    """A log line that shows the settings gives nothing away."""
    shown = repr(
        Settings.read(
            {"SESSION_SECRET": "geheim", "OPENAI_API_KEY": "geheim", "DATABASE_URL": "postgres://a:geheim@b/c"}
        )
    )

    assert "geheim" not in shown


@pytest.mark.parametrize("value", ["0", "-1", "ten", "1e3", "²"])
def test_a_number_that_is_none_is_refused(value: str):
    """The message names the variable and its value."""
    with pytest.raises(BadSetting, match=f"CREDITS='{value}'"):
        Settings.read({"CREDITS": value})
