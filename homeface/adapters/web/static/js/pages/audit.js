import { get } from "../api.js";
import { act, draw, empty, failed, html, nothing, repeat } from "../dom.js";
import { moment, t } from "../text.js";
import { actText } from "../words.js";

let acts = [];
let before = null;

function row(entry) {
  return html`<tr><td class="nowrap number">${moment(entry.at)}</td><td>${entry.who}</td><td>${actText(entry.what)}</td><td>${entry.subject_name ?? ""}</td></tr>`;
}

function show() {
  draw("audit", acts.length
    ? html`<div class="stack-small"><div class="card table-wrap" tabindex="0" role="region" aria-label=${t("Log")}><table>
        <thead><tr><th scope="col">${t("When")}</th><th scope="col">${t("Who")}</th><th scope="col">${t("What")}</th><th scope="col">${t("About")}</th></tr></thead>
        <tbody>${repeat(acts, (_entry, index) => index, row)}</tbody></table></div>
        ${before === null ? nothing : html`<button class="button" type="button" @click=${(event) => act(event.currentTarget, more)}>${t("Earlier ones")}</button>`}</div>`
    : empty("history", t("Nothing yet"), t("Log-ins, changes and removals are written here.")));
}

async function more() {
  const answer = await get(before === null ? "audit" : `audit?before=${before}`);
  acts = [...acts, ...answer.acts];
  before = answer.next_before;
  show();
}

async function load() {
  try {
    await more();
  } catch (error) {
    failed("audit", error, load);
  }
}

load();
