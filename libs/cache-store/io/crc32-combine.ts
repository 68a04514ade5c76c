/** The polynomial of CRC-32 (IEEE 802.3), with its bits reversed. */
const polynomial = 0xedb88320;

/**
 * The CRC-32 of two byte strings one after the other, from the CRC-32 of each.
 *
 * A CRC is linear: appending a zero byte to a string multiplies its CRC by a fixed 32 × 32 matrix over GF(2). So the first
 * CRC is multiplied by the matrix for as many zero bytes as the second string is long, by repeated squaring. Source:
 * `crc32_combine` of zlib (M. Adler).
 *
 * @param secondBytes length of the second string
 */
export function combineCrc32(first: number, second: number, secondBytes: number): number {
  let crc = first >>> 0;
  let matrix = zeroBitMatrix();
  // For one zero byte: three squarings of the matrix for one bit.
  for (let doubling = 0; doubling < 3; doubling++) matrix = square(matrix);
  for (let rest = secondBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) crc = times(matrix, crc);
    matrix = square(matrix);
  }
  return (crc ^ second) >>> 0;
}

/** What one appended zero bit does to a CRC, by columns. */
function zeroBitMatrix(): Uint32Array {
  return Uint32Array.from({ length: 32 }, (_, bit) => (bit === 0 ? polynomial : 2 ** (bit - 1)));
}

function square(matrix: Uint32Array): Uint32Array {
  return matrix.map((column) => times(matrix, column));
}

function times(matrix: Uint32Array, vector: number): number {
  let sum = 0;
  for (let bit = 0, rest = vector; rest !== 0; bit++, rest >>>= 1) if (rest & 1) sum ^= matrix[bit];
  return sum >>> 0;
}
