import { type S3TestServerOptions } from '../s3/index.js';
import { S3Fixture } from './s3-fixture.js';
import { type ClusterOptions, startCluster, type TestCluster } from './start-cluster.js';

export interface ClusterSuiteOptions extends ClusterOptions {
  /** Options of the S3 endpoint that the suite's `s3` is. Default: those of a plain one. */
  s3?: S3TestServerOptions;
  /** `test`: each test has a cluster of its own. Default: all tests of the suite share one. */
  clusterPer?: 'suite' | 'test';
  /** Processes may end by themselves, because a test makes them: only what the test expects decides. Default false. */
  processesMayEnd?: boolean;
  /** Of each test that names no other. Default 90 s. */
  testTimeoutMs?: number;
}

/** What a suite's tests work with. The first two exist while hooks of the suite's body and its tests run. */
export interface ClusterSuite {
  readonly cluster: TestCluster;
  /** An S3 endpoint in the test's own process. */
  readonly s3: S3Fixture;
  /** A test that fails with the end of each process's log, and at once when a process ends that may not. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs?: number) => void;
}

const startWithinMs = 120_000;

/**
 * A suite of tests with a cluster of real processes (see `startCluster`) and an S3 endpoint. Both are started before the
 * hooks of the body run, and go away after them.
 */
export function clusterSuite(name: string, options: ClusterSuiteOptions, body: (suite: ClusterSuite) => void): void {
  const { s3: s3Options, clusterPer = 'suite', ...others } = options;
  const { processesMayEnd = false, testTimeoutMs = 90_000, ...clusterOptions } = others;
  let current: { cluster?: TestCluster; s3?: S3Fixture } = {};

  async function start(): Promise<void> {
    current = {};
    current.s3 = await S3Fixture.start(s3Options);
    current.cluster = await startCluster(clusterOptions);
  }

  async function stop(): Promise<void> {
    await current.cluster?.dispose();
    await current.s3?.stop();
  }

  describe(name, () => {
    (clusterPer === 'suite' ? beforeAll : beforeEach)(start, startWithinMs);
    body({
      cluster: forwardTo(() => started(current.cluster, 'cluster')),
      s3: forwardTo(() => started(current.s3, 's3')),
      test: (title, run, timeoutMs = testTimeoutMs) =>
        it(title, () => started(current.cluster, 'cluster').watch(run, { processesMayEnd }), timeoutMs),
    });
    // Hooks run in the order in which they are declared: what the body tidies up comes first.
    (clusterPer === 'suite' ? afterAll : afterEach)(stop);
  });
}

function started<T>(part: T | undefined, name: keyof ClusterSuite): T {
  if (part === undefined) throw new Error(`the suite's ${name} is not there: use it in hooks and tests only`);
  return part;
}

/** Stands for an object that does not exist yet, so that a suite can take it apart by name where it is declared. */
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
