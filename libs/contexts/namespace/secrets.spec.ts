import { randomBytes } from 'node:crypto';
import { isSecretOption, KeyRing, maskOptions } from './secrets.js';

const canary = 'canary-5f1e';
const [a, b] = [
  { id: 'a', key: randomBytes(32) },
  { id: 'b', key: randomBytes(32) },
];

describe('fault 23: secret options', () => {
  it('are told by their names', () => {
    for (const name of ['s3a.secretKey', 'secretAccessKey', 'sessionToken', 'Password', 'fs.azure.accountKey']) {
      expect(isSecretOption(name)).toBe(true);
    }
    for (const name of ['s3a.accessKeyId', 'endpoint', 'region']) expect(isSecretOption(name)).toBe(false);
  });

  it('are sealed, masked and opened; others stay in clear', () => {
    const ring = new KeyRing([a]);
    const sealed = ring.sealOptions({ 's3a.secretKey': canary, region: 'eu-1' });
    expect(JSON.stringify(sealed)).not.toContain(canary);
    expect(maskOptions(sealed)).toEqual({ 's3a.secretKey': '******', region: 'eu-1' });
    expect(ring.openOptions(sealed)).toEqual({ 's3a.secretKey': canary, region: 'eu-1' });
  });

  it('two seals of one value differ', () => {
    const ring = new KeyRing([a]);
    expect(ring.seal('secret', canary)).not.toEqual(ring.seal('secret', canary));
  });

  it('open after a rotation with the old key still on the ring, and not without it', () => {
    const sealed = new KeyRing([a]).seal('secret', canary);
    expect(new KeyRing([b, a]).open('secret', sealed)).toBe(canary);
    expect(() => new KeyRing([b]).open('secret', sealed)).toThrow(/key 'a', which LARDER_SECRET_KEYS does not hold/);
  });

  it('do not open under another option or after a change', () => {
    const ring = new KeyRing([a]);
    const sealed = ring.seal('secret', canary);
    expect(() => ring.open('password', sealed)).toThrow(/does not open/);
    expect(() => ring.open('secret', { ...sealed, tag: Buffer.alloc(16).toString('base64') })).toThrow(/does not open/);
  });
});
