import { get, listen, post, remove } from "../api.js";
import { act, address, confirm, dialog, draw, empty, failed, html, icon, nameIn, nothing, repeat, toast } from "../dom.js";
import { showWaiting } from "../page.js";
import { brief, moment, number, t, tn } from "../text.js";
import { verdictText } from "../verdicts.js";
import { reasonsText } from "../words.js";

let people = [];
let rooms = new Map();
const forgetAll = document.getElementById("forget-all");
const SHOWN = 6;

function picture(visit) {
  const told = t("{room}, {time}", { room: rooms.get(visit.room) || visit.room, time: moment(visit.last_seen) });
  return html`<figure>${visit.picture_url
    ? html`<img src=${address(visit.picture_url)} alt=${told} loading="lazy" />`
    : html`<span class="no-face" role="img" aria-label=${told}>${icon("circle-help")}</span>`}
    <figcaption class="muted small number" aria-hidden="true">${brief(visit.last_seen)}</figcaption></figure>`;
}

/** Of the newest visit: how like the nearest person it was, and how often it was looked at. */
function figures(visit) {
  const words = [];
  if (visit.score !== null) words.push(t("score {score}", { score: number(visit.score, 2) }));
  words.push(tn("{count} look", "{count} looks", visit.votes));
  return words.join(" · ");
}

function group(entry) {
  const newest = entry.visits.reduce((best, visit) => (visit.last_seen > best.last_seen ? visit : best));
  const places = [...new Set(entry.visits.map((visit) => rooms.get(visit.room) || visit.room))].join(", ");
  const reasons = [...new Set(entry.visits.flatMap((visit) => visit.reasons))];
  const usable = entry.visits.some((visit) => visit.faces > 0);
  return html`<article class="card stack-small" data-group=${entry.group_id}>
    <div class="row between wrap"><div><h2>${tn("{count} visit", "{count} visits", entry.visits.length)}</h2>
      <p class="muted small">${places} · ${t("last: {time}", { time: moment(newest.last_seen) })}</p></div></div>
    <div class="faces">${entry.visits.slice(0, SHOWN).map(picture)}${entry.visits.length > SHOWN ? html`<span class="no-face">+${entry.visits.length - SHOWN}</span>` : nothing}</div>
    ${reasons.length ? html`<p class="small"><span class="strong">${t("Why no name:")}</span> ${reasonsText(reasons)}<br />
      <span class="muted number">${figures(newest)}</span></p>` : nothing}
    <div class="actions">
      ${usable ? html`<button class="button primary small" type="button" data-name-it @click=${() => nameIt(entry)}>${icon("user-plus")}${t("This is …")}</button>`
        : html`<span class="muted small">${t("No face of these visits is good enough to learn from.")}</span>`}
      <button class="button small" type="button" @click=${(event) => dismiss(entry, event.currentTarget)}>${t("Not interesting")}</button>
    </div></article>`;
}

async function nameIt(entry) {
  const first = entry.visits.find((visit) => visit.faces > 0);
  const answer = await dialog((close) => {
    const send = (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      const fault = form.querySelector(".error");
      fault.textContent = "";
      const chosen = form.who.value;
      act(form.querySelector("[type=submit]"), async () => {
        try {
          if (!chosen) throw new Error(t("Choose who it is."));
          const body = chosen === "new" ? { name: nameIn(form) } : { person_id: chosen };
          const told = await post(`visits/unknown/${encodeURIComponent(first.id)}/name`, { ...body, group: Boolean(form.group?.checked), visits: entry.visits.map((visit) => visit.id) });
          close({ told, who: chosen === "new" ? body.name : people.find((person) => person.id === chosen).name });
        } catch (error) {
          fault.textContent = error.message;
        }
      });
    };
    const change = (event) => {
      const box = event.currentTarget.form.querySelector("#new-who");
      box.hidden = event.currentTarget.value !== "new";
      if (!box.hidden) box.querySelector("input").focus();
    };
    return html`<form @submit=${send} novalidate><h2>${t("Who is this?")}</h2>
      <div class="faces">${entry.visits.filter((visit) => visit.picture_url).slice(0, 4).map(picture)}</div>
      <div class="field"><label for="who">${t("Person")}</label><select class="input" id="who" name="who" @change=${change}>
        ${people.length ? html`<option value="" selected>${t("Choose …")}</option>` : nothing}
        ${people.map((person) => html`<option value=${person.id}>${person.name}</option>`)}
        <option value="new">${t("Somebody new …")}</option></select></div>
      <div class="field" id="new-who" ?hidden=${people.length > 0}><label for="new-name">${t("Name")}</label>
        <input class="input" id="new-name" name="name" maxlength="80" autocomplete="off" /></div>
      ${entry.visits.length > 1 ? html`<label class="check"><input type="checkbox" name="group" checked /><span>${t("All {count} visits that look like this person", { count: entry.visits.length })}</span></label>` : nothing}
      <p class="hint">${t("Good faces of these visits are added after the same checks as photos. Ask people before you teach homeface their face.")}</p>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
        <button class="button primary" type="submit">${t("Add the faces")}</button></div></form>`;
  }, t("Who is this?"));
  if (!answer) return;
  const taken = answer.told.photos.filter((verdict) => verdict.accepted).length;
  if (taken) toast(t("{name} is known by {count} more pictures from now on.", { name: answer.who, count: taken }));
  else toast(t("Nothing was added. {why}", { why: answer.told.photos.length ? verdictText(answer.told.photos[0]) : "" }), true);
  await load();
}

async function dismiss(entry, button) {
  await act(button, async () => {
    for (const visit of entry.visits) await remove(`visits/unknown/${encodeURIComponent(visit.id)}`);
    await load();
  });
}

function show(groups) {
  const count = groups.reduce((sum, entry) => sum + entry.visits.length, 0);
  forgetAll.hidden = count === 0;
  showWaiting(count);
  draw("visits", groups.length
    ? html`<div class="stack-small">${repeat(groups, (entry) => entry.group_id, group)}</div>`
    : empty("inbox", t("Nothing here"), t("Visits that get no name appear here, if the configuration keeps them.")));
}

async function load() {
  try {
    const [groups, list, now] = await Promise.all([get("visits/unknown"), get("people"), get("now")]);
    people = list;
    rooms = new Map(now.rooms.map((room) => [room.id, room.name]));
    show(groups);
  } catch (error) {
    failed("visits", error, load);
  }
}

forgetAll.addEventListener("click", async () => {
  const sure = await confirm({ title: t("Delete all unknown visits?"), text: t("Their pictures are gone for good."), action: t("Delete all") });
  if (sure) await act(forgetAll, async () => { await remove("visits/unknown"); await load(); });
});
load();
listen({ visits: load });
