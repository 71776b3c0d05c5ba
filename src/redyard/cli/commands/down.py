"""`redyard down`: end the engines and the yard."""

from redyard.cli.output import Output
from redyard.cli.yard import home
from redyard.yard.calls import Calls

EXAMPLES = ("redyard down",)


def down(out: Output) -> None:
    """Stop the engines and the yard; every store saves first.

    Nothing is removed: `redyard up` starts what ran.
    """
    place = home()
    with out.working("Stopping the engines; each store saves first"):
        answer = Calls(place).down()
    out.show({**answer, "home": str(place.path)}, "down")
