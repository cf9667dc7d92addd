import { api, get, post, role, useSession } from "../api.js";
import { Round } from "../capture.js";
import { act, draw, html, icon, notice, toast } from "../dom.js";
import { cameraAllowed, dropZone, PhotoDesk, pickerInstead } from "../photos.js";
import { language, t, tn } from "../text.js";

const place = document.getElementById("invite");
const asked = document.getElementById("asked");
let taking = document.getElementById("taking");
const { secret } = place.dataset;
let me = null;
let desk = null;

function over(error) {
  draw(place, html`<div class="page-head"><h1>${t("This link does not open")}</h1></div>${notice("bad", "circle-alert", html`<p>${error.message}</p>`)}`);
}

function ask(name, version, opened) {
  place.hidden = true;
  asked.hidden = false;
  document.getElementById("guest").textContent = name;
  const fault = document.getElementById("agree-error");
  document.getElementById("agree").addEventListener("submit", (event) => {
    event.preventDefault();
    fault.textContent = "";
    if (!event.currentTarget.agreed.checked) {
      fault.textContent = t("Tick that you agree, or close the page.");
      return;
    }
    act(event.currentTarget.querySelector("[type=submit]"), async () => {
      try {
        if (!opened) useSession(await post("links/open", { secret }));
        opened = true;
        me = await post("me/consent", { version, language });
        begin();
      } catch (error) {
        fault.textContent = error.message;
      }
    });
  });
}

function begin() {
  const path = `people/${encodeURIComponent(me.person_id)}`;
  desk = new PhotoDesk((form) => api("POST", `${path}/photos`, form), choose);
  place.hidden = true;
  asked.hidden = true;
  taking.hidden = false;
  choose();
  document.getElementById("main").focus();
  scrollTo(0, 0);
}

function choose() {
  const taken = desk.items.some((item) => item.verdict?.accepted);
  draw(taking, html`<div class="stack-small"><div class="page-head"><div><h1>${t("Now your face")}</h1>
      <p>${t("The guided round takes a minute and gives the best result. Photos do, too.")}</p></div></div>
    ${cameraAllowed()
      ? html`<button class="button primary wide" type="button" data-way="round" @click=${guided}>${icon("scan-face")}${t("Guided with this camera")}</button>`
      : pickerInstead((files) => desk.take(files))}
    ${dropZone((files) => desk.take(files))}${desk.verdicts()}
    ${taken ? html`<button class="button primary wide" type="button" data-finish @click=${finish}>${icon("check")}${t("That is enough")}</button>` : ""}</div>`);
}

/** An element that nothing was drawn into yet, in the place of the one before. */
function stage() {
  const fresh = document.createElement("div");
  taking.replaceWith(fresh);
  taking = fresh;
  return fresh;
}

function guided() {
  const leave = () => {
    stage();
    choose();
  };
  const inner = document.createElement("div");
  const round = new Round(inner, me.person_id, (outcome) => {
    if (outcome === "done") {
      finish();
      return;
    }
    toast(outcome.message, true);
    leave();
  });
  draw(stage(), html`<h1 class="center">${t("Now your face")}</h1>${inner}
    <p class="center"><button class="button quiet" type="button" @click=${() => { round.leave(); leave(); }}>${t("Use photos instead")}</button></p>`);
  addEventListener("pagehide", () => round.leave());
  round.start();
}

async function finish() {
  const person = await act(null, () => get(`people/${encodeURIComponent(me.person_id)}`));
  const link = await act(null, () => post(`people/${encodeURIComponent(me.person_id)}/link`));
  const count = person?.templates.length ?? 0;
  stage();
  draw(taking, html`<div class="stack-small"><div class="page-head"><div><h1>${t("Thank you, {name}", { name: me.name })}</h1>
      <p>${count ? tn("This home knows you by {count} picture.", "This home knows you by {count} pictures.", count) : t("No picture was taken yet.")}</p></div></div>
    ${link ? html`<div class="card"><h2>${t("Your personal link")}</h2>
      <p>${t("Keep it: with it you can see and delete your data at any time. Whoever has it can do so in your name.")}</p>
      <p class="notice code" id="personal-link">${link.url}</p>
      <div class="actions"><button class="button" type="button" @click=${() => keep(link.url)}>${icon("copy")}${t("Copy")}</button>
      <a class="button" href=${link.url}>${t("See my data")}</a></div></div>` : ""}</div>`);
}

async function keep(url) {
  try {
    if (navigator.share) await navigator.share({ title: "homeface", url });
    else await navigator.clipboard.writeText(url);
    toast(t("Kept."));
  } catch {
    toast(t("The browser does not let this page copy: mark the text and copy it."), true);
  }
}

async function start() {
  try {
    const link = await post("links/look", { secret });
    if (link.kind === "invite") {
      ask(link.name, link.consent_version, false);
      return;
    }
    throw new Error(t("This is no invite."));
  } catch (error) {
    if (role !== "guest") {
      over(error);
      return;
    }
  }
  try { // loaded again after the link was used up: go on where it stopped
    me = await get("me");
    if (me.consented && me.person_id) begin();
    else ask(me.name, me.consent_version, true);
  } catch (error) {
    over(error);
  }
}

start();
