import { connect, type NatsConnection } from 'nats';
import { TrustRing } from '#contexts/trust/gate';
import { messageDigest, Names, type Signer, withSignature } from '#jetstream';
import { clusterKey, clusterSuite, eventually, keys, type ManagedProcess } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

/** Exit code of a refusal: a retry cannot help. */
const refusedExitCode = 78;

clusterSuite(
  'damaged data in NATS at the start of a coordinator',
  { coordinators: 2, env: { LARDER_SNAPSHOT_EVERY: '5' } },
  ({ cluster, s3 }) => {
    let nats: NatsConnection;

    beforeAll(async () => {
      nats = await connect({ servers: cluster.natsUrl });
    });

    afterAll(async () => {
      await nats?.close();
    });

    it(
      'fault 24: a coordinator ignores changed or truncated snapshots and replays the log to the same state',
      () =>
        cluster.watch(async () => {
          const { api, process } = cluster.coordinators[0];
          const files = await s3.bucket(cluster, 'kept', keys(200), 100);
          const id = await api.load({ paths: ['/kept'] });
          const done = await expectExactSuccess(cluster, id, files);
          const chunks = '$O.larder-snapshots.C.>';
          const jsm = await nats.jetstreamManager();
          const stored = async () =>
            Object.keys(
              (await jsm.streams.info('OBJ_larder-snapshots', { subjects_filter: chunks })).state.subjects ?? {},
            );
          await eventually('a snapshot is stored', async () => (await stored()).length > 0);
          // The intact snapshot is used. Without this, the rest of the test would prove nothing.
          await process.restart();
          expect(process.log()).toMatch(/views restored from the snapshot at sequence/);

          for (const damage of ['other bytes', 'cut short'] as const) {
            for (const subject of await stored()) {
              await jsm.streams.purge('OBJ_larder-snapshots', { filter: subject });
              if (damage === 'other bytes') await nats.jetstream().publish(subject, Buffer.alloc(500, 'x'));
            }
            await process.restart();
            expect(process.log()).not.toMatch(/views restored from the snapshot/);
            expect(await api.progress(id)).toEqual(done);
            expect((await api.request('GET', '/mount?path=/kept')).status).toBe(200);
            await cluster.untilOnline(2);
          }
        }),
      120_000,
    );

    const names = new Names();

    async function last(subject: string) {
      const jsm = await nats.jetstreamManager();
      const { seq, data, subject: found } = await jsm.streams.getMessage(names.eventStream, { last_by_subj: subject });
      return { seq, digest: messageDigest(names.boundaryOf(found), data) };
    }

    /** Appends an unknown event to the boundary of mounts. @param signer without one, the event is unsigned */
    async function unknownEvent(signer?: Signer): Promise<Uint8Array> {
      const at = new Date().toISOString();
      const event = { id: 'e-1', type: 'Teleported', v: 1, at, actor: 'somebody', requestId: 'r-1', data: {} };
      const { digest: prev } = await last(names.eventSubject('namespace'));
      const end = await last(names.eventSubjects);
      const by = { by: signer?.writer, key: signer?.keyId, seen: [end.seq, end.digest.slice(0, 16)] };
      const commit = Buffer.from(JSON.stringify({ id: 'c-1', prev, ...by, events: [event] }));
      return signer ? withSignature('namespace', commit, signer) : commit;
    }

    it('fault 24: an unknown, unsigned event is ignored and reported', () =>
      cluster.watch(async () => {
        const { seq } = await nats.jetstream().publish(names.eventSubject('namespace'), await unknownEvent());
        await s3.bucket(cluster, 'after', keys(3), 10);
        for (const { process } of [...cluster.coordinators, ...cluster.workers]) {
          await eventually(`${process.name} has reported it`, () =>
            Promise.resolve(new RegExp(`"sequence":${seq}\\b.*is void`).test(process.log())),
          );
        }
      }));

    it(
      'fault 24: an unknown signed event, as a newer build writes, stops every process that reads it, also after a restart',
      () =>
        cluster.watch(async () => {
          const ended = cluster.processes.map((process) => endOf(process));
          const ring = new TrustRing([clusterKey]);
          const message = await unknownEvent(ring.signer('coordinator-newer'));
          const { seq } = await nats.jetstream().publish(names.eventSubject('namespace'), message);
          for (const [i, end] of (await Promise.all(ended)).entries()) {
            expect(end.code).toBe(refusedExitCode);
            const log = cluster.processes[i].log();
            expect(log).toContain(`"Teleported" version 1 at sequence ${seq}`);
          }
          // After a restart they refuse again.
          const [{ process }] = cluster.coordinators;
          expect((await endOf(process, () => process.launch())).code).toBe(refusedExitCode);
        }),
      60_000,
    );
  },
);

/** Waits for an expected end of a process. */
async function endOf(process: ManagedProcess, start: () => void = () => undefined) {
  const { onCrash } = process;
  process.onCrash = undefined;
  start();
  const status = await process.exited;
  process.onCrash = onCrash;
  return status;
}
