import { get, post, remove } from "../api.js";
import { act, confirm, dialog, draw, failed, html, icon, nameIn, nothing, refuseShort, repeat } from "../dom.js";
import { moment, t } from "../text.js";

let people = [];

function row(account) {
  const person = people.find((one) => one.id === account.person_id);
  return html`<li class="row wrap" data-account=${account.id}>${icon(account.role === "owner" ? "key-round" : "user")}
    <span class="grow"><span class="strong">${account.name}</span><br /><span class="muted small">${account.role === "owner"
      ? t("Owner: may do everything") : person ? t("Family member, is {name}", { name: person.name }) : t("Family member")} · ${t("since {time}", { time: moment(account.created_at) })}</span></span>
    ${account.role === "owner" ? nothing : html`<button class="button small danger" type="button" aria-label=${t("Remove {name}", { name: account.name })}
      @click=${() => removeAccount(account)}>${t("Remove")}</button>`}</li>`;
}

async function removeAccount(account) {
  const sure = await confirm({ title: t("Remove the account {name}?", { name: account.name }), text: t("Whoever uses it is logged out at once. What is stored about the person stays."), action: t("Remove") });
  if (sure) await act(null, async () => { await remove(`accounts/${encodeURIComponent(account.id)}`); await load(); });
}

async function add() {
  const made = await dialog((close) => {
    const send = async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      const fault = form.querySelector(".error");
      fault.textContent = "";
      await act(form.querySelector("[type=submit]"), async () => {
        try {
          const name = nameIn(form);
          refuseShort(form.password.value);
          close(await post("accounts", { name, password: form.password.value, ...(form.who.value ? { person_id: form.who.value } : {}) }));
        } catch (error) {
          fault.textContent = error.message;
        }
      });
    };
    return html`<form @submit=${send} novalidate><h2>${t("Add a family member")}</h2>
      <div class="field"><label for="account-name">${t("Name to log in with")}</label><input class="input" id="account-name" name="name" maxlength="80" autocomplete="off" autofocus /></div>
      <div class="field"><label for="account-who">${t("Is this person")}</label><select class="input" id="account-who" name="who">
        <option value="">${t("nobody who is enrolled")}</option>${people.map((person) => html`<option value=${person.id}>${person.name}</option>`)}</select></div>
      <div class="field"><label for="account-password">${t("Password")}</label><input class="input" id="account-password" name="password" type="password" autocomplete="new-password" /></div>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${t("Add")}</button></div></form>`;
  }, t("Add a family member"));
  if (made) await load();
}

function show(accounts) {
  draw("accounts", html`<div class="card"><ul class="list">${repeat(accounts, (account) => account.id, row)}</ul>
      <div class="actions"><button class="button primary" type="button" id="add-account" @click=${add}>${icon("user-plus")}${t("Add a family member")}</button></div></div>`);
}

async function load() {
  try {
    const [told, list] = await Promise.all([get("accounts"), get("people")]);
    people = list;
    show(told.accounts);
  } catch (error) {
    failed("accounts", error, load);
  }
}

load();
