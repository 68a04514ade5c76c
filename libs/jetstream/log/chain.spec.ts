import { createHash, randomBytes } from 'node:crypto';
import { emptyRoot, messageDigest, rollDigest } from './chain.js';

it.each([0, 1, 700, 65_000, 65_533, 65_534, 65_535, 65_536, 200_000])(
  'the digest of a message of %i bytes is SHA-256 over its boundary, a zero byte and its data',
  (length) => {
    const data = randomBytes(length);
    const expected = createHash('sha256').update('é').update('\0').update(data).digest('hex');
    expect(messageDigest('é', data)).toBe(expected);
    // Nothing of a longer message is left in the next one.
    expect(messageDigest('b', Buffer.of(7))).toBe(createHash('sha256').update('b\0\x07').digest('hex'));
  },
);

it.each([emptyRoot, 'ab', ''])('the root after %j is SHA-256 over the root and the digest of the message', (root) => {
  const digest = messageDigest('b', Buffer.of(7));
  const expected = createHash('sha256').update(root, 'hex').update(digest, 'hex').digest('hex');
  expect(rollDigest(root, digest)).toBe(expected);
});
