"""The parts of a job's body that are written as text: sizes, durations, arrays, paths, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from isthmus.work import notation


class Body(BaseModel):
    """Whatever is not known is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refusal(why: str) -> PydanticCustomError:
    """What a validator raises: its words reach the client as they are."""
    return PydanticCustomError("refused", "{why}", {"why": why})


def _reads(read: Callable[[Any], Any], schema: Mapping[str, Any]) -> Any:
    """A validator out of a reader, whose words reach the client as they are."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise refusal(str(error)) from None

    return BeforeValidator(validate), WithJsonSchema(dict(schema))


def _text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError("must be a text")
        return read(value)

    return check


def _indices(value: Any) -> tuple[tuple[int, ...], int | None] | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        return notation.array(value)
    if not isinstance(value, list):
        raise ValueError("must be a text such as '1-100', or a list of whole numbers")
    items = [int(n) if isinstance(n, str) and n.isascii() and n.isdecimal() and len(n) < 10 else n for n in value]
    numbers = [n for n in items if isinstance(n, int) and not isinstance(n, bool)]
    if not numbers or len(numbers) != len(value) or len(set(numbers)) != len(numbers):
        raise ValueError("must be a text such as '1-100', or a list of different whole numbers")
    if len(numbers) > notation.MOST_TASKS or not all(0 <= n < 10**9 for n in numbers):
        raise ValueError(f"an array has {notation.MOST_TASKS} tasks at most, with indices from 0 to 999999999")
    return tuple(sorted(numbers)), None


_NUMBER_OR_TEXT = [{"type": "number", "minimum": 0}, {"type": "string"}]
Size = Annotated[int, *_reads(notation.size, {"anyOf": _NUMBER_OR_TEXT, "examples": ["2 GiB", 500000000]})]
Duration = Annotated[float, *_reads(notation.duration, {"anyOf": _NUMBER_OR_TEXT, "examples": ["90m", 5400]})]
Gpus = Annotated[
    tuple[int, str | None],
    *_reads(notation.gpus, {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}], "examples": ["a100:2"]}),
]
Array = Annotated[
    tuple[tuple[int, ...], int | None],
    *_reads(
        _indices,
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}],
            "examples": ["1-100%10"],
        },
    ),
]
Path = Annotated[str, *_reads(_text(notation.sandbox_path), {"type": "string"})]
Url = Annotated[str, *_reads(_text(notation.url), {"type": "string", "format": "uri"})]
Mode = Annotated[
    int, *_reads(notation.mode, {"anyOf": [{"type": "integer"}, {"type": "string"}], "examples": ["0644"]})
]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex, of a blob that was put here.")]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
EnvName = Annotated[str, Field(pattern=notation.VARIABLE)]
Image = Annotated[str, Field(min_length=1, max_length=4096, pattern=notation.IMAGE)]
AbsolutePath = Annotated[str, Field(pattern=notation.FOLDER, max_length=4000)]
JobName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
OptionName = Annotated[str, Field(pattern=notation.OPTION)]
Cpus = Annotated[float, Field(gt=0, le=100_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
