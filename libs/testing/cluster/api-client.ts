import { request } from 'undici';
import { eventually } from './until.js';

/** The progress of a load job, as `GET /api/v1/load?id=` answers it. */
export interface LoadProgress {
  readonly id: string;
  readonly state: 'RUNNING' | 'VERIFYING' | 'STOPPED' | 'SUCCEEDED' | 'FAILED';
  readonly runningState: string;
  readonly waitingFor?: { for: 'store' | 'worker'; since: string; reason: string };
  readonly errorMessage: { message?: string; failures?: { path: string; reason: string; attempts: number }[] };
  readonly failedFileListPath: string;
  readonly timeElapsedMilliseconds: number;
  readonly loadedBytes: number;
  readonly skippedBytes: number;
  readonly failedBytes: number;
  readonly totalBytes: number;
  readonly loadedNonEmptyFiles: number;
  readonly loadedFiles: number;
  readonly skippedFiles: number;
  readonly failedFiles: number;
  readonly filteredFiles: number;
  readonly scannedFiles: number;
  readonly inFlightFiles: number;
  readonly inFlightLoadedBytes: number;
  readonly verifiedFiles: number;
  readonly repairedFiles: number;
  readonly verifyFailedFiles: number;
  readonly replicaFilesLoaded: number;
  readonly replicaFilesFailed: number;
  readonly bandwidth: number;
  readonly owner: string;
  readonly epoch: number;
}

export interface LoadRequest {
  paths?: string[];
  index?: string;
  alias?: string;
  options?: Record<string, unknown>;
}

/** A worker, as `GET /api/v1/nodes` answers it. */
export interface NodeStatus {
  readonly identity: string;
  readonly address: string;
  readonly status: 'ONLINE' | 'OFFLINE';
  readonly usedBytes?: number;
  readonly cachedObjects?: number;
}

export interface ApiAnswer<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Body;
}

/** An answer that a test did not expect. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';

  constructor(
    call: string,
    readonly answer: ApiAnswer<unknown>,
  ) {
    super(`${call} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
}

const requestTimeoutMs = 30_000;
const terminal: readonly string[] = ['SUCCEEDED', 'FAILED', 'STOPPED'];

/** The REST API of one coordinator. */
export class ApiClient {
  /** @param baseUrl such as `http://127.0.0.1:19999` */
  constructor(readonly baseUrl: string) {}

  /**
   * Any call, below `/api/v1`; never throws for a status. Each has a connection of its own: one that is kept alive
   * would break with the process that a test kills.
   */
  async request<Body = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; timeoutMs?: number } = {},
  ): Promise<ApiAnswer<Body>> {
    const { body, headers = {}, timeoutMs = requestTimeoutMs } = options;
    const answer = await request(`${this.baseUrl}/api/v1${path}`, {
      method,
      reset: true,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).includes('application/json');
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: (isJson ? JSON.parse(text) : text) as Body,
    };
  }

  /** @throws UnexpectedAnswer unless it is a 200 */
  async mount(path: string, ufs: string, options?: Record<string, string>): Promise<void> {
    await this.expect200('POST', '/mount', { path, ufs, ...(options ? { options } : {}) });
  }

  /** Submits a load that must be new, and answers with its id. @throws UnexpectedAnswer unless it is a 200 */
  async load(load: LoadRequest): Promise<string> {
    const { id } = await this.expect200<{ id: string }>('POST', '/load', load);
    return id;
  }

  postLoad(load: LoadRequest): Promise<ApiAnswer<{ id?: string; status?: string; resumed?: boolean }>> {
    return this.request('POST', '/load', { body: load });
  }

  stopLoad(id: string): Promise<ApiAnswer<{ status: string }>> {
    return this.request('DELETE', '/load', { body: { id } });
  }

  /** @throws UnexpectedAnswer unless it is a 200 */
  progress(id: string): Promise<LoadProgress> {
    return this.expect200('GET', `/load?id=${id}`);
  }

  async nodes(): Promise<NodeStatus[]> {
    return (await this.expect200<{ result: NodeStatus[] }>('GET', '/nodes')).result;
  }

  /** Every failed file of a job, however many. */
  async failedFiles(id: string): Promise<{ path: string; reason: string; attempts: number; workerId?: string }[]> {
    const text = await this.expect200<string>('GET', `/load/${id}/failed_files`);
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as { path: string; reason: string; attempts: number });
  }

  /**
   * Polls until the job has ended or was stopped, also while its coordinator or NATS is away.
   * @param seen is called with every answer on the way
   */
  async waitForJob(
    id: string,
    { timeoutMs = 60_000, seen }: { timeoutMs?: number; seen?: (progress: LoadProgress) => void } = {},
  ): Promise<LoadProgress> {
    let last = 'no answer';
    const ended = async () => {
      const progress = await this.request<LoadProgress>('GET', `/load?id=${id}`).catch((error: unknown) => {
        // Go on: the coordinator is starting again, and the call waits for the job.
        last = String(error);
        return undefined;
      });
      if (progress === undefined) return undefined;
      const { status, body } = progress;
      last = JSON.stringify(body);
      if (status !== 200) return undefined;
      // Outside of any try, so that an error of the observer fails the test.
      seen?.(body);
      return terminal.includes(body.state) ? body : undefined;
    };
    try {
      return await eventually(`the end of job ${id}`, ended, { timeoutMs, everyMs: 100 });
    } catch (error) {
      throw new Error(`${(error as Error).message}; last: ${last}`, { cause: error });
    }
  }

  /** Whether `GET /readyz` answers 200. */
  async isReady(): Promise<boolean> {
    try {
      const answer = await request(`${this.baseUrl}/readyz`, { reset: true, signal: AbortSignal.timeout(2_000) });
      await answer.body.dump();
      return answer.statusCode === 200;
    } catch {
      // Not listening yet, so not ready.
      return false;
    }
  }

  private async expect200<Body>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Body> {
    const answer = await this.request<Body>(method, path, { body });
    if (answer.status !== 200) throw new UnexpectedAnswer(`${method} ${path}`, answer);
    return answer.body;
  }
}
