"""People and their photos, guided rounds, and the inbox of visits without a name."""

from __future__ import annotations

from aiohttp import web

from homeface.adapters.web.access import ADMIN_OWN, ENROL, ENROL_OWN, READ, Access, Role, Scope
from homeface.adapters.web.api_now import HISTORY, jpeg
from homeface.adapters.web.context import Context
from homeface.adapters.web.discretion import feedback_for_guest, person_for_guest, photos_for_guest
from homeface.adapters.web.models_people import (
    FromCamera,
    NameVisit,
    NewPerson,
    People,
    PersonChange,
    PersonDetails,
    PhotosAnswer,
    RoundBegun,
    RoundFeedback,
    VisitGroups,
)
from homeface.adapters.web.routing import Files, Media, Raw, api
from homeface.errors import NotAllowedError

FRAME_MAX_BYTES = 2 * 1024 * 1024
LOOK_AT_ONE = Access(scope=Scope.READ, own=True)
"""Members and guests see the pictures of nobody but themselves."""


async def get_people(context: Context) -> People:
    """Everybody enrolled. Members get no pictures of others."""
    people = await context.services.people.people()
    who = context.me()
    if who.role is not Role.MEMBER:
        return people
    shown = [p if who.owns(p.id) else p.model_copy(update={"picture_url": None}) for p in people.root]
    return People(shown)


async def add_person(context: Context) -> PersonDetails:
    """Somebody without photos yet."""
    person = await context.services.people.add(context.taken(NewPerson).name)
    await context.note("add person", person.id)
    return person


async def get_person(context: Context) -> PersonDetails:
    """One person with all photos. Guests are told no other names."""
    person = await context.services.people.person(context.part("person_id"))
    return person_for_guest(person) if context.me().role is Role.GUEST else person


async def change_person(context: Context) -> PersonDetails:
    """Another name, other aliases, paused or not."""
    if context.me().role is Role.GUEST:
        raise NotAllowedError("Ask whoever invited you to change this.")
    change = context.taken(PersonChange)
    person = await context.services.people.change(context.part("person_id"), change)
    await context.note(f"change person: {', '.join(sorted(change.model_fields_set)) or 'nothing'}", person.id)
    return person


async def remove_person(context: Context) -> None:
    """Forget a person: photos, what was learned, visits, presence. It cannot be undone."""
    await context.services.people.remove(context.part("person_id"))
    await context.note("remove person", context.part("person_id"))


async def add_photos(context: Context) -> PhotosAnswer:
    """Several photos at once, each with its own verdict.

    Family members and guests cannot insist on a face that looks like somebody else's.
    """
    person_id = context.part("person_id")
    batch = await context.services.people.batch(person_id)
    lookalikes = False
    async for upload in context.files():
        if upload.is_file:
            await batch.add(upload.label, upload.data)
        elif upload.field == "allow_lookalikes":
            lookalikes = upload.data.strip().lower() == b"true"
    role = context.me().role
    insisted = lookalikes and role not in {Role.MEMBER, Role.GUEST}
    answer = await batch.finish(allow_lookalikes=insisted)
    await _note_photos(context, "add photos", person_id, answer)
    return photos_for_guest(answer) if role is Role.GUEST else answer


async def add_photos_from_camera(context: Context) -> PhotosAnswer:
    """Good faces of exactly one person before a camera of the house."""
    person_id, wanted = context.part("person_id"), context.taken(FromCamera)
    answer = await context.services.people.from_camera(
        person_id, wanted.camera, wanted.seconds, allow_lookalikes=wanted.allow_lookalikes
    )
    await _note_photos(context, "add photos from a camera", person_id, answer)
    return answer


async def remove_photo(context: Context) -> None:
    """Forget one photo."""
    await context.services.people.remove_photo(context.part("person_id"), context.part("template_id"))
    await context.note("remove photo", context.part("person_id"))


async def get_photo_picture(context: Context) -> web.Response:
    """The picture of one photo."""
    person_id, template_id = context.part("person_id"), context.part("template_id")
    return jpeg(await context.services.people.picture(person_id, template_id))


async def export_person(context: Context) -> web.StreamResponse:
    """Everything that is kept about a person."""
    person_id = context.part("person_id")

    async def content() -> bytes:
        data = await context.services.people.export(person_id)
        await context.note("export person", person_id)
        return data

    name = f'attachment; filename="homeface-{person_id}.zip"'
    headers = {"Content-Disposition": name, "Content-Type": "application/zip", "Cache-Control": "no-store"}
    response = web.StreamResponse(headers=headers)
    await context.services.uploads.send(context.request, response, content)
    return response


async def begin_round(context: Context) -> RoundBegun:
    """A guided round: front, left, right, up, down, glasses, smile."""
    return await context.services.rounds.begin(context.part("person_id"))


async def send_frame(context: Context) -> RoundFeedback:
    """One frame of the person's own camera; the answer says what to do."""
    return await _told(context, await context.services.rounds.frame(_own_round(context), context.raw))


async def skip_step(context: Context) -> RoundFeedback:
    """Go on without a picture of this step; after the last one what was taken is stored."""
    return await _told(context, await context.services.rounds.skip(_own_round(context)))


async def end_round(context: Context) -> None:
    """Stop; nothing is stored."""
    context.services.rounds.end(_own_round(context))


def _own_round(context: Context) -> str:
    round_id = context.part("round_id")
    context.require_own(context.services.rounds.person_of(round_id))
    return round_id


async def _told(context: Context, feedback: RoundFeedback) -> RoundFeedback:
    if feedback.result is not None and feedback.result.person_id is not None:
        await _note_photos(context, "guided round", feedback.result.person_id, feedback.result)
    return feedback_for_guest(feedback) if context.me().role is Role.GUEST else feedback


async def get_unknown_visits(context: Context) -> VisitGroups:
    """Visits that got no name, grouped by likeness."""
    return await context.services.visits.groups()


async def get_unknown_picture(context: Context) -> web.Response:
    """The best face of a visit."""
    return jpeg(await context.services.visits.picture(context.part("visit_id")))


async def name_unknown_visit(context: Context) -> PhotosAnswer:
    """This is …: good faces become photos, after the same checks."""
    answer = await context.services.visits.name(context.part("visit_id"), context.taken(NameVisit))
    await _note_photos(context, "name a visit", answer.person_id or "", answer)
    return answer


async def dismiss_unknown_visit(context: Context) -> None:
    """Not interesting: forget its faces."""
    await context.services.visits.dismiss(context.part("visit_id"))
    await context.note("forget an unknown visit")


async def dismiss_unknown_visits(context: Context) -> None:
    """Forget all of them."""
    await context.services.visits.dismiss_all()
    await context.note("forget all unknown visits")


async def _note_photos(context: Context, what: str, person_id: str, answer: PhotosAnswer) -> None:
    accepted = sum(photo.accepted for photo in answer.photos)
    await context.note(f"{what}: {accepted} of {len(answer.photos)} accepted", person_id)


ROUTES = (
    api("GET", "/people", get_people, READ, "Everybody enrolled", answer=People),
    api("POST", "/people", add_person, ENROL, "Add a person", body=NewPerson, answer=PersonDetails,
        status=201),
    api("GET", "/people/{person_id}", get_person, LOOK_AT_ONE, "One person", answer=PersonDetails),
    api("PATCH", "/people/{person_id}", change_person, ENROL_OWN, "Rename or pause a person",
        body=PersonChange, answer=PersonDetails),
    api("DELETE", "/people/{person_id}", remove_person, ADMIN_OWN, "Remove a person"),
    api("GET", "/people/{person_id}/export", export_person, ADMIN_OWN, "Everything about a person",
        answer=Media("application/zip")),
    api("POST", "/people/{person_id}/photos", add_photos, ENROL_OWN, "Add photos",
        body=Files("photos", ("allow_lookalikes",)), answer=PhotosAnswer),
    api("POST", "/people/{person_id}/photos/from-camera", add_photos_from_camera, ENROL,
        "Add photos from a camera of the house", body=FromCamera, answer=PhotosAnswer),
    api("DELETE", "/people/{person_id}/photos/{template_id}", remove_photo, ENROL_OWN, "Remove a photo"),
    api("GET", "/people/{person_id}/photos/{template_id}/picture", get_photo_picture, LOOK_AT_ONE,
        "The picture of a photo", answer=Media("image/jpeg")),
    api("POST", "/people/{person_id}/round", begin_round, ENROL_OWN, "Begin a guided round",
        answer=RoundBegun, status=201),
    api("POST", "/rounds/{round_id}/frame", send_frame, ENROL_OWN, "Send a frame",
        body=Raw("image/jpeg", FRAME_MAX_BYTES), answer=RoundFeedback),
    api("POST", "/rounds/{round_id}/skip", skip_step, ENROL_OWN, "Skip a step", answer=RoundFeedback),
    api("DELETE", "/rounds/{round_id}", end_round, ENROL_OWN, "End a round"),
    api("GET", "/visits/unknown", get_unknown_visits, HISTORY, "Visits without a name", answer=VisitGroups),
    api("DELETE", "/visits/unknown", dismiss_unknown_visits, ENROL, "Forget all visits without a name"),
    api("GET", "/visits/unknown/{visit_id}/picture", get_unknown_picture, ENROL, "The best face of a visit",
        answer=Media("image/jpeg")),
    api("POST", "/visits/unknown/{visit_id}/name", name_unknown_visit, ENROL, "Say who it was",
        body=NameVisit, answer=PhotosAnswer),
    api("DELETE", "/visits/unknown/{visit_id}", dismiss_unknown_visit, ENROL, "Forget a visit"),
)  # fmt: skip
