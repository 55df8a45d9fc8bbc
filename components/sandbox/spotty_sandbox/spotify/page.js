// Draws what the simulator tells. Every text goes in as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const part = (root, name) => root.querySelector(`[data-is="${name}"]`);
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const grow = (id) => byId(id).content.firstElementChild.cloneNode(true);

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const offset = new Intl.DateTimeFormat("en", { timeZoneName: "longOffset" });

const cards = new Map();
let picture = null;
let drawnAt = 0;

// The world's clock may run faster than ours, or stand still.
const nowMs = () => picture.now_ms + (performance.now() - drawnAt) * picture.speed;

function minutes(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 5) return "just now";
  if (s < 60) return `for ${s} s`;
  if (s < 3600) return `for ${Math.floor(s / 60)} min`;
  return `for ${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 3600;
  return sum / 10;
}

function act(speaker, action, value) {
  return post("/act", { account: speaker.account, speaker: speaker.key, do: action, value });
}

function post(path, order) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) }).catch(() => {});
}

const moods = [
  ["doze", "Dozes: listed, but not found"], ["sleep", "Falls asleep: no longer listed"],
  ["new_id", "Gets another id"], ["lose_id", "Loses its id"], ["good_manners", "Behaves again"],
];

function fillMoods(select) {
  const first = new Option("Let it misbehave…", "", true, true);
  first.disabled = true;
  select.append(first, ...moods.map(([name, label]) => new Option(label, name)));
  const traits = document.createElement("optgroup");
  traits.label = "From now on it is";
  traits.append(...picture.traits.map((name) => new Option(name, `manner ${name}`)));
  select.append(traits);
}

function drawTrouble() {
  const kinds = byId("kind");
  if (!kinds.options.length) {
    kinds.append(...picture.kinds.map((each) => new Option(each.kind.replaceAll("_", " "), each.kind)));
    kinds.onchange = () => say(byId("meaning"), picture.kinds[kinds.selectedIndex].meaning);
    kinds.onchange();
  }
  const names = picture.standing.map((each) => `${each.name} (${each.on})`);
  if (picture.by_chance) names.push("trouble by chance");
  say(byId("standing"), names.length ? `Waiting to happen: ${names.join(", ")}` : "Nothing more will go wrong.");
}

byId("make").onsubmit = (event) => {
  event.preventDefault();
  const times = byId("times").value;
  post("/trouble", { kind: byId("kind").value, times: times ? Number(times) : null });
};
byId("heal").onclick = () => post("/trouble", { heal: true });
for (const button of document.querySelectorAll("[data-account-do]")) {
  button.onclick = () => post("/act", { do: button.dataset.accountDo });
}

function newCard(account, told) {
  const root = grow("speaker");
  const card = { root, account, key: told.key, told, busy: false };
  const control = (name) => root.querySelector(`[data-do="${name}"]`);
  card.controls = { toggle: control("toggle"), skip: control("skip"), play: control("play"), plug: control("plug"), volume: control("volume"), mood: control("mood") };
  card.controls.toggle.onclick = () => act(card, card.told.playing || told.starting ? "pause" : "resume");
  card.controls.skip.onclick = () => act(card, "skip");
  card.controls.plug.onclick = () => act(card, card.told.presence === "present" ? "unplug" : "plug_in");
  card.controls.play.onchange = (event) => { act(card, "play", event.target.value); event.target.value = ""; };
  card.controls.volume.oninput = (event) => { card.busy = true; say(part(root, "volume"), `${event.target.value} %`); };
  card.controls.volume.onchange = (event) => { card.busy = false; act(card, "volume", Number(event.target.value)); };
  card.controls.mood.onchange = (event) => {
    const [action, value] = event.target.value.split(" ");
    act(card, action, value);
    event.target.value = "";
  };
  fillMusic(card.controls.play);
  fillMoods(card.controls.mood);
  return card;
}

function fillMusic(select) {
  const first = new Option("Play something else…", "", true, true);
  first.disabled = true;
  select.append(first);
  for (const [kind, label] of [["playlist", "Playlists"], ["album", "Albums"], ["artist", "Artists"], ["show", "Podcasts"]]) {
    const group = document.createElement("optgroup");
    group.label = label;
    group.append(...picture.music.filter((each) => each.kind === kind).map((each) => new Option(each.name, each.uri)));
    if (group.children.length) select.append(group);
  }
}

function state(told) {
  if (told.presence === "asleep") return "Asleep";
  if (told.presence === "dozing") return "Dozing";
  if (told.presence === "unplugged") return "Unplugged";
  if (told.playing) return "Playing";
  if (told.starting) return "About to play";
  if (told.ended) return "The music has ended";
  return told.active && told.now ? "Paused" : "Silent";
}

function drawCard(card, told) {
  const { root, controls } = card;
  card.told = told;
  const here = told.presence === "present";
  root.className = ["speaker", told.playing ? "playing" : "", told.now ? "" : "silent", here ? "" : "away"].join(" ");
  root.style.setProperty("--hue", hue(told.now ? told.now.context || told.now.track : told.name));
  say(part(root, "name"), told.name);
  say(part(root, "type"), [told.name, "Speaker"].includes(told.type) ? "" : told.type);
  say(part(root, "state"), state(told));
  say(part(root, "track"), told.now ? told.now.track : "");
  say(part(root, "context"), told.now ? [told.now.artist, told.now.context].filter(Boolean).join(" · ") : "");
  say(part(root, "notes"), told.notes.join(" "));
  part(root, "progress").hidden = !told.now;
  say(controls.toggle, told.playing || told.starting ? "Pause" : "Play");
  say(controls.plug, told.presence === "present" ? "Unplug" : ["asleep", "dozing"].includes(told.presence) ? "Wake" : "Plug in");
  for (const each of [controls.toggle, controls.skip, controls.play, controls.volume]) each.disabled = !here;
  controls.skip.disabled = !here || !told.now;
  if (!card.busy) {
    controls.volume.value = told.volume_pct ?? 0;
    say(part(root, "volume"), told.volume_pct === null ? "unknown" : `${told.volume_pct} %`);
  }
}

function tick() {
  if (!picture) return;
  const now = nowMs();
  say(byId("clock"), clockTime.format(now));
  for (const { root, told } of cards.values()) {
    drawWho(part(root, "who"), told, now);
    if (!told.now) continue;
    const passed = told.playing ? now - picture.now_ms : 0;
    const at = Math.min(told.now.duration_ms, told.now.progress_ms + passed);
    const share = (100 * at) / told.now.duration_ms;
    say(part(root, "position"), minutes(at));
    say(part(root, "length"), minutes(told.now.duration_ms));
    part(root, "needle").style.width = `${share}%`;
    part(root, "needle").parentElement.setAttribute("aria-valuenow", Math.round(share));
  }
}

function drawWho(element, told, now) {
  if (!told.active) return say(element, "");
  const time = document.createElement("b");
  time.textContent = clockTime.format(told.since_ms);
  const who = document.createElement("b");
  who.textContent = told.by.name;
  const asked = told.by.kind === "app" ? ["asked by ", who] : [who];
  const line = document.createElement("p");
  line.append("Since ", time, ` (${span(now - told.since_ms)}), `, ...asked);
  if (element.textContent !== line.textContent) element.replaceChildren(...line.childNodes);
}

function drawRequests() {
  const rows = picture.requests.map((told) => {
    const row = grow("request");
    say(part(row, "at"), clockTime.format(told.at_ms));
    say(part(row, "who"), told.who);
    say(part(row, "wanted"), told.wanted);
    say(part(row, "fault"), told.fault ? `(fault: ${told.fault})` : "");
    say(part(row, "outcome"), told.outcome);
    part(row, "outcome").classList.toggle("bad", told.status === null || told.status >= 400);
    row.title = told.raw;
    return row;
  });
  byId("requests").replaceChildren(...rows);
  byId("quiet").hidden = rows.length > 0;
  const older = picture.total - rows.length;
  const rude = picture.rude ? `${picture.rude} in all came before Retry-After was over` : "";
  say(byId("more"), [older > 0 ? `and ${older} before that` : "", rude].filter(Boolean).join("; "));
}

function drawAccount(account, alone) {
  let section = byId("accounts").querySelector(`[data-account="${CSS.escape(account.id)}"]`);
  if (!section) {
    section = grow("account");
    section.dataset.account = account.id;
    byId("accounts").append(section);
  }
  const extra = [account.premium ? "" : "not Premium", account.shuffle ? "shuffle on" : "", account.repeat === "off" ? "" : `repeats the ${account.repeat}`];
  const title = [alone ? "In the house" : account.name, ...extra].filter(Boolean).join(" · ");
  say(part(section, "name"), title);
  for (const told of account.speakers) {
    const name = `${account.id}/${told.key}`;
    if (!cards.has(name)) {
      cards.set(name, newCard(account.id, told));
      part(section, "speakers").append(cards.get(name).root);
    }
    drawCard(cards.get(name), told);
  }
}

function draw(message) {
  picture = JSON.parse(message.data);
  drawnAt = performance.now();
  byId("lost").hidden = true;
  for (const account of picture.accounts) drawAccount(account, picture.accounts.length === 1);
  const shown = new Set(picture.accounts.flatMap((a) => a.speakers.map((s) => `${a.id}/${s.key}`)));
  for (const [name, card] of cards) if (!shown.has(name)) { card.root.remove(); cards.delete(name); }
  const pace = picture.speed === 1 ? "" : picture.speed === 0 ? ", standing still" : `, ${picture.speed} times as fast`;
  const gmt = offset.formatToParts(picture.now_ms).find((each) => each.type === "timeZoneName").value;
  say(byId("zone"), `${day.format(picture.now_ms)}, ${zone} (${gmt})${pace}`);
  drawRequests();
  drawTrouble();
  tick();
}

const stream = new EventSource("/events");
stream.onmessage = draw;
stream.onerror = () => { byId("lost").hidden = false; };
setInterval(tick, 200);
