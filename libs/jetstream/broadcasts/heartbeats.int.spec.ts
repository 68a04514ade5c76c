import { availableNatsVersions, openTestLog, startTestNats, type TestLog, type TestNats, until } from '#testing';
import { DomainError } from '#kernel';
import { Broadcasts } from '../index.js';

jest.setTimeout(30_000);

describe.each(availableNatsVersions())('Broadcasts on nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;
  let broadcasts: Broadcasts;

  beforeEach(async () => {
    nats = await startTestNats({ version });
    log = await openTestLog(nats.url);
    broadcasts = new Broadcasts(log.link);
  });
  afterEach(async () => {
    await log?.close();
    await nats?.stop();
  });

  it('receives all workers’ heartbeats, ignores what is not JSON, and drops messages while NATS is away', async () => {
    const heard: [unknown, string][] = [];
    const end = broadcasts.subscribe(log.names.workerHeartbeats, (value, subject) => heard.push([value, subject]));
    broadcasts.publish(log.names.workerHeartbeat('w1'), { n: 1 });
    log.link.nc.publish(log.names.workerHeartbeat('w1'), '{');
    broadcasts.publish(log.names.workerHeartbeat('w2'), { n: 2 });
    await until(() => heard.length === 2);
    await nats.kill9();
    await until(() => !log.link.connected);
    broadcasts.publish(log.names.workerHeartbeat('w1'), { n: 3 });
    await nats.restart();
    await until(() => log.link.connected);
    broadcasts.publish(log.names.workerHeartbeat('w1'), { n: 4 });
    await until(() => heard.length === 3);
    expect(heard).toEqual([
      [{ n: 1 }, 'larder.heartbeat.worker.w1'],
      [{ n: 2 }, 'larder.heartbeat.worker.w2'],
      [{ n: 4 }, 'larder.heartbeat.worker.w1'],
    ]);
    end();
    broadcasts.publish(log.names.workerHeartbeat('w1'), { n: 5 });
    await log.link.nc.flush();
    expect(heard).toHaveLength(3);
  });

  it('asks one worker, and gets its answer or its error', async () => {
    const subject = log.names.workerControl('w1', 'stat');
    await expect(broadcasts.request(subject, {}, 1_000)).rejects.toMatchObject({ code: 'no-responder' });
    broadcasts.respond(subject, (value) => {
      if (value === 'refuse') throw new DomainError('Refused', 'cache-full', 'the cache is full');
      if (value === 'fail') throw new Error('secret inner text');
      return { echoed: value };
    });
    expect(await broadcasts.request(subject, 'hello', 1_000)).toEqual({ echoed: 'hello' });
    await expect(broadcasts.request(subject, 'refuse', 1_000)).rejects.toMatchObject({
      kind: 'Refused',
      code: 'cache-full',
      message: 'the cache is full',
    });
    await expect(broadcasts.request(subject, 'fail', 1_000)).rejects.not.toThrow(/secret/);
    const silent = log.names.workerControl('w2', 'stat');
    broadcasts.respond(silent, () => new Promise(() => undefined));
    await expect(broadcasts.request(silent, {}, 50)).rejects.toMatchObject({ code: 'request-timeout' });
  });

  it('asks all workers, and returns the answers that come in time', async () => {
    const subject = log.names.workersControl('clear-stale');
    expect(await broadcasts.requestAll(subject, {}, { expected: 2, timeoutMs: 5_000 })).toEqual([]);
    broadcasts.respond(subject, () => ({ cleared: 1 }));
    broadcasts.respond(subject, () => {
      throw new DomainError('Unavailable', 'busy', 'busy');
    });
    const answers = await broadcasts.requestAll(subject, {}, { expected: 2, timeoutMs: 5_000 });
    expect(answers).toHaveLength(2);
    expect(answers).toContainEqual({ value: { cleared: 1 } });
    expect(answers).toContainEqual({ error: expect.objectContaining({ code: 'busy' }) as DomainError });
    expect(await broadcasts.requestAll(subject, {}, { expected: 3, timeoutMs: 100 })).toHaveLength(2);
  });
});
