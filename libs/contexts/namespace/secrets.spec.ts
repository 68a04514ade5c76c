import { randomBytes } from 'node:crypto';
import { KeyRing, maskOptions } from './secrets.js';

const canary = 'canary-5f1e';
const [a, b] = [
  { id: 'a', key: randomBytes(32) },
  { id: 'b', key: randomBytes(32) },
];

describe('fault 23: secret options', () => {
  const ufs = 's3://bucket/';

  it('are all that their connector does not declare harmless, under any name', () => {
    const names = [
      's3a.secretKey',
      'secretAccessKey',
      'sessionToken',
      'fs.s3a.secret.key',
      'x',
      'my-note',
      'endpoint2',
    ];
    const sealed = new KeyRing([a]).sealOptions(ufs, Object.fromEntries(names.map((name) => [name, canary])));
    expect(JSON.stringify(sealed)).not.toContain(canary);
    const shown = new KeyRing([a]).sealOptions(ufs, { 's3a.accessKeyId': 'A', endpoint: 'http://h', region: 'r' });
    expect(shown).toEqual({
      's3a.accessKeyId': { plain: 'A' },
      endpoint: { plain: 'http://h' },
      region: { plain: 'r' },
    });
  });

  it('that an older version stored in clear are masked', () => {
    const old = { passphrase: { plain: canary }, endpoint: { plain: 'http://h' }, toString: { plain: canary } };
    expect(maskOptions(ufs, old)).toEqual({ passphrase: '******', endpoint: 'http://h', toString: '******' });
    expect(maskOptions('file:///data/', old)).toEqual({ passphrase: '******', endpoint: '******', toString: '******' });
  });

  it('are sealed, masked and opened; others stay in clear', () => {
    const ring = new KeyRing([a]);
    const sealed = ring.sealOptions(ufs, { 's3a.secretKey': canary, region: 'eu-1' });
    expect(JSON.stringify(sealed)).not.toContain(canary);
    expect(maskOptions(ufs, sealed)).toEqual({ 's3a.secretKey': '******', region: 'eu-1' });
    expect(ring.openOptions(sealed)).toEqual({ 's3a.secretKey': canary, region: 'eu-1' });
  });

  it('have two different seals for one value', () => {
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
