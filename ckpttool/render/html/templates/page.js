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

// Pictures of graphs: search, size, the neighbours of a layer.
const ZOOM = 1.25;
const LEAST = 0.6; // texts of a picture are read down to this size

function titleOf(box) {
  return box.querySelector("title").textContent;
}

function searchGraph(section, words) {
  const found = new Set();
  all("[data-layer]", section).forEach((box) => {
    const text = titleOf(box).toLowerCase();
    const matches = words.every((word) => text.includes(word));
    box.classList.toggle("dim", !matches);
    if (matches && words.length) found.add(titleOf(box));
  });
  all("tbody tr", section).forEach((row) => {
    row.hidden = !words.every((word) => textOf(row).includes(word));
  });
  return found.size;
}

function openAround(element) {
  for (let one = element; one; one = one.parentElement) if (one.matches("details")) one.open = true;
}

function visibleMatch(section) {
  const boxes = all("[data-layer]:not(.dim)", section);
  return boxes.find((box) => box.checkVisibility()) || boxes[0];
}

function pick(box, count) {
  const drawing = box.closest("svg");
  const again = box.classList.contains("picked");
  all(".picked, .near", drawing).forEach((other) => other.classList.remove("picked", "near"));
  if (again) return;
  box.classList.add("picked");
  const number = box.dataset.layer;
  const boxes = new Map(all("[data-layer]", drawing).map((other) => [other.dataset.layer, other]));
  const ends = { from: [], to: [] };
  all(".arrow", drawing).forEach((arrow) => {
    const { source, target } = arrow.dataset;
    if (source !== number && target !== number) return;
    arrow.classList.add("near");
    const [side, other] = target === number ? ["from", source] : ["to", target];
    boxes.get(other).classList.add("near");
    ends[side].push(boxes.get(other).querySelector(".name").textContent);
  });
  const lines = titleOf(box).split("\n");
  const sides = Object.entries(ends).filter(([, names]) => names.length).map(([side, names]) => `${side} ${names.join(", ")}`);
  count.textContent = [...lines, ...sides].join(" · ");
}

function resizeDrawings(section, how) {
  all(".picture svg", section).forEach((drawing) => {
    const [width, height] = drawing.getAttribute("viewBox").split(" ").slice(2).map(Number);
    const room = drawing.parentElement.clientWidth || width;
    const fit = Math.min(1, room / width);
    const scale = { fit, in: (drawing.clientWidth || width) / width * ZOOM, out: (drawing.clientWidth || width) / width / ZOOM }[how];
    const bounded = Math.min(4, Math.max(0.05, scale));
    drawing.setAttribute("width", String(width * bounded));
    drawing.setAttribute("height", String(height * bounded));
  });
}

// A picture that is but little wider than its place is made as wide as that, once.
function shrinkLittle(picture) {
  const drawing = picture.querySelector("svg");
  const [width, height] = drawing.getAttribute("viewBox").split(" ").slice(2).map(Number);
  const scale = picture.clientWidth / width;
  if (scale < LEAST || scale >= 1 || Number(drawing.getAttribute("width")) !== width) return;
  drawing.setAttribute("width", String(width * scale));
  drawing.setAttribute("height", String(height * scale));
}

// A wide picture begins left of its first layer.
function centerFirst(picture) {
  const box = picture.querySelector("[data-layer]");
  if (!box) return;
  const { left, width } = box.getBoundingClientRect();
  picture.scrollLeft += left + width / 2 - picture.getBoundingClientRect().left - picture.clientWidth / 2;
}

function wireGraph(section) {
  const tools = section.querySelector(".tools");
  if (!tools || !section.querySelector(".picture")) return;
  const search = tools.querySelector("input");
  const count = tools.querySelector(".count");
  tools.hidden = false;
  all(".picture", section).forEach((picture) => {
    shrinkLittle(picture);
    centerFirst(picture);
    const fold = picture.closest("details");
    if (!fold) return;
    fold.addEventListener("toggle", () => {
      shrinkLittle(picture);
      centerFirst(picture);
    });
  });
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = searchGraph(section, words);
    count.textContent = words.length ? `${shown} ${shown === 1 ? "layer" : "layers"}` : "";
  });
  search.addEventListener("keydown", (event) => {
    const box = event.key === "Enter" && visibleMatch(section);
    if (!box) return;
    openAround(box);
    box.scrollIntoView({ block: "center", inline: "center" });
    box.classList.remove("picked");
    pick(box, count);
  });
  all("[data-zoom]", tools).forEach((button) => {
    button.addEventListener("click", () => resizeDrawings(section, button.dataset.zoom));
  });
  all("[data-layer]", section).forEach((box) => {
    box.addEventListener("click", (event) => {
      event.stopPropagation();
      pick(box, count);
      const path = titleOf(box).split("\n")[1];
      const inner = box.querySelector(".box") && all("details[data-path]", section).find((one) => one.dataset.path === path);
      if (inner) inner.open = true; // a folded model has a picture of its own
    });
  });
}

all("section").forEach(wireGraph);

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

// Keys: "/" goes to the next search on the page, Escape empties it.
document.addEventListener("keydown", (event) => {
  const fields = all(".tools:not([hidden]) input");
  const search = fields.find((field) => field.closest("section").getBoundingClientRect().bottom > 0) || fields[0];
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
