import { createHash } from 'node:crypto';
import { S3TestServer, type FaultHook } from '../s3/index.js';
import { type SourceFile } from './file-tree.js';
import { s3MountOptions } from './s3-process.js';
import { type TestCluster } from './start-cluster.js';

type S3Request = Parameters<FaultHook>[0];

export interface SeenRequest {
  operation: string;
  key: string;
  /** In the time of `performance.now()`. */
  atMs: number;
}

/** Lets so many reads of a bucket through and holds the rest until it is opened. A job that it holds is mid-way. */
export class Gate {
  /** Resolves when the first read is being held. */
  readonly reached: Promise<void>;
  private arrive: () => void = () => undefined;
  private release: () => void = () => undefined;
  private readonly opened: Promise<void>;
  private isOpen = false;
  private passed = 0;

  constructor(private readonly after: number) {
    this.reached = new Promise((resolve) => (this.arrive = resolve));
    this.opened = new Promise((resolve) => (this.release = resolve));
  }

  open(): void {
    this.isOpen = true;
    this.release();
  }

  /** The fault for a read; undefined lets it through. */
  readonly fault: FaultHook = (request) => {
    if (request.operation !== 'GetObject' || this.isOpen || this.passed++ < this.after) return undefined;
    this.arrive();
    return { kind: 'pause', afterBytes: 0, until: this.opened };
  };
}

/** An S3 endpoint in the test's own process, with a fault hook per bucket and a record of its reads. */
export class S3Fixture {
  readonly faults = new Map<string, FaultHook>();
  readonly seen: (SeenRequest & { bucket: string })[] = [];
  private endpoint = '';

  private constructor(readonly server: S3TestServer) {}

  static async start(options: ConstructorParameters<typeof S3TestServer>[0] = {}): Promise<S3Fixture> {
    const fixture = new S3Fixture(new S3TestServer(options));
    fixture.server.fault = (request) => fixture.handle(request);
    fixture.endpoint = (await fixture.server.start()).endpoint;
    return fixture;
  }

  get mountOptions(): Record<string, string> {
    return s3MountOptions(this.endpoint, {
      accessKeyId: this.server.credentials.accessKeyId,
      secretAccessKey: this.server.credentials.secretAccessKey,
    });
  }

  /** Makes a bucket of files with seeded content and mounts it at `/<bucket>`. */
  async bucket(cluster: TestCluster, bucket: string, keys: readonly string[], sizeBytes = 1000): Promise<SourceFile[]> {
    this.server.createBucket(bucket);
    await cluster.api.mount(`/${bucket}`, `s3://${bucket}/`, this.mountOptions);
    return Promise.all(keys.map((key) => this.put(bucket, key, content(`${bucket}/${key}`, sizeBytes))));
  }

  async put(bucket: string, key: string, bytes: Buffer): Promise<SourceFile> {
    await this.server.put(bucket, key, bytes);
    return { path: `s3://${bucket}/${key}`, sizeBytes: bytes.length, sha256: sha256(bytes) };
  }

  hold(bucket: string, after: number): Gate {
    const gate = new Gate(after);
    this.faults.set(bucket, gate.fault);
    return gate;
  }

  reads(bucket: string): SeenRequest[] {
    return this.seen.filter((request) => request.bucket === bucket && request.operation === 'GetObject');
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  private handle(request: S3Request) {
    const { bucket, operation, key } = request;
    this.seen.push({ bucket, operation, key, atMs: performance.now() });
    return this.faults.get(bucket)?.(request);
  }
}

export function keys(count: number, prefix = 'f'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}/${String(i).padStart(5, '0')}`);
}

/** Bytes that are different for each object. */
export function content(seed: string, sizeBytes: number): Buffer {
  const block = createHash('sha512').update(seed).digest();
  return Buffer.alloc(sizeBytes, block);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const sizeOf = (files: readonly SourceFile[]): number => files.reduce((sum, file) => sum + file.sizeBytes, 0);
