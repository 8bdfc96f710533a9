"""Sent to a site as the first thing, and run there by any Python 3: puts the agent's program in place, and starts it.

Reads one line of JSON from stdin, ``{"digest", "folder", "python"}``. Answers one line after ``MARK``: ``have`` or
``need`` (then ``<length>`` and the program follow) and at last ``start``, or ``error`` and why. It is no part of the
program, and must be understood by Python 3.6 to say what is wrong with it.
"""

# mypy: ignore-errors
import hashlib
import io
import json
import os
import sys
import tempfile

MARK = "isthmus-agent-1"


def main():
    source = io.FileIO(0, closefd=False)  # unbuffered: what comes after is the agent's

    def tell(word, message=""):
        os.write(1, (json.dumps([MARK, word, message]) + "\n").encode())

    try:
        order = json.loads(source.readline().decode())
        python = find_python(order.get("python"))
        folder = os.path.expanduser(order["folder"])
        if not os.path.isabs(folder):
            raise ValueError("the folder %s is not an absolute path" % folder)
        os.umask(0o077)
        programs = os.path.join(folder, "programs")
        os.makedirs(programs, exist_ok=True)
        if os.stat(folder).st_uid != os.getuid():
            raise ValueError("the folder %s belongs to another user" % folder)
        place = os.path.join(programs, "runner-%s.pyz" % order["digest"])
        if digest_of(place) == order["digest"]:
            tell("have")
        else:
            tell("need")
            fetch(source, order["digest"], place, programs)
            tell("start")
        os.execv(python, [python, "-I", "-S", place, "serve"])  # noqa: S606 (no shell is what is wanted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        tell("error", str(error) or type(error).__name__)
        sys.exit(1)


def fetch(source, digest, place, programs):
    """Take the program from stdin and put it in place by a rename."""
    left, parts = int(source.readline()), []
    while left:
        data = source.read(min(left, 65536))
        if not data:
            raise ValueError("the program did not come whole")
        parts.append(data)
        left -= len(data)
    program = b"".join(parts)
    if hashlib.sha256(program).hexdigest() != digest:
        raise ValueError("the program that came is another one")
    descriptor, name = tempfile.mkstemp(dir=programs)
    with os.fdopen(descriptor, "wb") as file:
        file.write(program)
        file.flush()
        os.fsync(file.fileno())
    os.rename(name, place)


def digest_of(place):
    """The SHA-256 of what is there."""
    try:
        with open(place, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def find_python(chosen):
    """A Python that is new enough: the one that was chosen, this one, or another one of the PATH."""
    if chosen:
        return chosen
    if sys.version_info >= (3, 8):
        return sys.executable
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for minor in range(20, 7, -1):
            python = os.path.join(folder, "python3.%d" % minor)
            if os.access(python, os.X_OK):
                return python
    old = "%d.%d" % sys.version_info[:2]
    raise ValueError("Python " + old + " is too old: 3.8 or newer is needed; the option python names one")


main()
