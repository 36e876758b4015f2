// The page: the world and its clients, the clock, the stories, and the journal of all that happens.

const $ = (id) => document.getElementById(id);
const MOST = 600; // rows shown

/** An element with these properties and children. */
function make(tag, properties = {}, ...children) {
  const { data = {}, ...others } = properties;
  const element = Object.assign(document.createElement(tag), others);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

const seconds = (milliseconds) => `${(milliseconds / 1_000).toFixed(3)} s`;

/** Of a rule its name; what it says is told by pointing at it, and by opening an entry. */
const chip = (rule) => make("span", { className: "rule", title: `${rule}: ${RULES[rule].replaceAll("`", "")}`, textContent: rule });

/** Text as the digest has it: code between backticks, stress between asterisks. */
function prose(text) {
  return text.split("`").flatMap((part, place) => (place % 2 === 1
    ? [make("code", { textContent: part })]
    : part.split(/\*+(\w[^*]*)\*+/).map((piece, number) => (number % 2 === 1 ? make("em", { textContent: piece }) : piece))));
}

let world; // the server
let clients; // by name
let entries; // what has happened since the last step, oldest first
let story;
let step; // how many are done
const hidden = new Set(); // lanes that are not shown

// --- The world and time

/** A new world with the clients of a story. */
function begin(which) {
  world?.free();
  world = new wasm_bindgen.World(Math.floor(Math.random() * 2 ** 32));
  clients = Object.fromEntries(Object.entries(which.clients).map(([name, transport]) => [name, new Client(world, name, transport)]));
  [story, step, entries] = [which, 0, []];
  pause();
  $("journal").replaceChildren();
  $("empty").hidden = false;
  $("clients").replaceChildren(...Object.values(clients).map(card));
  showLanes();
  showStory();
  settle();
}

/** Lets all clients take what there is for them and answer it, until nobody has anything to say. */
function settle() {
  let moved = true;
  while (moved) {
    moved = false;
    for (const client of Object.values(clients)) moved = client.wake() || client.take() || moved;
  }
  const news = JSON.parse(world.journal()).map(understand);
  entries.push(...news);
  entries.splice(0, entries.length - MOST);
  if (news.length > 0) showNews(news);
  showState();
}

/** Time passes, as much of it as `milliseconds` or less: clients react to what falls due on the way. */
function advance(milliseconds) {
  const end = world.now() + milliseconds;
  for (let next = soonest(); next <= end; next = soonest()) proceed(next);
  world.advance(end - world.now());
  settle();
}

/** Time passes until this is so; it has to be within an hour. */
function until(condition) {
  const end = world.now() + 3_600_000;
  while (!condition(clients) && soonest() <= end) proceed(soonest());
}

/** Goes to the next moment at which somebody has something to do. */
function proceed(moment) {
  if (moment === world.due()) world.step();
  else world.advance(Math.max(0, moment - world.now()));
  settle();
}

function soonest() {
  const times = Object.values(clients).map((client) => client.connectsAt).concat(world.due());
  return Math.min(...times.map((time) => time ?? Infinity));
}

/** Runs in the world's time, as long as it is asked to. */
let playing = null;

function play() {
  playing = requestAnimationFrame(function frame(now, last = now) {
    advance((now - last) * Number($("speed").value));
    if (playing !== null) playing = requestAnimationFrame((then) => frame(then, now));
  });
  showPlaying();
}

function pause() {
  if (playing !== null) cancelAnimationFrame(playing);
  playing = null;
  showPlaying();
}

function showPlaying() {
  $("play").textContent = playing === null ? "Play" : "Pause";
  $("play").setAttribute("aria-pressed", playing !== null);
}

// --- Stories

function showStory() {
  $("story-title").textContent = story.title;
  $("story-about").textContent = story.about;
  $("steps").replaceChildren();
  for (const button of $("stories").querySelectorAll("button")) {
    button.setAttribute("aria-current", button.dataset.story === story.id);
  }
  showProgress();
}

function showProgress() {
  const count = story.steps.length;
  for (const id of ["next", "rest", "progress"]) $(id).hidden = count === 0;
  $("next").disabled = $("rest").disabled = step === count;
  $("progress").textContent = step === count ? "The end." : `${step} of ${count}`;
  $("story").dataset.state = step < count ? "going" : "ended";
}

/** Does the next step, and looks for what it is to show. */
function goOn() {
  const { says, does, shows, leaves = () => true } = story.steps[step];
  step += 1;
  turnPage();
  entries = [];
  does(clients, { advance, until });
  settle();
  const item = make("li", { data: { state: "shown" } }, says);
  for (const { what, rules } of shows) {
    const entry = entries.find(what);
    if (entry) {
      exemplify(entry, rules);
      item.append(...rules.map(chip));
    } else {
      item.dataset.state = "missing";
    }
  }
  if (!leaves(clients, world)) item.dataset.state = "missing";
  if (item.dataset.state === "missing") item.append(" This is not what happened.");
  $("steps").append(item);
  showProgress();
}

// --- Clients

/** What a client is and can do. */
function card(client) {
  const button = (text, act) => make("button", { type: "button", textContent: text, onclick: () => { turnPage(); act(); settle(); } });
  const told = (name) => make("dd", { data: { told: name } });
  const option = (text, member, title, inverted = false) => {
    const box = make("input", { type: "checkbox", data: { member, inverted: inverted ? "yes" : "" } });
    box.onchange = () => { client[member] = box.checked !== inverted; settle(); };
    return make("label", { title }, box, text);
  };
  const form = (text, fields, act) => {
    const element = make("form", {}, ...fields, make("button", { type: "submit", textContent: text }));
    element.onsubmit = (event) => { event.preventDefault(); turnPage(); act(); settle(); };
    return element;
  };
  const field = (label, value) => {
    const input = make("input", { value, required: true, autocomplete: "off", spellcheck: false });
    input.setAttribute("aria-label", `${label} of ${client.name}`);
    return input;
  };
  const [pattern, channel, data] = [field("Pattern", "/news/*"), field("Channel", "/news/today"), field("Message", "Hello")];
  return make("section", { className: "card client", data: { client: client.name } },
    make("h2", {}, client.name, make("small", { textContent: client.transport })),
    make("dl", {}, make("dt", { textContent: "is" }), told("state"), make("dt", { textContent: "hears" }), told("patterns"),
      make("dt", { textContent: "got" }), told("events")),
    make("div", { className: "buttons" },
      button("Handshake", () => client.handshake()), button("Connect", () => client.connect()),
      button("Disconnect", () => client.disconnect()), button("Break the line", () => client.drop())),
    form("Subscribe", [pattern], () => client.subscribe(pattern.value)),
    form("Publish", [channel, data], () => client.publish(channel.value, data.value)),
    make("div", { className: "options" },
      option("connects again by itself", "staysConnected", "After each answered connect it sends the next"),
      option("asks for ack", "acknowledges", "With its next handshake"),
      option("reads nothing", "reads", "What the server writes stays with the server", true),
      option("loses the next answer", "losesNext", "It has left the server by then")));
}

function showState() {
  $("now").textContent = seconds(world.now());
  const due = world.due();
  $("due").textContent = due === undefined ? "none" : `in ${seconds(Math.max(0, due - world.now()))}`;
  $("step").disabled = soonest() === Infinity;
  $("sessions").textContent = world.sessions();
  for (const element of $("clients").children) {
    const client = clients[element.dataset.client];
    const told = {
      state: client.connectId === null ? client.state : `${client.state}, waits for its connect`,
      patterns: [...client.patterns].join(", ") || "nothing yet",
      events: client.events.map((event) => JSON.stringify(event.data)).slice(-5).join(", ") || "nothing yet",
    };
    for (const [name, text] of Object.entries(told)) element.querySelector(`[data-told="${name}"]`).textContent = text;
    for (const box of element.querySelectorAll("[data-member]")) {
      box.checked = client[box.dataset.member] !== (box.dataset.inverted === "yes");
    }
  }
}

// --- The journal

/** An entry with what the page makes of it: whose it is, what it says, on which lane it belongs. */
function understand(entry) {
  const owner = Object.values(clients).find((client) => client.numbers.has(entry.line));
  entry.client = owner?.name ?? null;
  entry.messages = entry.json.flatMap((text) => {
    try {
      return [JSON.parse(text)].flat();
    } catch {
      return [];
    }
  });
  const isOfStore = ["Store", "Stored", "Notified"].includes(entry.name);
  entry.lane = entry.client ?? (isOfStore ? "store" : "engine");
  return entry;
}

/** What an entry is about, in a few words. */
function summary({ name, text, messages }) {
  if (messages.length > 0) {
    return messages.map(({ channel, successful, subscription }) => {
      const mark = successful === undefined ? "" : successful ? " ✓" : " ✗";
      return [channel.replace(/^\/meta\//, ""), subscription].filter(Boolean).join(" ") + mark;
    }).join(", ");
  }
  if (name === "Opened") return /transport: (\w+)/.exec(text)?.[1] ?? "";
  if (name === "Close") return /reason: (\w+)/.exec(text)?.[1] ?? "";
  if (name === "Store") return /request: (\w+)/.exec(text)?.[1] ?? "";
  if (name === "Stored") return /reply: (\w+)/.exec(text)?.[1] ?? "";
  if (name === "Notified") return /notice: (\w+)/.exec(text)?.[1] ?? "";
  if (name === "Report") return /kind: (\w+)/.exec(text)?.[1] ?? "";
  return "";
}

const lanes = () => [...Object.keys(clients), "engine", "store"];

function showLanes() {
  const names = lanes();
  $("stage").style.setProperty("--lanes", names.length);
  hidden.clear();
  $("lanes").replaceChildren(make("span"), ...names.map((name) => {
    if (name === "engine") return make("span", { className: "fixed", textContent: "Engine" });
    const button = make("button", { type: "button", textContent: name, title: `Show or hide what is between ${name} and the engine` });
    button.setAttribute("aria-pressed", true);
    button.onclick = () => {
      if (!hidden.delete(name)) hidden.add(name);
      button.setAttribute("aria-pressed", !hidden.has(name));
      for (const item of $("journal").children) item.hidden = hidden.has(item.dataset.lane);
    };
    return button;
  }));
}

/** The newest stand out, and are in sight. */
function showNews(news) {
  const journal = $("journal");
  $("empty").hidden = true;
  news.forEach(showEntry);
  while (journal.children.length > MOST) journal.firstElementChild.remove();
  journal.scrollTop = journal.scrollHeight;
}

/** From here on entries are news. */
function turnPage() {
  for (const item of $("journal").querySelectorAll(".fresh")) item.classList.remove("fresh");
}

function showEntry(entry) {
  const last = $("journal").lastElementChild;
  if (entry.name === "Elapsed" && last?.dataset.name === "Elapsed") {
    showAgain(entry, last);
    return;
  }
  const names = lanes();
  const engine = names.indexOf("engine");
  const place = names.indexOf(entry.lane);
  const label = make("span", { className: "label" }, make("b", { textContent: entry.name }), ` ${summary(entry)}`);
  const arrow = make("span", {}, label);
  const [from, to] = [Math.min(engine, place), Math.max(engine, place)];
  if (place === engine) {
    arrow.className = `self ${entry.kind}`;
  } else {
    const goesRight = (place < engine) === (entry.kind === "fact");
    arrow.className = `arrow ${entry.kind} ${goesRight ? "right" : "left"}`;
  }
  arrow.style.setProperty("--from", from + 2);
  arrow.style.setProperty("--to", to + 3);
  arrow.style.setProperty("--span", to - from + 1);
  const rails = names.map((name, place) => {
    const rail = make("span", { className: name === "engine" ? "rail engine" : "rail" });
    rail.style.gridColumn = place + 2;
    return rail;
  });
  const isSame = last?.dataset.at === String(entry.at) && last.classList.contains("fresh");
  const row = make("button", { className: isSame ? "row same" : "row", type: "button" }, make("time", { textContent: seconds(entry.at) }), ...rails, arrow);
  row.setAttribute("aria-expanded", false);
  const item = make("li", { data: { lane: entry.lane, name: entry.name, at: entry.at, connection: entry.connection ?? "" }, hidden: hidden.has(entry.lane) }, row);
  item.classList.add("fresh");
  item.classList.toggle("begins", entry.kind === "fact");
  Object.assign(entry, { label, item });
  row.onclick = () => toggleDetail(entry, row);
  item.onmouseenter = () => kin(entry.connection, true);
  item.onmouseleave = () => kin(entry.connection, false);
  $("journal").append(item);
}

/** Time has passed once more, and nothing came of it before: one row for all. */
function showAgain(entry, item) {
  item.dataset.at = entry.at;
  item.dataset.times = Number(item.dataset.times ?? 1) + 1;
  item.querySelector("time").textContent = seconds(entry.at);
  item.querySelector(".row").classList.remove("same");
  item.querySelector(".label").lastChild.textContent = ` ${item.dataset.times} times`;
  item.classList.add("fresh");
}

/** Marks all that concerns the same connection. */
function kin(connection, isMarked) {
  if (connection === null) return;
  for (const item of $("journal").querySelectorAll(`[data-connection="${connection}"]`)) item.classList.toggle("kin", isMarked);
}

function exemplify(entry, rules) {
  entry.rules = [...(entry.rules ?? []), ...rules];
  entry.label.append(...rules.map(chip));
}

function toggleDetail(entry, row) {
  const isOpen = entry.item.children.length > 1;
  row.setAttribute("aria-expanded", !isOpen);
  if (isOpen) {
    entry.item.lastElementChild.remove();
    return;
  }
  const about = entry.kind === "fact" ? "The engine is told" : "The engine orders";
  const rules = (entry.rules ?? []).map((rule) => make("p", {}, chip(rule), ...prose(RULES[rule])));
  const frames = entry.json.map((text) => make("pre", { textContent: pretty(text) }));
  entry.item.append(make("div", { className: "detail" }, ...rules, ...frames, make("p", { textContent: `${about}:` }), make("pre", { textContent: entry.text })));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// --- Begin

$("play").onclick = () => (playing === null ? play() : pause());
$("step").onclick = () => {
  turnPage();
  proceed(soonest());
};
$("advance-form").onsubmit = (event) => {
  event.preventDefault();
  turnPage();
  advance($("seconds").valueAsNumber * 1_000);
};
$("next").onclick = goOn;
$("rest").onclick = () => { while (step < story.steps.length) goOn(); };
$("again").onclick = () => begin(story);
$("stories").append(...[...STORIES, FREE].map((one) => make("li", {},
  make("button", { type: "button", textContent: one.title, data: { story: one.id }, onclick: () => begin(one) }))));

await wasm_bindgen({ module_or_path: Uint8Array.from(atob(MODULE), (letter) => letter.charCodeAt(0)).buffer });
begin(STORIES[0]);
globalThis.World = wasm_bindgen.World; // for whoever wants to try by hand, and for tests
document.documentElement.dataset.ready = "yes";
