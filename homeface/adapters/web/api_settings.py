"""Settings, the log of acts, backup and restore."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from homeface.adapters.store import Act
from homeface.adapters.web.access import ADMIN, OWNER
from homeface.adapters.web.context import Context
from homeface.adapters.web.models_settings import (
    ActAnswer,
    Audit,
    AuditQuery,
    BackupWanted,
    ChangeSettings,
    RestoredAnswer,
    Settings,
)
from homeface.adapters.web.routing import Files, Media, api
from homeface.errors import InvalidRequestError

_RESTORE_MAX_BYTES = 4 * 1024**3
_SLOW_SECONDS = 60.0
_PIECE_BYTES = 256 * 1024


async def get_settings(context: Context) -> Settings:
    """Every setting: its value, its default, and where it comes from."""
    return await context.services.settings_desk.all()


async def change_settings(context: Context) -> Settings:
    """Those that can be changed while homeface runs; they hold at once and after a restart."""
    changes = context.taken(ChangeSettings).changes
    changed = await context.services.settings_desk.change(changes)
    for key in changes:
        await context.note("change setting", key)
    return changed


async def get_audit(context: Context) -> Audit:
    """Who did what, newest first."""
    asked = context.asked(AuditQuery)
    acts, names = await context.services.accounts.acts(asked.before, asked.limit)
    more = len(acts) == asked.limit
    return Audit(acts=[_act(act, names) for act in acts], next_before=acts[-1].at if more else None)


async def make_backup(context: Context) -> web.StreamResponse:
    """Everything that is stored, and the key that opens it, in one file under the password."""
    backups = context.services.backups
    target = backups.place()
    try:
        await backups.back_up(target, context.taken(BackupWanted).password)
        await context.note("backup")
        name = time.strftime("homeface-%Y-%m-%d.backup")
        response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{name}"'})
        response.content_type = "application/octet-stream"
        file = await asyncio.to_thread(target.open, "rb")
        try:
            await response.prepare(context.request)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                async with asyncio.timeout(_SLOW_SECONDS):  # whoever takes nothing is let go
                    await response.write(piece)
            await response.write_eof()
        finally:
            await asyncio.to_thread(file.close)
        return response
    finally:
        await asyncio.to_thread(target.unlink, missing_ok=True)


async def restore_backup(context: Context) -> RestoredAnswer:
    """Replace everything by what the file holds: all or nothing. Who was removed since stays removed."""
    backups = context.services.backups
    source = backups.place()
    try:
        fields = await context.services.uploads.save(
            context.request, context.me().name, source, _RESTORE_MAX_BYTES
        )
        password = fields.get("password", "")
        if not password:
            raise InvalidRequestError("Send the backup's password along.", field="password")
        restored = await backups.restore(source, password)
    finally:
        await asyncio.to_thread(source.unlink, missing_ok=True)
    context.services.accounts.look_again()
    await context.note("restore")
    return RestoredAnswer(
        people=list(restored.people),
        left_out=restored.left_out,
        broken=restored.broken,
        created_at=restored.info.created_at,
        version=restored.info.version,
    )


def _act(act: Act, names: dict[str, str]) -> ActAnswer:
    return ActAnswer(
        at=act.at, who=act.who, what=act.what, subject=act.subject, subject_name=names.get(act.subject)
    )


ROUTES = (
    api("GET", "/settings", get_settings, ADMIN, "Every setting", answer=Settings),
    api("PATCH", "/settings", change_settings, ADMIN, "Change settings", body=ChangeSettings,
        answer=Settings),
    api("GET", "/audit", get_audit, ADMIN, "Who did what", query=AuditQuery, answer=Audit),
    api("POST", "/backup", make_backup, ADMIN, "Make a backup", body=BackupWanted,
        answer=Media("application/octet-stream")),
    api("POST", "/restore", restore_backup, OWNER, "Restore a backup", body=Files("file", ("password",)),
        answer=RestoredAnswer),
)  # fmt: skip
