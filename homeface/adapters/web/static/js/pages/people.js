import { get, listen, post, role, root, self } from "../api.js";
import { avatar, dialog, draw, empty, failed, html, icon, nameIn, repeat } from "../dom.js";
import { healthChip } from "../people_words.js";
import { moment, t, tn } from "../text.js";

let rooms = new Map();

function card(person) {
  const where = person.room ? rooms.get(person.room) || person.room : t("last seen: {time}", { time: moment(person.last_seen) });
  const inside = html`<span class="row">${avatar(person, true)}<span class="grow"><span class="strong cut">${person.name}</span><br />
      <span class="muted small">${where}</span></span></span>
    <span class="row between">${healthChip(person)}<span class="muted small number nowrap">${tn("{count} photo", "{count} photos", person.photos)}</span></span>`;
  if (role !== "owner" && person.id !== self) return html`<div class="card person-card" data-person=${person.id}>${inside}</div>`;
  return html`<a class="card person-card" href="${root}people/${encodeURIComponent(person.id)}" data-person=${person.id}>${inside}</a>`;
}

function show(people) {
  draw("people", people.length
    ? html`<div class="grid">${repeat(people, (person) => person.id, card)}</div>`
    : empty("users", t("Nobody is enrolled yet"), t("Add yourself first: a minute with your phone is enough, or a few photos."),
        role !== "owner" ? "" : html`<button class="button primary" type="button" @click=${add}>${icon("user-plus")}${t("Add a person")}</button>`));
}

async function load() {
  try {
    const [people, now] = await Promise.all([get("people"), get("now")]);
    rooms = new Map(now.rooms.map((room) => [room.id, room.name]));
    show(people);
  } catch (error) {
    failed("people", error, load);
  }
}

async function add() {
  const person = await dialog((close) => {
    const send = async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      const fault = form.querySelector(".error");
      fault.textContent = "";
      try {
        close(await post("people", { name: nameIn(form) }));
      } catch (error) {
        fault.textContent = error.message;
        form.name.focus();
      }
    };
    return html`<form @submit=${send} novalidate><h2>${t("Add a person")}</h2>
      <div class="field"><label for="new-name">${t("Name")}</label>
      <input class="input" id="new-name" name="name" autocomplete="off" maxlength="80" required autofocus aria-describedby="new-name-error" />
      <p class="error" id="new-name-error" role="alert"></p></div>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${t("Go on to the photos")}</button></div></form>`;
  }, t("Add a person"));
  if (person) location.assign(`${root}people/${encodeURIComponent(person.id)}`);
}

document.getElementById("add")?.addEventListener("click", add);
load();
listen({ people: load });
