"use strict";
// The blind test: pairs in random order, sides at random, names hidden until the last vote.
const test = document.getElementById("blind-test");
if (test) {
  const trials = shuffled(JSON.parse(document.getElementById("trials").textContent));
  const votes = [];
  const part = (name) => test.querySelector(`[data-part="${name}"]`);
  const anonymous = "anonymous " +
    [...crypto.getRandomValues(new Uint32Array(2))].map((number) => number.toString(16)).join("");
  let sides = [];

  part("start").addEventListener("click", () => {
    part("before").hidden = true;
    part("trial").hidden = false;
    ask();
  });
  for (const button of test.querySelectorAll("[data-vote]")) {
    button.addEventListener("click", () => vote(button.dataset.vote));
  }
  part("save").addEventListener("click", save);

  function ask() {
    const trial = trials[votes.length];
    sides = shuffled([0, 1]);
    part("count").textContent = `${votes.length + 1} of ${trials.length}`;
    play(part("reference"), trial.reference);
    play(part("a"), trial.sounds[sides[0]]);
    play(part("b"), trial.sounds[sides[1]]);
  }

  function play(player, sound) {
    player.src = document.getElementById(sound).getAttribute("src");
  }

  function vote(choice) {
    const { trial, utterance_id, rate, model, against } = trials[votes.length];
    const preferred = choice === "none" ? null : [model, against][sides[choice === "a" ? 0 : 1]];
    votes.push({ trial, utterance_id, rate, model, against, preferred });
    if (votes.length < trials.length) ask();
    else finish();
  }

  function finish() {
    for (const player of test.querySelectorAll("audio")) player.pause();
    part("trial").hidden = true;
    part("done").hidden = false;
    const lines = [...new Set(votes.map((vote) => vote.model))].map(summed);
    part("result").replaceChildren(...lines);
  }

  function summed(model) {
    const own = votes.filter((vote) => vote.model === model);
    const count = (preferred) => own.filter((vote) => vote.preferred === preferred).length;
    const line = document.createElement("li");
    line.textContent = `${model}: preferred ${count(model)} times, ${own[0].against} ` +
      `${count(own[0].against)} times, no difference ${count(null)} times`;
    return line;
  }

  function save() {
    const listener = part("listener").value.trim() || anonymous;
    const content = JSON.stringify({ models: test.dataset.models, listener, votes }, null, 2);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = "votes.json";
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
