// How well somebody is known, as a small label.
import { html, icon } from "./dom.js";
import { t } from "./text.js";

export function healthChip(person) {
  if (person.paused) return html`<span class="chip warn">${icon("pause")}${t("Paused")}</span>`;
  const level = person.health?.level;
  if (!person.photos) return html`<span class="chip bad">${t("No photos yet")}</span>`;
  if (level === "good") return html`<span class="chip good">${icon("circle-check")}${t("Well known")}</span>`;
  if (level === "fair") return html`<span class="chip warn">${t("More photos would help")}</span>`;
  return html`<span class="chip bad">${icon("triangle-alert")}${t("Hardly known")}</span>`;
}
