"""A component that answers in the connector's place, as for the tests of an engine."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.types import Disposition, Error


class Actions(exports.Actions):
    def list_actions(self, filter: str) -> str:
        return '{"items": []}'

    def describe_action(self, id: str) -> str:
        raise Err(refusal(id))

    def run_action(self, id: str, input: str) -> str:
        raise Err(refusal(id))


def refusal(id: str) -> Error:
    return Error(
        disposition=Disposition.FIX_INPUT,
        code="not-found",
        message=f"there is no action {id}",
        status=None,
        error_code=None,
        request_id=None,
        retry_after_ms=None,
        scopes=[],
        details=None,
    )


def wrong(error: Error) -> str:
    # The checker complains where this is right.
    error.retry_after_ms = "soon"  # type: ignore[assignment]
    return error.code


if __name__ == "__main__":
    assert Actions().list_actions("{}") == '{"items": []}'
    try:
        Actions().run_action("get-user", "{}")
    except Err as error:
        assert error.value.disposition is Disposition.FIX_INPUT
