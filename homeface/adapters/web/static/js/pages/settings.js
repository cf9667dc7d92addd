import { get, listen, patch, post } from "../api.js";
import { act, draw, failed, html, icon, live, nothing, repeat, toast } from "../dom.js";
import { t } from "../text.js";
import { choiceText, groupTitle, settingHelp, settingTitle } from "../setting_words.js";

let now = null;
const GROUPS = ["recognition", "presence", "storage", "web", "rooms"];

function place(setting) {
  if (setting.source === "page") return t("set here; the file says {value}", { value: shown(setting.file_value) });
  if (setting.source === "file") return t("from the file, line {line}", { line: setting.place.line ?? "?" });
  return t("default");
}

function shown(value) {
  if (value === true) return t("on");
  if (value === false) return t("off");
  if (value === null || value === undefined || value === "" || value.length === 0) return "–";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function control(setting, id) {
  if (setting.kind === "switch") return html`<input class="switch" type="checkbox" role="switch" id=${id} name="value" .checked=${live(Boolean(setting.value))} />`;
  if (setting.kind === "choice") return html`<select class="input" id=${id} name="value">
    ${setting.value === null ? html`<option value="">–</option>` : nothing}
    ${setting.choices.map((choice) => html`<option value=${choice} ?selected=${choice === setting.value}>${choiceText(choice)}</option>`)}</select>`;
  const hint = `${id}-hint`;
  return html`<input class="input" id=${id} name="value" autocomplete="off" placeholder=${shown(setting.default)}
    inputmode=${setting.kind === "number" ? "numeric" : "text"} aria-describedby=${hint} .value=${live(setting.value === null ? "" : String(setting.value))} />`;
}

function given(form, setting) {
  const field = form.value;
  if (setting.kind === "switch") return field.checked;
  const text = field.value.trim();
  if (!text) return null;
  return setting.kind === "number" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

async function change(form, setting, value) {
  const fault = form.querySelector(".error");
  fault.textContent = "";
  await act(form.querySelector("[type=submit]"), async () => {
    try {
      const answer = await patch("settings", { changes: { [setting.key]: value } });
      show(answer?.settings ?? (await get("settings")).settings);
      toast(t("Saved; it is in force at once."));
    } catch (error) {
      fault.textContent = error.message;
    }
  });
}

function row(setting) {
  const id = `value-${setting.key.replaceAll(".", "-")}`;
  const submit = (event) => {
    event.preventDefault();
    change(event.currentTarget, setting, given(event.currentTarget, setting));
  };
  const limits = setting.least !== null && setting.most !== null ? t("{least} to {most}", { least: setting.least, most: setting.most }) : "";
  return html`<form class="setting" @submit=${submit} data-setting=${setting.key} novalidate>
    <div><label class="strong" for=${id}>${settingTitle(setting)}</label><p class="muted small">${settingHelp(setting)}</p></div>
    <div><div class="row">${control(setting, id)}<button class="button small" type="submit" aria-label=${t("Save {name}", { name: settingTitle(setting) })}>${t("Save")}</button>
      ${setting.source === "page" ? html`<button class="button small square quiet" type="button" title=${t("Back to the file")}
        aria-label=${t("{name}: back to the file", { name: settingTitle(setting) })}
        @click=${(event) => change(event.currentTarget.form, setting, null)}>${icon("refresh-cw")}</button>` : nothing}</div>
      <p class="muted small" id="${id}-hint">${[limits, place(setting)].filter(Boolean).join(" · ")}</p>
      <p class="error" role="alert"></p></div></form>`;
}

function group(name, settings) {
  const rows = html`<div class="card">${repeat(settings, (setting) => setting.key, row)}</div>`;
  return html`<section data-group=${name}><h2>${groupTitle(name)}</h2>${rows}</section>`;
}

/** Switches that hold until somebody turns them back; they are no settings of the file. */
function pauseRow(id, title, help, on, path, body) {
  const change = (event) => {
    const wanted = event.target.checked;
    act(event.target, async () => {
      try {
        await post(path, body(wanted));
      } finally {
        showPauses(await get("now").catch(() => now)); // the switch shows what is true, also when this failed
      }
    });
  };
  return html`<div class="setting" data-pause=${id}><div><label class="strong" for="pause-${id}">${title}</label><p class="muted small">${help}</p></div>
    <div><input class="switch" type="checkbox" role="switch" id="pause-${id}" .checked=${live(on)} @change=${change} /></div></div>`;
}

function showPauses(told) {
  now = told;
  draw("pauses", html`<section data-group="pauses"><h2>${t("Pauses")}</h2><div class="card">
    ${pauseRow("guests", t("Guests are here"), t("People without a name make no events, and nothing is kept of their visits."), now.guest_mode, "guest-mode", (enabled) => ({ enabled }))}
    ${repeat(now.rooms, (room) => room.id, (room) => pauseRow(`room-${room.id}`, t("Pause {room}", { room: room.name }), t("Nothing is looked at there until you go on."), room.paused, `rooms/${encodeURIComponent(room.id)}/pause`, (paused) => ({ paused })))}
    <p class="hint">${t("A single person is paused on that person's page.")}</p></div></section>`);
}

function fixedRow(setting) {
  return html`<tr><td class="code">${setting.key}</td><td>${shown(setting.value)}</td><td class="muted">${place(setting)}</td></tr>`;
}

function show(settings) {
  const open = settings.filter((setting) => setting.live);
  const fixed = settings.filter((setting) => !setting.live);
  const file = settings[0]?.place.file ?? "";
  const groups = GROUPS.map((name) => [name, open.filter((setting) => setting.key.split(".")[0] === name)]).filter(([, found]) => found.length);
  draw("settings", html`<div class="stack">${groups.map(([name, found]) => group(name, found))}
    ${fixed.length ? html`<details class="fold"><summary>${t("In the configuration file")}<span class="muted code">${file}</span></summary>
      <div class="card table-wrap" tabindex="0" role="region" aria-label=${t("In the configuration file")}><table>
      <thead><tr><th scope="col">${t("Key")}</th><th scope="col">${t("Value")}</th><th scope="col">${t("Where it comes from")}</th></tr></thead>
      <tbody>${repeat(fixed, (setting) => setting.key, fixedRow)}</tbody></table></div></details>` : nothing}</div>`);
}

async function load() {
  try {
    show((await get("settings")).settings);
  } catch (error) {
    failed("settings", error, load);
  }
}

load();
get("now").then(showPauses, (error) => failed("pauses", error, () => location.reload()));
listen({ now: showPauses });
