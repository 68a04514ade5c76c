// What signatures in the log cost: to sign and to verify one commit, to append with and without, and to read a log back
// without looking, verifying every message, and relying on a checkpoint: a log of what coordinators write, and one of
// what workers report, each about its own batches and with its own key; in turn within the same minute.
//
//   node test/bench/signatures.mjs [--rounds 3] [--commits 20000] [--appends 4000]
//
// Wall seconds and CPU seconds are this process's; nats-server's own are not in them.
import { randomUUID } from 'node:crypto';
import { allEvents } from '#contexts/catalogue';
import { LogGate, OwnSigner, privateKeyOf, TrustRing } from '#contexts/trust/gate';
import {
  emptyRoot,
  EventCodec,
  EventStore,
  messageDigest,
  rollDigest,
  signedBytes,
  splitSignature,
  withSignature,
} from '#jetstream';
import { note, noted, openTestLog, startTestNats } from '#testing';
import { bench } from './support/bench.mjs';
import { median, rounded, spread } from './support/rounds.mjs';

const codec = new EventCodec([allEvents, noted]);
const ring = new TrustRing([{ id: 'k1', key: Buffer.alloc(32, 1) }]);
const coordinator = ring.signer('coordinator-1');
const workers = [1, 2, 3, 4].map((i) => new OwnSigner(`worker-${i}`, privateKeyOf(Buffer.alloc(32, i + 1))));
const text = 'x'.repeat(500);

async function timed(work) {
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6, result };
}

/** CPU milliseconds of each, by what was done; in the order in which they came first. */
const measured = new Map();
const row = (what, count, { cpuSeconds }) =>
  measured.set(what, [...(measured.get(what) ?? []), (cpuSeconds / count) * 1000]);

async function one() {
  const signer = coordinator;
  const bytes = signedBytes('x', Buffer.from(text));
  const signature = signer.sign(bytes);
  const times = 5_000;
  row('sign one commit of 500 bytes', times, await timed(() => repeat(times, () => signer.sign(bytes))));
  row('verify one', times, await timed(() => repeat(times, () => ring.hasSigned(bytes, signature))));
}

function repeat(times, work) {
  for (let i = 0; i < times; i++) work();
}

async function appending(log, signer, appends) {
  const store = new EventStore(log.link, log.names, codec, { signer });
  const boundary = `bench.${randomUUID()}`;
  return timed(async () => {
    for (let i = 0, expected = 0; i < appends; i++) {
      ({ sequence: expected } = await store.append(boundary, expected, [note(text)]));
    }
  });
}

const event = (type, data) => ({ ...note(''), type, v: allEvents[type].v, data });

/** A log as readers get it, made without NATS: only the reading is of interest. Signatures are owed from its first message. */
class MadeLog {
  messages = [];
  heads = new Map();

  constructor() {
    const publicKey = coordinator.publicKey.toString('base64');
    this.put('log', [event('SigningBegan', { keyId: 'k1', publicKey, workSequence: 0 })], coordinator);
  }

  put(boundary, events, signer) {
    const last = this.messages.at(-1);
    const seen = last ? [last.sequence, last.digest.slice(0, 16)] : [0, ''];
    const { writer: by, keyId: key } = signer;
    const envelope = { commitId: events[0].id, prev: this.heads.get(boundary) ?? '', by, key, seen, events };
    const data = withSignature(boundary, codec.encode(envelope), signer);
    const digest = messageDigest(boundary, data);
    this.heads.set(boundary, digest);
    this.messages.push({ sequence: this.messages.length + 1, boundary, data, digest, recordedAtMs: 0 });
  }

  get root() {
    return this.messages.reduce((before, { digest }) => rollDigest(before, digest), emptyRoot);
  }
}

function madeByCoordinator(commits) {
  const log = new MadeLog();
  for (let i = 0; i < commits; i++) log.put(`notes.${i % 100}`, [note(text)], coordinator);
  return log;
}

/** A hundred jobs, whose batches each of the workers settles; a failure of each makes a commit as large as a note. */
function madeByWorkers(commits) {
  const log = new MadeLog();
  for (const { writer: workerId, publicKey: key } of workers) {
    const publicKey = key.toString('base64');
    const member = { workerId, address: 'a:1', bootId: 'b', capacityBytes: 1, version: '1', publicKey };
    log.put('membership', [event('WorkerJoined', member)], coordinator);
  }
  for (let i = 0; i < commits; i++) {
    const [signer, jobId] = [workers[i % workers.length], `job-${i % 100}`];
    const { writer: workerId } = signer;
    const failures = [{ path: text.slice(150), reason: 'not there', attempts: 1 }];
    const batch = { jobId, batchId: `l${i}`, workerId, epoch: 1, attempt: 1, counts: { failedFiles: 1 }, failures };
    log.put(`batch.${jobId}.${workerId}`, [event('BatchSettled', batch)], signer);
  }
  return log;
}

function reading(messages, gate) {
  return timed(() => {
    for (const message of messages) {
      const judged = gate.admit(message);
      if (!('commit' in judged)) throw new Error(`${message.sequence}: ${judged.void.reason}`);
    }
  });
}

async function readBack(whose, { messages, root }) {
  const decode = { admit: (message) => ({ commit: codec.decode(message.data, message) }) };
  row(`read back ${whose}, nothing looked at`, messages.length, await reading(messages, decode));
  row(`read back ${whose}, all verified`, messages.length, await reading(messages, new LogGate({ codec, ring })));
  const coverage = { throughSequence: messages.length, root, void: [] };
  const trusting = new LogGate({ codec, ring, coverage });
  row(`read back ${whose}, by a checkpoint`, messages.length, await reading(messages, trusting));
}

await bench({
  title: 'what signatures cost',
  options: { rounds: 3, commits: 20_000, appends: 2000 },
  async run({ rounds, commits, appends }) {
    const nats = await startTestNats({});
    const log = await openTestLog(nats.url, {});
    try {
      const [byCoordinator, byWorkers] = [madeByCoordinator(commits), madeByWorkers(commits)];
      if (!splitSignature(byWorkers.messages.at(-1).data)) throw new Error('nothing is signed');
      for (let round = 1; round <= rounds; round++) {
        await one();
        row('append, not signed', appends, await appending(log, undefined, appends));
        row('append, signed by a coordinator', appends, await appending(log, coordinator, appends));
        row('append, signed by a worker', appends, await appending(log, workers[0], appends));
        await readBack('coordinators’ commits', byCoordinator);
        await readBack('workers’ facts', byWorkers);
      }
    } finally {
      await log.close();
      await nats.stop();
    }
    const rows = [...measured].map(([what, all]) => [what, spread(all, 3), rounded(1000 / median(all))]);
    return { columns: ['', 'CPU for each, ms: median (rounds)', 'a whole core does per second'], rows };
  },
});
