import { type Msg, type StreamInfo } from 'nats';
import { confirmedLast } from './confirmed-last.js';
import { type NatsLink } from '../link/connection.js';

/** The answer over the connection to each server; undefined: none. */
type Answers = Record<string, object | undefined>;

const at = (seq: number) => ({ message: { seq } });
const none = { error: { code: 404, err_code: 10037 } };
const silent = undefined;

/** Servers a, b and c; all answers about the stream name a as the leader. Answers about the message are as given. */
function linkOf(answers: Answers, connected = Object.keys(answers)): NatsLink {
  const replicas = ['b', 'c'].map((name) => ({ name, active: 1e6, current: true }));
  const info = { cluster: { leader: 'a', replicas }, state: { last_seq: 9 } } as unknown as StreamInfo;
  const line = (server: string) => ({
    ask: (subject: string, heard: (reply: Msg) => void) => {
      const answer = subject.includes('.MSG.GET.') ? answers[server] : info;
      if (answer) setTimeout(() => heard({ json: () => answer } as unknown as Msg), 5);
      return () => undefined;
    },
  });
  return {
    nc: { request: () => Promise.resolve({ json: () => info }) },
    serverVersion: '2.12.0',
    witnesses: {
      open: () => Promise.resolve(),
      knownServers: () => 3,
      lines: () => new Map(connected.map((server) => [server, line(server)])),
      onChange: () => () => undefined,
    },
  } as unknown as NatsLink;
}

const lastOf = (link: NatsLink) => confirmedLast(link, 's', 'one.*');

describe('confirmedLast', () => {
  it('returns the highest of the servers’ answers', async () => {
    await expect(lastOf(linkOf({ a: at(3), b: at(7), c: at(3) }))).resolves.toBe(7);
    await expect(lastOf(linkOf({ a: none, b: none, c: none }))).resolves.toBe(0);
    await expect(lastOf(linkOf({ a: none, b: at(4), c: none }))).resolves.toBe(4);
  });

  it('accepts a majority of the servers with the leader, though others are silent', async () => {
    await expect(lastOf(linkOf({ a: silent, b: at(7), c: silent }))).resolves.toBe(7);
    await expect(lastOf(linkOf({ b: at(7) }))).resolves.toBe(7);
  });

  it('does not accept a leader over its own connection', async () => {
    await expect(lastOf(linkOf({ a: at(3), b: silent, c: silent }))).rejects.toMatchObject({ code: 'no-majority' });
  });

  it('does not count errors as answers', async () => {
    const unavailable = { error: { code: 503, err_code: 10008 } };
    const link = linkOf({ a: unavailable, b: unavailable, c: unavailable });
    await expect(lastOf(link)).rejects.toMatchObject({ kind: 'Unavailable', code: 'no-majority' });
  });
});
