import { DomainError, type Decider, type DomainEvent, type RecordedEvent } from '#kernel';
import { CommandHandler, type AppendOnlyLog, type ConsistentReads } from './command-handler.js';

type Added = DomainEvent<'Added', { n: number }>;

/** Refuses to go beyond 2; 0 asks for at least 1. */
const counter: Decider<number, number, Added> = {
  initial: 0,
  evolve: (state, event) => state + event.data.n,
  decide: (state, n) => {
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
