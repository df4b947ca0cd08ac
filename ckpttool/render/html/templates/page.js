"use strict";
// All that a page does beside showing itself: its colours, search, order and folds. It reads the page and nothing else.

const root = document.body;
const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

// Colours: those of the system, or the reader's choice.
const THEMES = ["auto", "light", "dark"];
const themeButton = document.querySelector(".theme");

function showTheme(theme) {
  root.classList.remove("light", "dark");
  if (theme !== "auto") root.classList.add(theme);
  themeButton.textContent = `Colours: ${theme}`;
  themeButton.dataset.theme = theme;
}

function storedTheme() {
  try {
    return THEMES.includes(localStorage.getItem("ckpttool-theme")) ? localStorage.getItem("ckpttool-theme") : "auto";
  } catch {
    return "auto"; // a page from disk may have no storage
  }
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(themeButton.dataset.theme) + 1) % THEMES.length];
  showTheme(theme);
  try {
    localStorage.setItem("ckpttool-theme", theme);
  } catch {
    // it then holds for this visit
  }
}

showTheme(storedTheme());
themeButton.hidden = false;
themeButton.addEventListener("click", nextTheme);

// Trees of layers: search, order, folds.
const texts = new WeakMap();

function textOf(element) {
  if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
  return texts.get(element);
}

function entriesIn(parent) {
  return Array.from(parent.children).filter((child) => child.matches("details, .leaf"));
}

function filterTree(parent, words) {
  let shown = 0;
  for (const entry of entriesIn(parent)) {
    const below = entriesIn(entry);
    const matches = words.every((word) => textOf(entry).includes(word));
    let count = 0;
    if (matches) count = below.length ? filterTree(entry, words) || filterTree(entry, []) : 1;
    entry.hidden = !matches;
    if (below.length && words.length && matches) entry.open = true;
    shown += count;
  }
  return shown;
}

function orderTree(parent, key) {
  const entries = entriesIn(parent);
  for (const entry of entries) orderTree(entry, key);
  const rank = (entry) => Number(entry.dataset[key] ?? 0);
  const byName = (x, y) => textOf(x.querySelector(".name b")).localeCompare(textOf(y.querySelector(".name b")));
  const compare = {
    stored: (x, y) => Number(x.dataset.at) - Number(y.dataset.at),
    name: byName,
  }[key] || ((x, y) => rank(y) - rank(x));
  entries.sort(compare).forEach((entry) => parent.append(entry));
}

function numberEntries(parent) {
  entriesIn(parent).forEach((entry, at) => {
    entry.dataset.at = String(at);
    numberEntries(entry);
  });
}

function wireTree(section) {
  const tree = section.querySelector(".tree");
  const tools = section.querySelector(".tools");
  if (!tree || !tools) return;
  const search = tools.querySelector("input");
  const order = tools.querySelector("select");
  const folds = tools.querySelector("button");
  const count = tools.querySelector(".count");
  numberEntries(tree);
  tools.hidden = false;

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = filterTree(tree, words);
    count.textContent = words.length ? `${shown} ${shown === 1 ? "layer" : "layers"}` : "";
  });
  order.addEventListener("change", () => orderTree(tree, order.value));
  folds.addEventListener("click", () => {
    const open = folds.getAttribute("aria-pressed") !== "true";
    all("details", tree).forEach((entry) => { entry.open = open; });
    folds.setAttribute("aria-pressed", String(open));
    folds.textContent = open ? "Fold all" : "Unfold all";
  });
}

all("section").forEach(wireTree);

// Tables: a click on a title orders the rows.
function valueOf(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = Number.parseFloat(text.replace(/[,%<]/g, ""));
  const unit = { KiB: 1024, MiB: 1048576, GiB: 1073741824 }[text.split(" ")[1]] || 1;
  return /^[<+-]?[\d.]/.test(text) && !Number.isNaN(number) ? number * unit : text.toLowerCase();
}

function compareValues(x, y) {
  if (typeof x === typeof y) return typeof x === "number" ? x - y : x.localeCompare(y);
  return typeof x === "number" ? -1 : 1;
}

function orderTable(table, header, column) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((x, y) => compareValues(valueOf(x, column), valueOf(y, column)) * (descending ? -1 : 1));
  rows.forEach((row) => table.tBodies[0].append(row));
}

all("table").forEach((table) => {
  if (table.tBodies[0].rows.length < 2) return;
  all("thead th", table).forEach((header, column) => {
    if (!header.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => orderTable(table, header, column));
  });
});

// Keys: "/" goes to the search, Escape empties it.
document.addEventListener("keydown", (event) => {
  const search = document.querySelector(".tools:not([hidden]) input");
  if (!search) return;
  if (event.key === "/" && !event.target.matches("input, select, textarea")) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && event.target.matches(".tools input")) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input"));
  }
});

// Paper shows everything: folds are opened for it, and then are as they were.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = all("details:not([open])");
  folded.forEach((entry) => { entry.open = true; });
});
window.addEventListener("afterprint", () => {
  folded.forEach((entry) => { entry.open = false; });
  folded = [];
});
