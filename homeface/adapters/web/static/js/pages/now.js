import { get, listen, post, role } from "../api.js";
import { act, address, avatar, draw, failed, html, icon, live, nothing, repeat } from "../dom.js";
import { showWaiting } from "../page.js";
import { clock, clockSeconds, listed, moment, number, t, tn } from "../text.js";
import { reasonsText, reasonText } from "../words.js";

const LOG_LENGTH = 100;
/** A camera's last picture is loaded anew when it can be this much newer. */
const PICTURE_SECONDS = 10;
const mayControl = role === "owner";
const decisions = [];
let state = null;
/** Picture of each person; the state of the house itself carries none. */
let pictures = new Map();

function face(person) {
  return avatar({ ...person, picture_url: pictures.get(person.id) });
}

function headline(now) {
  const here = now.people.filter((person) => person.room).map((person) => person.name);
  if (here.length > 3) return tn("{count} person is seen", "{count} people are seen", here.length);
  if (here.length) return here.length === 1 ? t("{names} is seen", { names: here[0] }) : t("{names} are seen", { names: listed(here) });
  if (now.rooms.some((room) => room.occupied)) return t("Somebody is here, not known by name");
  if (now.rooms.length && now.rooms.every((room) => !room.available)) return t("Nothing can be known at the moment");
  return t("Nobody is seen");
}

function roomChip(room) {
  if (room.paused) return html`<span class="chip warn">${icon("eye-off")}${t("Paused")}</span>`;
  if (!room.available) return html`<span class="chip bad">${icon("camera-off")}${t("Not known")}</span>`;
  return room.occupied
    ? html`<span class="chip good">${icon("circle-check")}${t("Occupied")}</span>`
    : html`<span class="chip">${t("Empty")}</span>`;
}

function roomBody(room) {
  if (room.paused) return html`<p class="muted small">${t("Nothing is looked at here until you go on.")}</p>`;
  if (!room.available) return html`<p class="muted small">${t("No camera of this room answers: it may be empty or not.")}</p>`;
  return html`<ul class="stack-small">
    ${repeat(room.people, (person) => person.id, (person) => html`<li class="row">
      ${face(person)}<span class="grow"><span class="strong cut">${person.name}</span><br />
      <span class="muted small number">${t("since {time}", { time: clock(person.since) })}${person.score === null ? nothing : html` · ${t("score {score}", { score: number(person.score, 2) })}`}</span></span></li>`)}
    ${room.unknown_count ? html`<li class="row"><span class="avatar unknown">${icon("circle-help")}</span>
      <span class="grow">${tn("{count} person without a name", "{count} people without a name", room.unknown_count)}</span></li>` : nothing}
    ${!room.people.length && !room.unknown_count ? html`<li class="muted small">${room.occupied ? t("Somebody is here, not decided yet.") : t("Nobody is seen.")}</li>` : nothing}
  </ul>`;
}

function pause(kind, thing, event) {
  const paused = event.target.checked;
  act(event.target, async () => {
    try {
      await post(`${kind}/${encodeURIComponent(thing.id)}/pause`, { paused });
    } catch (error) {
      showNow(state); // the switch goes back to what is true
      throw error;
    }
  });
}

function roomCard(room) {
  const look = room.paused ? "paused" : room.available ? "" : "gone";
  return html`<article class="card room ${look}" data-room=${room.id}>
    <div class="row between"><h3 class="cut">${room.name}</h3>${roomChip(room)}</div>
    ${roomBody(room)}
    ${mayControl ? html`<div class="room-foot"><label><input class="switch" type="checkbox" role="switch" .checked=${live(room.paused)}
      @change=${(event) => pause("rooms", room, event)} />${t("Pause")}<span class="visually-hidden">: ${room.name}</span></label></div>` : nothing}
  </article>`;
}

function personRow(person) {
  const rooms = new Map(state.rooms.map((room) => [room.id, room.name]));
  let where = t("away");
  if (!person.available) where = t("not known");
  else if (person.room) where = rooms.get(person.room) || person.room;
  else if (person.home) where = t("at home");
  return html`<li class="row" data-person=${person.id}>${face(person)}
    <span class="grow"><span class="strong cut">${person.name}</span><br />
    <span class="muted small">${person.room ? t("since {time}", { time: moment(person.since) }) : t("last seen: {time}", { time: moment(person.last_seen) })}</span></span>
    <span class="chip ${person.room ? "good" : ""}">${where}</span></li>`;
}

function cameraChip(camera) {
  if (camera.paused) return html`<span class="chip warn">${t("Paused")}</span>`;
  return camera.available ? html`<span class="chip good">${t("Working")}</span>` : html`<span class="chip bad">${t("No picture")}</span>`;
}

function cameraCard(camera) {
  return html`<article class="card" data-camera=${camera.id}>
    ${camera.picture ? html`<img class="camera-picture" alt=${t("Last picture of {name}", { name: camera.name })} src=${address(`api/v1/cameras/${encodeURIComponent(camera.id)}/picture?at=${Math.floor(state.at / PICTURE_SECONDS)}`)} />` : nothing}
    <div class="row between"><h3 class="cut">${camera.name}</h3>${cameraChip(camera)}</div>
    <p class="muted small number">${camera.available && !camera.paused
      ? t("{rate} pictures a second looked at, {dropped} left out", { rate: number(camera.analysed_fps ?? 0, 1), dropped: number(camera.dropped ?? 0) })
      : camera.reason ? reasonText(camera.reason) : ""}</p>
  </article>`;
}

function showNow(now) {
  state = now;
  const title = headline(now);
  const heading = document.getElementById("headline");
  if (heading.textContent !== title) heading.textContent = title;
  draw("rooms", html`${now.guest_mode ? html`<p><span class="chip warn">${icon("users")}${t("Guests are here: nothing is kept of people without a name")}</span></p>` : nothing}<div class="grid">${repeat(now.rooms, (room) => room.id, roomCard)}</div>`);
  draw("people", html`<div class="card">${now.people.length
    ? html`<ul class="list">${repeat(now.people, (person) => person.id, personRow)}</ul>`
    : html`<p class="muted">${t("Nobody is enrolled yet.")} <a href=${address("people")}>${t("Add the first person")}</a></p>`}</div>`);
  draw("cameras", html`<div class="grid">${repeat(now.cameras, (camera) => camera.id, cameraCard)}</div>`);
}

const KINDS = {
  arrived: (name, room) => t("{name} came into {room}", { name, room }),
  left: (name, room) => t("{name} left {room}", { name, room }),
  seen_again: (name, room) => t("{name} was seen again in {room}", { name, room }),
  unknown: (_name, room) => t("Somebody unknown is in {room}", { room }),
  decision: (name, room) => t("Visit in {room}: {name}", { name, room }),
};

function roomName(id) {
  return state?.rooms.find((room) => room.id === id)?.name || id || "";
}

function decisionRow(entry) {
  const name = entry.name || t("unknown");
  const words = (KINDS[entry.kind] || KINDS.decision)(name, roomName(entry.room));
  const figures = [];
  if (entry.score !== null && entry.score !== undefined) figures.push(t("score {score}", { score: number(entry.score, 2) }));
  if (entry.margin !== null && entry.margin !== undefined) figures.push(t("margin {margin}", { margin: number(entry.margin, 2) }));
  if (entry.votes) figures.push(tn("{count} look", "{count} looks", entry.votes));
  if (entry.reasons?.length) figures.push(reasonsText(entry.reasons));
  return html`<li class="fresh" data-kind=${entry.kind}><time datetime=${new Date(entry.at * 1000).toISOString()}>${clockSeconds(entry.at)}</time>
    <span><span class="strong">${words}</span>${figures.length ? html`<br /><span class="muted small number">${figures.join(" · ")}</span>` : nothing}</span></li>`;
}

function showLog() {
  draw("log", decisions.length
    ? html`${repeat(decisions, (entry) => entry.number, decisionRow)}`
    : html`<li class="muted"><span></span><span>${t("What homeface decides appears here while this page is open.")}</span></li>`);
}

let counted = 0;

function remember(entry) {
  counted += 1;
  decisions.unshift({ ...entry, number: counted });
  decisions.length = Math.min(decisions.length, LOG_LENGTH);
  showLog();
}

function showLine(standing) {
  const chip = document.getElementById("line");
  chip.className = standing ? "chip good" : "chip warn";
  chip.textContent = standing ? t("Live") : t("Connection lost, trying again");
  document.body.classList.toggle("stale", !standing);
}

async function countVisits() {
  try {
    const groups = await get("visits/unknown");
    showWaiting(groups.reduce((sum, group) => sum + group.visits.length, 0));
  } catch {
    showWaiting(0); // the badge is a courtesy; the inbox page tells what is wrong
  }
}

async function loadPictures() {
  try {
    pictures = new Map((await get("people")).map((person) => [person.id, person.picture_url]));
    if (state) showNow(state);
  } catch {
    pictures = new Map(); // initials will do
  }
}

async function start() {
  showLog();
  try {
    showNow(await get("now"));
  } catch (error) {
    failed("rooms", error, start);
    return;
  }
  listen({ now: showNow, decision: remember, visits: countVisits, people: loadPictures }, showLine);
  loadPictures();
  if (role === "owner") countVisits();
}

start();
