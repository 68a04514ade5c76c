import { type S3TestServerOptions } from '../s3/index.js';
import { type ProcessCluster } from './process-cluster.js';
import { S3Fixture } from './s3-fixture.js';
import { type StandaloneCluster, type StandaloneOptions, startStandaloneCluster } from './standalone-cluster.js';
import { type ClusterOptions, startCluster, type TestCluster } from './start-cluster.js';

interface SuiteOptions {
  /** `test`: each test has a cluster of its own. Default: all tests of the suite share one. */
  clusterPer?: 'suite' | 'test';
  /** Processes may end by themselves, because a test makes them: only what the test expects decides. Default false. */
  processesMayEnd?: boolean;
  /** Of each test that names no other. Default 90 s. */
  testTimeoutMs?: number;
}

export interface ClusterSuiteOptions extends ClusterOptions, SuiteOptions {
  /** Options of the suite's `s3` endpoint. Default: those of a plain one. */
  s3?: S3TestServerOptions;
}

export interface StandaloneSuiteOptions extends StandaloneOptions, SuiteOptions {}

/** What a suite's tests work with. The cluster exists while hooks of the suite's body and its tests run. */
export interface Suite<Cluster extends ProcessCluster> {
  readonly cluster: Cluster;
  /** A test that fails with the end of each process's log, and at once when a process ends that may not. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs?: number) => void;
}

export interface ClusterSuite extends Suite<TestCluster> {
  /** An S3 endpoint in the test's own process. It exists while the cluster does. */
  readonly s3: S3Fixture;
}

const startWithinMs = 120_000;

/**
 * A suite of tests with a cluster of real processes (see `startCluster`) and an S3 endpoint. Both are started before the
 * hooks of the body run, and go away after them.
 */
export function clusterSuite(name: string, options: ClusterSuiteOptions, body: (suite: ClusterSuite) => void): void {
  let s3: S3Fixture | undefined;
  async function start(): Promise<TestCluster> {
    s3 = await S3Fixture.start(options.s3);
    return startCluster(options);
  }
  const stop = () => s3?.stop();
  suiteOf(name, options, { start, stop }, (suite) => body({ ...suite, s3: forwardTo(() => started(s3, 's3')) }));
}

/** As `clusterSuite`, with what `npm start` starts (see `startStandaloneCluster`) and no S3 endpoint. */
export function standaloneSuite(
  name: string,
  options: StandaloneSuiteOptions,
  body: (suite: Suite<StandaloneCluster>) => void,
): void {
  suiteOf(name, options, { start: () => startStandaloneCluster(options) }, body);
}

interface Parts<Cluster> {
  /** Starts the cluster, and before it what stays until the cluster has ended. */
  readonly start: () => Promise<Cluster>;
  /** Ends the latter. */
  readonly stop?: () => Promise<void> | undefined;
}

function suiteOf<Cluster extends ProcessCluster>(
  name: string,
  { clusterPer = 'suite', processesMayEnd = false, testTimeoutMs = 90_000 }: SuiteOptions,
  { start, stop }: Parts<Cluster>,
  body: (suite: Suite<Cluster>) => void,
): void {
  let current: Cluster | undefined;

  async function begin(): Promise<void> {
    current = undefined;
    current = await start();
  }

  async function end(): Promise<void> {
    await current?.dispose();
    await stop?.();
  }

  describe(name, () => {
    (clusterPer === 'suite' ? beforeAll : beforeEach)(begin, startWithinMs);
    body({
      cluster: forwardTo(() => started(current, 'cluster')),
      test: (title, run, timeoutMs = testTimeoutMs) =>
        it(title, () => started(current, 'cluster').watch(run, { processesMayEnd }), timeoutMs),
    });
    // Hooks run in the order in which they are declared: those of the body come first.
    (clusterPer === 'suite' ? afterAll : afterEach)(end);
  });
}

function started<T>(part: T | undefined, name: 'cluster' | 's3'): T {
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
