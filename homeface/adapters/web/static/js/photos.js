// Adding photos: choose, drop or take them; each gets its own verdict.
import { html, icon, nothing, notice, repeat } from "./dom.js";
import { t, tn } from "./text.js";
import { verdictText } from "./verdicts.js";

const KINDS = "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic,.heif";
const AT_ONCE = 6;

/** True where the browser may open the camera itself (a secure page and a device that has one). */
export function cameraAllowed() {
  return window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
}

/** The place to drop or choose photos. `take(files)` gets them. */
export function dropZone(take) {
  const over = (event, on) => {
    event.preventDefault();
    event.currentTarget.classList.toggle("over", on);
  };
  return html`<label class="drop" @dragover=${(event) => over(event, true)} @dragleave=${(event) => over(event, false)}
      @drop=${(event) => { over(event, false); take([...event.dataTransfer.files]); }}>
    ${icon("image-plus")}
    <span class="strong">${t("Choose photos, or drop them here")}</span>
    <span class="small">${t("JPEG, PNG, HEIC or WebP, several at once. One person in each, from different sides.")}</span>
    <input class="visually-hidden" type="file" accept=${KINDS} multiple data-photos
      @change=${(event) => { take([...event.target.files]); event.target.value = ""; }} />
  </label>`;
}

/** The phone's own camera, for pages that may not open it themselves, and why. */
export function pickerInstead(take) {
  return html`${notice("warn", "lock", html`<p class="strong">${t("Take pictures with your camera app")}</p>
      <p class="detail small">${t("Browsers open the camera only for pages with a secure address (https). This page has none, so the guided round is not possible here; single pictures are.")}</p>`)}
    <label class="button wide">${icon("camera")}${t("Take a picture")}
      <input class="visually-hidden" type="file" accept="image/*" capture="user" data-capture
        @change=${(event) => { take([...event.target.files]); event.target.value = ""; }} /></label>`;
}

/** Sends files a few at a time, keeps their verdicts, and draws them. */
export class PhotoDesk {
  /**
   * `send(formData)` returns the API's answer; `changed(finished)` is called whenever there is something new.
   * `mayInsist`: offer to add a face although it looks like somebody else's (twins, parent and child).
   */
  constructor(send, changed, mayInsist = false) {
    this.send = send;
    this.changed = changed;
    this.mayInsist = mayInsist;
    this.items = [];
    this.busy = false;
  }

  async take(files) {
    const items = files.map((file) => ({ name: file.name, picture: URL.createObjectURL(file), file, verdict: null }));
    this.items = [...items, ...this.items];
    this.busy = true;
    for (let start = 0; start < items.length; start += AT_ONCE) {
      await this.#sendSome(items.slice(start, start + AT_ONCE));
    }
    this.busy = this.items.some((item) => item.verdict === null);
    this.changed(true);
  }

  async #insist(item) {
    item.verdict = null;
    this.busy = true;
    await this.#sendSome([item], true);
    this.busy = false;
    this.changed(true);
  }

  async #sendSome(items, insist = false) {
    this.changed(false);
    const form = new FormData();
    if (insist) form.append("allow_lookalikes", "true");
    for (const item of items) form.append("photos", item.file, item.name);
    try {
      const answer = await this.send(form);
      items.forEach((item, index) => { item.verdict = answer.photos[index] ?? { accepted: false, message: t("No answer for this picture.") }; });
    } catch (error) {
      for (const item of items) item.verdict = { accepted: false, key: error.key, message: error.message };
    }
    this.changed(false);
  }

  verdicts() {
    if (!this.items.length) return nothing;
    const taken = this.items.filter((item) => item.verdict?.accepted).length;
    return html`<div class="card flat" role="status" aria-live="polite">
      <p class="strong">${this.busy ? t("Looking at the pictures …") : tn("{count} picture taken", "{count} pictures taken", taken)}</p>
      <ul class="verdicts">${repeat(this.items, (item) => item.picture, (item) => html`<li>
        <img src=${item.picture} alt="" />
        <span><span class="small muted cut">${item.name}</span><br />${this.#verdict(item.verdict)}
          ${this.mayInsist && item.verdict?.key === "looks_like_another" ? html`<br /><button class="button small" type="button" @click=${() => this.#insist(item)}>${t("It is the right person: add it")}</button>` : nothing}</span></li>`)}</ul></div>`;
  }

  #verdict(verdict) {
    if (verdict === null) return html`<span class="muted">${t("waiting …")}</span>`;
    if (!verdict.accepted) return html`<span class="verdict-bad">${verdictText(verdict)}</span>`;
    return verdict.used === false
      ? html`<span class="muted">${verdictText(verdict)}</span>`
      : html`<span class="verdict-good">${t("Taken")}</span>`;
  }
}
