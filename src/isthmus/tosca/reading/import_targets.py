"""Where the imports of a document lead: every form, repositories included (TOSCA 1.3 §3.6.8, 2.0 §6.8)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isthmus.tosca.diagnostics import Problems, near
from isthmus.tosca.grammar import allowed_keys, check_keys
from isthmus.tosca.reading.documents import Map, Node, Scalar, Seq, text_of
from isthmus.tosca.reading.paths import beside, inside, is_remote, is_url, join_url

_NAMESPACE = re.compile(r"[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)+:[0-9][\w.-]*")
BESIDE = "put the file beside the template and import it by its relative path"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one import leads: to a file, or to a profile by its name, which is a namespace in TOSCA 1.x.

    ``path`` is the key that the file has in the bundle: a path, or a URL. ``at`` is where the import says so.
    ``namespace`` is the prefix of the imported names; ``private`` when a repository asks for credentials.
    """

    entry: Node
    at: Scalar
    path: str = ""
    profile: str = ""
    namespace: str = ""
    private: bool = False


def import_targets(root: Map, file: str, problems: Problems) -> Iterator[Target]:
    """The imports of a document in their order; those that can lead nowhere are reported instead."""
    for entry in import_entries(root):
        target = _target(entry, root, file, problems)
        if target is not None:
            yield target


def report_missing(target: Target, files: Iterable[str], problems: Problems) -> None:
    """Say that the bundle does not have the file of an import, and what to do about it."""
    if is_url(target.path):
        suggestion = f"allow its host when the template is read, or {BESIDE}"
        problems.error("import", f"{target.path!r} is a URL, and nothing is fetched", target.at, suggestion=suggestion)
    elif target.at.text.startswith("/"):
        summary = f"{target.at.text!r} is not in the bundle: a leading slash is the root of the template's folder"
        problems.error("import", summary, target.at, suggestion=BESIDE)
    else:
        summary = f"the imported file {target.path!r} is not in the bundle"
        problems.error("file-missing", summary, target.at, suggestion=near(target.path, files))


def profile_path(name: str) -> str:
    """Where the profiles of a template lie by custom: `org.example:1.0` in `profiles/org/example/1.0/profile.yaml`."""
    base, colon, version = name.partition(":")
    return f"profiles/{base.replace('.', '/')}{'/' if colon else ''}{version}/profile.yaml"


def import_entries(root: Map) -> list[Node]:
    """The entries of `imports`, which 1.x may also write as a map or as a lone scalar."""
    imports = root.get("imports")
    if isinstance(imports, Seq):
        return imports.items
    if isinstance(imports, Map):
        return list(imports.entries.values())
    return [imports] if imports is not None else []


def _target(entry: Node, root: Map, file: str, problems: Problems) -> Target | None:
    if isinstance(entry, Scalar) and not entry.null:
        if _is_namespace(entry):
            return Target(entry, entry, profile=entry.text)
        path = _locate(entry, file, problems)
        return Target(entry, entry, path) if path is not None else None
    body = _body(entry)
    if not isinstance(body, Map):
        if body is not entry:
            return _target(body, root, file, problems)
        problems.error("import", "an import names no file", entry)
        return None
    _check(body, problems)
    namespace = text_of(body.get("namespace") or body.get("namespace_prefix"))
    at, profile = body.get("url") or body.get("file"), body.get("profile")
    if isinstance(profile, Scalar):
        if at is not None or body.get("repository") is not None:
            problems.error("import", "an import names a profile or a file, not both", profile)
            return None
        return Target(entry, profile, profile=profile.text, namespace=namespace)
    if not isinstance(at, Scalar):
        problems.error("import", "an import names no file", entry)
        return None
    name = body.get("repository")
    if name is None and _is_namespace(at):
        return Target(entry, at, profile=at.text, namespace=namespace)
    if name is None or is_url(at.text):
        _check_scheme(at, name, problems)
        path, private = _locate(at, file, problems), False
    else:
        path, private = _in_repository(at, name, root, file, problems)
    return Target(entry, at, path, namespace=namespace, private=private) if path is not None else None


def _body(entry: Node) -> Node:
    """The definition itself: in TOSCA 1.x an import may have a name, which is its only key."""
    if isinstance(entry, Map) and entry.source.version != 2 and len(entry.entries) == 1:
        key, value = next(iter(entry.entries.items()))
        return entry if key in _IMPORT_KEYS else value
    return entry


_IMPORT_KEYS = allowed_keys("import") | allowed_keys("import", 2)


def _check(body: Map, problems: Problems) -> None:
    check_keys(body, "import", problems)


def _is_namespace(at: Scalar) -> bool:
    """Whether a file of TOSCA 1.x is the namespace of a profile, such as `org.example:1.0` (1.3 §3.6.8)."""
    return at.source.version != 2 and _NAMESPACE.fullmatch(at.text) is not None


def _check_scheme(at: Scalar, repository: Node | None, problems: Problems) -> None:
    if repository is None:
        return
    report = problems.error if at.source.version == 2 else problems.warn
    report("import", f"{at.text!r} is a whole URL, so that it cannot be in a repository too", repository)


def _locate(at: Scalar, file: str, problems: Problems) -> str | None:
    """The key of a file that is named without a repository."""
    text = at.text
    relative = _after_scheme(text)
    if relative is not None:
        path = None if relative.startswith("/") else beside(file, relative)
    elif is_remote(text):
        path = join_url(text, "")
    elif text.startswith("/") and not is_remote(file):
        path = inside(text[1:])
    else:
        path = join_url(file, text) if is_remote(file) else beside(file, text)
    if path is None:
        kind = "a URL" if is_url(text) else "a path out of the template's folder"
        problems.error("import", f"{text!r} is {kind}, and nothing is fetched", at, suggestion=BESIDE)
    return path


def _after_scheme(text: str) -> str | None:
    """The path of a `file:` URL, which only a relative one may have; None for anything else."""
    return text[5:] if text[:5].lower() == "file:" else None


# ---------------------------------------------------------------------------------------------
# repositories


def _in_repository(at: Scalar, name: Node, root: Map, file: str, problems: Problems) -> tuple[str | None, bool]:
    """The key of a file that lies in a repository of the same document, and whether that one asks for credentials."""
    declared = root.get("repositories")
    repository = declared.get(text_of(name)) if isinstance(declared, Map) else None
    if repository is None:
        known = declared.entries if isinstance(declared, Map) else ()
        summary = f"there is no repository {text_of(name)!r}"
        problems.error("import", summary, name, suggestion=near(text_of(name), known))
        return None, False
    url = repository.get("url") if isinstance(repository, Map) else repository
    if not isinstance(url, Scalar) or url.null:
        problems.error("key-missing", f"the repository {text_of(name)!r} has no url", repository)
        return None, False
    path = _under(_base(url.text, file), at.text.lstrip("/"))
    if path is None:
        summary = f"{at.text!r} leads out of the repository {text_of(name)!r}, or that one cannot be followed"
        suggestion = f"a repository is an https URL or a folder beside the template; or {BESIDE}"
        problems.error("import", summary, at, suggestion=suggestion)
    return path, isinstance(repository, Map) and repository.get("credential") is not None


def _base(url: str, file: str) -> str | None:
    """The folder of a repository, ending in a slash unless it is the bundle itself; None when it cannot be one."""
    relative = _after_scheme(url)
    if relative is None:
        relative = url
    elif relative.startswith("/"):
        return None
    if is_remote(relative):
        return None if "?" in relative or "#" in relative else f"{relative.rstrip('/')}/"
    if is_url(relative):
        return None
    if is_remote(file):
        return join_url(file, f"{relative.rstrip('/')}/")
    folder = posixpath.join("" if relative.startswith("/") else posixpath.dirname(file), relative.lstrip("/"))
    if posixpath.normpath(folder or ".") == ".":
        return ""
    normal = inside(folder)
    return f"{normal}/" if normal is not None else None


def _under(base: str | None, path: str) -> str | None:
    if base is None or is_url(path):
        return None
    found = join_url(base, path) if is_remote(base) else inside(base + path)
    return found if found is not None and found.startswith(base) and found != base else None
