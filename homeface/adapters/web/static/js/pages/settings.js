import { get, patch } from "../api.js";
import { act, draw, failed, html, icon, nothing, repeat, toast } from "../dom.js";
import { t } from "../text.js";

const TITLES = {
  false_names: () => [t("Strictness"), t("In how many visits of strangers a wrong name is accepted: the smaller, the more often family goes without a name.")],
  hold: () => [t("Hold time"), t("How long a person stays in a room after they were last seen.")],
  retention: () => [t("Retention"), t("How long visits are kept.")],
  unknown_visits: () => [t("Unknown visits"), t("How long pictures of visits without a name are kept.")],
};

function titleOf(setting) {
  const name = setting.key.split(".").at(-1);
  const [title, text] = TITLES[name]?.() ?? [setting.title ?? setting.key, setting.help ?? ""];
  return { title, text: setting.help ?? text };
}

function place(setting) {
  if (setting.source === "page") return t("set here");
  if (setting.file) return t("from {file}, line {line}", { file: setting.file, line: setting.line ?? "?" });
  return t("default");
}

function input(setting) {
  const name = `value-${setting.key}`;
  if (setting.choices?.length) return html`<select class="input" id=${name} name="value">${setting.choices.map((choice) => html`<option ?selected=${choice === setting.value}>${choice}</option>`)}</select>`;
  if (typeof setting.value === "boolean") return html`<input class="switch" type="checkbox" role="switch" id=${name} name="value" ?checked=${setting.value} />`;
  return html`<input class="input" id=${name} name="value" .value=${String(setting.value ?? "")} autocomplete="off" />`;
}

function valueOf(field, setting) {
  if (field.type === "checkbox") return field.checked;
  return typeof setting.value === "number" && field.value.trim() !== "" && !Number.isNaN(Number(field.value)) ? Number(field.value) : field.value.trim();
}

function row(setting) {
  const { title, text } = titleOf(setting);
  const save = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fault = form.querySelector(".error");
    fault.textContent = "";
    act(form.querySelector("[type=submit]"), async () => {
      try {
        await patch("settings", { [setting.key]: valueOf(form.value, setting) });
        toast(t("Saved; it is in force at once."));
        await load();
      } catch (error) {
        fault.textContent = error.message;
      }
    });
  };
  return html`<form class="setting" @submit=${save} data-setting=${setting.key}>
    <div><label class="strong" for="value-${setting.key}">${title}</label><p class="muted small">${text}</p>
      <p class="muted small">${place(setting)} · ${t("default: {value}", { value: String(setting.default ?? "–") })}</p></div>
    <div><div class="row">${input(setting)}<button class="button small" type="submit">${t("Save")}</button></div><p class="error" role="alert"></p></div></form>`;
}

function fixedRow(setting) {
  return html`<tr><td class="code">${setting.key}</td><td>${String(setting.value ?? "–")}</td><td class="muted">${place(setting)}</td></tr>`;
}

async function load() {
  try {
    const { settings } = await get("settings");
    const open = settings.filter((setting) => setting.live);
    const fixed = settings.filter((setting) => !setting.live);
    draw("settings", html`<div class="stack"><section class="card">${repeat(open, (setting) => setting.key, row)}</section>
      ${fixed.length ? html`<section><h2>${t("In the configuration file")}</h2><div class="card table-wrap" tabindex="0" role="region" aria-label=${t("In the configuration file")}><table>
        <thead><tr><th>${t("Key")}</th><th>${t("Value")}</th><th>${t("Where it comes from")}</th></tr></thead><tbody>${repeat(fixed, (setting) => setting.key, fixedRow)}</tbody></table></div></section>` : nothing}</div>`);
  } catch (error) {
    failed("settings", error, load);
  }
}

load();
