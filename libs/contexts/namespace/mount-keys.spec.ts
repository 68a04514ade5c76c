import { randomBytes } from 'node:crypto';
import { MountKeys } from './mount-keys.js';
import type { Mount } from './namespace.js';
import { KeyRing } from './secrets.js';

const key = (id: string) => ({ id, key: randomBytes(32) });
const [a, b] = [key('a'), key('b')];
const sealedBy = (path: string, ...keys: { id: string; key: Buffer }[]): Mount => ({
  path,
  ufs: `s3://bucket${path}`,
  options: Object.assign(
    { region: { plain: 'eu' } },
    ...keys.map((one, i) => new KeyRing([one]).sealOptions('s3://bucket', { [`secret${i}`]: 'canary' })),
  ) as Mount['options'],
});
const open: Mount = { path: '/open/', ufs: 'file:///open/', options: {} };

describe('the keys of mounts', () => {
  it('give no warning when the key ring opens all of them, or there are none to open', () => {
    const keys = new MountKeys(new KeyRing([b, a]));
    expect(keys.look([open, sealedBy('/x/', a), sealedBy('/y/', b)])).toEqual({ closed: [], opensNone: false });
    expect(keys.look([open])).toEqual({ closed: [], opensNone: false });
    expect(keys.look([])).toEqual({ closed: [], opensNone: false });
  });

  it('give a warning without secrets for each mount whose key is missing', () => {
    const found = new MountKeys(new KeyRing([a])).look([sealedBy('/x/', b, b, a), open, sealedBy('/y/', a)]);
    expect(found).toMatchObject({ closed: [{ path: '/x/', keyId: 'b' }], opensNone: false });
    expect(found.closed[0].sentence).toMatch(/mount \/x\/ .* key 'b', which LARDER_SECRET_KEYS does not hold/);
    expect(JSON.stringify(found)).not.toContain('canary');
  });

  it('do not match a key of the same id with other bytes', () => {
    const found = new MountKeys(new KeyRing([key('a')])).look([sealedBy('/x/', a), open]);
    expect(found).toMatchObject({ closed: [{ path: '/x/', keyId: 'a' }], opensNone: true });
    expect(found.closed[0].sentence).toMatch(/another key than the 'a'/);
  });

  it('are checked again when the mount table changes, and only then', () => {
    let asked = 0;
    const ring = new KeyRing([a]);
    const counting = { open: (...args: Parameters<KeyRing['open']>) => (asked++, ring.open(...args)) };
    const keys = new MountKeys(counting);
    const mounts = [sealedBy('/x/', a)];
    keys.look(mounts);
    keys.look(mounts);
    expect(asked).toBe(1);
    expect(keys.look([...mounts, sealedBy('/y/', b)]).closed).toHaveLength(1);
    expect(keys.look([]).closed).toEqual([]);
  });
});
