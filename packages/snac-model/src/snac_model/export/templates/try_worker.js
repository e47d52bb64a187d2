// Runs the models apart from the page, which stays alive meanwhile. It is told of a task at a time.
const sessions = new Map();
let runtime, codec, seed; // of the page's settings
let page; // the page's address, which files lie beside
let onnx; // onnxruntime-web, once it is loaded

self.onmessage = async ({ data }) => {
  const tell = (what, share) => postMessage({ id: data.id, what, share });
  try {
    postMessage({ id: data.id, result: await tasks[data.task](data, tell) });
  } catch (error) {
    postMessage({ id: data.id, error: error.message });
  }
};

const tasks = {
  begin({ settings, address }) {
    ({ runtime, codec, seed } = settings);
    page = address;
  },

  // Audio, Float32Array at the codec's rate, to codes: an array of numbers a level.
  async encode({ samples }, tell) {
    const session = await open(codec.encoder, tell);
    const { unitSamples, unitTokens, pieceUnits, contextUnits } = codec.encoding;
    const total = Math.ceil(samples.length / unitSamples);
    const levels = unitTokens.map(() => []);
    for (const { first, start, stop, last } of pieces(total, pieceUnits, contextUnits)) {
      const audio = new Float32Array((last - first) * unitSamples);
      audio.set(samples.subarray(first * unitSamples, last * unitSamples));
      const given = { audio: tensor("float32", audio, [1, 1, audio.length]) };
      const answer = await session.run(given);
      unitTokens.forEach((tokens, level) => {
        const codes = answer[`codes_${level}`].data;
        const kept = codes.slice((start - first) * tokens, (stop - first) * tokens);
        for (const code of kept) levels[level].push(Number(code));
      });
      tell("Encoding", stop / total);
    }
    return levels;
  },

  // Codes to the audio of one decoder, a Float32Array of whole coarse tokens.
  async decode({ decoder, codes }, tell) {
    const session = await open(decoder.file, tell);
    const { tokens, pieceTokens, contextTokens } = codec.decoding;
    const total = codes[0].length;
    const samples = new Float32Array(total * decoder.samplesPerToken);
    for (const { first, start, stop, last } of pieces(total, pieceTokens, contextTokens)) {
      const given = noiseInputs(decoder.noise, first, last);
      tokens.forEach((count, level) => {
        const part = codes[level].slice(first * count, last * count).map(BigInt);
        given[`codes_${level}`] = tensor("int64", BigInt64Array.from(part), [1, part.length]);
      });
      const { audio } = await session.run(given);
      const [from, to] = [start - first, stop - first].map((n) => n * decoder.samplesPerToken);
      samples.set(audio.data.subarray(from, to), start * decoder.samplesPerToken);
      tell(`Decoding: ${decoder.label}`, stop / total);
    }
    return samples;
  },
};

function tensor(type, values, shape) {
  return new onnx.Tensor(type, values, shape);
}

// Cuts a whole into pieces, each with the context beside it that its result depends on.
function* pieces(total, length, context) {
  const size = context === null ? total : length; // without a known context all is one piece
  for (let start = 0; start < total; start += size) {
    const stop = Math.min(start + size, total);
    yield {
      first: Math.max(0, start - context), start, stop, last: Math.min(stop + context, total),
    };
  }
}

async function open(file, tell) {
  onnx ??= await loadRuntime(tell);
  if (!sessions.has(file)) {
    const model = await download(new URL(file, page), tell, file.split("/").pop());
    tell(`Preparing ${file.split("/").pop()}`, 1);
    const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
    sessions.set(file, await onnx.InferenceSession.create(model, options));
  }
  return sessions.get(file);
}

// The two files of onnxruntime-web, from beside the page or else from a public copy. Either must
// have the bytes whose hash the page knows.
async function loadRuntime(tell) {
  tell("Loading onnxruntime-web", 0);
  const [script, wasm] = await Promise.all(runtime.files.map(fetchRuntime));
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const module = await import(url);
  module.env.wasm.wasmBinary = wasm;
  module.env.wasm.numThreads = 1; // more need headers that a plain server does not send
  return module;
}

async function fetchRuntime({ name, integrity }) {
  for (const place of runtime.places) {
    try {
      const answer = await fetch(new URL(place + name, page), { integrity });
      if (answer.ok) return await answer.arrayBuffer();
    } catch { /* not there, or other bytes: the next place may have it */ }
  }
  throw new Error(
    `${name} of onnxruntime-web ${runtime.version} could not be loaded: it is neither in ` +
    `${runtime.places[0]} beside this page nor can it be had from ${runtime.places[1]}`);
}

async function download(url, tell, name) {
  const answer = await fetch(url).catch(() => ({ ok: false, status: "no answer" }));
  if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status})`);
  const size = Number(answer.headers.get("Content-Length"));
  const parts = [];
  let loaded = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    tell(`Loading ${name}, ${(loaded / 1e6).toFixed(0)} MB`, size ? loaded / size : 0);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// ---- The noise of SeededNoise in snac_model.noise, number for number.

// Of each block the numbers for the coarse tokens first to last; blocks that decoders share are
// drawn once.
const drawn = new Map();

function noiseInputs(lengths, first, last) {
  const inputs = {};
  for (const [name, length] of Object.entries(lengths)) {
    const key = [name, length, first, last].join();
    if (!drawn.has(key)) {
      const block = Number(name.split("_")[1]);
      drawn.set(key, seededNoise(block, first * length, (last - first) * length));
    }
    const values = drawn.get(key);
    inputs[name] = tensor("float32", values, [1, 1, values.length]);
  }
  return inputs;
}

// 64-bit numbers are kept as two of 32 bits: BigInt would take seconds for a second of audio.
const GOLDEN = 0x9E3779B97F4A7C15n;
const [GOLDEN_HIGH, GOLDEN_LOW] = halves(GOLDEN);
let high, low;

function halves(number) {
  const bits = BigInt.asUintN(64, number);
  return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

function seededNoise(block, start, length) {
  [high, low] = halves(BigInt(seed) + BigInt(block + 1) * GOLDEN);
  mix();
  const stream = (BigInt(high) << 32n) | BigInt(low);
  let [placeHigh, placeLow] = halves(stream + BigInt(start) * GOLDEN);
  const noise = new Float32Array(length);
  for (let position = 0; position < length; position++) {
    high = placeHigh;
    low = placeLow;
    mix();
    noise[position] = QUANTILES[low & 0xffff];
    const sum = placeLow + GOLDEN_LOW;
    placeLow = sum >>> 0;
    placeHigh = (placeHigh + GOLDEN_HIGH + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  }
  return noise;
}

function mix() {
  xorShifted(30);
  multiply(0xBF58476D, 0x1CE4E5B9);
  xorShifted(27);
  multiply(0x94D049BB, 0x133111EB);
  xorShifted(31);
}

function xorShifted(bits) {
  low = (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0;
  high = (high ^ (high >>> bits)) >>> 0;
}

function multiply(byHigh, byLow) {
  const a = low & 0xffff, b = low >>> 16, c = byLow & 0xffff, d = byLow >>> 16;
  const middle = b * c + ((a * c) >>> 16) + ((a * d) & 0xffff);
  const carried = b * d + ((a * d) >>> 16) + Math.floor(middle / 65536);
  high = (carried + Math.imul(high, byLow) + Math.imul(low, byHigh)) >>> 0;
  low = Math.imul(low, byLow) >>> 0;
}

// Midpoints of 65,536 equally likely bins of the standard normal. The quantile z(p) solves
// dz/dp = sqrt(2 pi) exp(z^2 / 2); it is followed from the median in small steps (Runge-Kutta).
const QUANTILES = normalQuantiles();

function normalQuantiles() {
  const slope = (z) => Math.sqrt(2 * Math.PI) * Math.exp(z * z / 2);
  const quantiles = new Float32Array(65536);
  const steps = 32;
  for (let bin = 0, z = 0; bin < 32768; bin++) {
    const count = bin ? steps : steps / 2; // the first midpoint is half a bin from the median
    const h = 1 / 65536 / steps;
    for (let step = 0; step < count; step++) {
      const k1 = slope(z), k2 = slope(z + h / 2 * k1), k3 = slope(z + h / 2 * k2);
      z += h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(z + h * k3));
    }
    quantiles[32768 + bin] = z;
    quantiles[32767 - bin] = -z;
  }
  return quantiles;
}
