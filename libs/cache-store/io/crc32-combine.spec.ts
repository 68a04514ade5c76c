import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { combineCrc32 } from './crc32-combine.js';

test('the CRC of two byte strings follows from the CRC of each and the length of the second', () => {
  const bytes = fc.uint8Array({ maxLength: 2_000 });
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const whole = crc32(Buffer.concat([first, second]));
      expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(whole);
    }),
  );
});

test('a string of many megabytes is combined in parts', () => {
  const whole = Buffer.alloc(20_000_003, 'some bytes');
  const parts = [0, 8_388_608, 16_777_216].map((at, i, starts) => whole.subarray(at, starts[i + 1]));
  const combined = parts.reduce((crc, part) => combineCrc32(crc, crc32(part), part.length), 0);
  expect(combined).toBe(crc32(whole));
});
