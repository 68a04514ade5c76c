import { setTimeout as sleep } from 'node:timers/promises';
import { connect, StorageType, type ConnectionOptions } from 'nats';

export interface Meeting {
  /** For clients, one for each server of the cluster; may hold the token, or name and password of a user. */
  readonly urls: readonly string[];
  /** Where that user may await answers. Default: the usual `_INBOX`. */
  readonly inboxPrefix?: string;
  /**
   * A stream that is created and removed again, to test whether replicas can be placed. The user must be allowed to.
   */
  readonly probe?: string;
  /** Stops a server and makes sure that it is started again. */
  readonly restart: (index: number) => Promise<void>;
  /** Called before a server is restarted. */
  readonly say?: (line: string) => void;
  /**
   * How long the servers may take to find each other, milliseconds: first, and after each restart. Default 5 and 10 s.
   */
  readonly patienceMs?: readonly [number, number];
  readonly signal?: AbortSignal;
}

const defaultProbe = 'larder-meeting-probe';
const retryMs = 150;
const maxRestarts = 6;

/**
 * Resolves when a stream can have a replica on each server of a new cluster.
 *
 * All servers may answer and still never place a third replica. The leader of the servers' own Raft group adds a peer
 * when it gets its first answer from it. A server that was a candidate itself when that leader was elected can stay
 * unheard for ever (seen with nats-server 2.10.27 in one of sixteen starts at once on busy cores, however routes are
 * set up). A client that asks for three replicas then gets "no suitable peers for placement". Restarting the leader
 * does not help. Restarting the unheard server does, within a second. Clients cannot see which one that is, so the
 * servers are restarted one after the other.
 *
 * @throws Error when even that does not help; the signal's reason
 */
export async function untilServersMeet(meeting: Meeting): Promise<void> {
  const { urls, inboxPrefix, probe, restart, say, patienceMs = [5_000, 10_000], signal } = meeting;
  for (let restarts = 0; ; restarts++) {
    const found = await placesReplicas({ urls, inboxPrefix, probe, signal }, patienceMs[restarts === 0 ? 0 : 1]);
    if (found === true) return;
    if (restarts === maxRestarts) throw new Error(`the nats-servers do not find each other: ${found}`);
    const index = restarts % urls.length;
    say?.(`the nats-servers do not find each other (${found}): number ${index + 1} is started again`);
    await restart(index);
  }
}

type Asked = Pick<Meeting, 'urls' | 'inboxPrefix' | 'probe' | 'signal'>;

/** @returns true, or the reason why not */
async function placesReplicas(asked: Asked, withinMs: number): Promise<string | true> {
  const { signal } = asked;
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await placeProbe(asked, deadlineMs);
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (performance.now() >= deadlineMs) return error instanceof Error ? error.message : String(error);
    }
    await sleep(retryMs);
  }
}

async function placeProbe(
  { urls, inboxPrefix, probe = defaultProbe, signal }: Asked,
  deadlineMs: number,
): Promise<void> {
  const nc = await connect({ ...addressed(urls), inboxPrefix, timeout: 2_000, reconnect: false });
  try {
    const jsm = await nc.jetstreamManager({ timeout: 2_000, checkAPI: false });
    // Another stream shows that the servers have met before.
    const streams = await jsm.streams.names().next();
    if (streams.some((name) => name !== probe)) return;
    for (;;) {
      signal?.throwIfAborted();
      try {
        await jsm.streams.add({ name: probe, num_replicas: urls.length, storage: StorageType.Memory });
        break;
      } catch (error) {
        if (performance.now() >= deadlineMs || nc.isClosed()) throw error;
        await sleep(retryMs);
      }
    }
    await jsm.streams.delete(probe);
  } finally {
    await nc.close();
  }
}

function addressed(urls: readonly string[]): Pick<ConnectionOptions, 'servers' | 'token' | 'user' | 'pass'> {
  const parsed = urls.map((url) => new URL(url.includes('://') ? url : `nats://${url}`));
  const servers = parsed.map(({ host }) => host);
  const [user, pass] = [parsed[0]?.username ?? '', parsed[0]?.password ?? ''].map(decodeURIComponent);
  if (user === '') return { servers };
  return pass === '' ? { servers, token: user } : { servers, user, pass };
}
