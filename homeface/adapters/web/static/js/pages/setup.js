import { post, root } from "../api.js";
import { act } from "../dom.js";
import { t } from "../text.js";

const LEAST_LENGTH = 10;
const form = document.getElementById("form");
const codeField = document.getElementById("code-field");

function tell(field, message) {
  document.getElementById(`${field}-error`).textContent = message;
  form[field]?.setAttribute("aria-invalid", String(Boolean(message)));
  if (message) form[field]?.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const field of ["code", "password", "again"]) tell(field, "");
  if ([...form.password.value].length < LEAST_LENGTH) {
    tell("password", t("Choose a longer password: at least ten characters."));
    return;
  }
  if (form.password.value !== form.again.value) {
    tell("again", t("The two passwords differ."));
    return;
  }
  act(form.querySelector("[type=submit]"), async () => {
    try {
      const code = form.code.value.trim();
      await post("setup", { password: form.password.value, ...(code ? { code } : {}) });
      location.assign(root);
    } catch (error) {
      if (error.key.includes("code")) codeField.hidden = false;
      tell(error.key.includes("code") ? "code" : "password", error.message);
    }
  });
});
