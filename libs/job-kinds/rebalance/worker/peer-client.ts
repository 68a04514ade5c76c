import { crc32 } from 'node:zlib';
import { Agent, type Dispatcher } from 'undici';
import { z } from 'zod';
import type { ObjectSource } from '#transfer';
import { UfsError } from '#ufs';

const connectTimeoutMs = 2000;
/** A peer reads a bounded part of its index before it answers: after this much silence it is not working. */
const idleTimeoutMs = 10_000;

const peerEntrySchema = z.object({
  path: z.string(),
  /** The store of the copy; absent from workers of versions up to 0.2, which do not know it. */
  store: z.string().optional(),
  sizeBytes: z.number(),
  version: z.string(),
  replicas: z.number(),
  loadedAtMs: z.number(),
  /** Of the content; absent for metadata. */
  crc32: z.number().optional(),
  metadataOnly: z.boolean().optional(),
});
/** A copy that another worker holds. */
export type PeerEntry = z.infer<typeof peerEntrySchema>;

const pageSchema = z.object({ entries: z.array(peerEntrySchema), next: z.string().optional() });
const lookupSchema = z.object({
  entries: z.array(z.tuple([z.number(), z.string()]).nullable()),
  stores: z.array(z.string().nullable()).default([]),
});

/** A path, and the store that it means. */
type Meant = Pick<PeerEntry, 'path' | 'store'>;

/**
 * Sends requests to other workers, over the port on which they serve objects. A peer that is unreachable, or that
 * answers with an error, is a UfsError `Unavailable` with its address. So it is retried like a UFS.
 */
export class PeerClient {
  private readonly agent = new Agent({
    connect: { timeout: connectTimeoutMs },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    connections: 64,
  });

  constructor(private readonly signal: AbortSignal) {}

  /** A page of the entries that the ring gives to `owner`, as of `membership` or later. */
  async entries(
    address: string,
    ask: { owner: string; membership: number; limit: number; after?: string },
  ): Promise<{ entries: PeerEntry[]; next?: string }> {
    const { owner, membership, limit, after } = ask;
    const query = new URLSearchParams({ owner, membership: String(membership), limit: String(limit) });
    if (after !== undefined) query.set('after', after);
    return this.json(address, pageSchema, 'GET', `/v1/entries?${query.toString()}`);
  }

  /**
   * Size and version of the copies that the peer vouches for: it holds them, and the ring as of `membership` or later
   * gives them to it. Null for the others.
   */
  async vouched(address: string, copies: readonly Meant[], membership: number): Promise<([number, string] | null)[]> {
    return this.lookup(address, copies, { asOwner: membership });
  }

  /** Size and version of the copies that the peer holds. Null for missing ones and for those of another store. */
  async held(address: string, copies: readonly Meant[]): Promise<([number, string] | null)[]> {
    return this.lookup(address, copies, {});
  }

  /** One copy of a peer, to be fetched like a UFS object. */
  source(address: string, entry: PeerEntry): ObjectSource {
    const { path, sizeBytes, version } = entry;
    const object = { path, sizeBytes, version };
    return {
      stat: () => Promise.resolve(object),
      open: async (_path, options) => ({ object, body: await this.body(address, entry, options?.signal) }),
      read: async (_path, { signal }) => {
        const chunks: Buffer[] = [];
        for await (const chunk of await this.body(address, entry, signal)) chunks.push(chunk);
        return { object, bytes: Buffer.concat(chunks) };
      },
    };
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async body(
    address: string,
    entry: PeerEntry,
    signal: AbortSignal = this.signal,
  ): Promise<AsyncIterable<Buffer>> {
    const { path, sizeBytes, store } = entry;
    const meant = store === undefined ? '' : `&store=${encodeURIComponent(store)}`;
    // A peer must not fetch from the UFS for us: only files that no peer has come from there.
    const target = `/v1/objects?cachedOnly=true&path=${encodeURIComponent(path)}${meant}`;
    const { statusCode, headers, body } = await this.request(address, 'GET', target, { signal });
    if (statusCode === 200 && Number(headers['content-length']) === sizeBytes && sameTag(headers.etag, entry.version)) {
      return checkedBody(body as AsyncIterable<Buffer>, address, entry);
    }
    body.destroy();
    if (statusCode >= 500) throw unanswered(address, path, `it answers with status ${statusCode}`);
    throw new UfsError('NotFound', path, `worker ${address} no longer holds this version: ${path}`);
  }

  private async lookup(address: string, copies: readonly Meant[], how: { asOwner?: number }) {
    const ask = JSON.stringify({ paths: copies.map(({ path }) => path), ...how });
    const { entries, stores } = await this.json(address, lookupSchema, 'POST', '/v1/lookup', ask);
    return entries.map((entry, i) => (copies[i] && stores[i] === copies[i].store ? entry : null));
  }

  private async json<T>(
    address: string,
    schema: z.ZodType<T>,
    method: 'GET' | 'POST',
    target: string,
    body?: string,
  ): Promise<T> {
    const answer = await this.request(address, method, target, { body, signal: this.signal });
    try {
      const value: unknown = await answer.body.json();
      if (answer.statusCode === 200) return schema.parse(value);
      throw new Error((value as { status?: string }).status ?? `it answers with status ${answer.statusCode}`);
    } catch (cause) {
      throw unanswered(address, target, messageOf(cause), cause);
    }
  }

  private async request(
    address: string,
    method: 'GET' | 'POST',
    path: string,
    { body, signal }: { body?: string; signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    try {
      const answer = await this.agent.request({ origin: `http://${address}`, method, path, headers, body, signal });
      // The reader of the body gets an error too. Before it reads, an error without a listener would end the process.
      answer.body.on('error', () => undefined);
      return answer;
    } catch (cause) {
      throw unanswered(address, path, messageOf(cause), cause);
    }
  }
}

/** Ends without an error only after exactly the number of bytes in the peer's index. */
async function* checkedBody(body: AsyncIterable<Buffer>, address: string, entry: PeerEntry): AsyncGenerator<Buffer> {
  const { path, sizeBytes } = entry;
  let received = 0;
  let checksum = 0;
  try {
    for await (const chunk of body) {
      received += chunk.length;
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
  } catch (cause) {
    throw unanswered(address, path, messageOf(cause), cause);
  }
  if (received === sizeBytes && checksum === (entry.crc32 ?? checksum)) return;
  throw new UfsError('Truncated', path, `worker ${address} sent other bytes than it holds: ${path}`);
}

/** Compares in the form of the read path: characters that an entity tag cannot hold are percent-encoded. */
function sameTag(tag: string | string[] | undefined, version: string): boolean {
  return tag === `"${version.toWellFormed().replace(/[^\x21\x23-\x7e]/gu, encodeURIComponent)}"`;
}

function unanswered(address: string, path: string, why: string, cause?: unknown): UfsError {
  return new UfsError('Unavailable', path, `worker ${address} does not answer: ${why}`, { cause });
}

function messageOf(error: unknown): string {
  const { message, code, name } = error as NodeJS.ErrnoException;
  return message || code || name;
}
