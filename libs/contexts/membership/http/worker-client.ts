import { Injectable } from '@nestjs/common';
import { request } from 'undici';
import { z } from 'zod';
import { DomainError } from '#kernel';
import { Views } from '#runtime';
import { namespaceView } from '#contexts/namespace';
import { membershipView } from '../index.js';

const timeoutMs = 10_000;
const lookupSchema = z.object({ entries: z.array(z.tuple([z.number(), z.string()]).nullable()) });

type RequestOptions = NonNullable<Parameters<typeof request>[1]>;

/** A copy that a worker holds: its size and UFS version. */
export type HeldCopy = [sizeBytes: number, version: string];

/** Sends requests to workers, on the port where they serve objects. */
@Injectable()
export class WorkerClient {
  constructor(private readonly views: Views) {}

  /**
   * The worker's copies of some UFS paths, in their order; null where it has no copy or no mount covers the path.
   * @throws DomainError Unavailable when the worker does not answer
   */
  async lookup(workerId: string, paths: readonly string[]): Promise<(HeldCopy | null)[]> {
    // The worker may not know yet of a mount that this coordinator knows.
    const namespace = this.views.get(namespaceView).sequence;
    const answer = await this.post(workerId, '/v1/lookup', { paths, namespace });
    return lookupSchema.parse(answer).entries;
  }

  /** @throws DomainError Unavailable naming the worker's address and the reason */
  post(workerId: string, path: string, body: unknown): Promise<unknown> {
    return this.ask(workerId, path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** @throws DomainError Unavailable naming the worker's address and the reason */
  get(workerId: string, path: string): Promise<unknown> {
    return this.ask(workerId, path, { method: 'GET' });
  }

  private async ask(workerId: string, path: string, options: RequestOptions): Promise<unknown> {
    const address = this.addressOf(workerId);
    try {
      const url = `http://${address}${path}`;
      const response = await request(url, { ...options, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
      const answer = await response.body.json();
      if (response.statusCode !== 200) throw new Error((answer as { status?: string }).status ?? 'no reason given');
      return answer;
    } catch (cause) {
      const { message, code, name } = cause as NodeJS.ErrnoException;
      const text = `worker ${address} does not answer: ${message || code || name}`;
      throw new DomainError('Unavailable', 'worker-unreachable', text, { cause });
    }
  }

  private addressOf(workerId: string): string {
    const worker = this.views.get(membershipView).state.workers[workerId];
    if (!worker) throw new DomainError('Unavailable', 'worker-unknown', `there is no worker ${workerId}`);
    return worker.address;
  }
}
