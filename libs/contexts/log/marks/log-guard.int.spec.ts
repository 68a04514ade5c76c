import { emptyRoot, messageDigest, rollDigest } from '#jetstream';
import { type DomainEvent } from '#kernel';
import { ownContext, Recorder } from '#runtime';
import { note, noted, openTestLog, startTestNats, until, type TestLog, type TestNats } from '#testing';
import { logEvents, type LogMark, type Witness } from '../index.js';
import { LogEnds, LogGuard, type LogGuardOptions } from './index.js';

const catalogue = { ...noted, ...logEvents };
const record = (events: readonly DomainEvent[]) => new Recorder(catalogue).record(events, ownContext('test'));
const witness = (sequence: number, logId = 'a', who = 'w1'): Witness => ({ who, mark: { logId, sequence } });

describe('the guard of a log', () => {
  let nats: TestNats;
  let log: TestLog;
  let clusters = 0;
  const lost: string[] = [];
  const lines: string[] = [];
  beforeAll(async () => void (nats = await startTestNats()));
  afterAll(() => nats.stop());
  beforeEach(async () => {
    log = await openTestLog(nats.url, { catalogue, cluster: `c${++clusters}` });
    lost.length = 0;
    lines.length = 0;
  });
  afterEach(() => log.close());

  function guard(options: Partial<LogGuardOptions> = {}): LogGuard {
    return new LogGuard({
      store: log.store,
      record,
      hasWorkers: () => Promise.resolve(false),
      log: (level, message) => lines.push(`${level}: ${message}`),
      onLost: (error) => lost.push(error.message),
      graceMs: 600,
      ...options,
    });
  }

  /** Makes the log `a` with this number of messages. */
  async function given(messages: number): Promise<void> {
    await log.store.append('log', 0, record([{ type: 'LogStarted', data: { logId: 'a' } }]));
    for (let i = 1; i < messages; i++) await log.store.appendFact('notes', `${i}`, [note(`${i}`)]);
  }

  const check = (on: LogGuard, ...witnesses: Witness[]) => on.check(() => Promise.resolve(witnesses));

  describe('before serving', () => {
    it('accepts a log when no process has seen more of it', async () => {
      await check(guard());
      await given(5);
      await check(guard(), witness(5), witness(2));
    });

    it('waits for a log that ends too early, and then refuses it', async () => {
      await given(5);
      const late = guard({ graceMs: 60_000 });
      let asked = 0;
      await late.check(async () => {
        if (++asked === 2) await log.store.appendFact('notes', 'late', [note('late')]);
        return [witness(6)];
      });
      expect(asked).toBe(2);
      await expect(check(guard(), witness(7))).rejects.toMatchObject({ kind: 'Refused', code: 'log-lost' });
      await expect(check(guard(), witness(7))).rejects.toThrow(
        'the log a ends at sequence 6, but w1 has seen it up to 7. Restore',
      );
    });

    it('also counts workers that come while it waits', async () => {
      await given(5);
      const answers = [[witness(6)], [witness(9, 'a', 'w2')]];
      const refused = guard().check(() => Promise.resolve(answers.shift() ?? []));
      await expect(refused).rejects.toThrow('LARDER_ACCEPT_LOG=a:9.');
    });

    it('ignores workers of another log only when the log has workers of its own, and always counts its own mark', async () => {
      await given(5);
      await expect(check(guard(), witness(3, 'x'))).rejects.toThrow('w1 belongs to the log x');
      const hasWorkers = () => Promise.resolve(true);
      await check(guard({ hasWorkers }), witness(3, 'x'), witness(5));
      const own = guard({ hasWorkers }).check(() => Promise.resolve([]), witness(3, 'x', 'this coordinator'));
      await expect(own).rejects.toThrow('this coordinator belongs to the log x');
    });
  });

  describe('a loss', () => {
    const accept = (logId: string, sequence: number): { accept: LogMark } => ({ accept: { logId, sequence } });

    it.each([
      ['a', 8],
      ['a', 10],
      ['b', 9],
    ])('is not given up by the name %s:%i', async (logId, sequence) => {
      await given(5);
      await expect(check(guard(accept(logId, sequence)), witness(9))).rejects.toMatchObject({ code: 'log-lost' });
      expect((await log.store.info()).lastSequence).toBe(5);
    });

    it('is given up once by its name, however many try at the same time, with the digest of what is left', async () => {
      await given(5);
      let root = emptyRoot;
      for await (const { boundary, data } of log.store.readMessages()) {
        root = rollDigest(root, messageDigest(boundary, data));
      }
      await Promise.all(Array.from({ length: 3 }, () => check(guard(accept('a', 9)), witness(9))));
      const last = await log.store.lastOf('log');
      const data = { parentId: 'a', seenSequence: 9, throughSequence: 5, root };
      expect(last).toMatchObject({ sequence: 6, commit: { events: [{ type: 'LogLossAccepted', data }] } });
      expect((await log.store.info()).lastSequence).toBe(6);
      const { state } = await new LogEnds(log.store).look();
      // All marks of the lost log agree now. A later loss is not accepted.
      await check(guard(), witness(9), witness(1000));
      const later = guard(accept('a', 9));
      await expect(check(later, witness(9), witness(9, state.logId))).rejects.toThrow(`the log ${state.logId} ends`);
    });

    it('of everything is also a loss', async () => {
      await check(guard(accept('a', 9)), witness(9));
      expect((await new LogEnds(log.store).look()).state.ancestors).toEqual([{ logId: 'a', throughSequence: 0 }]);
      await check(guard(), witness(9));
    });
  });

  describe('while serving', () => {
    async function serving(options: Partial<LogGuardOptions> = {}): Promise<LogGuard> {
      const one = guard(options);
      const end = await new LogEnds(log.store).look();
      one.seen = () => end;
      return one;
    }

    it('admits workers that have seen no more, or have no mark', async () => {
      await given(5);
      const on = await serving();
      expect(on.admits({ who: 'w1' })).toBe(true);
      expect(on.admits(witness(5))).toBe(true);
      expect(lost).toEqual([]);
    });

    it('raises no alarm for views that are behind, nor for a log that recovers', async () => {
      await given(5);
      const on = await serving({ graceMs: 1500 });
      await log.store.appendFact('notes', 'more', [note('more')]);
      expect(on.admits(witness(6))).toBe(true);
      expect(on.admits(witness(7, 'a', 'w2'))).toBe(true);
      await log.store.appendFact('notes', 'recovered', [note('recovered')]);
      // The last witness is really ahead. When it is judged, the others have been judged, too.
      expect(on.admits(witness(100, 'a', 'w3'))).toBe(true);
      await until(() => lost.length > 0);
      expect(lost).toHaveLength(1);
      expect(lost[0]).toContain('the log a ends at sequence 7, but w3 has seen it up to 100.');
    });

    it('does not admit a worker of another log, and logs that once', async () => {
      await given(5);
      const on = await serving({ hasWorkers: () => Promise.resolve(true), graceMs: 0 });
      for (let i = 0; i < 3; i++) {
        expect(on.admits(witness(50, 'x'))).toBe(false);
        await until(() => lines.length > 0);
      }
      expect(lines.filter((line) => line.includes('not admitted'))).toHaveLength(1);
      expect(lost).toEqual([]);
    });

    it('ends when the first worker that comes belongs to another log', async () => {
      await given(1);
      const on = await serving({ graceMs: 0 });
      expect(on.admits(witness(50, 'x'))).toBe(false);
      await until(() => lost.length > 0);
      expect(lost[0]).toContain('LARDER_ACCEPT_LOG=x:50.');
    });
  });
});
