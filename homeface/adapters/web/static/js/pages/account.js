import { post, remove, root } from "../api.js";
import { act, confirm, draw, html, icon, refuseShort, toast } from "../dom.js";
import { t } from "../text.js";

async function changePassword(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const fault = form.querySelector(".error");
  fault.textContent = "";
  await act(form.querySelector("[type=submit]"), async () => {
    try {
      refuseShort(form.fresh.value);
      await post("session/password", { old_password: form.old.value, new_password: form.fresh.value });
      form.reset();
      toast(t("The password is changed; every other device is logged out."));
    } catch (error) {
      fault.textContent = error.message;
    }
  });
}

async function leaveEverywhere(event) {
  const button = event.currentTarget;
  const sure = await confirm({ title: t("Log out on every device?"), text: t("On each of them the password is asked for again, on this one, too."), action: t("Log out everywhere"), danger: false });
  if (sure) await act(button, async () => { await remove("sessions"); location.assign(`${root}login`); });
}

draw("account", html`<div class="columns even">
    <form class="card" @submit=${changePassword} novalidate><h2>${t("Change your password")}</h2>
      <div class="field"><label for="old">${t("Password until now")}</label><input class="input" id="old" name="old" type="password" autocomplete="current-password" /></div>
      <div class="field"><label for="fresh">${t("New password")}</label><input class="input" id="fresh" name="fresh" type="password" autocomplete="new-password" /></div>
      <p class="error" role="alert"></p>
      <div class="field"><button class="button" type="submit">${t("Change it")}</button></div></form>
    <section class="card"><h2>${t("Lost a device?")}</h2><p class="muted">${t("Log out on every device where your account is open.")}</p>
      <div class="actions"><button class="button" type="button" id="everywhere" @click=${leaveEverywhere}>${icon("log-out")}${t("Log out everywhere")}</button></div></section></div>`);
