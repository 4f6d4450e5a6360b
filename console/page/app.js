// The page: asks the API, fills table, map, quarantine and checks, and starts again a few seconds later.

import { languages } from "/words.js";
import { Plot } from "/plot.js";

const API = "/api/v1";
const REFRESH_MS = 5_000;
const ROWS_MAX = 300;
const DAY_MS = 86_400_000;
const TOKEN = "motorpool.token";

const $ = (id) => document.getElementById(id);
const store = { get: (key) => localStorage.getItem(`motorpool.${key}`), set: (key, value) => localStorage.setItem(`motorpool.${key}`, value) };

let language = languages[store.get("language")] ? store.get("language") : navigator.language.startsWith("zh") ? "zh" : "en";
let words = languages[language];
let sort = { by: "name", down: false };
let positions = [];
let shownRows = [];
let chosen = null;
let chosenTrack = null;
let lastStatus = null;
let lastRate = null;
let timer = 0;
let focusedRow = null;

const plot = new Plot($("plot"), (device) => choose(device), hover);

// ---- asking the API

class Refused extends Error {
  constructor(status, problem) {
    super(problem?.title ?? `HTTP ${status}`);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(TOKEN)}`, ...options.headers };
  const response = await fetch(path.startsWith("/") ? path : `${API}/${path}`, { ...options, headers, cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => null));
  return response;
}

const askJson = async (path) => (await ask(path)).json();
const tell = (path, body) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

// ---- words and theme

function speak() {
  words = languages[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  $("language").textContent = words.otherLanguage;
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  $("search").placeholder = words.searchHint;
  $("plot").setAttribute("aria-label", words.plotHint);
  dress();
  heads();
  $("legend").replaceChildren(...["moving", "idle", "parked", "offline"].map((state) => element("li", words[state], state)));
}

function dress() {
  const theme = store.get("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? words.light : words.dark;
  plot.draw();
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (className) made.className = className;
  return made;
}

const clock = (text) => new Date(text).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { hour12: false });
const number = (value) => value.toLocaleString(language === "zh" ? "zh-CN" : "en-GB");

function ago(text, now) {
  if (!text) return words.ago.never;
  const seconds = Math.round((now - Date.parse(text)) / 1000);
  if (seconds < 5) return words.ago.now;
  if (seconds < 90) return `${seconds}${words.ago.s}`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)}${words.ago.min}`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)}${words.ago.h}`;
  return `${Math.round(seconds / 86400)}${words.ago.d}`;
}

// ---- devices

function stateOf(item) {
  if (!item.links) return "offline";
  if ((item.speed_kmh ?? 0) >= 3) return "moving";
  return item.ignition ? "idle" : "parked";
}

const labelOf = (item) => item.name || item.plate || item.terminal;
const order = { moving: 0, idle: 1, parked: 2, offline: 3 };
const columns = [
  ["state", (a, b) => order[a.state] - order[b.state]],
  ["name", (a, b) => labelOf(a).localeCompare(labelOf(b), "zh-CN", { numeric: true })],
  ["terminal", (a, b) => a.terminal.localeCompare(b.terminal)],
  ["speed", (a, b) => (a.speed_kmh ?? -1) - (b.speed_kmh ?? -1), "number"],
  ["seen", (a, b) => Date.parse(b.received_at ?? 0) - Date.parse(a.received_at ?? 0), "number"],
];

function heads() {
  $("columns").replaceChildren(...columns.map(([name, , kind]) => {
    const head = element("th", "", kind ?? "");
    head.scope = "col";
    if (sort.by === name) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    const button = element("button", words[name]);
    button.type = "button";
    button.addEventListener("click", () => {
      sort = { by: name, down: sort.by === name && !sort.down };
      heads();
      rows();
    });
    head.append(button);
    return head;
  }));
  $("quarantine-columns").replaceChildren(...["terminal", "plate", "peer", "seen", "knocks", ""].map((name) => {
    const head = element("th", words[name] ?? "");
    head.scope = "col";
    return head;
  }));
}

function rows(now = Date.now()) {
  const text = $("search").value.trim().toLowerCase();
  const has = (value) => value && value.toLowerCase().includes(text);
  const found = text ? positions.filter((item) => has(item.name) || has(item.plate) || has(item.terminal)) : positions.slice();
  const compare = columns.find(([name]) => name === sort.by)[1];
  found.sort((a, b) => (sort.down ? -1 : 1) * compare(a, b) || a.device - b.device);
  shownRows = found.slice(0, ROWS_MAX);
  const body = $("rows");
  const hadFocus = body.contains(document.activeElement);
  body.replaceChildren(...shownRows.map((item) => row(item, now)));
  const wanted = shownRows.some((item) => item.device === focusedRow) ? focusedRow : shownRows[0]?.device;
  const target = body.querySelector(`[data-device="${wanted}"]`);
  if (target) {
    target.tabIndex = 0;
    if (hadFocus) target.focus({ preventScroll: true });
  }
  $("rows-note").textContent = !positions.length ? words.noDevices
    : found.length > shownRows.length ? words.shown(number(shownRows.length), number(found.length)) : "";
}

function row(item, now) {
  const line = element("tr");
  line.dataset.device = item.device;
  line.tabIndex = -1;
  line.setAttribute("aria-selected", String(item.device === chosen));
  const state = element("td");
  state.append(element("span", words[item.state], `state ${item.state}`));
  if (item.links > 1) state.append(element("span", words.twice(item.links), "twice"));
  const name = element("td", labelOf(item), "name");
  const terminal = element("td");
  terminal.append(element("span", item.terminal, "id"));
  const speed = element("td", item.speed_kmh === undefined ? "" : `${item.speed_kmh.toFixed(0)} km/h`, "number");
  const seen = element("td", ago(item.received_at, now), "number");
  if (item.received_at) seen.title = clock(item.received_at);
  line.append(state, name, terminal, speed, seen);
  return line;
}

$("rows").addEventListener("click", (event) => {
  const line = event.target.closest("tr");
  if (line) choose(Number(line.dataset.device));
});
$("rows").addEventListener("focusin", (event) => {
  const line = event.target.closest("tr");
  if (line) focusedRow = Number(line.dataset.device);
});
$("rows").addEventListener("keydown", (event) => {
  const line = event.target.closest("tr");
  if (!line) return;
  const body = $("rows");
  const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling, Home: body.firstElementChild, End: body.lastElementChild }[event.key];
  if (next) {
    line.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    choose(Number(line.dataset.device));
  } else if (event.key !== "ArrowDown" && event.key !== "ArrowUp") {
    return;
  }
  event.preventDefault();
});

function hover(point, event) {
  const tip = $("tip");
  const item = point && positions.find((found) => found.device === point.device);
  tip.hidden = !item;
  if (!item) return;
  const speed = item.speed_kmh === undefined ? "" : ` · ${item.speed_kmh.toFixed(0)} km/h`;
  tip.textContent = `${labelOf(item)} · ${words[item.state]}${speed}`;
  const box = $("plot").getBoundingClientRect();
  const left = event.clientX - box.left + 14;
  tip.style.left = `${Math.max(4, Math.min(left, box.width - tip.offsetWidth - 6))}px`;
  tip.style.top = `${Math.max(4, event.clientY - box.top - 34)}px`;
}

// ---- one device

async function choose(device) {
  chosen = device;
  chosenTrack = null;
  plot.choose(device);
  for (const line of $("rows").children) line.setAttribute("aria-selected", String(Number(line.dataset.device) === device));
  $("rows").querySelector(`[data-device="${device}"]`)?.scrollIntoView({ block: "nearest" });
  facts();
  const item = positions.find((found) => found.device === device);
  if (!item) return;
  const window24 = windowOf(item);
  try {
    const track = await askJson(`devices/${device}/track?${window24}`);
    if (chosen !== device) return;
    const fixes = track.items.filter((fix) => fix.valid && (fix.lat || fix.lon))
      .map((fix) => ({ lat: fix.lat, lon: fix.lon, time: Date.parse(fix.fix_time) }));
    chosenTrack = fixes;
    plot.showTrack(fixes);
    facts();
  } catch (error) {
    trouble(error);
  }
}

function windowOf(item) {
  const last = Date.parse(item.fix_time ?? item.received_at ?? 0);
  const now = lastStatus ? Date.parse(lastStatus.now) : Date.now();
  const to = now - last > DAY_MS ? last + 1000 : Math.max(now, last + 1000);
  const text = (ms) => encodeURIComponent(new Date(ms).toISOString());
  return `from=${text(to - DAY_MS)}&to=${text(to)}`;
}

function facts() {
  const track = chosenTrack;
  const item = positions.find((found) => found.device === chosen);
  $("detail").hidden = !item;
  if (!item) return;
  $("detail-title").textContent = labelOf(item);
  const list = [
    [words.terminal, item.terminal],
    [words.state, words[item.state]],
    [words.fixTime, item.fix_time && clock(item.fix_time) + (item.valid ? "" : ` (${words.invalid})`)],
    [words.coordinates, item.lat !== undefined && `${item.lat.toFixed(6)}, ${item.lon.toFixed(6)}`],
    [words.speed, item.speed_kmh !== undefined && `${item.speed_kmh} km/h`],
    [words.course, item.course_deg !== undefined && `${item.course_deg}°`],
    [words.altitude, item.altitude_m !== undefined && `${item.altitude_m} m`],
    [words.ignition, item.ignition !== undefined && (item.ignition ? words.on : words.off)],
    [words.satellites, item.satellites],
    [words.odometer, item.odometer_m !== undefined && `${number(Math.round(item.odometer_m / 1000))} km`],
    [words.fuel, item.fuel_l !== undefined && `${item.fuel_l} L`],
    [words.alarms, item.alarms.join(", ")],
    [words.counts, `${number(item.messages)} / ${number(item.fixes)}`],
    [`${words.trackOf} 24 h`, track && (track.length ? words.trackCount(number(track.length)) : words.noTrack)],
  ].filter(([, value]) => value !== undefined && value !== false && value !== "" && value !== null);
  $("detail-facts").replaceChildren(...list.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", String(value)));
    return pair;
  }));
  // Buttons that are there stay: one of them may have the focus.
  const shown = `${item.device} ${language}`;
  if ($("downloads").dataset.shown === shown) return;
  $("downloads").dataset.shown = shown;
  $("downloads").replaceChildren(...["csv", "gpx", "geojson"].map((format) => {
    const button = element("button", format === "geojson" ? "GeoJSON" : format.toUpperCase());
    button.type = "button";
    button.title = words.download;
    button.addEventListener("click", () => download(positions.find((found) => found.device === item.device) ?? item, format));
    return button;
  }));
}

async function download(item, format) {
  try {
    const response = await ask(`devices/${item.device}/track?${windowOf(item)}&format=${format}`);
    const link = element("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `track-${item.terminal.replace(/[^0-9A-Za-z]/g, "")}.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    trouble(error);
  }
}

function leaveDevice() {
  chosen = null;
  plot.choose(null);
  plot.showTrack([]);
  plot.fitAll();
  facts();
  rows();
}

// ---- quarantine

let quarantineItems = [];

function quarantine(page, now) {
  quarantineItems = page.items;
  const focused = document.activeElement?.dataset.terminal;
  $("quarantine-rows").replaceChildren(...page.items.map((item) => {
    const line = element("tr");
    const button = element("button", words.approve);
    button.type = "button";
    button.dataset.terminal = item.terminal;
    button.setAttribute("aria-label", `${words.approve} ${item.terminal}`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await approve({ terminals: [{ terminal: item.terminal, protocol: item.protocol }] });
    });
    const last = element("td", "", "number");
    last.append(button);
    line.append(element("td", item.terminal), element("td", item.registered?.plate ?? ""), element("td", item.peer),
      element("td", ago(item.last_seen_at, now)), element("td", number(item.attempts), "number"), last);
    return line;
  }));
  if (focused) $("quarantine-rows").querySelector(`[data-terminal="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  $("quarantine-columns").parentElement.hidden = !page.items.length;
  $("approve-all").hidden = page.items.length < 2;
  $("quarantine-note").textContent = page.items.length ? "" : words.none;
}

async function approve(body) {
  try {
    await tell("quarantine/approve", body);
    refresh();
  } catch (error) {
    trouble(error);
  }
}

$("approve-all").addEventListener("click", () => {
  $("sure-text").textContent = words.sureText(number(lastStatus?.registry.quarantined ?? quarantineItems.length));
  $("sure").returnValue = "no";
  $("sure").showModal();
});
$("sure").addEventListener("close", () => {
  if ($("sure").returnValue === "yes") approve({ all: true });
});

// ---- figures and checks

function figures(status) {
  const moving = positions.filter((item) => item.state === "moving").length;
  const now = Date.parse(status.now);
  if (lastStatus && now > Date.parse(lastStatus.now)) {
    lastRate = (status.messages.received - lastStatus.messages.received) / (now - Date.parse(lastStatus.now)) * 1000;
  }
  const rate = lastRate === null ? "–" : lastRate < 10 ? lastRate.toFixed(1) : number(Math.round(lastRate));
  const list = [
    [words.devices, number(status.registry.devices)],
    [words.online, number(status.registry.online)],
    [words.movingNow, number(moving)],
    [words.links, number(status.registry.links)],
    [words.rate, rate, words.perSecond],
    [words.fixes, number(status.fixes.stored + status.fixes.pending)],
    [words.lag, status.journal.lag_s.toFixed(1), words.seconds],
    [words.waiting, number(status.registry.quarantined), "", status.registry.quarantined > 0 ? "wanted" : ""],
  ];
  $("figures").replaceChildren(...list.map(([name, value, unit, kind]) => {
    const card = element("div", "", kind ?? "");
    const figure = element("dd", value);
    if (unit) figure.append(" ", element("small", unit));
    card.append(element("dt", name), figure);
    return card;
  }));
}

// What is well is said in the page's language; what is wrong, as exactly as the server says it.
function detailOf(check, status) {
  if (!check.ok) return check.detail;
  if (check.name === "clock") return clock(status.now);
  if (check.name === "folds") return words.behind(status.journal.lag_s.toFixed(1));
  return words.checkDetails[check.name] ?? check.detail;
}

function checks(status) {
  $("checks").replaceChildren(...status.checks.map((check) => {
    const line = element("li", "", check.ok ? "" : "bad");
    line.append(element("strong", words.checkNames[check.name] ?? check.name), element("span", detailOf(check, status)));
    return line;
  }));
  $("version").textContent = words.version(status.version);
  $("demo").hidden = !status.demo;
}

// ---- the round

async function refresh() {
  clearTimeout(timer);
  if (!sessionStorage.getItem(TOKEN)) return askToken();
  const began = performance.now();
  try {
    // First alone: a wrong token counts once, not three times.
    const status = await askJson("status");
    const [places, waiting] = await Promise.all([askJson("positions"), askJson("quarantine?limit=200")]);
    const now = Date.parse(status.now);
    positions = places.items.map((item) => ({ ...item, state: stateOf(item) }));
    $("main").hidden = false;
    figures(status);
    lastStatus = status;
    checks(status);
    rows(now);
    facts();
    quarantine(waiting, now);
    plot.show(positions.filter((item) => item.lat !== undefined)
      .map(({ device, lat, lon, state, course_deg: course }) => ({ device, lat, lon, state, course })));
    pulse(words.updated(new Date().toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour12: false })));
  } catch (error) {
    trouble(error);
    if (error.status === 401 || error.status === 429) return;
  }
  // A large fleet takes longer to show: never more than a tenth of the time is spent on it.
  timer = setTimeout(refresh, Math.max(REFRESH_MS, (performance.now() - began) * 10));
}

function pulse(text, isBad = false) {
  $("pulse").textContent = text;
  $("pulse").classList.toggle("bad", isBad);
}

function trouble(error) {
  if (error.status === 401) {
    sessionStorage.removeItem(TOKEN);
    askToken(words.tokenWrong);
  } else if (error.status === 429) {
    sessionStorage.removeItem(TOKEN);
    askToken(words.tokenSlow);
  } else if (error.status === 403) {
    pulse(words.forbidden, true);
  } else {
    pulse(error.status ? error.message : words.lost, true);
  }
}

function askToken(message = "") {
  $("main").hidden = true;
  $("ask-error").textContent = message;
  $("token").value = "";
  if (!$("ask").open) $("ask").showModal();
}

$("ask").addEventListener("cancel", (event) => event.preventDefault());
$("ask-form").addEventListener("submit", () => {
  sessionStorage.setItem(TOKEN, $("token").value.trim());
  refresh();
});
$("leave").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.reload();
});
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  store.set("language", language);
  speak();
  refresh();
});
$("theme").addEventListener("click", () => {
  store.set("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  dress();
});
$("search").addEventListener("input", () => rows(lastStatus ? Date.parse(lastStatus.now) : Date.now()));
$("fit").addEventListener("click", () => plot.fitAll());
$("close").addEventListener("click", leaveDevice);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
  else clearTimeout(timer);
});

// `#token=…` in the address, as the server prints it: kept for this tab and taken out of the address at once.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
}
speak();
refresh();
