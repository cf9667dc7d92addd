// Charts of the health page, by Chart.js (global `Chart`, loaded by that page alone).
import { number, t } from "./text.js";

/** After Okabe and Ito: people with any colour vision tell them apart; shapes beside them do the rest. */
const COLOURS = {
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E6E6E", "#8C7A00"],
  dark: ["#56B4E9", "#E69F00", "#2FC79B", "#E39AC4", "#F0E442", "#FF8A4C", "#B8B8B8", "#7FA8FF"],
};
const SHAPES = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "cross", "dash"];

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function fresh(canvas, config) {
  globalThis.Chart.getChart(canvas)?.destroy();
  return new globalThis.Chart(canvas, config);
}

function axis(more = {}) {
  return { ticks: { color: token("--muted") }, grid: { color: token("--line") }, border: { color: token("--line") }, ...more };
}

const colours = () => COLOURS[getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "dark" : "light"];

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** `points`: [{name, x, y, aside}]. One colour and shape a person; photos set aside are hollow. */
export function peopleMap(canvas, points) {
  const names = [...new Set(points.map((point) => point.name))];
  const datasets = names.map((name, index) => {
    const own = points.filter((point) => point.name === name);
    const palette = colours();
    const colour = palette[index % palette.length];
    return {
      label: name,
      data: own.map((point) => ({ x: point.x, y: point.y })),
      pointStyle: SHAPES[index % SHAPES.length],
      borderColor: colour,
      backgroundColor: own.map((point) => (point.aside ? "transparent" : colour)),
      borderWidth: 2,
      radius: 6,
      hoverRadius: 8,
    };
  });
  return fresh(canvas, {
    type: "scatter",
    data: { datasets },
    options: {
      animation: still() ? false : { duration: 300 },
      maintainAspectRatio: false,
      scales: { x: axis({ ticks: { display: false } }), y: axis({ ticks: { display: false } }) },
      plugins: {
        legend: { position: "bottom", labels: { usePointStyle: true, color: token("--text") } },
        tooltip: { callbacks: { label: (item) => item.dataset.label } },
      },
    },
  });
}

/** `distances`: {names: [..], scores: [[..]]}, cosine scores between -1 and 1. */
export function distanceHeatMap(canvas, { names, scores }) {
  const data = scores.flatMap((row, y) => row.map((score, x) => ({ x: names[x], y: names[y], score })));
  const [red, green, blue] = hexOf(token("--accent"));
  const cell = (length, count) => Math.max(2, length / Math.max(1, count) - 3);
  return fresh(canvas, {
    type: "matrix",
    data: {
      datasets: [{
        label: t("score"),
        data,
        backgroundColor: ({ raw }) => `rgba(${red}, ${green}, ${blue}, ${Math.max(0.05, Math.min(1, raw?.score ?? 0))})`,
        width: ({ chart }) => cell(chart.chartArea?.width ?? 0, names.length),
        height: ({ chart }) => cell(chart.chartArea?.height ?? 0, names.length),
      }],
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      scales: {
        x: { type: "category", labels: names, offset: true, ...axis({ grid: { display: false } }) },
        y: { type: "category", labels: names, offset: true, ...axis({ grid: { display: false } }) },
      },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: { title: () => "", label: ({ raw }) => `${raw.y} – ${raw.x}: ${number(raw.score, 2)}` } },
      },
    },
  });
}

/** Lying bars, one group a person. `series`: [{label, values}]; null draws nothing; `words(value)` for the tips. */
export function bars(canvas, names, series, words, most) {
  const tones = [token("--accent"), token("--muted")];
  return fresh(canvas, {
    type: "bar",
    data: {
      labels: names,
      datasets: series.map(({ label, values }, index) => ({
        label, data: values, backgroundColor: tones[index % tones.length], borderRadius: 3, maxBarThickness: 18,
      })),
    },
    options: {
      animation: still() ? false : { duration: 300 },
      indexAxis: "y",
      maintainAspectRatio: false,
      scales: {
        x: axis({ min: 0, suggestedMax: most, ticks: { color: token("--muted"), callback: words, maxTicksLimit: 6 } }),
        y: axis({ grid: { display: false } }),
      },
      plugins: {
        legend: { display: series.length > 1, position: "bottom", labels: { color: token("--text") } },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${words(item.raw)}` } },
      },
    },
  });
}

function hexOf(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}
