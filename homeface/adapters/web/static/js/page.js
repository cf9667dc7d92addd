// On every page: the menu with language, light and dark, leaving; the number of unknown visits.
import { remove, root } from "./api.js";
import { act } from "./dom.js";

const YEAR_SECONDS = 365 * 24 * 3600;

function remember(name, value) {
  document.cookie = `${name}=${value}; path=${root}; max-age=${value ? YEAR_SECONDS : 0}; samesite=lax`;
}

function showTheme() {
  const chosen = document.documentElement.dataset.theme || "";
  for (const button of document.querySelectorAll("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === chosen));
  }
}

for (const button of document.querySelectorAll("[data-set-theme]")) {
  button.addEventListener("click", () => {
    const theme = button.dataset.setTheme;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    remember("homeface_theme", theme);
    showTheme();
    dispatchEvent(new Event("themechange"));
  });
}
showTheme();

for (const button of document.querySelectorAll("[data-set-language]")) {
  button.addEventListener("click", () => {
    remember("homeface_language", button.dataset.setLanguage);
    location.reload();
  });
}

document.getElementById("log-out")?.addEventListener("click", (event) =>
  act(event.currentTarget, async () => {
    await remove("session");
    location.assign(`${root}login`);
  }),
);

const menu = document.querySelector("details.menu");
if (menu) {
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// On a phone the row of sub-pages is wider than the screen: show where we are.
document.querySelector(".subnav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

/** Show how many visits wait for a name beside the menu entry. */
export function showWaiting(count) {
  const badge = document.getElementById("waiting");
  if (!badge) return;
  badge.textContent = count > 99 ? "99+" : String(count);
  badge.hidden = count === 0;
}
