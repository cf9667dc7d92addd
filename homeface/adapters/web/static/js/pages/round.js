import { root } from "../api.js";
import { Round } from "../capture.js";
import { draw, html, icon, notice } from "../dom.js";
import { cameraAllowed } from "../photos.js";
import { t, tn } from "../text.js";
import { verdictText } from "../verdicts.js";
import { STEPS } from "../words.js";

const place = document.getElementById("round");
const back = root + place.dataset.back;
let round = null;

function ended(outcome, told) {
  if (outcome !== "done") {
    failed(outcome.message);
    return;
  }
  const photos = told.result?.photos ?? [];
  const taken = photos.filter((photo) => photo.accepted).length;
  const refused = photos.filter((photo) => !photo.accepted);
  draw(fresh(), html`<div class="stack-small" data-round-ended>
    ${notice(taken ? "good" : "warn", taken ? "circle-check" : "triangle-alert", html`<p class="strong">${tn("{count} picture taken", "{count} pictures taken", taken)}</p>
      ${refused.map((photo) => html`<p class="detail small">${STEPS[photo.label]?.() ?? photo.label}: ${verdictText(photo)}</p>`)}`)}
    <p><a class="button primary" href=${back}>${t("Done")}</a></p></div>`);
}

/** An element that nothing was drawn into yet, in the place of the round. */
function fresh() {
  const element = document.createElement("div");
  document.getElementById("round").replaceWith(element);
  element.id = "round";
  return element;
}

function failed(message) {
  draw(fresh(), html`<div class="stack-small">${notice("bad", "camera-off", html`<p>${message}</p>`)}
    <p class="actions"><button class="button primary" type="button" @click=${() => location.reload()}>${icon("refresh-cw")}${t("Try again")}</button>
    <a class="button" href=${back}>${t("Use photos instead")}</a></p></div>`);
}

if (cameraAllowed()) {
  place.replaceChildren();
  place.removeAttribute("aria-busy");
  round = new Round(place, place.dataset.subject, ended);
  round.start();
  addEventListener("pagehide", () => round.leave());
} else {
  failed(t("Browsers open the camera only for pages with a secure address (https). This page has none, so the guided round is not possible here; single pictures are."));
}
