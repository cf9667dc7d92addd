import { post, root } from "../api.js";
import { act } from "../dom.js";

const form = document.getElementById("form");
const fault = document.getElementById("password-error");

/** Only a place below homeface itself: a link from elsewhere must not lead away after the log-in. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") || "";
  const target = new URL(wanted, new URL(root, location.href));
  return target.origin === location.origin && target.pathname.startsWith(root) ? target.href : root;
}

document.getElementById("as-member").addEventListener("click", (event) => {
  document.getElementById("name-field").hidden = false;
  event.currentTarget.hidden = true;
  form.name.focus();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  fault.textContent = "";
  const fields = new FormData(form);
  const name = String(fields.get("name") || "").trim();
  act(form.querySelector("[type=submit]"), async () => {
    try {
      await post("session", { password: fields.get("password"), ...(name ? { name } : {}) });
      location.assign(next());
    } catch (error) {
      fault.textContent = error.message;
      form.password.setAttribute("aria-invalid", "true");
      form.password.select();
    }
  });
});
