import { root } from "../api.js";
import { Round } from "../capture.js";
import { draw, html, icon, notice } from "../dom.js";
import { cameraAllowed } from "../photos.js";
import { t } from "../text.js";

const place = document.getElementById("round");
const back = root + place.dataset.back;
let round = null;

function ended(outcome) {
  if (outcome === "done") location.assign(back);
  else failed(outcome.message);
}

function failed(message) {
  const fresh = place.cloneNode(false);
  place.replaceWith(fresh);
  delete fresh.dataset.drawn;
  draw(fresh, html`<div class="stack-small">${notice("bad", "camera-off", html`<p>${message}</p>`)}
    <p class="actions"><button class="button primary" type="button" @click=${() => location.reload()}>${icon("refresh-cw")}${t("Try again")}</button>
    <a class="button" href=${back}>${t("Use photos instead")}</a></p></div>`);
}

if (cameraAllowed()) {
  place.replaceChildren();
  place.removeAttribute("aria-busy");
  round = new Round(place, place.dataset.subject, ended);
  round.start();
  addEventListener("pagehide", () => round.stop());
} else {
  failed(t("Browsers open the camera only for pages with a secure address (https). This page has none, so the guided round is not possible here; single pictures are."));
}
