// What every part of the page needs to write into it. Data only ever becomes text nodes.

export const byId = (id) => document.getElementById(id);

// element makes an element with a class and children; strings become text.
export function element(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

// avatar is a disc with initials; its colour comes from the connection id.
export function avatar(member) {
  const e = element("span", "avatar", initials(member.name));
  e.setAttribute("aria-hidden", "true");
  let hash = 0;
  for (const c of member.id) hash = (hash * 31 + c.codePointAt(0)) % 360;
  e.style.setProperty("--hue", hash);
  return e;
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map((w) => [...w][0].toUpperCase()).join("");
}

// showError puts an error's text where screen readers announce it; no error clears it.
export function showError(id, error) {
  byId(id).textContent = error ? error.message : "";
}

const whole = new Intl.NumberFormat("en");
export const formatCount = (n) => whole.format(n);

export function formatBytes(n) {
  if (n < 1000) return `${n} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let i = -1;
  do {
    n /= 1000;
    i++;
  } while (n >= 999.95 && i < units.length - 1);
  return `${n.toFixed(1)} ${units[i]}`;
}

export function formatMilliseconds(ms) {
  if (ms === undefined) return "–";
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function formatDuration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

// quantile of numbers; undefined of none.
export function quantile(numbers, q) {
  if (numbers.length === 0) return undefined;
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}

// Window keeps the newest of many numbers.
export class Window {
  values = [];
  #size;
  constructor(size) {
    this.#size = size;
  }
  add(value) {
    this.values.push(value);
    if (this.values.length > this.#size) this.values.shift();
  }
  clear() {
    this.values = [];
  }
}
