// A link that opens the page for one person, as text and as a QR code.
import { dialog, html, icon, toast } from "./dom.js";
import { t } from "./text.js";

/** `link`: {url, qr_svg}. Resolves when the dialog is closed. */
export function showLink(title, text, link) {
  const picture = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(link.qr_svg)}`;
  return dialog((close) => html`<h2>${title}</h2><p>${text}</p>
    <div class="qr"><img src=${picture} alt=${t("QR code with the link")} /></div>
    <p class="notice code" id="shown-link">${link.url}</p>
    <div class="actions"><button class="button" type="button" @click=${() => copy(link.url)}>${icon("copy")}${t("Copy")}</button>
    <button class="button primary" type="button" @click=${() => close(true)}>${t("Done")}</button></div>`, title);
}

/** To the clipboard, where the browser lets a page do that. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("Copied."));
  } catch {
    toast(t("The browser does not let this page copy: mark the text and copy it."), true);
  }
}
