import { request } from 'undici';
import { TrustRing } from '#contexts/trust/gate';
import { connectNats, messageDigest, Names, type NatsLink, withSignature } from '#jetstream';
import { clusterKey, clusterSuite, eventually } from '#testing';
import { mounts, mountSome, refusal } from './support/log-loss.js';

const names = new Names();

const options = { workers: 1, clusterPer: 'test', processesMayEnd: true, testTimeoutMs: 120_000 } as const;

clusterSuite('the restart of a replica', options, ({ cluster, test }) => {
  let link: NatsLink;
  beforeEach(async () => void (link = await connectNats({ url: cluster.nats.url, name: 'test' })));
  afterEach(() => link?.close());

  test('fault 24: an event of a newer build ends coordinator and worker with a reason, also after a restart', async () => {
    const event = { id: 'e1', type: 'FromTheFuture', v: 1, at: '2026-01-01T00:00:00.000Z', actor: 'a', requestId: 'r' };
    // The event is the first on its boundary. It is signed by a known writer: an unsigned one would be void.
    const last = await link.jsm.streams.getMessage(names.eventStream, { last_by_subj: names.eventSubjects });
    const signer = new TrustRing([clusterKey]).signer('coordinator-newer');
    const { writer: by, keyId: key } = signer;
    const seen = [last.seq, messageDigest(names.boundaryOf(last.subject), last.data).slice(0, 16)];
    const envelope = { id: 'e1', prev: '', by, key, seen, events: [{ ...event, data: {} }] };
    const message = withSignature('namespace', Buffer.from(JSON.stringify(envelope)), signer);
    const { seq } = await link.js.publish(names.eventSubject('namespace'), message);
    const sentence = `event "FromTheFuture" version 1 at sequence ${seq} of the log: `;
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) {
      expect(await refusal(process)).toContain(sentence);
      expect(await refusal(process)).toContain(sentence);
    }
  });

  test('fault 24: a damaged snapshot is discarded, and the log gives the same answers', async () => {
    const { process, api } = cluster.coordinators[0];
    process.overrides['LARDER_SNAPSHOT_EVERY'] = '5';
    await process.restart();
    await mountSome(cluster, 'm', 12);
    const before = await mounts(cluster);
    const chunks = `$O.${names.snapshotBucket}.C.>`;
    await eventually('a snapshot is stored', async () => (await lastOf(link, chunks)) !== undefined);
    await process.stop();
    expect(await flipAll(link)).toBeGreaterThan(0);
    await process.start();
    expect(process.log()).toMatch(/snapshot views\.v\S+ is not used: /);
    expect(process.log()).not.toContain('views restored');
    expect(await mounts(cluster)).toBe(before);
    // The next snapshot is usable again.
    await mountSome(cluster, 'n', 12);
    const after = await mounts(cluster);
    await process.stop();
    await process.start();
    expect(process.log()).toContain('views restored from the snapshot');
    expect(await mounts(cluster)).toBe(after);
    expect(await api.isReady()).toBe(true);
  });

  test('is alive, is not ready, and refuses requests while it reads a long log', async () => {
    const { process, api } = cluster.coordinators[0];
    await mountSome(cluster, 'early', 1);
    await process.stop();
    await growLog(link, 40_000);
    process.launch();
    const rounds: { alive: number; ready: number; says: string; mount: number }[] = [];
    await eventually(
      'the coordinator is ready',
      async () => {
        const [alive, mount, ready] = [
          await get(api.baseUrl, '/healthz'),
          await get(api.baseUrl, '/api/v1/mount'),
          await get(api.baseUrl, '/readyz'),
        ];
        rounds.push({ alive: alive.status, mount: mount.status, ready: ready.status, says: ready.body });
        return ready.status === 200;
      },
      { everyMs: 10 },
    );
    const reading = rounds.filter(({ says }) => says.includes('the log is being read'));
    expect(reading.length).toBeGreaterThan(0);
    for (const { alive, ready, mount } of reading.slice(0, -1)) {
      expect({ alive, ready, mount }).toEqual({ alive: 200, ready: 503, mount: 503 });
    }
    // Connections may be refused only while the API takes the port over. Requests are served only when it is ready.
    for (const { mount } of rounds.slice(0, -1)) expect([0, 503]).toContain(mount);
    expect(await mounts(cluster)).toContain('/early0');
  });
});

/** The status, or 0 for a refused connection. */
async function get(baseUrl: string, path: string): Promise<{ status: number; body: string }> {
  try {
    const answer = await request(`${baseUrl}${path}`, { reset: true, signal: AbortSignal.timeout(5000) });
    return { status: answer.statusCode, body: await answer.body.text() };
  } catch {
    return { status: 0, body: '' };
  }
}

function lastOf(link: NatsLink, subject: string): Promise<unknown> {
  return link.jsm.streams.getMessage(names.snapshotStream, { last_by_subj: subject }).catch(() => undefined);
}

/** Changes one byte in each chunk of the object store, like a failing disk. @returns the number of chunks */
async function flipAll(link: NatsLink): Promise<number> {
  const { state } = await link.jsm.streams.info(names.snapshotStream);
  let flipped = 0;
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await link.jsm.streams.getMessage(names.snapshotStream, { seq }).catch(() => undefined);
    if (!message?.subject.startsWith(`$O.${names.snapshotBucket}.C.`)) continue;
    const bytes = Buffer.from(message.data);
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    await link.jsm.streams.deleteMessage(names.snapshotStream, seq);
    await link.js.publish(message.subject, bytes);
    flipped++;
  }
  return flipped;
}

/** Appends reports of an unknown job: every replica reads them, and they have no other effect. */
async function growLog(link: NatsLink, messages: number): Promise<void> {
  const before = (await link.jsm.streams.info(names.eventStream)).state.last_seq;
  const failures = Array.from({ length: 20 }, (_, i) => ({ path: `s3://b/${i}`, reason: 'r', attempts: 1 }));
  const subject = names.eventSubject('batch.j.w');
  for (let i = 0; i < messages; i++) {
    const data = { jobId: 'j', batchId: `b${i}`, workerId: 'w', epoch: 1, attempt: 1, counts: {}, failures };
    const event = {
      id: `e${i}`,
      type: 'BatchSettled',
      v: 1,
      at: '2026-01-01T00:00:00.000Z',
      actor: 'a',
      requestId: 'r',
    };
    link.nc.publish(subject, JSON.stringify({ id: `e${i}`, events: [{ ...event, data }] }));
    if (i % 500 === 0) await link.nc.flush();
  }
  await eventually('the log has grown', async () => {
    return (await link.jsm.streams.info(names.eventStream)).state.last_seq >= before + messages;
  });
}
