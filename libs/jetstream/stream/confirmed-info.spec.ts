import { type Msg, type StreamInfo } from 'nats';
import { confirmedInfo } from './confirmed-info.js';
import { type NatsLink } from '../link/connection.js';

const ms = 1e6;
type Ages = Record<string, number>;

/** The answer of a server that claims to lead. @param ages since it heard from the others, milliseconds */
function claim(leader: string, lastSequence: number, ages: Ages): StreamInfo {
  const replicas = Object.entries(ages).map(([name, age]) => ({ name, active: age * ms, current: true }));
  return { cluster: { leader, replicas }, state: { last_seq: lastSequence } } as unknown as StreamInfo;
}

const a = (end: number, ages: Ages = {}) => claim('a', end, { b: 10, c: 10, ...ages });
const b = (end: number) => claim('b', end, { a: 9_000, c: 10 });
const c = (end: number) => claim('c', end, { a: 9_000, b: 10 });
const leaderless = { cluster: { replicas: [] }, state: { last_seq: 1 } } as unknown as StreamInfo;

/** Servers a, b and c, and the questions over the connections to them. At the last question a was the leader. */
class World {
  readonly asked: string[] = [];
  readonly warnings: number[] = [];
  readonly connected: Set<string>;
  known = 3;
  opened = 0;
  version = '2.12.0';
  private readonly listeners = new Map<string, ((reply: Msg) => void)[]>();
  private changed: () => void = () => undefined;

  private constructor(
    connected: string,
    private readonly alone: StreamInfo,
  ) {
    this.connected = new Set(connected);
  }

  /** @param connected initials of the servers with a connection */
  static of(connected: string): World {
    return new World(connected, a(1));
  }

  static unclustered(): World {
    return new World('a', { state: { last_seq: 7 } } as StreamInfo);
  }

  connect(server: string): void {
    this.connected.add(server);
    this.changed();
  }

  /** Sends the answer to every question that went over that server's connection. */
  answers(server: string, info: StreamInfo): void {
    const reply = { json: () => info } as unknown as Msg;
    for (const heard of this.listeners.get(server) ?? []) heard(reply);
  }

  readonly link = {
    nc: { request: () => Promise.resolve({ json: () => this.alone }) },
    get serverVersion(): string {
      return world.version;
    },
    witnesses: {
      open: () => Promise.resolve(++this.opened),
      knownServers: () => this.known,
      warnTooFew: (servers: number) => this.warnings.push(servers),
      lines: () => new Map([...this.connected].map((server) => [server, { ask: this.ask(server) }])),
      onChange: (listener: () => void) => {
        this.changed = listener;
        return () => undefined;
      },
    },
  } as unknown as NatsLink;

  private ask(server: string) {
    return (_: string, heard: (reply: Msg) => void) => {
      this.asked.push(server);
      this.listeners.set(server, [...(this.listeners.get(server) ?? []), heard]);
      return () => undefined;
    };
  }
}

let world: World;

/** A question, and its outcome so far. */
async function question(): Promise<{ end?: number; failure?: unknown; done: boolean }> {
  const outcome: { end?: number; failure?: unknown; done: boolean } = { done: false };
  confirmedInfo(world.link, 's').then(
    ({ state }) => Object.assign(outcome, { done: true, end: state.last_seq }),
    (error: unknown) => Object.assign(outcome, { done: true, failure: error }),
  );
  await settled();
  return outcome;
}

const settled = () => jest.advanceTimersByTimeAsync(0);

describe('confirmedInfo', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('asks over the followers’ connections, and returns when the leader’s answer has come over all of them', async () => {
    world = World.of('abc');
    const outcome = await question();
    expect(world.asked).toEqual(['b', 'c']);
    world.answers('b', a(5));
    await settled();
    expect(outcome.done).toBe(false);
    world.answers('c', a(5));
    await settled();
    expect(outcome.end).toBe(5);
  });

  it('does not accept a claimed leader over its own connection, with any peers that it names', async () => {
    world = World.of('abc');
    const outcome = await question();
    await jest.advanceTimersByTimeAsync(100);
    expect(world.asked).toEqual(['b', 'c', 'a']);
    world.answers('a', a(5));
    await jest.advanceTimersByTimeAsync(700);
    expect(outcome.failure).toMatchObject({ kind: 'Unavailable', code: 'no-majority' });
  });

  it('prefers the end from another leader over that of the old one', async () => {
    world = World.of('abc');
    const outcome = await question();
    await jest.advanceTimersByTimeAsync(100);
    world.answers('a', a(5));
    world.answers('b', b(6));
    world.answers('c', b(6));
    await settled();
    expect(outcome.end).toBe(6);
  });

  it('waits for a third server that may have been elected by the vote of the second', async () => {
    world = World.of('abc');
    const outcome = await question();
    world.answers('b', a(5, { c: 5_000 }));
    await settled();
    expect(outcome.done).toBe(false);
    world.answers('c', c(6));
    await settled();
    expect(outcome.end).toBe(6);
  });

  it('reaches the third over the second’s connection when there is no other way', async () => {
    world = World.of('ab');
    const outcome = await question();
    world.answers('b', a(5, { c: 5_000 }));
    await settled();
    expect(outcome.done).toBe(false);
    world.answers('b', c(6));
    await settled();
    expect(outcome.end).toBe(6);
  });

  it('goes without a server that is away, or that does not answer, after a little while', async () => {
    world = World.of('ab');
    const away = await question();
    world.answers('b', a(5, { c: 5_000 }));
    await jest.advanceTimersByTimeAsync(50);
    expect(away.end).toBe(5);
    world = World.of('abc');
    const silent = await question();
    world.answers('b', a(5));
    await jest.advanceTimersByTimeAsync(50);
    expect(silent.end).toBe(5);
  });

  it('does not wait for a server that only this process cannot reach', async () => {
    world = World.of('ab');
    const outcome = await question();
    world.answers('b', a(5));
    await settled();
    expect(outcome.end).toBe(5);
  });

  it('asks over a connection that comes up meanwhile', async () => {
    world = World.of('a');
    const outcome = await question();
    world.answers('a', a(5));
    world.connect('b');
    world.answers('b', a(5));
    await settled();
    expect(outcome.end).toBe(5);
  });

  it('reports the servers’ errors when none of them claims to lead', async () => {
    world = World.of('abc');
    const outcome = await question();
    world.answers('b', leaderless);
    world.answers('c', leaderless);
    await jest.advanceTimersByTimeAsync(800);
    expect(outcome.failure).toMatchObject({ kind: 'Unavailable', code: 'no-leader' });
  });

  it('asks again when a server without a leader was quicker than the leader', async () => {
    world = World.of('ab');
    const outcome = await question();
    expect(world.asked).toEqual(['b']);
    world.answers('b', leaderless);
    await jest.advanceTimersByTimeAsync(25);
    expect(world.asked).toEqual(['b', 'b']);
    world.answers('b', a(5));
    await jest.advanceTimersByTimeAsync(50);
    expect(outcome).toEqual({ done: true, end: 5 });
  });

  it('reports that no server answers', async () => {
    world = World.of('abc');
    const outcome = await question();
    await jest.advanceTimersByTimeAsync(800);
    expect(outcome.failure).toMatchObject({ kind: 'Unavailable', code: 'nats-silent' });
  });

  it('counts servers by name, not by connections, and only those that keep the stream', async () => {
    world = World.of('ad');
    const outcome = await question();
    await jest.advanceTimersByTimeAsync(100);
    world.answers('a', a(5));
    world.answers('d', a(5));
    await jest.advanceTimersByTimeAsync(700);
    expect(outcome.failure).toMatchObject({ code: 'no-majority' });
  });

  it('asks a new leader twice when it may not have applied its log yet', async () => {
    world = World.of('abc');
    world.version = '2.10.27';
    const outcome = await question();
    world.answers('b', b(5));
    world.answers('c', b(5));
    await jest.advanceTimersByTimeAsync(30);
    expect(outcome.done).toBe(false);
    await jest.advanceTimersByTimeAsync(100);
    world.answers('b', b(6));
    world.answers('c', b(6));
    await jest.advanceTimersByTimeAsync(30);
    expect(outcome.end).toBe(6);
  });

  it('accepts the leader’s answer, with a warning, when no other servers are known', async () => {
    world = World.of('a');
    world.known = 1;
    const outcome = await question();
    expect(outcome.end).toBe(1);
    expect(world.warnings).toEqual([3]);
    expect(world.asked).toEqual([]);
  });

  it('opens nothing for a stream that one server keeps', async () => {
    world = World.unclustered();
    expect((await question()).end).toBe(7);
    expect((await question()).end).toBe(7);
    expect([world.opened, world.asked]).toEqual([0, []]);
  });
});
