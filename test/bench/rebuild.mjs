// How long a coordinator needs to rebuild its views: from the whole log, and from a snapshot and the log behind it, against
// a bare read of the same messages with `JSON.parse`, in turn. The log has what a large load leaves: for each batch the
// fact that a worker reports, and plans, starts and ends of jobs. A checkpoint covers all but the last messages, as in
// production; these are verified one by one. Needs a build.
//
//   node test/bench/rebuild.mjs [--events 1000000] [--tail 10000] [--uncovered 1000] [--rounds 2]
//
// CPU seconds are this process's; nats-server's own are not in them.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { allEvents } from '#contexts/catalogue';
import { batchBoundary, batchId, jobBoundary, jobsView, slotBoundary } from '#contexts/jobs';
import { checkpointBoundary, logBoundary, logView } from '#contexts/log';
import { membershipBoundary, membershipView } from '#contexts/membership';
import { namespaceView } from '#contexts/namespace';
import { LogTrust, OwnSigner, privateKeyOf, TrustRing } from '#contexts/trust/gate';
import { emptyRoot, EventCodec, EventStore, messageDigest, rollDigest, SnapshotStore, withSignature } from '#jetstream';
import { Views } from '#runtime';
import { openTestLog, startTestNats } from '#testing';
import { OrderedConsumer } from '../../dist/libs/jetstream/stream/ordered-consumer.js';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    tail: { type: 'string', default: '10000' },
    uncovered: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '2' },
  },
});
const [events, tail, uncovered, rounds] = ['events', 'tail', 'uncovered', 'rounds'].map((name) => Number(values[name]));

const codec = new EventCodec([allEvents]);
const keys = [{ id: 'k1', key: Buffer.alloc(32, 1) }];
const ring = new TrustRing(keys);
const coordinator = ring.signer('coordinator-1');
const workers = [1, 2, 3, 4].map((i) => new OwnSigner(`worker-${i}`, privateKeyOf(Buffer.alloc(32, i + 1))));
/** Nothing looks at the signature of a covered message; that it was signed takes most of the time of making a log. */
const unchecked = (signer) => ({ writer: signer.writer, keyId: signer.keyId, sign: () => Buffer.alloc(64) });

/** Publishes commits one behind the other, each chained and signed as its writer would have done. */
class LogMaker {
  sequence = 0;
  root = emptyRoot;
  lastDigest = '';
  heads = new Map();

  constructor(log, coveredThrough) {
    this.log = log;
    this.coveredThrough = coveredThrough;
  }

  async put(boundary, type, data, signer) {
    const head = this.heads.get(boundary) ?? { sequence: 0, digest: '' };
    const id = `00000000-0000-4000-8000-${String(this.sequence).padStart(12, '0')}`;
    const at = new Date(1_700_000_000_000 + this.sequence).toISOString();
    const recorded = { id, type, v: allEvents[type].v, at, actor: `worker:${signer.writer}`, requestId: id, data };
    const seen = [this.sequence, this.lastDigest.slice(0, 16)];
    const envelope = { id, prev: head.digest, after: head.sequence, by: signer.writer, key: signer.keyId, seen };
    const bytes = Buffer.from(JSON.stringify({ ...envelope, events: [recorded] }));
    const isCovered = this.sequence < this.coveredThrough;
    const signed = withSignature(boundary, bytes, isCovered ? unchecked(signer) : signer);
    this.lastDigest = messageDigest(boundary, signed);
    this.root = rollDigest(this.root, this.lastDigest);
    this.heads.set(boundary, { sequence: ++this.sequence, digest: this.lastDigest });
    const subject = this.log.names.eventSubject(boundary);
    // Each thousandth message waits for its acknowledgement: the server must not fall behind.
    if (this.sequence % 1000 === 0) await this.log.link.js.publish(subject, signed);
    else this.log.link.nc.publish(subject, signed);
  }

  async begin() {
    const publicKey = coordinator.publicKey.toString('base64');
    await this.put(logBoundary.name, 'SigningBegan', { keyId: 'k1', publicKey, workSequence: 0 }, coordinator);
    for (const { writer: workerId, publicKey: key } of workers) {
      const member = { workerId, address: 'a:1', bootId: 'b', capacityBytes: 1, version: '1' };
      const joined = { ...member, publicKey: key.toString('base64') };
      await this.put(membershipBoundary.name, 'WorkerJoined', joined, coordinator);
    }
  }

  /** A job of 10,000 batches in steps of 100. */
  async job(number, end) {
    const jobId = `10000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    const options = { batchSize: 200, fileFilterRegex: '', replicas: 1, skipIfExists: false, loadMetadataOnly: false };
    const spec = {
      roots: ['s3://b/'],
      paths: ['/b'],
      index: '',
      indexPath: '',
      options: { ...options, verify: false },
    };
    const submitted = { jobId, kind: 'load', target: jobId, alias: jobId, spec };
    await this.put(slotBoundary.of('load', jobId), 'JobSubmitted', submitted, coordinator);
    const boundary = jobBoundary.of(jobId);
    await this.put(boundary, 'JobAssumed', { owner: 'coordinator-1', epoch: 1 }, coordinator);
    for (let step = 0; step < 100 && this.sequence < end; step++) await this.step(jobId, step, end);
    if (this.sequence >= end) return;
    const finished = { epoch: 1, state: 'SUCCEEDED', message: '', summary: {} };
    await this.put(boundary, 'JobFinished', finished, coordinator);
  }

  async step(jobId, step, end) {
    const batches = Array.from({ length: 100 }, (_, i) => {
      const id = batchId('main', step, String(i).padStart(16, '0'));
      return { id, workerId: workers[i % 4].writer, copy: 0, files: 200, bytes: 3_276_800, workSequence: i + 1 };
    });
    const at = { epoch: 1, pass: 'main', step, cursor: `s3://b/${step}`, done: step === 99 };
    const figures = { scannedFiles: 20_000, filteredFiles: 0, seenEntries: 20_000, rejected: [] };
    await this.put(jobBoundary.of(jobId), 'BatchesPlanned', { ...at, ...figures, batches }, coordinator);
    for (const { id, workerId } of batches) {
      if (this.sequence >= end) return;
      const counts = { loadedFiles: 200, loadedBytes: 3_276_800, loadedNonEmptyFiles: 200 };
      const settled = { jobId, batchId: id, workerId, epoch: 1, attempt: 1, counts, failures: [] };
      const signer = workers.find(({ writer }) => writer === workerId);
      await this.put(batchBoundary.of(jobId, workerId), 'BatchSettled', settled, signer);
    }
  }

  async checkpoint() {
    const stated = { fromSequence: 1, throughSequence: this.sequence, root: this.root, digests: '', void: [] };
    await this.put(checkpointBoundary.name, 'LogCheckpointed', { ...stated, keyId: 'k1', mac: '' }, coordinator);
  }
}

async function makeLog(log) {
  const covered = events - uncovered;
  const maker = new LogMaker(log, covered);
  await maker.begin();
  let number = 0;
  while (maker.sequence < covered) await maker.job(number++, covered);
  await maker.checkpoint();
  while (maker.sequence < events) await maker.job(number++, events);
  await log.link.nc.flush();
  const { lastSequence } = await log.store.info();
  if (lastSequence !== events) throw new Error(`the log has ${lastSequence} messages`);
}

async function timed(what, work) {
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  const messages = await work();
  const { user, system } = process.cpuUsage(cpu);
  const [seconds, cpuSeconds] = [(performance.now() - startedMs) / 1000, (user + system) / 1e6];
  const rate = Math.round(messages / seconds);
  console.log(
    `${what.padEnd(34)} ${String(messages).padStart(8)} messages  ${seconds.toFixed(2).padStart(6)} s ` +
      ` ${String(rate).padStart(7)}/s  CPU ${cpuSeconds.toFixed(2)} s`,
  );
  return { seconds, cpuSeconds };
}

function bareRead(log) {
  return new Promise((resolve, reject) => {
    let parsed = 0;
    const consumer = new OrderedConsumer(log.link, {
      stream: log.names.eventStream,
      startSequence: 1,
      onMessage: ({ data, sequence }) => {
        if (JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8')).events) parsed++;
        if (sequence < events) return;
        consumer.stop();
        resolve(parsed);
      },
      onFatal: reject,
    });
    consumer.start();
  });
}

/** @param save writes a snapshot once, `tail` messages before the end */
async function rebuild(log, { save = false, isFresh = true } = {}) {
  const { link, names } = log;
  const store = new EventStore(link, names, codec, {});
  const snapshots = new SnapshotStore(link, names, 10_000, isFresh ? [{ id: 'k2', key: Buffer.alloc(32, 9) }] : keys);
  const trust = new LogTrust(store, { codec, ring });
  await trust.prepare();
  const views = await Views.open({
    ...{ link, names, codec, store, snapshots },
    views: [logView, namespaceView, membershipView, jobsView(1000)],
    snapshotEvery: save ? events - tail : Infinity,
    mayWriteSnapshot: () => save,
    log: (line) => console.log(`  ${line}`),
    openGate: (stored, strict) => trust.openGate(stored, strict),
    onVoid: (message) => {
      throw new Error(`${message.sequence}: ${message.reason}`);
    },
    onFatal: (error) => {
      throw error;
    },
  });
  const from = views.appliedSequence;
  await views.becomeReady();
  if (views.appliedSequence !== events) throw new Error(`the views stand at ${views.appliedSequence}`);
  views.close();
  return events - from;
}

const nats = await startTestNats({});
const log = await openTestLog(nats.url, { catalogue: allEvents });
try {
  await timed('making the log', () => makeLog(log).then(() => events));
  for (let round = 1; round <= rounds; round++) {
    const bare = await timed('bare read and JSON.parse', () => bareRead(log));
    const whole = await timed('rebuild from the whole log', () => rebuild(log));
    const ratios = ['seconds', 'cpuSeconds'].map((field) => (bare[field] / whole[field]).toFixed(2));
    console.log(`  ratio to the bare read ${ratios[0]}, of CPU ${ratios[1]}`);
  }
  await rebuild(log, { save: true, isFresh: false });
  await new Promise((saved) => setTimeout(saved, 2000));
  for (let round = 1; round <= rounds; round++) {
    await timed('rebuild from a snapshot', () => rebuild(log, { isFresh: false }));
  }
} finally {
  await log.close();
  await nats.stop();
}
