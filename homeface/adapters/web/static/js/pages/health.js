import { get } from "../api.js";
import { draw, empty, failed, html, nothing, notice, repeat } from "../dom.js";
import { bars, distanceHeatMap, peopleMap } from "../charts.js";
import { findingText } from "../findings.js";
import { inOne, number, percent, t } from "../text.js";

/** With fewer nothing can be said of how often somebody is missed. */
const FEW_PHOTOS = 3;
let found = null;

function summary() {
  const kept = found.promise_kept;
  return html`<section aria-label=${t("Summary")}>${notice(kept ? "good" : "warn", kept ? "circle-check" : "triangle-alert", html`
    <p class="strong">${kept ? t("The promise can be kept for everybody.") : t("For somebody the promise cannot be kept.")}</p>
    <p class="detail small">${t("Asked for: a wrong name in at most {asked} visits of strangers. Expected, all together: {expected}.", {
      asked: inOne(found.asked_false_names), expected: inOne(found.expected_false_names) })}</p>`)}</section>`;
}

function findings() {
  if (!found.findings.length) return nothing;
  return html`<section><h2>${t("What to know")}</h2><div class="stack-small">${found.findings.map((finding) => {
    const words = findingText(finding);
    return notice(finding.promise_kept ? "" : "warn", finding.promise_kept ? "info" : "triangle-alert",
      html`<p>${words.text}</p>${words.help ? html`<p class="detail small">${words.help}</p>` : nothing}`);
  })}</div></section>`;
}

function row(person) {
  return html`<tr><td class="strong">${person.name}</td><td class="number">${number(person.photos_day)} + ${number(person.photos_infrared)}</td>
    <td>${person.nearest ? html`${person.nearest.name} <span class="muted number">${number(person.nearest.score, 2)}</span>${person.nearest.promise_kept ? nothing : html` <span class="chip bad">${t("too alike")}</span>`}` : "–"}</td>
    <td>${inOne(person.expected_false_names)}</td><td>${person.photos_day + person.photos_infrared < FEW_PHOTOS ? t("too few photos") : inOne(person.expected_misses)}</td></tr>`;
}

function table() {
  return html`<section><h2>${t("Everybody")}</h2><div class="card table-wrap" tabindex="0" role="region" aria-label=${t("Everybody")}><table>
    <thead><tr><th>${t("Person")}</th><th>${t("Photos: day + infra-red")}</th><th>${t("Nearest look-alike")}</th><th>${t("A stranger gets this name")}</th><th>${t("Missed though seen well")}</th></tr></thead>
    <tbody>${repeat(found.people, (person) => person.id, row)}</tbody></table></div></section>`;
}

function charts() {
  return html`<div class="columns even">
    ${found.pca ? html`<section><h2>${t("Who is near whom")}</h2><figure class="card"><div class="chart"><canvas id="map" role="img" aria-label=${t("Map of all photos: photos of one person should lie together, people apart.")}></canvas></div>
      <figcaption class="muted small figure-note">${t("Each dot is a photo. Photos of one person should lie together, people apart; who overlaps here may still be far apart in truth.")}</figcaption></figure></section>` : nothing}
    ${found.distances ? html`<section><h2>${t("How alike any two are")}</h2><figure class="card"><div class="chart"><canvas id="heat" role="img" aria-label=${t("Heat map of likeness between people; the table below has the nearest look-alike of everybody.")}></canvas></div>
      <figcaption class="muted small figure-note">${t("Mean score of their photos: the stronger the colour, the more alike.")}</figcaption></figure></section>` : nothing}
    ${alike().length ? html`<section><h2>${t("Nearest look-alikes")}</h2><figure class="card"><div class="chart"><canvas id="alike" role="img" aria-label=${t("Bars: how like each person is to the one nearest to them; the table below says it in figures.")}></canvas></div>
      <figcaption class="muted small figure-note">${t("Score with the person most like them, beside the score that a name needs: the farther below, the safer.")}</figcaption></figure></section>` : nothing}
    ${missed().length ? html`<section><h2>${t("Expected misses")}</h2><figure class="card"><div class="chart"><canvas id="missed" role="img" aria-label=${t("Bars: in how many good visits each person goes without a name; the table below says it in figures.")}></canvas></div>
      <figcaption class="muted small figure-note">${t("Share of visits seen well in which somebody is expected to go without a name. Whoever has too few photos is not shown.")}</figcaption></figure></section>` : nothing}
  </div>`;
}

const alike = () => found.people.filter((person) => person.nearest);
const missed = () => found.people.filter((person) => person.expected_misses !== null && person.photos_day + person.photos_infrared >= FEW_PHOTOS);

function drawBars() {
  if (alike().length) {
    bars(document.getElementById("alike"), alike().map((person) => `${person.name} – ${person.nearest.name}`), [
      { label: t("score"), values: alike().map((person) => person.nearest.score) },
      { label: t("a name needs"), values: alike().map((person) => person.score_needed) },
    ], (value) => number(value, 2), 0.6);
  }
  if (missed().length) {
    bars(document.getElementById("missed"), missed().map((person) => person.name), [
      { label: t("missed"), values: missed().map((person) => person.expected_misses) },
    ], (value) => percent(value, 1), 0.02);
  }
}

function show() {
  if (!found.people.length) {
    draw("health", empty("users", t("Nobody is enrolled yet"), t("Figures appear here as soon as somebody has photos.")));
    return;
  }
  draw("health", html`<div class="stack">${summary()}${findings()}${charts()}${table()}</div>`);
  if (found.pca) peopleMap(document.getElementById("map"), found.pca);
  if (found.distances) distanceHeatMap(document.getElementById("heat"), found.distances);
  drawBars();
}

async function load() {
  try {
    found = await get("health");
    show();
  } catch (error) {
    failed("health", error, load);
  }
}

load();
addEventListener("themechange", () => found && show());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => found && show());
