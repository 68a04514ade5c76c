import { randomUUID } from 'node:crypto';
import { availableNatsVersions, note, openTestLog, startTestNats, type TestLog, type TestNats } from '#testing';
import { chainStart, emptyRoot, messageDigest, rollDigest } from '../index.js';

jest.setTimeout(60_000);

describe.each(availableNatsVersions())('the chain of commits on nats-server %s', (version) => {
  let nats: TestNats;
  let logs: TestLog[] = [];

  beforeAll(async () => {
    nats = await startTestNats({ version });
    logs = [await openTestLog(nats.url), await openTestLog(nats.url)];
  });
  afterAll(async () => {
    for (const log of logs) await log.close();
    await nats?.stop();
  });

  /** Each stored commit of a boundary names the digest of the one before it. */
  async function expectChain(boundary: string, length: number): Promise<void> {
    const [{ store, codec }] = logs;
    let prev = chainStart;
    let count = 0;
    for await (const message of store.readMessages(boundary)) {
      const { sequence } = message;
      expect({ sequence, prev: codec.decode(message.data, message).prev }).toEqual({ sequence, prev });
      prev = messageDigest(boundary, message.data);
      count++;
    }
    expect(count).toBe(length);
  }

  it('is unbroken when many writers append to a boundary in turn', async () => {
    let expected = 0;
    for (let i = 0; i < 40; i++) {
      ({ sequence: expected } = await logs[i % 2].store.append('turns.1', expected, [note(`${i}`)]));
      // A commit on another boundary in between does not belong to the chain.
      await logs[0].store.append('turns.2', 0, [note('x')]).catch(() => undefined);
    }
    await expectChain('turns.1', 40);
  });

  it('is unbroken when facts are reported by two processes at once', async () => {
    const reports = Array.from({ length: 300 }, (_, i) =>
      logs[i % 2].store.appendFact('facts.1', `${i}`, [note(`${i}`)], { budgetMs: 30_000 }),
    );
    const sequences = (await Promise.all(reports)).map(({ sequence }) => sequence);
    expect(new Set(sequences).size).toBe(300);
    await expectChain('facts.1', 300);
  });

  it('is unbroken when any process repeats a fact', async () => {
    const event = note('once');
    const first = await logs[0].store.appendFact('facts.2', 'same', [event]);
    expect(await logs[0].store.appendFact('facts.2', 'same', [event])).toMatchObject({ sequence: first.sequence });
    expect(await logs[1].store.appendFact('facts.2', 'same', [note('once')])).toMatchObject({
      sequence: first.sequence,
      duplicate: true,
    });
    await logs[0].store.appendFact('facts.2', 'next', [note('next')]);
    await expectChain('facts.2', 2);
  });

  it('is unbroken across kill -9 of the server', async () => {
    let stop = false;
    let acknowledged = 0;
    const writer = (async () => {
      while (!stop) {
        await logs[0].store.appendFact('facts.3', randomUUID(), [note('x')], { budgetMs: 30_000 });
        acknowledged++;
      }
    })();
    for (let kill = 0; kill < 3; kill++) {
      const before = acknowledged;
      while (acknowledged < before + 50) await new Promise((next) => setTimeout(next, 5));
      await nats.restart();
    }
    stop = true;
    await writer;
    await expectChain('facts.3', acknowledged);
  });
});

describe('digests', () => {
  it('are those of SHA-256', () => {
    // printf 'job.1\0{}' | sha256sum
    expect(messageDigest('job.1', Buffer.from('{}'))).toBe(
      '0140fa2332404b489f41ffdcbfff83b873c09413ff9595ab878b59fdc3d72d47',
    );
    // printf "$(printf '0%.0s' $(seq 64))$(printf 'job.1\0{}' | sha256sum | cut -c1-64)" | xxd -r -p | sha256sum
    expect(rollDigest(emptyRoot, messageDigest('job.1', Buffer.from('{}')))).toBe(
      '95ee36b0f23d502ba020e4b1a2cc6699daab1e0e74dddb133ea84b0cffe46c52',
    );
  });

  it('distinguish boundaries, also by where a boundary ends', () => {
    expect(messageDigest('a', Buffer.from('b'))).not.toBe(messageDigest('ab', Buffer.from('')));
  });
});
