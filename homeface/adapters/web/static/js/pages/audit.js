import { get } from "../api.js";
import { draw, empty, failed, html, repeat } from "../dom.js";
import { moment, t } from "../text.js";

function row(entry, index) {
  return html`<tr><td class="nowrap number">${moment(entry.at)}</td><td>${entry.who}</td><td>${entry.what}</td><td class="code">${entry.address ?? ""}</td></tr>`;
}

async function load() {
  try {
    const { entries } = await get("audit");
    draw("audit", entries.length
      ? html`<div class="card table-wrap" tabindex="0" role="region" aria-label=${t("Log")}><table><thead><tr><th>${t("When")}</th><th>${t("Who")}</th><th>${t("What")}</th><th>${t("From")}</th></tr></thead>
        <tbody>${repeat(entries, (entry, index) => entry.id ?? index, row)}</tbody></table></div>`
      : empty("history", t("Nothing yet"), t("Log-ins, changes and removals are written here.")));
  } catch (error) {
    failed("audit", error, load);
  }
}

load();
