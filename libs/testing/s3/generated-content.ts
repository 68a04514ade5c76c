/**
 * Generated content: deterministic, different for every seed, readable from any offset, and never in memory as a whole.
 * A block of noise repeats. Its length is prime, so that no two 4 KiB pages or MiB parts are alike.
 */
const blockBytes = 1_048_583;
const stampBytes = 8;
const block = noise(blockBytes);

export function* generatedContent(seed: number, sizeBytes: number, start = 0, end = sizeBytes - 1): Generator<Buffer> {
  let offset = start;
  if (sizeBytes >= stampBytes && offset < stampBytes && offset <= end) {
    const stamp = Buffer.alloc(stampBytes);
    stamp.writeDoubleLE(seed);
    const piece = stamp.subarray(offset, Math.min(end + 1, stampBytes));
    offset += piece.length;
    yield piece;
  }
  const shift = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0;
  while (offset <= end) {
    const from = (offset + shift) % blockBytes;
    const piece = block.subarray(from, Math.min(blockBytes, from + end + 1 - offset));
    offset += piece.length;
    yield piece;
  }
}

function noise(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = 0x2545f491;
  for (let i = 0; i < bytes; i++) {
    // Xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer[i] = state & 0xff;
  }
  return buffer;
}
