import { StaleVersionError } from '#jetstream';
import { DomainError, type Decider, type DomainEvent, type RecordedEvent } from '#kernel';
import { CommandHandler, type AppendOnlyLog, type ConsistentReads } from './command-handler.js';

type Added = DomainEvent<'Added', { n: number }>;

/** Refuses to go beyond 2; 0 asks for at least 1. */
const counter: Decider<number, number, Added> = {
  initial: 0,
  evolve: (state, event) => state + event.data.n,
  decide: (state, n) => {
    if (Number.isNaN(n)) throw new TypeError('a bug');
    if (state + n > 2) throw new DomainError('Refused', 'full', 'full');
    if (n === 0) return state > 0 ? [] : [{ type: 'Added', data: { n: 1 } }];
    return [{ type: 'Added', data: { n } }];
  },
};

/** A log of one boundary in memory, and a view of it that only moves when the test says so. */
class Fixture implements AppendOnlyLog, ConsistentReads {
  readonly log: Added[] = [];
  seen = 0;
  readonly handler = new CommandHandler(this, this, (events) => events as unknown as RecordedEvent[]);

  append(_boundary: string, expected: number, events: readonly RecordedEvent[]): Promise<{ sequence: number }> {
    if (expected !== this.log.length) return Promise.reject(new DomainError('StaleVersion', 'stale-version', 'stale'));
    this.log.push(...(events as unknown as Added[]));
    return Promise.resolve({ sequence: this.log.length });
  }

  waitFor(sequence: number): Promise<void> {
    this.seen = Math.max(this.seen, sequence);
    return Promise.resolve();
  }

  /** Errors for the next questions, one each. */
  readonly troubles: DomainError[] = [];
  asked = 0;

  caughtUp(): Promise<void> {
    this.asked++;
    const trouble = this.troubles.shift();
    if (trouble) return Promise.reject(trouble);
    return this.waitFor(this.log.length);
  }

  execute(n: number) {
    const load = () => ({
      state: this.log.slice(0, this.seen).reduce((sum, event) => sum + event.data.n, 0),
      sequence: this.seen,
    });
    const context = { at: '', actor: '', requestId: '' };
    return this.handler.execute({ boundary: 'b', decider: counter, load }, n, context);
  }
}

it('the handler appends the decision and answers once the view shows it', async () => {
  const fixture = new Fixture();
  await expect(fixture.execute(1)).resolves.toEqual({ events: [{ type: 'Added', data: { n: 1 } }], sequence: 1 });
  expect(fixture.seen).toBe(1);
});

it('the handler decides again when another writer was quicker', async () => {
  const fixture = new Fixture();
  fixture.log.push({ type: 'Added', data: { n: 1 } });
  await fixture.execute(1);
  expect(fixture.log).toHaveLength(2);
});

it('the handler refuses by the state of the log, not by a view that is behind', async () => {
  const fixture = new Fixture();
  fixture.log.push({ type: 'Added', data: { n: 2 } }, { type: 'Added', data: { n: -2 } });
  fixture.seen = 1;
  await fixture.execute(1);
  expect(fixture.log).toHaveLength(3);
});

it('the handler passes on a refusal that stands after catching up', async () => {
  const fixture = new Fixture();
  fixture.log.push({ type: 'Added', data: { n: 2 } });
  await expect(fixture.execute(1)).rejects.toThrow('full');
  expect(fixture.log).toHaveLength(1);
});

it('the handler appends nothing when the decision has no events', async () => {
  const fixture = new Fixture();
  fixture.log.push({ type: 'Added', data: { n: 1 } });
  await expect(fixture.execute(0)).resolves.toEqual({ events: [], sequence: 0 });
  expect(fixture.log).toHaveLength(1);
});

it('the handler does not count its command as done when another writer has undone it', async () => {
  const fixture = new Fixture();
  fixture.log.push({ type: 'Added', data: { n: 1 } }, { type: 'Added', data: { n: -1 } });
  fixture.seen = 1;
  await fixture.execute(0);
  expect(fixture.log).toHaveLength(3);
});

describe('commands that come at once', () => {
  it('are appended together, each decided on what the ones before it lead to', async () => {
    const fixture = new Fixture();
    const appends = jest.spyOn(fixture, 'append');
    const outcomes = await Promise.allSettled([1, 1, 1, 0].map((n) => fixture.execute(n)));
    // The first went alone; the others waited for it.
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: { events: [{ type: 'Added', data: { n: 1 } }], sequence: 1 } },
      { status: 'fulfilled', value: { events: [{ type: 'Added', data: { n: 1 } }], sequence: 2 } },
      { status: 'rejected', reason: expect.objectContaining({ code: 'full' }) as unknown },
      { status: 'fulfilled', value: { events: [], sequence: 0 } },
    ]);
    expect(appends).toHaveBeenCalledTimes(2);
  });

  it('do not conflict with each other, whatever their number', async () => {
    const fixture = new Fixture();
    const appends = jest.spyOn(fixture, 'append');
    await Promise.all(Array.from({ length: 200 }, () => fixture.execute(-1)));
    expect(fixture.log).toHaveLength(200);
    expect(appends.mock.calls.length).toBeLessThanOrEqual(5);
    expect(await Promise.all(appends.mock.results.map(({ value }) => value as unknown))).toHaveLength(
      appends.mock.calls.length,
    );
  });

  it('are all decided again when another replica was quicker', async () => {
    const fixture = new Fixture();
    const first = fixture.execute(-5);
    const others = [fixture.execute(2), fixture.execute(2), fixture.execute(2)];
    await first;
    fixture.log.push({ type: 'Added', data: { n: 3 } });
    const outcomes = await Promise.allSettled(others);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });

  it('go with those that come while a conflict is settled, and the log is not asked again for its end', async () => {
    const fixture = new Fixture();
    const append = fixture.append.bind(fixture);
    let later: Promise<unknown> | undefined;
    const appends = jest.spyOn(fixture, 'append').mockImplementationOnce(() => {
      fixture.log.push({ type: 'Added', data: { n: -9 } });
      later = Promise.all([fixture.execute(1), fixture.execute(1)]);
      return Promise.reject(new StaleVersionError('b', 0, 1));
    });
    appends.mockImplementation(append);
    await fixture.execute(1);
    await later;
    expect(appends.mock.calls.map(([, expected, events]) => [expected, events.length])).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(fixture.asked).toBe(0);
  });

  it('have the outcome of their append, and those without a part in it are decided again', async () => {
    const fixture = new Fixture();
    const first = fixture.execute(1);
    const [unknown, refused] = [fixture.execute(1), fixture.execute(1)];
    await first;
    const append = fixture.append.bind(fixture);
    fixture.append = () => {
      fixture.append = append;
      return Promise.reject(new DomainError('Unavailable', 'outcome-unknown', 'nobody knows'));
    };
    await expect(unknown).rejects.toThrow('nobody knows');
    // It was refused for what may not have happened.
    await expect(refused).resolves.toMatchObject({ sequence: 2 });
  });

  it('are appended in smaller groups when they are too large together', async () => {
    const fixture = new Fixture();
    const append = fixture.append.bind(fixture);
    fixture.append = (boundary, expected, events) =>
      events.length > 3
        ? Promise.reject(new DomainError('Refused', 'commit-too-large', 'too large'))
        : append(boundary, expected, events);
    await Promise.all(Array.from({ length: 20 }, () => fixture.execute(-1)));
    expect(fixture.log).toHaveLength(20);
  });

  it('are hurt by no bug in the decision on one of them', async () => {
    const fixture = new Fixture();
    const outcomes = await Promise.allSettled([fixture.execute(-1), fixture.execute(NaN), fixture.execute(-1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('during the election of a leader of the log', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  const noLeader = () => new DomainError('Unavailable', 'no-leader', 'nobody leads');

  it('the handler tries to read the log again and again, and decides when it answers', async () => {
    const fixture = new Fixture();
    fixture.log.push({ type: 'Added', data: { n: 2 } }, { type: 'Added', data: { n: -2 } });
    fixture.seen = 1;
    fixture.troubles.push(...Array.from({ length: 50 }, noLeader));
    const executed = fixture.execute(1);
    await jest.advanceTimersByTimeAsync(6_000);
    await executed;
    expect(fixture.log).toHaveLength(3);
  });

  it('the handler gives up when the time of its request is over', async () => {
    const fixture = new Fixture();
    fixture.log.push({ type: 'Added', data: { n: 2 } });
    fixture.troubles.push(...Array.from({ length: 1000 }, noLeader));
    const refused = expect(fixture.execute(1)).rejects.toThrow('nobody leads');
    await jest.advanceTimersByTimeAsync(13_000);
    await refused;
    expect(fixture.asked).toBeGreaterThan(100);
  });

  it('the handler does not ask a stopped reader again', async () => {
    const fixture = new Fixture();
    fixture.log.push({ type: 'Added', data: { n: 2 } }, { type: 'Added', data: { n: 1 } });
    fixture.troubles.push(new DomainError('Unavailable', 'reader-stopped', 'stopped'));
    await expect(fixture.execute(1)).rejects.toThrow('stopped');
    expect(fixture.asked).toBe(1);
  });
});
