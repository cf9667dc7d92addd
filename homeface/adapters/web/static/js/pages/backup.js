import { api, root } from "../api.js";
import { act, confirm, dialog, draw, html, icon, notice, toast } from "../dom.js";
import { listed, t } from "../text.js";

const LEAST_LENGTH = 10;

async function make(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const fault = form.querySelector(".error");
  fault.textContent = "";
  if ([...form.password.value].length < LEAST_LENGTH) {
    fault.textContent = t("Choose a longer password: at least ten characters.");
    return;
  }
  await act(form.querySelector("[type=submit]"), async () => {
    try {
      const file = await api("POST", "backup", { password: form.password.value });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = `homeface-${new Date().toISOString().slice(0, 10)}.backup`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      form.reset();
      toast(t("The backup is made. Without its password nobody can read it."));
    } catch (error) {
      fault.textContent = error.message;
    }
  });
}

async function restore(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const fault = form.querySelector(".error");
  fault.textContent = "";
  if (!form.file.files.length) {
    fault.textContent = t("Choose the backup file.");
    return;
  }
  const sure = await confirm({ title: t("Put this backup in place?"), text: t("Everybody and everything of now is replaced by what the backup holds, settings included: look through them afterwards. People, photos and unknown visits that were removed here since stay removed; who is paused stays paused. Passwords, tokens and links stay those of now."), action: t("Replace everything") });
  if (!sure) return;
  await act(form.querySelector("[type=submit]"), async () => {
    try {
      const told = await api("POST", "restore", new FormData(form));
      form.reset();
      await dialog((close) => html`<h2>${t("The backup is in place.")}</h2>
        <p>${told.people.length ? t("In it: {names}.", { names: listed(told.people) }) : t("Nobody is in it.")}</p>
        <div class="actions"><button class="button primary" type="button" autofocus @click=${() => close(true)}>${t("Done")}</button></div>`, t("The backup is in place."));
      location.assign(root);
    } catch (error) {
      fault.textContent = error.message;
    }
  });
}

draw("backup", html`<div class="columns even">
  <form class="card" @submit=${make}><h2>${t("Make a backup")}</h2>
    <p class="muted small">${t("The file holds faces and names: it is encrypted with the password you give here.")}</p>
    <div class="field"><label for="backup-password">${t("Password of the file")}</label>
      <input class="input" id="backup-password" name="password" type="password" autocomplete="new-password" required /></div>
    <p class="error" role="alert"></p>
    <div class="field"><button class="button primary" type="submit">${icon("download")}${t("Make and download")}</button></div></form>
  <form class="card" @submit=${restore}><h2>${t("Put a backup in place")}</h2>
    ${notice("warn", "triangle-alert", html`<p class="detail small">${t("What is here now is replaced. Make a backup of it first.")}</p>`)}
    <div class="field"><label for="restore-file">${t("Backup file")}</label><input class="input" id="restore-file" name="file" type="file" required /></div>
    <div class="field"><label for="restore-password">${t("Password of the file")}</label>
      <input class="input" id="restore-password" name="password" type="password" autocomplete="off" required /></div>
    <p class="error" role="alert"></p>
    <div class="field"><button class="button danger" type="submit">${icon("upload")}${t("Put in place")}</button></div></form></div>`);
