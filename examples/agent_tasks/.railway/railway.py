"""The reference app on Railway, as code: web, worker, Redis and PostgreSQL of one environment.

Copy the directory to the root of your project, then `railway config plan` shows what would change, and
`railway config apply` does it. No secret is here: `preserve()` keeps what is set on Railway.
"""

from typing import Any

from railway_sdk import define_railway, github, postgres, preserve, project, redis, service

REPOSITORY = "your-name/your-app"
BUILD = {"builder": "DOCKERFILE", "dockerfilePath": "examples/agent_tasks/deploy/Dockerfile"}
START = "/opt/agent-tasks/start.sh"

WEB_DRAIN = 15
"""Seconds between SIGTERM and SIGKILL; without it Railway gives none. serve.py needs 10 for its requests."""

WORKER_DRAIN = 100
"""A language model has 90 seconds to answer, and the worker waits for it."""


def app(name: str, *, drain: int, environ: dict[str, Any], **options: Any) -> Any:
    """Declare a process of the image."""
    return service(
        name,
        source=github(REPOSITORY, branch="main"),
        build=BUILD,
        start=f"{START} {name}",  # no package manager in between: it would keep SIGTERM to itself
        env={**environ, "RAILWAY_DEPLOYMENT_DRAINING_SECONDS": str(drain)},
        **options,
    )


@define_railway
def main(ctx: object = None) -> Any:  # noqa: ARG001 - the command line gives it
    """Declare the environment."""
    store, database = redis("Redis"), postgres("Postgres")
    environ = {
        "REDIS_URL": store.env.REDIS_URL,  # a service's variables reach another only by reference
        "DATABASE_URL": database.env.DATABASE_URL,
        "SESSION_SECRET": preserve(),
        "OPENAI_API_KEY": preserve(),
    }
    web = app(
        "web",
        drain=WEB_DRAIN,
        environ={
            **environ,
            "PROXIES": "1",
            "FORWARDED_ALLOW_IPS": "*",  # only the edge and this project's own services reach the port
            "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS": "5",
        },
        healthcheck="/health/live",
        healthcheckTimeout=60,
    )
    worker = app("worker", drain=WORKER_DRAIN, environ=environ, deploy={"restartPolicyType": "ALWAYS"})
    return project("agent-tasks", resources=[store, database, web, worker])
