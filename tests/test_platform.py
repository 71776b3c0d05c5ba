"""What the environment says of the platform."""

import pytest

from redyard.platform import draining, has_private_network


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"RAILWAY_DEPLOYMENT_DRAINING_SECONDS": "45", "RAILWAY_PROJECT_ID": "p"}, 45.0),
        ({"RAILWAY_PROJECT_ID": "p"}, 0.0),
        ({"DYNO": "web.1"}, 30.0),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, 30.0),
        ({"RAILWAY_DEPLOYMENT_DRAINING_SECONDS": "soon"}, None),
    ],
)
def test_the_time_between_being_told_to_stop_and_being_killed(environ, seconds):
    """Where the platform is known; a laptop waits as long as it takes."""
    assert seconds == draining(environ)


@pytest.mark.parametrize(("environ", "private"), [({}, False), ({"RENDER": "true"}, True)])
def test_whether_names_come_after_the_process(environ, private):
    """On platforms with a private network."""
    assert private == has_private_network(environ)
