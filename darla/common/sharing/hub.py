"""Artefacts on the Hugging Face hub: `hf://USER/REPO` wherever an artefact is asked for.

    hf://user/repo                      the artefact that was pushed, or the only one of the kind that is needed
    hf://user/repo/encoders/dae-s0      one of several
    hf://user/repo@v1/encoder           of a branch, a tag or a commit

Only files of the forms that artefacts have are downloaded, and every artefact is checked against the hashes on its
card when it is opened; nothing is unpickled. The client is `huggingface_hub` (extra `hub`), with its cache, its token
and its variables (`HF_ENDPOINT`, `HF_HUB_OFFLINE`, ...).
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darla.common.errors import ArtefactError, InputError
from darla.common.files import read_json

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_FORM = re.compile(r"hf:/{1,2}(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?(/(?P<path>.+?))?/?")
"""With one slash as well, which is what `pathlib.Path` leaves of two."""
_FILES = ("*.json", "*.safetensors", "*.csv", "*.png", "*.gif", "*.npy", "*.md", "*.tex", "*.html", "*.svg", "*.mp4")
"""Forms of files that artefacts have."""
_CARD, _CONFIG = "card.json", "config.json"
SUBJECT = "darla.json"
"""File of a repository that names the artefact that was pushed; others are there because it was made from them."""


@dataclass(frozen=True)
class HubReference:
    """What follows `hf://`."""

    repo: str
    """`USER/REPO`."""
    revision: str | None = None
    """Branch, tag or commit; the main branch if None."""
    path: str | None = None
    """Folder in the repository."""

    @classmethod
    def parse(cls, text: Path | str) -> "HubReference | None":
        """Read a reference; None for anything that does not begin with `hf:/`, such as a folder.

        Raises:
            InputError: it begins so, and is no reference.
        """
        if not str(text).startswith("hf:/"):
            return None
        found = _FORM.fullmatch(Path(text).as_posix() if isinstance(text, Path) else text)
        if found is None or any(part == ".." for part in (found["path"] or "").split("/")):
            raise InputError(f"{text} is no place on the hub; write hf://USER/REPO, or hf://USER/REPO/FOLDER")
        return cls(found["repo"], found["revision"], found["path"])

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{revision}{f'/{self.path}' if self.path else ''}"


def is_on_hub(place: object) -> bool:
    """Return whether a place is a reference to the hub."""
    return isinstance(place, str | Path) and str(place).startswith("hf:/")


def local_folder(place: Path | str, kind: str | None = None) -> Path:
    """Return the folder of an artefact; one on the hub is downloaded, unless it is in the cache already.

    Args:
        place: a folder, which is returned as it is, or a reference.
        kind: of the artefact that is needed, which decides where a repository has several; any if None.

    Raises:
        InputError: the extra `hub` is not installed, or the repository cannot be read.
        ArtefactError: there is no such artefact in it.
    """
    reference = HubReference.parse(place)
    if reference is None:
        return Path(place)
    snapshot = download(reference)
    if reference.path is not None:
        folder = snapshot / reference.path
        if not folder.is_dir():
            raise ArtefactError(f"{reference.repo} has no folder {reference.path!r}; it has {_listed(snapshot)}")
        return folder
    return snapshot / _one_of(reference, snapshot, kind)


def download(reference: HubReference) -> Path:
    """Return the folder of a repository's content in the cache of `huggingface_hub`.

    Raises:
        InputError: see `local_folder`.
    """
    hub = _client()
    with _named_errors(reference.repo):
        return Path(hub.snapshot_download(reference.repo, revision=reference.revision, allow_patterns=list(_FILES)))


def artefacts_in(folder: Path) -> dict[str, str]:
    """Return the kind of each artefact below a folder, by its path there."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders.sort()
        if {_CARD, _CONFIG} <= set(files):
            record = read_json(Path(root) / _CONFIG)
            kind = record.get("kind") if isinstance(record, dict) else None
            found[Path(root).relative_to(folder).as_posix()] = str(kind)
    return found


def _one_of(reference: HubReference, snapshot: Path, kind: str | None) -> str:
    """Return the path of the artefact that a reference without a path means."""
    artefacts = artefacts_in(snapshot)
    of_kind = [path for path, each in artefacts.items() if kind in (None, each)]
    note = snapshot / SUBJECT
    record = read_json(note) if note.is_file() else {}
    subject = record.get("subject") if isinstance(record, dict) else None
    if subject in of_kind:
        return str(subject)
    # An encoder's own DAE lies below it; what is not below another artefact comes first.
    outermost = [path for path in of_kind if not any(path.startswith(f"{other}/") for other in of_kind)]
    if len(outermost) == 1:
        return outermost[0]
    if not outermost:
        wanted = f"artefact of kind {kind!r}" if kind else "artefact of darla"
        raise ArtefactError(f"{reference} has no {wanted}; it has {_listed(snapshot)}")
    raise ArtefactError(
        f"{reference} has several artefacts; name one: {', '.join(f'{reference}/{path}' for path in outermost)}"
    )


def _listed(folder: Path) -> str:
    return ", ".join(f"{path} ({kind})" for path, kind in artefacts_in(folder).items()) or "no artefacts"


def upload(repo: str, files: Mapping[str, Path | bytes], folders: list[str], *, private: bool, message: str) -> str:
    """Write files into a repository in one commit; it is made if there is none.

    Args:
        repo: `USER/REPO`.
        files: what is written, by its path in the repository.
        folders: which belong to the artefacts that are written; other files that the repository has there are removed.
        private: whether a repository that is made is private.
        message: of the commit.

    Returns:
        The address of the repository.

    Raises:
        InputError: the extra `hub` is not installed, or the repository cannot be written.
    """
    hub = _client()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api: HfApi = hub.HfApi()
    with _named_errors(repo):
        url = api.create_repo(repo, private=private, exist_ok=True)
        there = api.list_repo_files(repo)
        gone = [name for name in there if name not in files and any(name.startswith(f"{each}/") for each in folders)]
        operations: list[Any] = [CommitOperationDelete(path_in_repo=name) for name in gone]
        operations += [
            CommitOperationAdd(
                path_in_repo=name, path_or_fileobj=content if isinstance(content, bytes) else str(content)
            )
            for name, content in files.items()
        ]
        api.create_commit(repo, operations, commit_message=message)
    return str(url)


def _client() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError("huggingface_hub is not installed; pip install 'darla[hub]' brings it") from error
    return huggingface_hub


@contextmanager
def _named_errors(repo: str) -> Iterator[None]:
    """Raise what the client raises as one sentence."""
    from huggingface_hub import errors

    def sentence(reason: str, error: Exception) -> InputError:
        lines = str(error).strip().splitlines()
        return InputError(f"{repo} on the hub {reason} ({lines[0] if lines else type(error).__name__})")

    try:
        yield
    except errors.HFValidationError as error:
        raise sentence("is no name of a repository", error) from error
    # Before its parent, EntryNotFoundError: nothing is in the cache, and the hub was not asked or did not answer.
    except errors.LocalEntryNotFoundError as error:
        raise sentence("cannot be reached, and is not in the cache", error) from error
    except errors.RevisionNotFoundError as error:
        raise sentence("has no such revision", error) from error
    except errors.RepositoryNotFoundError as error:
        raise sentence("is not there, or is not yours to read; `hf auth login` signs in", error) from error
    except errors.HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        refused = status in (401, 403)
        raise sentence("refused; `hf auth login` signs in" if refused else "could not be used", error) from error
    except errors.LocalTokenNotFoundError as error:
        raise sentence("needs a token; `hf auth login` signs in", error) from error
    except (ConnectionError, errors.HTTPError) as error:  # the first is also what HF_HUB_OFFLINE raises
        raise sentence("cannot be reached", error) from error
