"""The file of a household's own classifier."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

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

    True when they were in it. Raises ``ModelError`` when they are, and stay, in the file.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        known = [str(name) for name in second_opinion_from(data).names]
    except (OSError, ValueError, ModelError):
        return False  # such a file is told of where it is asked for
    folded = {name.casefold() for name in names}
    kept = [index for index, name in enumerate(known) if name.casefold() not in folded]
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
    try:
        _replace(file, json.dumps(data) + "\n")
    except OSError as error:
        raise ModelError(
            f"{file} still holds what was learned of the person's face ({error.strerror}): delete it, or "
            "train it anew without them."
        ) from error
    return True


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
