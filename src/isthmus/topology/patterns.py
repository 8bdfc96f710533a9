"""Regular expressions in time linear in text × pattern: no template can make them explode.

The structure (alternation, groups, repetition) is compiled to a small automaton that is walked with
a set of states; what matches one character is left to :mod:`re`. Back-references and look-around
have no place in it and are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_PATTERN = 1_000
MAX_STATES = 5_000
MAX_WORK = 1_000_000
"""Characters times states that one match may take."""

_MAX_GROUPS = 50
_ATOM = re.compile(  # "{" that begins no count is a plain character
    r"\[\^?\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*\]"  # a class
    r"|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^0-9xubBAZ]"  # an escape of one character
    r"|[^\\()|*+?^$\[]",
    re.DOTALL,
)
_COUNT = re.compile(r"\{(\d{1,4})?(,)?(\d{1,4})?\}")
_GROUP = re.compile(r"\((\?:|\?P<\w+>|(?!\?))")


class PatternError(ValueError):
    """A pattern is not a regular expression, or not one that is accepted; or a text is too long for it."""


@dataclass(slots=True)
class _Program:
    """States by number: a test and where it leads, or a list of states to go on to at once."""

    tests: list[re.Pattern[str] | str | None] = field(default_factory=list)
    following: list[list[int]] = field(default_factory=list)

    def state(self, test: re.Pattern[str] | str | None = None) -> int:
        if len(self.tests) >= MAX_STATES:
            raise PatternError("the pattern repeats too much")
        self.tests.append(test)
        self.following.append([])
        return len(self.tests) - 1


_Tree = tuple[str, list[object]]


class Pattern:
    """A compiled pattern, to be matched with the whole of a text or found somewhere in it."""

    def __init__(self, text: str) -> None:
        """Raises :class:`PatternError`."""
        if len(text) > MAX_PATTERN:
            raise PatternError(f"the pattern is longer than {MAX_PATTERN} characters")
        parser = _Parser(text)
        tree = parser.alternatives(0)
        if parser.at < len(text):
            raise PatternError(f"unexpected {text[parser.at]!r} in {text!r}")
        self._program = _Program()
        self._end = self._program.state()
        self._start = self._build(tree, self._end)

    @property
    def states(self) -> int:
        """How large the automaton is."""
        return len(self._program.tests)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches; raises :class:`PatternError` when that would take too long."""
        return self._end in self._run(text, anywhere=False)

    def found_in(self, text: str) -> bool:
        """Whether some part of the text matches; raises :class:`PatternError` when that would take too long."""
        return self._end in self._run(text, anywhere=True)

    def _run(self, text: str, *, anywhere: bool) -> set[int]:
        """The states in which the text ends; with ``anywhere``, those of the first match."""
        program = self._program
        if (len(text) + 1) * len(program.tests) > MAX_WORK:
            raise PatternError("the text is too long for this pattern")
        states = self._closure({self._start}, first=True, last=not text)
        for i, character in enumerate(text):
            if anywhere and self._end in states:
                return states
            reached = {self._start} if anywhere else set[int]()
            for s in states:
                test = program.tests[s]
                if isinstance(test, re.Pattern) and test.fullmatch(character):
                    reached.update(program.following[s])
            if not reached:
                return reached
            states = self._closure(reached, first=False, last=i == len(text) - 1)
        return states

    def _closure(self, states: set[int], *, first: bool, last: bool) -> set[int]:
        """The states reached without reading on; `^` and `$` pass only at the ends."""
        program, seen, stack = self._program, set(states), list(states)
        while stack:
            s = stack.pop()
            test = program.tests[s]
            if test is None or (test == "^" and first) or (test == "$" and last):
                new = [f for f in program.following[s] if f not in seen]
                seen.update(new)
                stack.extend(new)
        return seen

    def _build(self, tree: object, then: int) -> int:
        """Lay the states of a tree so that they lead to ``then``; answers where they begin."""
        match tree:
            case re.Pattern() | "^" | "$":
                s = self._program.state(tree)
                self._program.following[s] = [then]
                return s
            case ("all", [*parts]):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case ("any", [*parts]):
                s = self._program.state()
                self._program.following[s] = [self._build(p, then) for p in parts]
                return s
            case ("times", [part, int(least), most]):
                return self._repeat(part, least, most, then)
        raise AssertionError(tree)

    def _repeat(self, part: object, least: int, most: object, then: int) -> int:
        if most is None:
            loop = self._program.state()
            self._program.following[loop] = [self._build(part, loop), then]
            then = loop
        else:
            assert isinstance(most, int)
            for _ in range(most - least):
                s = self._program.state()
                self._program.following[s] = [self._build(part, then), then]
                then = s
        for _ in range(least):
            then = self._build(part, then)
        return then


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def alternatives(self, depth: int) -> _Tree:
        if depth > _MAX_GROUPS:
            raise PatternError("groups are nested too deeply")
        branches: list[object] = [self.sequence(depth)]
        while self.text[self.at : self.at + 1] == "|":
            self.at += 1
            branches.append(self.sequence(depth))
        return ("any", branches)

    def sequence(self, depth: int) -> _Tree:
        parts: list[object] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.counted(self.atom(depth)))
        return ("all", parts)

    def atom(self, depth: int) -> object:
        text, at = self.text, self.at
        if text[at] in "^$":
            self.at += 1
            return text[at]
        if text[at] == "(":
            opening = _GROUP.match(text, at)
            if opening is None:
                raise PatternError(f"look-around and flags are not accepted: {text[at : at + 4]!r}")
            self.at = opening.end()
            tree = self.alternatives(depth + 1)
            if self.text[self.at : self.at + 1] != ")":
                raise PatternError("a group is not closed")
            self.at += 1
            return tree
        found = _ATOM.match(text, at)
        if found is None:
            raise PatternError(f"{text[at : at + 2]!r} is not accepted in a pattern")
        self.at = found.end()
        try:
            return re.compile(found[0], re.DOTALL if found[0] != "." else 0)
        except re.error as e:
            raise PatternError(f"{found[0]!r}: {e}") from e

    def counted(self, part: object) -> object:
        rest = self.text[self.at : self.at + 1]
        if rest and rest in "*+?":
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[rest]
        elif rest == "{" and (count := _COUNT.match(self.text, self.at)) and (count[1] or count[3]):
            self.at = count.end()
            least = int(count[1] or 0)
            most = None if count[2] and not count[3] else int(count[3] or least)
            if most is not None and most < least:
                raise PatternError(f"{count[0]!r} counts downwards")
        else:
            return part
        if self.text[self.at : self.at + 1] in ("?", "+"):
            self.at += 1
        if self.text[self.at : self.at + 1] == "*":
            raise PatternError("a repetition is repeated")
        return ("times", [part, least, most])
