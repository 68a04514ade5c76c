import { natsUrlFor } from '../nats/index.js';
import { TcpProxy } from '../net/index.js';
import { type S3TestServerOptions } from '../s3/index.js';
import { S3Fixture } from './s3-fixture.js';
import { type ClusterOptions, startCluster, type TestCluster } from './start-cluster.js';

export interface ClusterSuiteOptions extends ClusterOptions {
  /** Options of the suite's `s3` endpoint. Default: those of a plain one. */
  s3?: S3TestServerOptions;
  /** The kind of process whose first one reaches NATS through the suite's `natsProxy`. Default: no process does. */
  proxied?: 'coordinator' | 'worker';
  /** `test`: each test has a cluster of its own. Default: all tests of the suite share one. */
  clusterPer?: 'suite' | 'test';
  /** The time limit of each test that names no other. Default 90 s. */
  testTimeoutMs?: number;
}

/** The parts that a suite's tests use. The first three exist while hooks of the suite's body and its tests run. */
export interface ClusterSuite {
  readonly cluster: TestCluster;
  /** An S3 endpoint in the test's own process. */
  readonly s3: S3Fixture;
  readonly natsProxy: TcpProxy;
  /** A test that prints the end of each process's log when it fails. It fails at once when a process ends unasked. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs?: number) => void;
}

const startWithinMs = 120_000;

/**
 * A suite of tests with a cluster of real processes (see `startCluster`), an S3 endpoint and, if asked for, a proxy
 * between one process and NATS. Everything starts before the body's own hooks run and ends after them.
 */
export function clusterSuite(name: string, options: ClusterSuiteOptions, body: (suite: ClusterSuite) => void): void {
  const { s3: s3Options, proxied, clusterPer = 'suite', testTimeoutMs = 90_000, ...clusterOptions } = options;
  let current: { cluster?: TestCluster; s3?: S3Fixture; natsProxy?: TcpProxy } = {};

  async function start(): Promise<void> {
    current = {};
    current.s3 = await S3Fixture.start(s3Options);
    const cluster = (current.cluster = await startCluster(clusterOptions));
    if (proxied === undefined) return;
    current.natsProxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}` });
    const [{ process }] = proxied === 'coordinator' ? cluster.coordinators : cluster.workers;
    process.overrides['LARDER_NATS_URL'] = natsUrlFor(proxied, current.natsProxy.address);
    await process.restart();
    for (const worker of cluster.workers) await cluster.untilListed(worker);
  }

  async function stop(): Promise<void> {
    await current.cluster?.dispose();
    await current.natsProxy?.stop();
    await current.s3?.stop();
  }

  describe(name, () => {
    (clusterPer === 'suite' ? beforeAll : beforeEach)(start, startWithinMs);
    body({
      cluster: forwardTo(() => started(current.cluster, 'cluster')),
      s3: forwardTo(() => started(current.s3, 's3')),
      natsProxy: forwardTo(() => started(current.natsProxy, 'natsProxy')),
      test: (title, run, timeoutMs = testTimeoutMs) =>
        it(title, () => started(current.cluster, 'cluster').watch(run), timeoutMs),
    });
    // Hooks run in the order in which they are declared: those of the body come first.
    (clusterPer === 'suite' ? afterAll : afterEach)(stop);
  });
}

function started<T>(part: T | undefined, name: keyof ClusterSuite): T {
  if (part === undefined) throw new Error(`the suite's ${name} is not there: use it in hooks and tests only`);
  return part;
}

/** A stand-in for an object that does not exist yet, so that a suite can destructure it in its declaration. */
function forwardTo<T extends object>(current: () => T): T {
  return new Proxy({} as T, {
    get(_, key) {
      const target = current();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set: (_, key, value) => Reflect.set(current(), key, value),
    has: (_, key) => Reflect.has(current(), key),
  });
}
