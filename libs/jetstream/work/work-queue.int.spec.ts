import { availableNatsVersions, openTestLog, startTestNats, type TestLog, type TestNats, until } from '#testing';
import { ensureStreams, WorkConsumer, type WorkMessage, WorkQueue } from '../index.js';

jest.setTimeout(30_000);

const bytes = (text: string) => Buffer.from(text);
const textOf = (data: Uint8Array | undefined) => data && Buffer.from(data).toString('utf8');

describe.each(availableNatsVersions())('work on nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;
  let queue: WorkQueue;
  const open: WorkConsumer[] = [];

  beforeEach(async () => {
    nats = await startTestNats({ version });
    log = await openTestLog(nats.url);
    queue = new WorkQueue(log.link, log.names);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((consumer) => consumer.stop({ drain: false })));
    await log?.close();
    await nats?.stop();
  });

  function consumer(workerId: string, ackWaitMs?: number, at: TestLog = log): WorkConsumer {
    const one = new WorkConsumer(at.link, at.names, workerId, ackWaitMs);
    open.push(one);
    return one;
  }
  const publishMany = (workerId: string, count: number, jobId = 'j1') =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        queue.publish(workerId, jobId, `${workerId}-${jobId}-${i}`, 1, bytes(`${i}`)),
      ),
    );

  describe('WorkQueue', () => {
    it('fault 13: stores a batch once per attempt, however often it is published', async () => {
      const first = await queue.publish('w1', 'j1', 'b1', 1, bytes('one'));
      const again = await Promise.all(
        Array.from({ length: 10 }, () => queue.publish('w1', 'j1', 'b1', 1, bytes('one'))),
      );
      for (const one of again) expect(one).toEqual(first);
      const moved = await queue.publish('w2', 'j1', 'b1', 2, bytes('one'));
      expect(moved.sequence).toBe(first.sequence + 1);
    });

    it('reads, removes (twice is no error), and purges by job and by worker', async () => {
      const [a] = await publishMany('w1', 3, 'j1');
      const [b] = await publishMany('w1', 2, 'j2');
      const [c] = await publishMany('w2', 2, 'j1');
      expect(textOf(await queue.read(a.sequence))).toBe('0');
      await queue.remove(a.sequence);
      await queue.remove(a.sequence);
      expect(await queue.read(a.sequence)).toBeUndefined();
      expect(await queue.purgeJob('j1')).toBe(4);
      expect(await queue.read(c.sequence)).toBeUndefined();
      expect(await queue.read(b.sequence)).toBeDefined();
      expect(await queue.purgeWorker('w1')).toBe(2);
      expect(await queue.read(b.sequence)).toBeUndefined();
      expect(await queue.purgeJob('j9')).toBe(0);
    });

    it('refuses a batch that NATS would not take', async () => {
      await expect(queue.publish('w1', 'j1', 'b1', 1, Buffer.alloc(1024 * 1024))).rejects.toMatchObject({
        code: 'batch-too-large',
      });
    });

    describe('a message id that another client used first', () => {
      /** Another writer uses the id first, for another subject of the stream or for the same one. */
      const steal = async (msgID: string, subject: string, data = 'junk') =>
        (await log.link.js.publish(subject, bytes(data), { msgID })).seq;

      it.each([
        ['another worker’s queue', () => log.names.workSubject('w2', 'j1')],
        ['another job', () => log.names.workSubject('w1', 'j9')],
        ['the same queue and job', () => log.names.workSubject('w1', 'j1')],
      ])('suppresses no batch and delays no sender: in %s', async (_, subject) => {
        const stolen = await steal('b1:1', subject());
        const impatient = new WorkQueue(log.link, log.names, { budgetMs: 10_000 });
        const { sequence } = await impatient.publish('w1', 'j1', 'b1', 1, bytes('real'));
        expect(sequence).not.toBe(stolen);
        expect(textOf(await queue.read(sequence))).toBe('real');
        const { subject: at } = await log.link.jsm.streams.getMessage(log.names.workStream, { seq: sequence });
        expect(at).toBe(log.names.workSubject('w1', 'j1'));
        const handled: string[] = [];
        consumer('w1').run({
          maxConcurrent: 1,
          handle: async (message) => {
            handled.push(textOf(message.bytes)!);
            await message.ack();
          },
        });
        await until(() => handled.includes('real'));
      });

      it('suppresses no batch even with the same bytes on another subject', async () => {
        const stolen = await steal('b1:1', log.names.workSubject('w2', 'j1'), 'real');
        const { sequence } = await queue.publish('w1', 'j1', 'b1', 1, bytes('real'));
        expect(sequence).not.toBe(stolen);
        const { subject } = await log.link.jsm.streams.getMessage(log.names.workStream, { seq: sequence });
        expect(subject).toBe(log.names.workSubject('w1', 'j1'));
      });
    });

    it('fault 3: publishes across kill -9 of the server, each batch once', async () => {
      const publishing = publishMany('w1', 3_000);
      await nats.restart();
      const sequences = (await publishing).map((one) => one.sequence);
      expect(new Set(sequences).size).toBe(3_000);
      expect((await log.link.jsm.streams.info(log.names.workStream)).state.messages).toBe(3_000);
    });
  });

  describe('WorkConsumer', () => {
    it('runs at most the allowed handlers, and handles every batch once', async () => {
      await publishMany('w1', 200);
      await publishMany('w2', 5);
      const seen: string[] = [];
      let atOnce = 0;
      let most = 0;
      const worker = consumer('w1');
      worker.run({
        maxConcurrent: 8,
        handle: async (message) => {
          most = Math.max(most, ++atOnce);
          expect(message.jobId).toBe('j1');
          await new Promise((turn) => setImmediate(turn));
          seen.push(textOf(message.bytes)!);
          atOnce--;
          await message.ack();
        },
      });
      await until(() => seen.length >= 200 && worker.activeCount === 0);
      expect(most).toBe(8);
      expect(seen.sort((a, b) => +a - +b)).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
      const info = await log.link.jsm.consumers.info(log.names.workStream, log.names.workerConsumer('w1'));
      expect(info.num_ack_pending).toBe(0);
      // Acknowledged messages stay: the owner of the job removes them.
      expect((await log.link.jsm.streams.info(log.names.workStream)).state.messages).toBe(205);
    });

    it('works for every job while many batches of another are held up before its own', async () => {
      await publishMany('w1', 200, 'held-up');
      const done: string[] = [];
      let most = 0;
      let atWork = 0;
      let release!: () => void;
      const released = new Promise<void>((resolve) => (release = resolve));
      consumer('w1').run({
        maxConcurrent: 4,
        handle: async (message) => {
          most = Math.max(most, ++atWork);
          if (message.jobId === 'held-up') await released;
          done.push(message.jobId);
          atWork--;
          await message.ack();
        },
      });
      await until(() => atWork === 4);
      await publishMany('w1', 30, 'j1');
      await publishMany('w1', 30, 'j2');
      await until(() => done.length === 60);
      // Besides those that are held up, at most two others are at work: one for each share.
      expect(most).toBeLessThanOrEqual(4 + 2 + 1);
      release();
      await until(() => done.length === 260);
    });

    it('returns surplus batches of one job for a while', async () => {
      await publishMany('w1', 1_500, 'held-up');
      const done: string[] = [];
      let atWork = 0;
      consumer('w1').run({
        maxConcurrent: 2,
        handle: async (message) => {
          atWork++;
          if (message.jobId === 'held-up') await new Promise(() => undefined);
          done.push(message.jobId);
          await message.ack();
        },
      });
      await until(() => atWork === 2);
      await publishMany('w1', 5, 'j1');
      await until(() => done.length === 5);
    });

    it('fault 2: batches that a worker held when it died come again to its successor', async () => {
      await publishMany('w1', 10);
      const dying = await openTestLog(nats.url);
      const started: number[] = [];
      consumer('w1', 800, dying).run({
        maxConcurrent: 3,
        handle: (message) => {
          started.push(message.sequence);
          return new Promise(() => undefined);
        },
      });
      await until(() => started.length === 3);
      await dying.link.nc.close();

      const seen = new Map<number, number>();
      consumer('w1', 800).run({
        maxConcurrent: 3,
        handle: async (message) => {
          await message.ack();
          seen.set(message.sequence, message.deliveries);
        },
      });
      await until(() => seen.size === 10);
      for (const sequence of started) expect(seen.get(sequence)).toBeGreaterThan(1);
    });

    it('keeps a long batch without a second delivery', async () => {
      await publishMany('w1', 1);
      const deliveries: WorkMessage[] = [];
      let finish = () => {};
      const worker = consumer('w1', 500);
      worker.run({
        maxConcurrent: 2,
        handle: async (message) => {
          deliveries.push(message);
          await new Promise<void>((done) => (finish = done));
          await message.ack();
        },
      });
      await until(() => deliveries.length === 1);
      const asked = performance.now();
      await until(() => performance.now() - asked > 1_500);
      const info = await log.link.jsm.consumers.info(log.names.workStream, 'w1');
      expect(info.num_redelivered).toBe(0);
      finish();
      await until(() => worker.activeCount === 0);
      expect(deliveries).toHaveLength(1);
    });

    it('fault 3: goes on across kill -9 of the server, one handler per batch at a time', async () => {
      await publishMany('w1', 60);
      const done = new Set<number>();
      const active = new Set<number>();
      const worker = consumer('w1', 1_000);
      worker.run({
        maxConcurrent: 4,
        handle: async (message) => {
          expect(active.has(message.sequence)).toBe(false);
          active.add(message.sequence);
          const until20 = performance.now() + 20;
          await until(() => performance.now() > until20);
          await message.ack();
          active.delete(message.sequence);
          done.add(message.sequence);
        },
      });
      for (const at of [15, 35]) {
        await until(() => done.size >= at);
        await nats.restart();
      }
      await until(() => done.size === 60 && worker.activeCount === 0);
      expect(log.lines.filter((line) => line.level === 'error')).toEqual([]);
    });

    it('creates its consumer again after a loss of it', async () => {
      const seen = new Set<number>();
      consumer('w1').run({
        maxConcurrent: 2,
        handle: async (message) => {
          await message.ack();
          seen.add(message.sequence);
        },
      });
      await publishMany('w1', 5);
      await until(() => seen.size === 5);
      await log.link.jsm.consumers.delete(log.names.workStream, 'w1');
      await publishMany('w1', 5, 'j2');
      await until(() => seen.size === 10);
    });

    it('fault 24: does not confuse batches of a new stream with those that it holds from the old one', async () => {
      const handled: string[] = [];
      let finishOld: () => void = () => undefined;
      const held = new Promise<void>((go) => (finishOld = go));
      consumer('w1').run({
        maxConcurrent: 2,
        handle: async (message: WorkMessage) => {
          const text = textOf(message.bytes)!;
          handled.push(text);
          if (text === 'old') await held;
          // The new one is put off for a long time: only a mix-up with the old one could end it.
          if (text === 'old') await message.ack();
          else message.retryLater(30_000);
        },
      });
      await queue.publish('w1', 'j1', 'b1', 1, bytes('old'));
      await until(() => handled.length === 1);
      await log.link.jsm.streams.delete(log.names.workStream);
      await expect(queue.read(1)).rejects.toMatchObject({ kind: 'Unavailable', code: 'work-stream-missing' });
      await ensureStreams(log.link, log.names);
      expect(await queue.publish('w1', 'j2', 'b2', 1, bytes('new'))).toEqual({ sequence: 1 });
      await until(() => handled.length === 2);
      expect(handled).toEqual(['old', 'new']);
      finishOld();
      const info = () => log.link.jsm.consumers.info(log.names.workStream, log.names.workerConsumer('w1'));
      await log.link.nc.flush();
      expect((await info()).num_ack_pending).toBe(1);
    });

    it('delivers postponed and failed batches again', async () => {
      await publishMany('w1', 2);
      const deliveries: string[] = [];
      consumer('w1').run({
        maxConcurrent: 1,
        handle: async (message) => {
          deliveries.push(`${textOf(message.bytes)}#${message.deliveries}`);
          if (message.deliveries > 1) return message.ack();
          if (textOf(message.bytes) === '0') return message.retryLater(50);
          throw new Error('disk on fire');
        },
      });
      await until(() => deliveries.length === 4);
      expect(deliveries.sort()).toEqual(['0#1', '0#2', '1#1', '1#2']);
      expect(log.lines).toContainEqual({ level: 'error', message: expect.stringMatching(/job j1 failed/) as string });
    });

    it('on stop waits for its handlers if told to, and returns batches that it only held ready', async () => {
      await publishMany('w1', 6);
      let finish = () => {};
      const finished: number[] = [];
      const worker = consumer('w1');
      worker.run({
        maxConcurrent: 1,
        prefetch: 5,
        handle: async (message) => {
          await new Promise<void>((done) => (finish = done));
          await message.ack();
          finished.push(message.sequence);
        },
      });
      await until(() => worker.activeCount === 1);
      const stopped = worker.stop({ drain: true });
      finish();
      await stopped;
      expect(finished).toHaveLength(1);

      const seen: number[] = [];
      consumer('w1').run({
        maxConcurrent: 6,
        handle: async (message) => {
          seen.push(message.sequence);
          await message.ack();
        },
      });
      await until(() => seen.length === 5);
      expect(seen).not.toContain(finished[0]);
    });

    it('on stop without waiting aborts its handlers, and their batches come again', async () => {
      const [{ sequence }] = await publishMany('w1', 1);
      let aborted = false;
      const worker = consumer('w1');
      worker.run({
        maxConcurrent: 1,
        handle: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(new Error('aborted'));
            }),
          ),
      });
      await until(() => worker.activeCount === 1);
      await worker.stop({ drain: false });
      expect(aborted).toBe(true);
      const again = await new Promise<WorkMessage>((seen) =>
        consumer('w1').run({
          maxConcurrent: 1,
          handle: async (message) => {
            await message.ack();
            seen(message);
          },
        }),
      );
      expect(again.sequence).toBe(sequence);
    });
  });
});
