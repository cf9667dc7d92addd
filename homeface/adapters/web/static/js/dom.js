// What every page uses: drawing, icons, messages that pass by, questions before something is lost.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { files, root } from "./api.js";
import { t } from "./text.js";

export { html, live, nothing, render, repeat };

/** A decorative icon of the sprite. */
export function icon(name) {
  return html`<svg class="icon" aria-hidden="true" focusable="false"><use href="${files}vendor/icons.svg#${name}"></use></svg>`;
}

export function avatar(person, big = false) {
  const kind = `avatar${big ? " big" : ""}`;
  if (person.picture_url) return html`<span class=${kind}><img src=${address(person.picture_url)} alt="" loading="lazy" /></span>`;
  const initials = (person.name || "?").trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("");
  return html`<span class=${kind} aria-hidden="true">${initials.toUpperCase()}</span>`;
}

/** An address that the server told, below wherever this page is served. */
export function address(path) {
  return /^(blob:|data:)/.test(path) ? path : root + String(path).replace(/^\/+/, "");
}

/** Draw into the element with this id; what the server put there as a placeholder goes. */
export function draw(id, content) {
  const place = typeof id === "string" ? document.getElementById(id) : id;
  if (!place) return;
  if (!place.dataset.drawn) {
    place.replaceChildren();
    place.dataset.drawn = "yes";
    place.removeAttribute("aria-busy");
  }
  render(content, place);
}

/** A short message that goes by itself; screen readers hear it. */
export function toast(message, bad = false) {
  const place = document.getElementById("toasts");
  const note = document.createElement("div");
  note.className = bad ? "toast bad" : "toast";
  note.textContent = message;
  place.append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 5000);
}

export function empty(iconName, title, text, action = nothing) {
  return html`<div class="empty">${icon(iconName)}<h2>${title}</h2><p>${text}</p>${action}</div>`;
}

export function notice(kind, iconName, content) {
  return html`<div class="notice ${kind}">${icon(iconName)}<div>${content}</div></div>`;
}

/** A modal dialog; resolves with the answer, or null when it was left. `content(close)` draws it. */
export function dialog(content, label) {
  return new Promise((resolve) => {
    const box = document.createElement("dialog");
    box.setAttribute("aria-label", label);
    document.body.append(box);
    let answer = null;
    const close = (value) => {
      answer = value ?? null;
      box.close();
    };
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    render(content(close, () => render(content(close), box)), box);
    box.showModal();
  });
}

/** Ask before something is done that cannot be undone. Resolves with true or false. */
export async function confirm({ title, text, action, danger = true }) {
  const answer = await dialog(
    (close) => html`
      <h2>${title}</h2>
      <p>${text}</p>
      <div class="actions">
        <button class="button" type="button" autofocus @click=${() => close(false)}>${t("Cancel")}</button>
        <button class="button primary ${danger ? "danger" : ""}" type="button" @click=${() => close(true)}>${action}</button>
      </div>`,
    title,
  );
  return answer === true;
}

/** Run an action of a button: it is busy meanwhile, and what goes wrong is told. */
export async function act(button, work) {
  if (button) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
  }
  try {
    return await work();
  } catch (error) {
    toast(error.message, true);
    return undefined;
  } finally {
    if (button) {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }
}

/** Show in place of a page's content why it could not be loaded. */
export function failed(id, error, again) {
  draw(id, notice("bad", "circle-alert", html`<p>${error.message}</p>
    <p><button class="button small" type="button" @click=${again}>${t("Try again")}</button></p>`));
}

/** The name in a form's field `name`. Throws what to tell when there is none. */
export function nameIn(form) {
  const name = form.name.value.trim();
  if (!name) {
    form.name.focus();
    throw new Error(t("Give a name."));
  }
  return name;
}

const LEAST_LENGTH = 10;

/** Throws what to tell when a new password is too short. */
export function refuseShort(password) {
  if ([...password].length < LEAST_LENGTH) throw new Error(t("Choose a longer password: at least ten characters."));
}
