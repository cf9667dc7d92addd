"""SQLite on disk: who is enrolled, what was seen, where everybody was. Templates and crops are encrypted."""

from homeface.adapters.store.backup import BackupInfo, Restored, read_backup
from homeface.adapters.store.names import clean_name
from homeface.adapters.store.records import (
    Act,
    Counts,
    FaceCrop,
    LearnedRecord,
    NewTemplate,
    SightingRecord,
    UnknownFace,
    UnknownVisit,
)
from homeface.adapters.store.recovery import Recovered, recover
from homeface.adapters.store.store import Store

__all__ = [
    "Act",
    "BackupInfo",
    "Counts",
    "FaceCrop",
    "LearnedRecord",
    "NewTemplate",
    "Recovered",
    "Restored",
    "SightingRecord",
    "Store",
    "UnknownFace",
    "UnknownVisit",
    "clean_name",
    "read_backup",
    "recover",
]
