// A link that opens the page for one person, as text and as a QR code.
import { dialog, html, icon, nothing, notice, toast } from "./dom.js";
import { t } from "./text.js";

/** What the one with the phone has to know first; nothing where it just works. */
function caveat(link) {
  if (link.reach === "machine") return notice("warn", "triangle-alert", html`<p class="small">${t("Only this machine can open the link: homeface listens to nobody else (web.host in the configuration file).")}</p>`);
  if (link.browser_warns) return notice("", "lock", html`<p class="small">${t("The phone will warn once, because this home vouches for itself: choose “Advanced” or “Details”, then go on to the page.")}</p>`);
  if (link.url.startsWith("http:")) return notice("", "info", html`<p class="small">${t("Without https (web.tls) a phone gives the page no camera: photos can be chosen or taken there, the guided round is not possible.")}</p>`);
  return nothing;
}

/** `link`: {url, qr_svg, reach, browser_warns}. Resolves when the dialog is closed. */
export function showLink(title, text, link) {
  const picture = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(link.qr_svg)}`;
  return dialog((close) => html`<h2>${title}</h2><p>${text}</p>
    <div class="qr"><img src=${picture} alt=${t("QR code with the link")} /></div>
    <p class="notice code" id="shown-link">${link.url}</p>
    ${caveat(link)}
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
