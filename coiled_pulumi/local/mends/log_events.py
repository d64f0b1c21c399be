"""Log events are taken and found by the rules of CloudWatch Logs.

moto ignores `logStreamNamePrefix` of FilterLogEvents and gives the events of all streams, stream after stream; it
takes batches of any size and span, and says "log group" where a stream is meant. AWS looks into the streams that
are named or begin so, gives events in the order of time, and refuses batches beyond its limits.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

from typing import Any, Final

#: Of one call of PutLogEvents: events, bytes with what each event counts besides, milliseconds from first to last.
_EVENTS, _BYTES, _EACH, _SPAN = 10_000, 1_048_576, 26, 24 * 3600 * 1000
_NAMES_AT_ONCE: Final = 100


def apply() -> None:
    """Check what is put, and choose streams before events are looked for."""
    from moto.logs.models import LogGroup, LogsBackend
    from moto.logs.responses import LogsResponse

    put, find, create = LogsBackend.put_log_events, LogGroup.filter_log_events, LogGroup.create_log_stream
    answer, get = LogsResponse.filter_log_events, LogGroup.get_log_events

    def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: Any) -> Any:
        _check_batch(log_events)
        return put(self, log_group_name, log_stream_name, log_events)

    def create_log_stream(self: Any, log_stream_name: str) -> None:
        if log_stream_name in self.streams:
            raise _error("ResourceAlreadyExistsException", "The specified log stream already exists")
        create(self, log_stream_name)

    def get_log_events(self: Any, log_stream_name: str, *args: Any, **options: Any) -> Any:
        if log_stream_name not in self.streams:
            raise _no_stream()
        return get(self, log_stream_name, *args, **options)

    def filter_log_events(self: Any, *args: Any, **options: Any) -> Any:
        """AWS interleaves whatever the call says."""
        named = dict(zip(_FILTER, args, strict=False)) | options | {"interleaved": True}
        return find(self, **named)

    def answer_filter(self: Any) -> Any:
        names, prefix = self._get_param("logStreamNames"), self._get_param("logStreamNamePrefix")
        if names and prefix:
            raise _error(
                "InvalidParameterException",
                "Only one of logStreamNames and logStreamNamePrefix can be specified",
            )
        if names and len(names) > _NAMES_AT_ONCE:
            raise _error("InvalidParameterException", "At most 100 log streams can be named")
        group = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if group is None or not (names or prefix):
            return answer(self)
        missing = [name for name in names or () if name not in group.streams]
        if missing:
            raise _no_stream()
        chosen = names or [name for name in group.streams if name.startswith(prefix)]
        return _answer(self, group, chosen)

    LogsBackend.put_log_events = put_log_events
    LogGroup.create_log_stream = create_log_stream
    LogGroup.get_log_events = get_log_events
    LogGroup.filter_log_events = filter_log_events
    LogsResponse.filter_log_events = answer_filter


_FILTER: Final = (
    "log_group_name",
    "log_stream_names",
    "start_time",
    "end_time",
    "limit",
    "next_token",
    "filter_pattern",
    "interleaved",
)


def _answer(response: Any, group: Any, names: list[str]) -> str:
    """Answer FilterLogEvents for some streams; no stream is not every stream, as it is for moto."""
    import json

    found: tuple[list[Any], str | None, list[Any]] = ([], None, [])
    if names:
        found = response.logs_backend.filter_log_events(
            group.name,
            names,
            response._get_param("startTime"),
            response._get_param("endTime"),
            response._get_param("limit"),
            response._get_param("nextToken"),
            response._get_param("filterPattern"),
            interleaved=True,
        )
    events, token, searched = found
    return json.dumps({"events": events, "nextToken": token, "searchedLogStreams": searched})


def _check_batch(events: list[dict[str, Any]]) -> None:
    if not 1 <= len(events) <= _EVENTS:
        raise _error(
            "InvalidParameterException",
            f"1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length "
            f"between 1 and {_EVENTS}",
        )
    size = sum(len(event["message"].encode("utf-8", "surrogatepass")) + _EACH for event in events)
    if size > _BYTES:
        raise _error("InvalidParameterException", f"Upload too large: {size} bytes exceeds limit of {_BYTES}")
    if not all(event["message"] for event in events):
        raise _error("InvalidParameterException", "Log event message must not be empty")
    times = [event["timestamp"] for event in events]
    if max(times) - min(times) > _SPAN:
        raise _error(
            "InvalidParameterException",
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        )


def _no_stream() -> Exception:
    return _error("ResourceNotFoundException", "The specified log stream does not exist.")


def _error(code: str, text: str) -> Exception:
    from moto.core.exceptions import JsonRESTError

    error: Any = JsonRESTError(code, text)
    return error
