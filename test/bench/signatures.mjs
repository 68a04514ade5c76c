// What signatures in the log cost: to sign and to verify one commit, to append with and without, and to read a log back
// without looking, verifying every message, and relying on a checkpoint; in turn within the same minute.
//
//   node test/bench/signatures.mjs [--rounds 3] [--commits 20000] [--appends 4000]
//
// Wall seconds and CPU seconds are this process's; nats-server's own are not in them.
import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
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

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, commits: { type: 'string' }, appends: { type: 'string' } },
});
const [rounds, commits, appends] = [values.rounds ?? 3, values.commits ?? 20_000, values.appends ?? 4_000].map(Number);

const codec = new EventCodec([noted, signing()]);
const ring = new TrustRing([{ id: 'k1', key: Buffer.alloc(32, 1) }]);
const text = 'x'.repeat(500);

/** The one event of the log about itself that a gate asks for. */
function signing() {
  return { SigningBegan: { v: 1, description: '', schema: { parse: (data) => data } } };
}

async function timed(work) {
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6, result };
}

const row = (what, count, { seconds, cpuSeconds }) =>
  console.log(
    `${what.padEnd(52)} ${Math.round(count / seconds)
      .toString()
      .padStart(8)}/s  ${seconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(2)} s`,
  );

async function one() {
  const signer = ring.signer('coordinator-1');
  const bytes = signedBytes('x', Buffer.from(text));
  const signature = signer.sign(bytes);
  const times = 5_000;
  row('sign one commit of 500 bytes', times, await timed(() => repeat(times, () => signer.sign(bytes))));
  row('verify one', times, await timed(() => repeat(times, () => ring.hasSigned(bytes, signature))));
}

function repeat(times, work) {
  for (let i = 0; i < times; i++) work();
}

async function appending(log, signer) {
  const store = new EventStore(log.link, log.names, codec, { signer });
  const boundary = `bench.${randomUUID()}`;
  return timed(async () => {
    for (let i = 0, expected = 0; i < appends; i++) {
      ({ sequence: expected } = await store.append(boundary, expected, [note(text)]));
    }
  });
}

/** A log as readers get it, made without NATS: only the reading is of interest. */
function made(signer) {
  const messages = [];
  const heads = new Map();
  const put = (boundary, events) => {
    const last = messages.at(-1);
    const seen = last ? [last.sequence, last.digest.slice(0, 16)] : [0, ''];
    const { writer: by, keyId: key } = signer;
    const envelope = { commitId: events[0].id, prev: heads.get(boundary) ?? '', by, key, seen, events };
    const data = withSignature(boundary, codec.encode(envelope), signer);
    const digest = messageDigest(boundary, data);
    heads.set(boundary, digest);
    messages.push({ sequence: messages.length + 1, boundary, data, digest, recordedAtMs: 0 });
  };
  put('log', [{ ...note(''), type: 'SigningBegan', data: { keyId: 'k1', workSequence: 0 } }]);
  for (let i = 0; i < commits; i++) put(`notes.${i % 100}`, [note(text)]);
  return messages;
}

function reading(messages, gate) {
  return timed(() => {
    for (const message of messages) {
      const judged = gate.admit(message);
      if (!('commit' in judged)) throw new Error(`${message.sequence}: ${judged.void.reason}`);
    }
  });
}

const nats = await startTestNats({});
const log = await openTestLog(nats.url, {});
try {
  const messages = made(ring.signer('coordinator-1'));
  if (!splitSignature(messages[0].data)) throw new Error('nothing is signed');
  const root = messages.reduce((before, { digest }) => rollDigest(before, digest), emptyRoot);
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round}`);
    await one();
    row('append, not signed', appends, await appending(log, undefined));
    row('append, signed by a coordinator', appends, await appending(log, ring.signer('coordinator-1')));
    const own = new OwnSigner('worker-1', privateKeyOf(Buffer.alloc(32, 2)));
    row('append, signed by a worker', appends, await appending(log, own));
    const decode = { admit: (message) => ({ commit: codec.decode(message.data, message) }) };
    row('read back, nothing looked at', messages.length, await reading(messages, decode));
    row('read back, everything verified', messages.length, await reading(messages, new LogGate({ codec, ring })));
    const coverage = { throughSequence: messages.length, root, void: [] };
    const trusting = new LogGate({ codec, ring, coverage });
    row('read back, relying on a checkpoint', messages.length, await reading(messages, trusting));
  }
} finally {
  await log.close();
  await nats.stop();
}
