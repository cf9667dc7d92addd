"""The file of a household's own classifier."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from homeface.core.names import name_key
from homeface.core.second_opinion import SecondOpinion, second_opinion_from
from homeface.errors import ModelError


def opinion_for(model_id: str, file: Path) -> SecondOpinion:
    """What ``homeface lab train-household`` wrote. Raises ``ModelError`` for a file that does not serve."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"recognition.second_opinion: {file} cannot be read ({error}); make it with homeface lab "
            "train-household, or leave the key out."
        ) from error
    opinion = second_opinion_from(data)
    if opinion.model_id != model_id:
        raise ModelError(
            f"recognition.second_opinion: {file} was trained on vectors of {opinion.model_id}, but faces are "
            f"told apart by {model_id}: train it anew, or leave the key out."
        )
    return opinion


def forget_in_opinion(file: Path, names: Collection[str]) -> bool:
    """Take a person of these names out of the file: what was learned of a face is that face, nearly.

    True when they were in it. Raises ``ModelError`` when they stay in it, or may.
    """
    found = _read(file)
    if found is None:
        return False
    data, known = found
    keys = {name_key(name) for name in names}
    kept = [index for index, name in enumerate(known) if name_key(name) not in keys]
    if len(kept) == len(known):
        return False
    if not kept:
        raise ModelError(
            f"{file} was trained on nobody else: delete it, and take recognition.second_opinion out."
        )
    data["names"] = [known[index] for index in kept]
    for key in ("weights", "bias"):
        data[key] = [data[key][index] for index in (*kept, len(known))]
    data.pop("provenance", None)  # figures of another household
    _write(file, data)
    return True


def rename_in_opinion(file: Path, old: str, new: str) -> bool:
    """Call a person otherwise, so that the opinion goes on, and finds them when they are to be forgotten.

    True when they were in it. Raises ``ModelError`` when they are called there as before, or may be.
    """
    found = _read(file)
    if found is None:
        return False
    data, known = found
    keys, old_key, new_key = [name_key(name) for name in known], name_key(old), name_key(new)
    if old_key not in keys:
        return False
    if keys.count(old_key) > 1 or (new_key != old_key and new_key in keys):
        raise ModelError(f"{file} was taught two people of the old name or the new one: train it anew.")
    data["names"] = [new if key == old_key else name for key, name in zip(keys, known, strict=True)]
    _write(file, data)
    return True


def _read(file: Path) -> tuple[dict[str, Any], list[str]] | None:
    """What is in the file, and whom it was taught; None: there is no file."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return data, [str(name) for name in second_opinion_from(data).names]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ModelError) as error:
        raise ModelError(
            f"{file} cannot be read ({error}), and may hold what was learned of the person's face: delete "
            "it, or train it anew."
        ) from error


def _write(file: Path, data: dict[str, Any]) -> None:
    try:
        _replace(file, json.dumps(data) + "\n")
    except OSError as error:
        raise ModelError(
            f"{file} cannot be written ({error.strerror}), and still holds what was learned of the person's "
            "face as before: delete it, or train it anew."
        ) from error


def _replace(file: Path, text: str) -> None:
    """Whole or not at all, readable by whom it was readable."""
    partial = file.with_name(f".{file.name}.part")
    partial.unlink(missing_ok=True)
    before = file.stat()
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            target.write(text)
            if os.geteuid() == 0:
                os.fchown(handle, before.st_uid, before.st_gid)
            os.fchmod(handle, before.st_mode & 0o777)
            target.flush()
            os.fsync(handle)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
