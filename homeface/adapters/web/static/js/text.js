// Texts for people: translation of what scripts say, times, counts and names of states.

const catalog = JSON.parse(document.getElementById("messages")?.textContent || "{}");
export const language = document.documentElement.lang || "en";

/** The reader's own country where the browser tells it: it decides between 18:05 and 6:05 PM. */
const locale = navigator.languages?.find((tag) => tag.split("-")[0] === language) || language;

/** The text in the page's language; `{name}` is replaced by `values.name`. */
export function t(message, values = {}) {
  const text = catalog[message] ?? message;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

/** One or many: `{count}` is replaced by the number. */
export function tn(one, many, count, values = {}) {
  return t(count === 1 ? one : many, { ...values, count: number(count) });
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function percent(value, digits = 0) {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: digits }).format(value);
}

export function clock(seconds) {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(new Date(seconds * 1000));
}

export function clockSeconds(seconds) {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(seconds * 1000));
}

/** Today: the time alone; earlier: with the day. */
export function moment(seconds) {
  if (seconds === null || seconds === undefined) return t("never");
  const date = new Date(seconds * 1000);
  if (date.toDateString() === new Date().toDateString()) return clock(seconds);
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** The shortest that is clear: the time today, the day before that. */
export function brief(seconds) {
  const date = new Date(seconds * 1000);
  if (date.toDateString() === new Date().toDateString()) return clock(seconds);
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "numeric" }).format(date);
}

/** A share as people say it: 1 in 500. */
export function inOne(rate) {
  if (rate === null || rate === undefined) return t("not known");
  if (rate <= 0) return t("never");
  if (rate >= 0.5) return percent(rate);
  const count = 1 / rate;
  const step = 10 ** Math.max(0, String(Math.floor(count)).length - 2);
  return t("1 in {count}", { count: number(Math.round(count / step) * step) });
}

export function listed(names) {
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names);
}
