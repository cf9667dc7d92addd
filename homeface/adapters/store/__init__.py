"""SQLite on disk: who is enrolled, what was seen, where everybody was. Templates and crops are encrypted."""

from homeface.adapters.store.backup import BackupInfo, Restored, read_backup
from homeface.adapters.store.copies import set_aside
from homeface.adapters.store.names import clean_name
from homeface.adapters.store.records import (
    AccountRecord,
    Act,
    Counts,
    FaceCrop,
    LearnedRecord,
    LinkRecord,
    NewTemplate,
    SessionRecord,
    SightingRecord,
    TemplateFacts,
    TokenRecord,
    UnknownFace,
    UnknownVisit,
)
from homeface.adapters.store.recovery import Recovered, recover
from homeface.adapters.store.store import Store

__all__ = [
    "AccountRecord",
    "Act",
    "BackupInfo",
    "Counts",
    "FaceCrop",
    "LearnedRecord",
    "LinkRecord",
    "NewTemplate",
    "Recovered",
    "Restored",
    "SessionRecord",
    "SightingRecord",
    "Store",
    "TemplateFacts",
    "TokenRecord",
    "UnknownFace",
    "UnknownVisit",
    "clean_name",
    "read_backup",
    "recover",
    "set_aside",
]
