import { post, root } from "../api.js";
import { draw, html, notice } from "../dom.js";
import { t } from "../text.js";

const place = document.getElementById("me");

async function start() {
  try {
    const session = await post("links/open", { secret: place.dataset.secret });
    if (!session.subject_id) throw new Error(t("There is nothing stored about you."));
    location.replace(`${root}people/${encodeURIComponent(session.subject_id)}`);
  } catch (error) {
    draw(place, html`<div class="page-head"><h1>${t("This link does not open")}</h1></div>${notice("bad", "circle-alert", html`<p>${error.message}</p>`)}`);
  }
}

start();
