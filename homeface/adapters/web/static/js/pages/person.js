import { api, get, listen, patch, post, remove, role, root } from "../api.js";
import { act, address, avatar, confirm, dialog, draw, failed, html, icon, live, nameIn, nothing, notice, repeat, toast } from "../dom.js";
import { findingText } from "../findings.js";
import { showLink } from "../links.js";
import { healthChip } from "../people_words.js";
import { cameraAllowed, dropZone, PhotoDesk, pickerInstead } from "../photos.js";
import { listed, moment, number, percent, t, tn } from "../text.js";
import { verdictText } from "../verdicts.js";
import { reasonsText } from "../words.js";

const id = document.getElementById("person").dataset.id;
const path = `people/${encodeURIComponent(id)}`;
const isOwner = role === "owner";
const isGuest = role === "guest";
let person = null;
let cameras = [];
let agreed = [];

const desk = new PhotoDesk(
  (form) => api("POST", `${path}/photos`, form),
  (finished) => (finished ? load() : show()),
  isOwner,
);

function meter(share) {
  return html`<div class="meter" aria-hidden="true"><svg viewBox="0 0 100 4" preserveAspectRatio="none"><rect width=${Math.round(share * 100)} height="4"></rect></svg></div>`;
}

function photoState(template) {
  if (template.finding === "outlier") return html`<span class="chip warn">${t("Does not fit the others")}</span>`;
  if (template.finding === "looks_like") return html`<span class="chip bad">${t("Looks like {name}", { name: template.looks_like || t("somebody else") })}</span>`;
  return template.used ? nothing : html`<span class="chip">${t("Set aside")}</span>`;
}

async function removePhoto(template) {
  const sure = await confirm({ title: t("Remove this photo?"), text: t("The picture and what was learned from it are gone for good."), action: t("Remove") });
  if (!sure) return;
  await act(null, async () => {
    await remove(`${path}/photos/${encodeURIComponent(template.id)}`);
    await load();
    toast(t("The photo is gone."));
  });
}

function photo(template, index) {
  const worth = template.quality?.score ?? 0;
  const why = template.quality?.reasons?.length ? reasonsText(template.quality.reasons) : "";
  return html`<li class="photo ${template.used ? "" : "unused"}" data-template=${template.id}>
    ${template.picture_url ? html`<img src=${address(template.picture_url)} alt=${t("Photo {number} of {name}", { number: index + 1, name: person.name })} loading="lazy" />`
      : html`<span class="photo-none">${icon("user")}</span>`}
    <span class="chip photo-kind">${template.kind === "infrared" ? html`${icon("moon-star")}${t("Infra-red")}` : html`${icon("sun-medium")}${t("Day")}`}</span>
    <div class="photo-text"><span>${t("Quality {share}", { share: percent(worth) })}</span>
      ${meter(worth)}${photoState(template)}
      <span class="muted">${[why, template.created_at ? moment(template.created_at) : ""].filter(Boolean).join(" · ")}</span>
    </div>
    <button class="button small square photo-remove" type="button" @click=${() => removePhoto(template)}
      aria-label=${t("Remove photo {number}", { number: index + 1 })}>${icon("x")}</button></li>`;
}

async function fromCamera() {
  const answer = await dialog((close) => {
    const send = (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      const fault = form.querySelector(".error");
      fault.textContent = "";
      act(form.querySelector("[type=submit]"), async () => {
        try {
          close(await post(`${path}/photos/from-camera`, { camera: form.camera.value, seconds: 8 }));
        } catch (error) {
          fault.textContent = error.message;
        }
      });
    };
    return html`<form @submit=${send}><h2>${t("From a camera of the house")}</h2>
      <p class="muted">${t("{name} stands alone before the camera for eight seconds and turns the head slowly. In the dark the pictures become infra-red ones.", { name: person.name })}</p>
      <div class="field"><label for="camera">${t("Camera")}</label><select class="input" id="camera" name="camera">
        ${cameras.map((camera) => html`<option value=${camera.id}>${camera.name}</option>`)}</select></div>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${icon("video")}${t("Start")}</button></div></form>`;
  }, t("From a camera of the house"));
  if (!answer) return;
  const taken = answer.photos.filter((verdict) => verdict.accepted).length;
  toast(taken ? tn("{count} picture taken", "{count} pictures taken", taken) : answer.photos.length ? verdictText(answer.photos[0]) : t("No good face was seen."), !taken);
  await load();
}

function ways() {
  const round = cameraAllowed()
    ? html`<a class="way" href="${root}${path}/round" data-way="round">${icon("scan-face")}<span><strong>${t("Guided with this camera")}</strong><small>${t("A minute, and the best result")}</small></span></a>`
    : nothing;
  const house = cameras.length && isOwner
    ? html`<button class="way" type="button" @click=${fromCamera}>${icon("video")}<span><strong>${t("From a camera of the house")}</strong><small>${t("By day or infra-red, as it will be seen")}</small></span></button>`
    : nothing;
  return html`<div class="ways">${round}${house}</div>`;
}

async function rename() {
  const done = await dialog((close) => {
    const send = async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      try {
        const aliases = form.aliases.value.split(",").map((word) => word.trim()).filter(Boolean);
        close(await patch(path, { name: nameIn(form), aliases }));
      } catch (error) {
        form.querySelector(".error").textContent = error.message;
      }
    };
    return html`<form @submit=${send} novalidate><h2>${t("Rename")}</h2>
      <div class="field"><label for="new-name">${t("Name")}</label><input class="input" id="new-name" name="name" .value=${person.name} maxlength="80" required autofocus /></div>
      <div class="field"><label for="aliases">${t("Other names")}</label><input class="input" id="aliases" name="aliases" .value=${(person.aliases || []).join(", ")} />
      <p class="hint">${t("With commas between them; Home Assistant's voice knows them, too.")}</p></div>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${t("Save")}</button></div></form>`;
  }, t("Rename"));
  if (done) await load();
}

async function removePerson() {
  const sure = await confirm({
    title: t("Remove {name} for good?", { name: person.name }),
    text: t("All pictures, everything learned from them and all visits of {name} are gone from this machine, and from Home Assistant. This cannot be undone.", { name: person.name }),
    action: t("Remove for good"),
  });
  if (!sure) return;
  await act(null, async () => {
    await remove(path);
    if (isOwner) location.assign(`${root}people`);
    else gone();
  });
}

async function personalLink() {
  const link = await act(null, () => post(`${path}/link`));
  if (!link) return;
  await showLink(t("For {name}", { name: person.name }), t("With this link {name} can see and delete what is stored, at any time. An earlier one is void.", { name: person.name }), link);
}

/** For who has just deleted themselves: this page has nothing more to show. */
function gone() {
  draw("person", notice("good", "circle-check", html`<p class="strong">${t("Everything about {name} is gone.", { name: person.name })}</p>`));
}

function pauseSwitch(event) {
  const paused = event.target.checked;
  person.paused = paused; // what is drawn meanwhile does not turn it back
  act(event.target, async () => {
    try {
      await patch(path, { paused });
    } finally {
      await load(); // the switch shows what is true, also when this failed
    }
  });
}

function show() {
  const found = person.health?.findings ?? [];
  document.title = `${person.name} · homeface`;
  draw("person", html`<div class="stack">
    <div class="page-head"><div class="row">${avatar(person, true)}<div class="grow"><h1 class="cut">${person.name}</h1>
      <p class="row wrap">${healthChip(person)}<span>${t("last seen: {time}", { time: moment(person.last_seen) })}</span></p></div></div>
      <div class="actions">${isGuest ? nothing : html`<button class="button" type="button" @click=${rename}>${icon("pencil")}${t("Rename")}</button>`}
      <button class="button danger" type="button" id="remove-person" @click=${removePerson}>${icon("trash-2")}${t("Remove")}</button></div></div>
    ${found.length ? html`<section aria-label=${t("What would help")}><div class="stack-small">${found.map((finding) => {
      const words = findingText(finding);
      return notice(finding.serious ? "warn" : "", finding.serious ? "triangle-alert" : "info", html`<p>${words.text}</p>${words.help ? html`<p class="detail small">${words.help}</p>` : nothing}`);
    })}</div></section>` : nothing}
    <section><h2>${t("Add photos")}</h2><div class="stack-small">${ways()}${dropZone((files) => desk.take(files))}
      ${cameraAllowed() ? nothing : pickerInstead((files) => desk.take(files))}${desk.verdicts()}</div></section>
    <section><h2>${t("Photos")} <span class="muted number">${number(person.templates.length)}</span></h2>
      ${person.templates.length ? html`<ul class="grid small" id="photos">${repeat(person.templates, (template) => template.id, photo)}</ul>`
        : html`<p class="muted">${t("None yet. Five from different sides are a good start.")}</p>`}</section>
    ${isGuest ? nothing : html`<section class="card flat"><label class="row between"><span><span class="strong">${t("Pause")}</span><br />
      <span class="muted small">${t("While paused nobody is called {name}; photos stay.", { name: person.name })}</span></span>
      <input class="switch" type="checkbox" role="switch" .checked=${live(person.paused)} @change=${pauseSwitch} /></label></section>`}
    <div class="actions"><a class="button small" href=${address(`api/v1/${path}/export`)} download>${icon("download")}${t("Everything about {name} as a file", { name: person.name })}</a>
      ${isOwner ? html`<button class="button small" type="button" @click=${personalLink}>${icon("qr-code")}${t("Personal link for {name}", { name: person.name })}</button>` : nothing}</div>
    ${agreed.length ? html`<p class="muted small">${t("Agreed to being recognised: {times}", { times: listed(agreed.map((entry) => moment(entry.at))) })}</p>` : nothing}
  </div>`);
}

async function load() {
  try {
    person = await get(path);
    show();
  } catch (error) {
    failed("person", error, load);
  }
}

async function start() {
  await load();
  if (!isOwner) {
    agreed = (await get("me").catch(() => ({ consents: [] }))).consents;
    if (person) show();
    return;
  }
  try {
    cameras = (await get("now")).cameras.filter((camera) => camera.available && !camera.paused);
    if (person) show();
  } catch {
    cameras = []; // that way of adding photos is then not offered
  }
  listen({ people: load });
}

start();
