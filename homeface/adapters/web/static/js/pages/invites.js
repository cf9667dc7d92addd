import { get, listen, post, remove } from "../api.js";
import { act, dialog, draw, empty, failed, html, icon, nameIn, repeat } from "../dom.js";
import { showLink } from "../links.js";
import { clock, t } from "../text.js";

function entry(invite) {
  return html`<li class="row wrap"><span class="grow"><span class="strong">${invite.name}</span><br />
    <span class="muted small">${t("open until {time}", { time: clock(invite.expires_at) })}</span></span>
    <button class="button small danger" type="button" @click=${(event) => withdraw(invite, event.currentTarget)}>${t("Withdraw")}</button></li>`;
}

async function withdraw(invite, button) {
  await act(button, async () => { await remove(`invites/${encodeURIComponent(invite.id)}`); await load(); });
}

async function make() {
  let people = [];
  await act(null, async () => { people = await get("people"); });
  const invite = await dialog((close) => {
    const send = (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      const chosen = form.who.value;
      act(form.querySelector("[type=submit]"), async () => {
        try {
          close(await post("invites", chosen === "new" ? { name: nameIn(form) } : { person_id: chosen }));
        } catch (error) {
          form.querySelector(".error").textContent = error.message;
        }
      });
    };
    const change = (event) => { event.currentTarget.form.querySelector("#new-who").hidden = event.currentTarget.value !== "new"; };
    return html`<form @submit=${send} novalidate><h2>${t("Invite somebody")}</h2>
      <div class="field"><label for="who">${t("Person")}</label><select class="input" id="who" name="who" @change=${change}>
        <option value="new">${t("Somebody new …")}</option>${people.map((person) => html`<option value=${person.id}>${person.name}</option>`)}</select></div>
      <div class="field" id="new-who"><label for="new-name">${t("Name")}</label><input class="input" id="new-name" name="name" maxlength="80" autocomplete="off" autofocus /></div>
      <p class="error" role="alert"></p>
      <div class="actions"><button class="button" type="button" @click=${() => close(null)}>${t("Cancel")}</button>
      <button class="button primary" type="submit">${t("Make the link")}</button></div></form>`;
  }, t("Invite somebody"));
  if (!invite) return;
  await load();
  await showLink(t("For {name}", { name: invite.name }),
    t("Scan this with the phone's camera, or send the link. It works once, until {time}.", { time: clock(invite.expires_at) }), invite);
}

async function load() {
  try {
    const { invites } = await get("invites");
    const button = html`<button class="button primary" type="button" id="make" @click=${make}>${icon("plus")}${t("Invite somebody")}</button>`;
    draw("invites", invites.length
      ? html`<div class="stack-small"><div class="card"><ul class="list">${repeat(invites, (invite) => invite.id, entry)}</ul></div><p>${button}</p></div>`
      : empty("qr-code", t("No open invites"), t("Make one when somebody stands beside you with their phone, or send the link."), button));
  } catch (error) {
    failed("invites", error, load);
  }
}

load();
listen({ people: load });
