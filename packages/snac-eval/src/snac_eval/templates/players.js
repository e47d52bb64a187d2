"use strict";
// One sound at a time. Whoever starts another version of an utterance hears it go on where the
// last one was; a click on a spectrogram plays from there.
const players = [...document.querySelectorAll("audio[id]")];
const group = (player) => player.closest("[data-sample]");
let current = null; // the player that was heard last
let chosen = false; // whether its position was chosen with a click

for (const player of players) {
  const version = player.closest(".version");
  const playhead = version.querySelector(".playhead");
  player.addEventListener("play", () => start(player));
  player.addEventListener("pause", () => version.classList.replace("playing", "paused"));
  player.addEventListener("timeupdate", () => {
    playhead.style.left = `${100 * player.currentTime / (player.duration || 1)}%`;
  });
  version.querySelector(".picture").addEventListener("click", (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    // a key press has no place: it plays, or pauses what plays
    if (!event.detail) return player.paused ? player.play() : player.pause();
    chosen = true;
    player.currentTime = (player.duration || 0) * (event.clientX - box.left) / box.width;
    player.play();
  });
}

function start(player) {
  const before = current;
  current = player;
  pauseOthers(player);
  if (before && before !== player) {
    before.closest(".version").classList.remove("playing", "paused");
    if (group(before) === group(player) && !chosen && !before.ended) {
      player.currentTime = Math.min(before.currentTime, player.duration || 0);
    }
  }
  chosen = false;
  const classes = player.closest(".version").classList;
  classes.remove("paused");
  classes.add("playing");
}

function pauseOthers(player) {
  for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const trial = document.querySelector("#blind-test [data-part=trial]");
  if (trial && !trial.hidden) return; // whose keys these are then
  const sample = current ? group(current) : document.querySelector("[data-sample]");
  const player = sample && sample.querySelectorAll("audio")[Number(event.key) - 1];
  if (/^[1-9]$/.test(event.key) && player) player.play();
});

function isTyping(element) {
  return /^(input|textarea|select)$/i.test(element.tagName);
}

// A link to a sample opens it.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  const closed = target && target.closest("details");
  if (closed) closed.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
for (const written of document.querySelectorAll("[data-written]")) {
  written.textContent = new Date(document.lastModified).toLocaleString();
}
