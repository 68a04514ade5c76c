import { randomUUID } from 'node:crypto';
import { chainStart, messageDigest, Names, natsUser, roles } from '#jetstream';
import { connect, type NatsConnection } from 'nats';
import { natsUrlFor, type Random } from '#testing';

/** Part of all forged content. No answer may contain it. */
export const forgedMark = 'forged-by-a-stranger';

const names = new Names();
const patienceMs = 1_500;

interface Attempt {
  readonly boundary: string;
  readonly data: Uint8Array;
  /** Whether its bytes are those of a real message of the log. */
  readonly isReplay: boolean;
}

/**
 * An attacker with the NATS credentials of every role and none of the cluster's keys. It remembers every attempt to
 * publish: only the log shows the outcome of an attempt that NATS did not answer.
 */
export class Stranger {
  private readonly attempts: Attempt[] = [];

  constructor(private readonly addresses: () => readonly string[]) {}

  /** Digests of the messages that it made up. */
  get madeUp(): ReadonlySet<string> {
    return digestsOf(this.attempts.filter(({ isReplay }) => !isReplay));
  }

  /** Digests of all messages that it has sent. */
  get sent(): ReadonlySet<string> {
    return digestsOf(this.attempts);
  }

  /** Sends a few messages with the credentials of one role. @returns a description of the attempts */
  async forge(random: Random): Promise<string> {
    const role = random.pick(roles);
    const urls = natsUrlFor(role, this.addresses().join(',')).split(',');
    const { password } = new URL(urls[0]);
    const nc = await connect({
      servers: urls.map((url) => new URL(url).host),
      user: natsUser(names, role),
      pass: password,
      inboxPrefix: `_INBOX_${natsUser(names, role)}`,
      timeout: patienceMs,
      reconnect: false,
    });
    try {
      const tried: string[] = [];
      for (let i = 0; i < 3; i++) tried.push(await this.forgeOne(nc, random));
      return `${role}: ${tried.join(', ')}`;
    } finally {
      await nc.close();
    }
  }

  private async forgeOne(nc: NatsConnection, random: Random): Promise<string> {
    const boundary = random.pick(['namespace', 'membership', 'log', 'checkpoint', 'quota', `job.${randomUUID()}`]);
    switch (
      random.pick(['junk', 'right', 'wrong', 'replay', 'last but one', 'astray', 'settled', 'heartbeat'] as const)
    ) {
      case 'junk':
        return this.publish(nc, 'junk', { boundary, data: Buffer.from(`not json ${forgedMark} ${randomUUID()}`) });
      case 'right':
        return this.publish(nc, 'right prev', { boundary: 'namespace', data: await this.mount(nc, undefined) });
      case 'wrong':
        return this.publish(nc, 'wrong prev', { boundary: 'namespace', data: await this.mount(nc, '0'.repeat(64)) });
      case 'replay': {
        const old = await someMessage(nc, random);
        return old ? this.publish(nc, 'replay', { ...old, isReplay: true }) : 'nothing';
      }
      case 'last but one': {
        const old = await lastButOne(nc, random);
        return old ? this.publish(nc, `last but one of ${old.boundary}`, { ...old, isReplay: true }) : 'nothing';
      }
      case 'astray': {
        const old = await someMessage(nc, random);
        if (!old) return 'nothing';
        // On its original boundary the message is a replay with the bytes of a real message.
        return this.publish(nc, 'astray', { boundary, data: old.data, isReplay: boundary === old.boundary });
      }
      case 'settled': {
        const workerId = `worker-${randomUUID()}`;
        const jobId = randomUUID();
        const counts = { loadedFiles: 1_000_000 };
        const data = { jobId, batchId: `l0-${forgedMark}`, workerId, epoch: 1, attempt: 1, counts, failures: [] };
        return this.publish(nc, 'settled', {
          boundary: `batch.${jobId}.${workerId}`,
          data: commit('BatchSettled', data, chainStart),
        });
      }
      case 'heartbeat': {
        const heartbeat = { workerId: `worker-${forgedMark}`, address: '127.0.0.1:1', bootId: 'b', version: '0' };
        const mark = { logId: forgedMark, sequence: 1_000_000_000 };
        const whole = { ...heartbeat, capacityBytes: 1, usedBytes: 0, objects: 0, running: [], logMark: mark };
        nc.publish(names.workerHeartbeat(`worker-${forgedMark}`), JSON.stringify(whole));
        return 'heartbeat';
      }
    }
  }

  private async mount(nc: NatsConnection, wrong: string | undefined): Promise<Uint8Array> {
    const data = { path: `/${forgedMark}-${randomUUID().slice(0, 8)}/`, ufs: `file:///${forgedMark}/`, options: {} };
    const last = wrong === undefined ? await message(nc, { last_by_subj: names.eventSubject('namespace') }) : undefined;
    return commit('Mounted', data, wrong ?? (last ? messageDigest('namespace', last.data) : chainStart));
  }

  /** NATS does not answer a message that the role may not publish. It may also be down. */
  private async publish(nc: NatsConnection, what: string, attempt: Omit<Attempt, 'isReplay'> & { isReplay?: boolean }) {
    this.attempts.push({ isReplay: false, ...attempt });
    const subject = names.eventSubject(attempt.boundary);
    const stored = await nc
      .jetstream({ timeout: patienceMs })
      .publish(subject, attempt.data)
      .then(
        () => '',
        () => ' (not answered)',
      );
    return what + stored;
  }
}

const digestsOf = (attempts: readonly Attempt[]): ReadonlySet<string> =>
  new Set(attempts.map(({ boundary, data }) => messageDigest(boundary, data)));

function commit(type: string, data: unknown, prev: string): Uint8Array {
  const about = { at: new Date().toISOString(), actor: 'coordinator:real', requestId: forgedMark };
  const event = { id: randomUUID(), type, v: 1, ...about, data };
  return Buffer.from(JSON.stringify({ id: event.id, prev, events: [event] }));
}

/** Undefined if the role may not read, or NATS is down. */
async function message(nc: NatsConnection, query: { seq: number; next_by_subj?: string } | { last_by_subj: string }) {
  try {
    const jsm = await nc.jetstreamManager({ timeout: patienceMs, checkAPI: false });
    return await jsm.streams.getMessage(names.eventStream, query);
  } catch {
    return undefined;
  }
}

interface Old {
  readonly boundary: string;
  readonly data: Uint8Array;
}

/** Number of the newest messages to search for messages of running jobs. */
const lookedThrough = 20;

/**
 * A message that a reader of only the last message of a boundary would accept: the last but one of a job that has just
 * written, or the first of the boundary `log`.
 */
async function lastButOne(nc: NatsConnection, random: Random): Promise<Old | undefined> {
  const last = await message(nc, { last_by_subj: names.eventSubjects });
  if (!last) return undefined;
  const said = new Map<string, Old[]>();
  for (let seq = last.seq; seq > Math.max(0, last.seq - lookedThrough); seq--) {
    const found = await message(nc, { seq });
    // NATS is down: each further question would wait as long.
    if (!found) return undefined;
    const boundary = names.boundaryOf(found.subject);
    if (!boundary.startsWith('job.')) continue;
    said.set(boundary, [...(said.get(boundary) ?? []), { boundary, data: found.data }]);
  }
  const candidates = [...said.values()].flatMap((newestFirst) => newestFirst.slice(1, 2));
  const first = await message(nc, { seq: 1, next_by_subj: names.eventSubject('log') });
  if (first) candidates.push({ boundary: 'log', data: first.data });
  return candidates.length > 0 ? random.pick(candidates) : undefined;
}

async function someMessage(nc: NatsConnection, random: Random): Promise<Old | undefined> {
  const last = await message(nc, { last_by_subj: names.eventSubjects });
  const found = last && (await message(nc, { seq: 1 + random.below(last.seq) }));
  return found && { boundary: names.boundaryOf(found.subject), data: found.data };
}
