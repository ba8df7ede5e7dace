"""YAML files to documents with a place, and the typed getters that turn a wrong field into one clear
sentence.

In: paths of files or folders. Out: `Document`s (mapping + where it stands) and field values.
Called by `kube`, `kube_policy` and `nodefile`; knows nothing of any kind of object.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from lbctl.errors import ManifestError

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")

# libyaml parses a cluster's worth of manifests ten times faster; without it the pure loader does the same.
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]  # which of the two is known at run time only
    """Safe, and strict: of two equal keys YAML's loaders keep the last, and half of the file is ignored."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """As SafeLoader does; a key that stands twice is an error at its second place."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode) and key.value != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice in one mapping", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Document:
    """One object and where it was found; `place` prints as `file: document 2, Service shop/web`."""

    file: str
    number: int
    item: int | None  # position inside a `kind: List`, from 1
    kind: str
    body: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        """The object's namespace; `default` when it names none, as kubectl does."""
        return str(_metadata(self.body).get("namespace") or "default")

    @property
    def name(self) -> str:
        """The object's name, or `?` when it has none."""
        return str(_metadata(self.body).get("name") or "?")

    @property
    def place(self) -> str:
        item = f" item {self.item}" if self.item is not None else ""
        name = (
            self.name if self.kind in ("Node", "Namespace", "NodeConfig") else f"{self.namespace}/{self.name}"
        )
        return f"{self.file}: document {self.number}{item}, {self.kind} {name}"

    def fail(self, what: str) -> NoReturn:
        """Raise ManifestError: this place, then `what` (problem; way out)."""
        raise ManifestError(f"{self.place}: {what}")


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def read_documents(paths: Sequence[Path]) -> list[Document]:
    """All documents of the files, folders searched for *.yaml and *.yml in name order, `kind: List` unpacked.

    Raises ManifestError for a file that is missing, not UTF-8, not YAML, or holds something that is no
    object.
    """
    return [document for path in _files(paths) for document in _documents_of(path)]


def manifest_files(paths: Sequence[Path]) -> list[Path]:
    """The files `read_documents` would read (for watching them)."""
    return list(_files(paths))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml"))
            if not found:
                raise ManifestError(f"{path}: the folder holds no .yaml or .yml file; name another one")
            yield from found
        else:
            yield path


def _documents_of(path: Path) -> Iterator[Document]:
    for number, body in enumerate(load_yaml(path), start=1):
        if body is None:
            continue  # an empty document between two `---`
        if not isinstance(body, Mapping) or not isinstance(body.get("kind"), str):
            raise ManifestError(
                f"{path}: document {number} is no Kubernetes object (it has no `kind`); "
                "write what `kubectl get -o yaml` prints"
            )
        kind = body["kind"]
        if not kind.endswith("List"):
            yield Document(str(path), number, None, kind, body)
            continue
        items = body.get("items")
        if not isinstance(items, list):
            what = f"{path}: document {number}, {kind}"
            raise ManifestError(f"{what}: has no list `items`; remove the document")
        for item, entry in enumerate(items, start=1):
            # In a typed list (ServiceList) the items need not repeat their kind.
            default = kind.removesuffix("List")
            entry_kind = (entry.get("kind") or default) if isinstance(entry, Mapping) else ""
            if not isinstance(entry_kind, str) or not entry_kind:
                raise ManifestError(
                    f"{path}: document {number} item {item} is no Kubernetes object (it has no `kind`); "
                    "write what `kubectl get -o yaml` prints"
                )
            yield Document(str(path), number, item, entry_kind, entry)


def load_yaml(path: Path) -> list[Any]:
    """The raw documents of one YAML file. Raises ManifestError with line and column when it is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "unknown place"
        raise ManifestError(f"{path}: is not YAML at {where}: {error.problem}; correct that line") from None
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: a timestamp or number YAML's grammar takes and Python cannot represent.
        raise ManifestError(f"{path}: is not YAML: {_first_line(error)}; correct that value") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["unreadable"])[0]


def mapping(document: Document, value: Any, field: str) -> Mapping[str, Any]:
    """`value` as a mapping; None counts as empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        document.fail(f"{field} is {_show(value)}, not a mapping; write `key: value` lines")
    return value


def sequence(document: Document, value: Any, field: str) -> list[Any]:
    """`value` as a list; None counts as empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        document.fail(f"{field} is {_show(value)}, not a list; write `- ` items")
    return value


def text(document: Document, value: Any, field: str) -> str:
    """`value` as a non-empty string."""
    if not isinstance(value, str) or not value:
        document.fail(f"{field} is {_show(value)}, not a name; write a string")
    return value


def optional_text(document: Document, value: Any, field: str) -> str | None:
    """`value` as a string or None."""
    return None if value is None or value == "" else text(document, value, field)


def boolean(document: Document, value: Any, field: str, default: bool) -> bool:
    """`value` as true or false; None gives `default`."""
    if value is None:
        return default
    if not isinstance(value, bool):
        document.fail(f"{field} is {_show(value)}; write true or false")
    return value


def number(document: Document, value: Any, field: str, low: int, high: int) -> int:
    """`value` as an integer in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int):
        document.fail(f"{field} is {_show(value)}, not a number; write one from {low} to {high}")
    if not low <= value <= high:
        document.fail(f"{field} is {value}, outside {low}..{high}; write a number in that range")
    return value


def choice(document: Document, value: Any, field: str, allowed: Sequence[str], default: str) -> str:
    """`value` as one of `allowed`; None gives `default`."""
    if value is None:
        return default
    if value not in allowed:
        document.fail(f"{field} is {_show(value)}; write one of {', '.join(allowed)}")
    return str(value)


def labels(document: Document, value: Any, field: str) -> dict[str, str]:
    """`value` as labels: string to string."""
    result: dict[str, str] = {}
    entries: Mapping[Any, Any] = mapping(document, value, field)
    for key, item in entries.items():
        if not isinstance(key, str) or not isinstance(item, str):
            shown = f"{field} has {_show(key)}: {_show(item)}"
            document.fail(f"{shown}; quote keys and values so that they are strings")
        result[key] = item
    return result


def is_ipv6(value: Any) -> bool:
    """Whether `value` is a well-formed IPv6 address or CIDR: valid Kubernetes, not balanced here."""
    if not isinstance(value, str) or ":" not in value:
        return False
    try:
        ipaddress.IPv6Interface(value)
    except ValueError:
        return False
    return True


def ipv4(document: Document, value: Any, field: str) -> int:
    """`value` as an IPv4 address."""
    try:
        return int(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ValueError:
        document.fail(f"{field} is {_show(value)}, not an IPv4 address; write one like 10.0.0.1")


def ipv4_cidr(document: Document, value: Any, field: str) -> tuple[int, int]:
    """`value` as (network, prefix length); host bits must be 0."""
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) else "")
    except ValueError:
        shown = f"{field} is {_show(value)}, not an IPv4 CIDR without host bits"
        document.fail(f"{shown}; write one like 10.0.0.0/24")
    return int(network.network_address), network.prefixlen


def mac_address(document: Document, value: Any, field: str) -> int:
    """`value` as a unicast MAC address."""
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        shown = f"{field} is {_show(value)}, not a MAC address"
        document.fail(f'{shown}; write one like "02:00:00:00:00:01", in quotes')
    mac = int(value.replace(":", ""), 16)
    if mac == 0 or mac >> 40 & 1:
        document.fail(f"{field} is {value}, not the address of one station; write a unicast MAC address")
    return mac


def _show(value: Any) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
