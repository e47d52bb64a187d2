// The blind test: pairs in random order, sides at random, names hidden until the last vote. It can
// be left and gone on with, in this browser.
const test = document.getElementById("blind-test");
if (test) {
  const trials = JSON.parse(document.getElementById("trials").textContent);
  const part = (name) => test.querySelector(`[data-part="${name}"]`);
  const sounds = { reference: part("reference"), a: part("a"), b: part("b") };
  const place = `snac-blind-test-${test.dataset.report}`;
  const anonymous = "anonymous " +
    [...crypto.getRandomValues(new Uint32Array(2))].map((number) => number.toString(16)).join("");
  let state = recalled() || fresh();
  let heard = new Set();
  if (state.votes.length) part("start").textContent = "Go on";
  part("listener").value = state.listener;

  part("start").addEventListener("click", begin);
  part("back").addEventListener("click", back);
  part("save").addEventListener("click", save);
  for (const button of test.querySelectorAll("[data-again]")) button.addEventListener("click", again);
  for (const button of test.querySelectorAll("[data-vote]")) {
    button.addEventListener("click", () => vote(button.dataset.vote));
  }
  for (const button of test.querySelectorAll("[data-play]")) {
    button.addEventListener("click", () => listen(button.dataset.play));
  }
  for (const [name, sound] of Object.entries(sounds)) {
    sound.addEventListener("play", () => show(name));
    for (const end of ["pause", "ended"]) sound.addEventListener(end, () => show(null));
    sound.addEventListener("timeupdate", () => {
      part("position").style.width = `${100 * sound.currentTime / (sound.duration || 1)}%`;
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (part("trial").hidden) return;
    const keys = {
      r: () => listen("reference"), a: () => listen("a"), b: () => listen("b"),
      1: () => vote("a"), 2: () => vote("b"), 3: () => vote("none"), Backspace: back,
    };
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) { event.preventDefault(); act(); }
  });

  function fresh() {
    const order = shuffled(trials.map((_, number) => number));
    return { order, sides: order.map(() => shuffled([0, 1])), votes: [], listener: "" };
  }

  function recalled() {
    try {
      const kept = JSON.parse(localStorage.getItem(place));
      return kept && kept.order.length === trials.length ? kept : null;
    } catch { return null; } // a browser that keeps nothing for files
  }

  function keep() {
    state.listener = part("listener").value.trim();
    try { localStorage.setItem(place, JSON.stringify(state)); } catch { /* it is not kept then */ }
  }

  function begin() {
    keep();
    part("before").hidden = true;
    if (state.votes.length < trials.length) ask();
    else finish();
  }

  function ask() {
    const number = state.votes.length;
    const trial = trials[state.order[number]];
    const [first, second] = state.sides[number];
    part("trial").hidden = false;
    part("done").hidden = true;
    part("count").textContent = `${number + 1} of ${trials.length}`;
    part("back").disabled = !number;
    heard = new Set();
    load(sounds.reference, trial.reference);
    load(sounds.a, trial.sounds[first]);
    load(sounds.b, trial.sounds[second]);
    part("position").style.width = 0;
    allowVotes();
  }

  function load(sound, id) {
    sound.src = document.getElementById(id).getAttribute("src");
  }

  // Goes on where the last one was; what is playing already is paused.
  function listen(name) {
    const sound = sounds[name];
    if (!sound.paused) return sound.pause();
    const last = Object.values(sounds).find((other) => other === listen.last);
    if (last && last !== sound && !last.ended) sound.currentTime = last.currentTime;
    listen.last = sound;
    heard.add(name);
    pauseOthers(sound);
    allowVotes();
    sound.play();
  }

  function show(name) {
    for (const button of test.querySelectorAll("[data-play]")) {
      button.classList.toggle("playing", button.dataset.play === name);
    }
  }

  function allowVotes() {
    const ready = heard.has("a") && heard.has("b");
    for (const button of test.querySelectorAll("[data-vote]")) button.disabled = !ready;
    part("first").hidden = ready;
  }

  function vote(choice) {
    if (!heard.has("a") || !heard.has("b")) return;
    const number = state.votes.length;
    const { trial, utterance_id, rate, model, against } = trials[state.order[number]];
    const side = state.sides[number][choice === "a" ? 0 : 1];
    const preferred = choice === "none" ? null : [model, against][side];
    state.votes.push({ trial, utterance_id, rate, model, against, preferred });
    keep();
    if (state.votes.length < trials.length) ask();
    else finish();
  }

  function back() {
    if (!state.votes.length) return;
    state.votes.pop();
    keep();
    ask();
  }

  function again() {
    state = { ...fresh(), listener: state.listener };
    keep();
    ask();
  }

  function finish() {
    for (const sound of Object.values(sounds)) sound.pause();
    part("trial").hidden = true;
    part("done").hidden = false;
    const lines = [...new Set(state.votes.map((vote) => vote.model))].map(summed);
    part("result").replaceChildren(...lines);
  }

  function summed(model) {
    const own = state.votes.filter((vote) => vote.model === model);
    const count = (preferred) => own.filter((vote) => vote.preferred === preferred).length;
    const line = document.createElement("li");
    line.textContent = `${model}: preferred ${count(model)} times, ${own[0].against} ` +
      `${count(own[0].against)} times, no difference ${count(null)} times`;
    return line;
  }

  function save() {
    const listener = state.listener || anonymous;
    const date = new Date().toISOString();
    const { report, models } = test.dataset;
    const content = JSON.stringify({ report, models, listener, date, votes: state.votes }, null, 2);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = `votes-${listener.replace(/[^\p{L}\p{N}]+/gu, "-")}-${date.slice(0, 10)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

function shuffled(items) {
  const left = [...items];
  const taken = [];
  while (left.length) taken.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  return taken;
}
