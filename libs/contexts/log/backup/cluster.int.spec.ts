import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EventStore, Names } from '#jetstream';
import { compareVersions } from '#nats-server';
import { availableNatsVersions, note, noted, openTestLog, startTestNatsCluster, until } from '#testing';
import { logEvents, type LogEvent } from '../index.js';
import { restoreBackup, writeBackup } from './index.js';

jest.setTimeout(120_000);

const catalogue = { ...noted, ...logEvents };
const context = { v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r' };
const record = (events: readonly LogEvent[]) => events.map((event) => ({ id: randomUUID(), ...context, ...event }));
const replicated = availableNatsVersions().filter((version) => compareVersions(version, '2.10.23') >= 0);
const itEach = replicated.length > 0 ? it.each(replicated) : it.skip.each(['none new enough']);

itEach('three copies on nats-server %s are restored while a server dies', async (version) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'larder-backup-'));
  const nats = await startTestNatsCluster({ version });
  const log = await openTestLog(nats.url, { catalogue, requestTimeoutMs: 1_000 });
  try {
    await log.store.append('log', 0, record([{ type: 'LogStarted', data: { logId: 'original' } }]));
    const facts = Array.from({ length: 3_000 }, (_, i) =>
      log.store.appendFact(`many.${i % 50}`, `${i}`, [note(`${i}`)]),
    );
    await Promise.all(facts);
    const file = path.join(directory, 'log.gz');
    const { root } = await writeBackup({ store: log.store, cluster: 'larder', natsVersion: version, file, now: '' });
    const names = new Names('restored');
    const store = new EventStore(log.link, names, log.codec);
    const restore = restoreBackup({ link: log.link, names, store, file, replicas: 3, logId: 'second', record });
    const end = async () => (await store.info().catch(() => undefined))?.lastSequence ?? 0;
    await until(async () => (await end()) > 100, 5);
    const { cluster } = await log.link.jsm.streams.info(names.eventStream);
    await nats.nodes.find(({ serverName }) => serverName === cluster?.leader)!.kill9();
    expect(await restore).toMatchObject({ count: 3_001, root, complete: false });
    expect(await store.lastOf('log')).toMatchObject({ sequence: 3_002, commit: { events: [{ type: 'LogRestored' }] } });
  } finally {
    await log.close();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
