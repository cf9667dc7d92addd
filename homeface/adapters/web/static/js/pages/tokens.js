import { get, post, remove } from "../api.js";
import { act, confirm, dialog, draw, empty, failed, html, icon, nameIn, repeat } from "../dom.js";
import { copy } from "../links.js";
import { moment, t } from "../text.js";

const SCOPES = {
  read: () => [t("Read"), t("Who is where, people, visits")],
  control: () => [t("Control"), t("Pause rooms, guest mode")],
  enrol: () => [t("Enrol"), t("Add people and photos, name visits")],
  admin: () => [t("Everything"), t("All of that, and removing people")],
};

function row(token) {
  return html`<tr><td class="strong">${token.name}</td>
    <td>${token.scopes.map((scope) => SCOPES[scope]?.()[0] ?? scope).join(", ")}</td>
    <td class="nowrap">${moment(token.created_at)}</td><td class="nowrap">${moment(token.last_used)}</td>
    <td><button class="button small danger" type="button" aria-label=${t("Withdraw {name}", { name: token.name })}
      @click=${() => withdraw(token)}>${t("Withdraw")}</button></td></tr>`;
}

async function withdraw(token) {
  const sure = await confirm({ title: t("Withdraw {name}?", { name: token.name }), text: t("Whatever uses this token loses its access at once."), action: t("Withdraw") });
  if (sure) await act(null, async () => { await remove(`tokens/${encodeURIComponent(token.id)}`); await load(); });
}

async function make() {
  const made = await dialog((close) => {
    const send = async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      try {
        const scopes = [...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value);
        if (!scopes.length) throw new Error(t("Tick at least one."));
        close(await post("tokens", { name: nameIn(form), scopes }));
      } catch (error) {
        form.querySelector(".error").textContent = error.message;
      }
    };
    return html`<form @submit=${send} novalidate><h2>${t("New token")}</h2>
      <div class="field"><label for="token-name">${t("Name")}</label><input class="input" id="token-name" name="name" maxlength="80" required autofocus /></div>
      <fieldset class="field"><legend>${t("May")}</legend>${Object.entries(SCOPES).map(([scope, words]) => html`<label class="check">
        <input type="checkbox" value=${scope} ?checked=${scope === "read"} /><span><span class="strong">${words()[0]}</span><br /><span class="muted small">${words()[1]}</span></span></label>`)}</fieldset>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${t("Make it")}</button></div></form>`;
  }, t("New token"));
  if (!made) return;
  await load();
  await showSecret(made.secret);
}

function showSecret(secret) {
  return dialog((close) => html`<h2>${t("Copy the token now")}</h2><p>${t("It is shown only this once.")}</p>
    <p class="notice code" id="secret">${secret}</p>
    <div class="actions"><button class="button" type="button" @click=${() => copy(secret)}>${icon("copy")}${t("Copy")}</button>
    <button class="button primary" type="button" @click=${() => close(true)}>${t("Done")}</button></div>`, t("Copy the token now"));
}

async function load() {
  try {
    const { tokens } = await get("tokens");
    const button = html`<button class="button primary" type="button" @click=${make}>${icon("plus")}${t("New token")}</button>`;
    draw("tokens", tokens.length ? html`<div class="stack-small"><div class="card table-wrap" tabindex="0" role="region" aria-label=${t("Tokens")}><table>
      <thead><tr><th>${t("Name")}</th><th>${t("May")}</th><th>${t("Made")}</th><th>${t("Last used")}</th><th><span class="visually-hidden">${t("Actions")}</span></th></tr></thead>
      <tbody>${repeat(tokens, (token) => token.id, row)}</tbody></table></div><p>${button}</p></div>`
      : empty("key-round", t("No tokens"), t("Home Assistant and scripts need one to ask or to act."), button));
  } catch (error) {
    failed("tokens", error, load);
  }
}

load();
