"""Samples as Prometheus reads them, format 0.0.4."""

from collections.abc import Iterable, Iterator

from redyard.metrics.sources import Labels, Metric, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def labelled(samples: Iterable[Sample], **labels: str) -> Iterator[Sample]:
    """Yield samples with more labels."""
    return (sample._replace(labels={**labels, **sample.labels}) for sample in samples)


def render(samples: Iterable[Sample]) -> str:
    """Return the text, the samples of a metric together."""
    lines: dict[Metric, list[str]] = {}
    for sample in samples:
        line = f"{sample.metric.name}{sample.suffix}{_braces(sample.labels)} {_number(sample.value)}\n"
        lines.setdefault(sample.metric, []).append(line)
    return "".join(
        f"# HELP {row.name} {row.help}\n# TYPE {row.name} {row.kind}\n{''.join(body)}" for row, body in lines.items()
    )


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items()) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
