import { createHash, createHmac, randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { within } from '#async';
import { derivedKey, Names } from '#jetstream';
import { connect, type NatsConnection, type ObjectStore } from 'nats';
import { clusterKeys, clusterSuite, eventually } from '#testing';
import { larderWell } from '../cli/support/run-larder.js';
import { mountsOf, quarantineOf } from './support/answers.js';

jest.setTimeout(180_000);

const names = new Names();
const unsealed = 'no coordinator with these keys has written it';

interface Taken {
  readonly name: string;
  readonly header: Record<string, unknown>;
  readonly state: string;
}

const options = {
  workers: 1,
  env: { LARDER_SNAPSHOT_EVERY: '10', LARDER_CHECKPOINT_MS: '500' },
  testTimeoutMs: 180_000,
};

clusterSuite('a snapshot that was written without the keys', options, ({ cluster, test }) => {
  let stranger: NatsConnection;
  let bucket: ObjectStore;

  beforeAll(async () => {
    stranger = await connect({ servers: cluster.nats.url });
    bucket = await stranger.jetstream().views.os(names.snapshotBucket);
  });
  afterAll(() => stranger?.close());

  /** The snapshot that a coordinator would use if it started now. */
  async function newestSnapshot(): Promise<Taken | undefined> {
    const place = (name: string) => Number(name.split('.').at(-1));
    const [newest] = (await bucket.list()).sort((a, b) => place(b.name) - place(a.name));
    // The client library waits without end for the chunks of a snapshot that its coordinator has just replaced.
    const bytes = newest && (await within(bucket.getBlob(newest.name), 2_000));
    if (!bytes) return undefined;
    const end = bytes.indexOf(0x0a);
    const header = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString()) as Record<string, unknown>;
    return { name: newest.name, header, state: gunzipSync(bytes.subarray(end + 1)).toString() };
  }

  /** Writes a complete snapshot with the right checksum under the name of the real one, like a forger would. */
  async function forge(real: Taken, state: string, macOf: (sealed: Record<string, unknown>) => unknown): Promise<void> {
    const packed = gzipSync(state);
    const { mac: _, ...rest } = real.header;
    const sealed = { ...rest, sha256: createHash('sha256').update(packed).digest('hex') };
    const header = JSON.stringify({ ...sealed, mac: macOf(sealed) });
    await bucket.putBlob({ name: real.name }, Buffer.concat([Buffer.from(`${header}\n`), packed]));
  }

  /** The seal of a coordinator, made with a key of the stranger. */
  function ownMac(sealed: Record<string, unknown>): string {
    const key = derivedKey({ key: randomBytes(32) }, 'larder-snapshots');
    return createHmac('sha256', key).update(JSON.stringify(sealed)).digest('hex');
  }

  it.each([
    ['without a seal', () => '', unsealed],
    ['with the seal of the real one', undefined, unsealed],
    ['with a seal by another key', ownMac, unsealed],
    ['with a seal that is not a text', () => ({ toString: 1 }), 'its header is not one of a snapshot'],
  ])('is not used by a coordinator that starts: %s', async (what, macOf, why) => {
    const [{ api, process: coordinator }] = cluster.coordinators;
    const mounted = `/real-${createHash('sha1').update(what).digest('hex').slice(0, 6)}`;
    await api.mount(mounted, `file://${cluster.directory}${mounted}`);
    let filler = 0;
    const real = await eventually('a snapshot has the mount in it', async () => {
      const newest = await newestSnapshot();
      if (newest?.state.includes(`"${mounted}/"`)) return newest;
      await api.mount(`${mounted}-${++filler}`, `file://${cluster.directory}${mounted}-${filler}`);
      return undefined;
    });
    const before = await mountsOf(api);
    await coordinator.kill9();
    // All stored snapshots contain the forged mount, so the coordinator cannot fall back to a good one.
    const forgedState = real.state.replaceAll(`"${mounted}/"`, '"/forged/"');
    expect(forgedState).not.toBe(real.state);
    for (const { name } of await bucket.list()) if (name !== real.name) await bucket.delete(name);
    await forge(real, forgedState, macOf ?? (() => real.header.mac));
    await coordinator.start();
    await cluster.untilOnline(1, api);
    expect(await mountsOf(api)).toEqual(before);
    expect(coordinator.log()).toContain(`snapshot ${real.name} is not used: ${why}`);
    expect(await quarantineOf(api)).toBeUndefined();
  });

  test('differs from a real one, from which a coordinator restores its state instead of the log', async () => {
    const [{ api, process: coordinator }] = cluster.coordinators;
    await eventually('the newest snapshot is one of a coordinator', async () => {
      const more = `/more-${randomBytes(4).toString('hex')}`;
      await api.mount(more, `file://${cluster.directory}${more}`);
      const newest = await newestSnapshot();
      return newest !== undefined && !newest.state.includes('/forged/');
    });
    const before = await mountsOf(api);
    await coordinator.restart();
    await cluster.untilOnline(1, api);
    expect(await mountsOf(api)).toEqual(before);
    expect(coordinator.log()).not.toContain('is not used');
    expect(coordinator.log()).toMatch(/views restored from the snapshot at sequence \d+/);
  });

  test('leaves no fault in the log for an audit', async () => {
    const text = await larderWell(['audit', 'verify', '--nats', cluster.natsUrlFor('admin')], clusterKeys);
    expect(text).toContain('no fault was found');
    expect(text).not.toContain('VOID');
  });
});
