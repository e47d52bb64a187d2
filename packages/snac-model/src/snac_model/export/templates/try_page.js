// The page: takes a file, has the worker encode and decode it, and plays what comes of it.
const settings = JSON.parse(document.getElementById("settings").textContent);
const part = (id) => document.getElementById(id);
const { sampleRate, levels, codebookSize, decoding } = settings.codec;
const results = new Map(); // sounds by the file of their decoder, or "original": { rate, samples }
globalThis.tryPage = { results, codes: null, state: "waiting" };
let turn = 0; // of the file that is being worked on; one that was replaced by another is dropped

// ---- The worker: one task at a time, with news of each.

let worker;
let tasks = 0;
const asked = new Map();

function work(task, given = {}) {
  worker ??= startWorker();
  const id = ++tasks;
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject });
    worker.postMessage({ id, task, ...given });
  });
}

function startWorker() {
  const script = new Blob([part("worker").textContent], { type: "text/javascript" });
  const started = new Worker(URL.createObjectURL(script), { type: "module" });
  started.onmessage = ({ data }) => {
    if (!asked.has(data.id)) return;
    const { resolve, reject } = asked.get(data.id);
    if (data.what) show(data.what, data.share);
    else if (data.error) reject(new Error(data.error));
    else resolve(data.result);
  };
  started.onerror = (event) => fail(event.message);
  started.postMessage({ id: 0, task: "begin", settings, address: document.baseURI });
  return started;
}

function show(what, share) {
  const busy = what !== null;
  part("status").hidden = !busy;
  if (!busy) return;
  part("status").querySelector("span").textContent = `${what} …`;
  part("status").querySelector("progress").value = share;
}

function fail(message) {
  tryPage.state = "failed";
  show(null);
  part("error").textContent = message;
  part("error").hidden = false;
}

// ---- From a file to sounds.

async function take(file) {
  const mine = begin(file.name);
  try {
    const bytes = await file.arrayBuffer();
    if (!bytes.byteLength) throw new Error(`${file.name} is empty.`);
    if (looksLikeCodes(file, bytes)) await offerCodes(readCodes(bytes, file.name), mine);
    else await useAudio(bytes, file.name, mine);
  } catch (error) {
    if (mine === turn) fail(error.message);
  }
}

function begin(name) {
  player.clear();
  results.clear();
  tryPage.codes = null;
  tryPage.state = "working";
  tryPage.name = name.replace(/\.[^.]*$/, "");
  for (const id of ["error", "pick", "listen", "codes"]) part(id).hidden = true;
  part("speed").textContent = "";
  show(`Reading ${name}`, 0);
  return ++turn;
}

function looksLikeCodes(file, bytes) {
  const start = new TextDecoder().decode(bytes.slice(0, 64)).trimStart();
  return /\.jsonl?$/i.test(file.name) || start.startsWith("{");
}

async function useAudio(bytes, name, mine) {
  const samples = await decodeAudio(bytes.slice(0), sampleRate, name);
  refuseTooLong(samples.length / sampleRate);
  const original = await decodeAudio(bytes, 48000, name);
  if (mine !== turn) return;
  part("listen").hidden = false;
  await add({ file: "original", label: "original", note: "What you chose", rate: 48000 }, original);
  const started = performance.now();
  const codes = await work("encode", { samples });
  if (mine !== turn) return;
  await decodeAll({
    utterance_id: tryPage.name, num_frames: samples.length, source_sample_rate: sampleRate,
    num_samples: samples.length, ...named(codes),
  }, mine, started);
}

// Float32Array at a rate, channels averaged; the browser decodes and resamples.
async function decodeAudio(bytes, rate, name) {
  let audio;
  try {
    audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  } catch {
    throw new Error(
      `This browser cannot read ${name} as audio. Give wav, flac, mp3, ogg or m4a, or codes as ` +
      "JSON lines from snac-encode.");
  }
  const mean = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const samples = audio.getChannelData(channel);
    for (let i = 0; i < mean.length; i++) mean[i] += samples[i] / audio.numberOfChannels;
  }
  if (!mean.length) throw new Error(`${name} holds no audio.`);
  return mean;
}

function refuseTooLong(seconds) {
  if (seconds > settings.longest) {
    throw new Error(
      `That is ${Math.round(seconds)} s of audio, and this page takes up to ${settings.longest} s, ` +
      "since it computes on one core of your machine. Cut it shorter, or use snac-encode and " +
      "snac-decode, which take any length.");
  }
}

function named(codes) {
  return Object.fromEntries(codes.map((level, number) => [`codes_${number}`, level]));
}

// ---- Codes from a file.

function readCodes(bytes, name) {
  const lines = new TextDecoder().decode(bytes).split("\n").filter((line) => line.trim());
  return lines.map((line, number) => {
    let row;
    try {
      row = JSON.parse(line);
    } catch {
      throw new Error(`${name}, line ${number + 1} is no JSON object. Make the file with ` +
        "snac-encode FILE -o codes.jsonl.");
    }
    return { utterance_id: `line ${number + 1}`, ...row };
  });
}

async function offerCodes(rows, mine) {
  const select = part("utterance");
  select.replaceChildren(...rows.map((row, number) => new Option(row.utterance_id, number)));
  part("pick").hidden = rows.length < 2;
  select.onchange = () => {
    const again = begin(String(rows[select.value].utterance_id));
    part("pick").hidden = false;
    useCodes(rows[select.value], again).catch((error) => again === turn && fail(error.message));
  };
  await useCodes(rows[0], mine);
}

async function useCodes(row, mine) {
  checkCodes(row);
  part("listen").hidden = false;
  await decodeAll(row, mine, performance.now());
}

function checkCodes(row) {
  const codes = codesOf(row);
  const tokens = codes[0]?.length;
  codes.forEach((level, number) => {
    if (!Array.isArray(level) || level.length !== tokens * decoding.tokens[number] || !tokens) {
      throw new Error(`${row.utterance_id}: codes_${number} is not there, or its length does not ` +
        `fit codes_0. This model has ${levels} levels of ${decoding.tokens.join(", ")} tokens.`);
    }
    if (!level.every((code) => Number.isInteger(code) && code >= 0 && code < codebookSize)) {
      throw new Error(`${row.utterance_id}: codes_${number} is not all in 0 to ` +
        `${codebookSize - 1}: these are codes of another model.`);
    }
  });
  refuseTooLong(tokens * decoding.secondsPerToken);
}

function codesOf(row) {
  return Array.from({ length: levels }, (_, level) => row[`codes_${level}`]);
}

async function decodeAll(row, mine, started) {
  tryPage.codes = row;
  offer(part("codes"), new Blob([JSON.stringify(row), "\n"]), "codes.jsonl");
  const codes = codesOf(row);
  for (const decoder of settings.decoders) {
    const whole = await work("decode", { decoder, codes });
    if (mine !== turn) return;
    await add(decoder, whole.subarray(0, lengthAt(row, decoder.rate, whole)));
  }
  const took = (performance.now() - started) / 1000;
  part("speed").textContent = `Computed in ${took.toFixed(1)} s, with the models' loading.`;
  show(null);
  tryPage.state = "done";
}

// The length of the audio that was encoded, at another rate; else whole coarse tokens.
function lengthAt(row, rate, whole) {
  if (!row.num_frames || !row.source_sample_rate) return whole.length;
  return Math.min(whole.length, Math.ceil((row.num_frames * rate) / row.source_sample_rate));
}

// ---- Listening: all sounds run together, and one is loud.

const player = {
  context: null, sounds: [], chosen: 0, position: 0, startedAt: null, sources: [],

  get duration() {
    return Math.max(0, ...this.sounds.map(({ buffer }) => buffer.duration));
  },
  get now() {
    const playing = this.startedAt !== null;
    const at = playing ? this.context.currentTime - this.startedAt : this.position;
    return Math.min(Math.max(0, at), this.duration);
  },
  add(buffer) {
    const playing = this.startedAt !== null;
    this.stop();
    this.sounds.push({ buffer });
    if (playing) this.play();
  },
  play() {
    if (this.position >= this.duration - 0.01) this.position = 0;
    this.context.resume();
    const begin = this.context.currentTime + 0.03;
    this.startedAt = begin - this.position;
    this.sources = this.sounds.map(({ buffer }, number) => {
      const source = new AudioBufferSourceNode(this.context, { buffer });
      const volume = new GainNode(this.context, { gain: number === this.chosen ? 1 : 0 });
      source.connect(volume).connect(this.context.destination);
      source.start(begin, this.position);
      return { source, volume };
    });
    part("play").textContent = "Pause";
    draw();
  },
  stop() {
    this.position = this.now;
    this.startedAt = null;
    for (const { source } of this.sources) source.stop();
    this.sources = [];
    part("play").textContent = "Play";
  },
  seek(position) {
    const playing = this.startedAt !== null;
    this.stop();
    this.position = position;
    if (playing) this.play();
    draw();
  },
  choose(number) {
    this.chosen = number;
    this.sources.forEach(({ volume }, other) =>
      volume.gain.setTargetAtTime(other === number ? 1 : 0, this.context.currentTime, 0.005));
  },
  clear() {
    this.stop();
    Object.assign(this, { sounds: [], chosen: 0, position: 0 });
    part("sounds").querySelectorAll(".sound").forEach((row) => row.remove());
    draw();
  },
};

async function add(sound, samples) {
  const { file, rate } = sound;
  results.set(file, { rate, samples });
  player.context ??= new AudioContext({ sampleRate: 48000 });
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
  buffer.copyToChannel(samples, 0);
  player.add(buffer);
  part("sounds").append(soundRow(sound, samples, player.sounds.length - 1));
  draw();
}

function soundRow({ file, label, note, rate }, samples, number) {
  const row = document.createElement("div");
  row.className = "sound";
  const choice = Object.assign(document.createElement("input"), {
    type: "radio", name: "sound", checked: number === player.chosen,
    onchange: () => player.choose(number),
  });
  const text = document.createElement("label");
  const remark = document.createElement("span");
  remark.textContent = note;
  text.append(choice, label, remark);
  row.append(text);
  if (file !== "original") {
    const link = document.createElement("a");
    link.textContent = "Save wav";
    offer(link, wav(samples, rate), `${label}.wav`);
    row.append(link);
  }
  return row;
}

function offer(link, blob, name) {
  link.href = URL.createObjectURL(blob);
  link.download = `${tryPage.name} ${name}`;
  link.hidden = false;
}

// 16-bit mono.
function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, letters) =>
    [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i,
    Math.round(Math.min(1, Math.max(-1, sample)) * 32767), true));
  return new Blob([view], { type: "audio/wav" });
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function draw() {
  const { now, duration } = player;
  part("position").max = duration || 1;
  part("position").value = now;
  part("time").textContent = `${clock(now)} / ${clock(duration)}`;
  if (player.startedAt === null) return;
  if (now >= duration) player.stop();
  requestAnimationFrame(draw);
}

// ---- What the person does.

part("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]));
part("play").addEventListener("click", () =>
  player.startedAt === null ? player.play() : player.stop());
part("position").addEventListener("input", ({ target }) => player.seek(Number(target.value)));
document.addEventListener("keydown", (event) => {
  if (part("listen").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const choices = part("sounds").querySelectorAll("input");
  if (event.key === " " && event.target.tagName !== "BUTTON") part("play").click();
  else if (choices[Number(event.key) - 1]) choices[Number(event.key) - 1].click();
  else return;
  event.preventDefault();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  part("choose").addEventListener(kind, (event) => {
    event.preventDefault();
    part("choose").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}
if (location.protocol === "file:") {
  fail("A browser does not let a page that was opened as a file read the models beside it. " +
    "Serve this folder: python3 -m http.server --bind 127.0.0.1, and open " +
    `http://127.0.0.1:8000/${location.pathname.split("/").pop()}`);
  part("choose").hidden = true;
}
