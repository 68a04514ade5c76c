import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { HashRing } from '#hash-ring';
import {
  eventually,
  type ApiClient,
  type LoadProgress,
  type Random,
  type SourceFile,
  type TestCluster,
} from '#testing';
import { cachedBytesBelow, expectAgreement, fileIndex, type Holdings, holdings } from './expected-state.js';
import { type Body, call, type EndedJob, heldByAny, pathsOf, quotas, readThrough, runJob } from './calls.js';

/** A time to live that ends during a walk, and one that does not. */
const briefTtlSeconds = 2;
const longTtlSeconds = 3600;
const maxWorkers = 3;

interface Step {
  readonly name: string;
  readonly weight: number;
  /** The step in words, for the analysis of a failure. */
  readonly run: () => Promise<string>;
}

/**
 * Does random steps in a cluster: operations of operators, jobs, reads and crashes. After each it checks the effect.
 * `check` compares all counts of cached bytes.
 */
export class RandomWalk {
  /** The steps so far. */
  readonly done: string[] = [];
  private readonly ttls = new Map<string, number>();
  private readonly added = new Set<string>();
  private readonly removed = new Set<string>();

  constructor(
    private readonly cluster: TestCluster,
    private readonly random: Random,
    private readonly files: readonly SourceFile[],
    /** The mount's path and its UFS path, without trailing slashes. */
    private readonly mount: { path: string; ufs: string },
    private readonly capacityBytes: number,
  ) {}

  private readonly steps: readonly Step[] = [
    { name: 'load', weight: 8, run: () => this.load() },
    { name: 'free', weight: 2, run: () => this.free() },
    { name: 'rebalance', weight: 2, run: () => this.rebalance() },
    { name: 'read', weight: 5, run: () => this.read() },
    { name: 'quota', weight: 4, run: () => this.quota() },
    { name: 'ttl', weight: 2, run: () => this.ttl() },
    { name: 'priority', weight: 2, run: () => this.priority() },
    { name: 'index', weight: 4, run: () => this.index() },
    { name: 'kill', weight: 2, run: () => this.kill() },
    { name: 'membership', weight: 2, run: () => this.membership() },
  ];

  async step(): Promise<void> {
    const { name, run } = this.random.weighted(this.steps);
    this.done.push(`${name} …`);
    this.done[this.done.length - 1] = `${name} ${await run()}`;
    await this.untilQuotasHold();
  }

  /** Checks that all counts agree and that every cached byte equals the source's. */
  async check(): Promise<void> {
    const found = await expectAgreement(this.cluster, {
      files: this.files,
      ufsPathOf: (path) => this.ufsPathOf(path),
      added: this.added,
      removed: this.removed,
      capacityBytes: this.capacityBytes,
    });
    await this.expectTrueBytes(found);
  }

  private async expectTrueBytes({ workers }: Holdings): Promise<void> {
    const hashes = new Map(this.files.map(({ path, sha256 }) => [path, sha256]));
    for (const { worker, entries } of workers) {
      for (const path of entries.keys()) {
        const url = `http://${worker.address}/v1/objects?cachedOnly=true&path=${encodeURIComponent(path)}`;
        const answer = await fetch(url);
        const bytes = Buffer.from(await answer.arrayBuffer());
        if (answer.status === 404 && this.mayExpire(path)) continue;
        assert.equal(answer.status, 200, `${worker.process.name} answers ${answer.status} for ${path}`);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        assert.equal(sha256, hashes.get(path), `${worker.process.name} has other bytes of ${path}`);
      }
    }
  }

  // ---- jobs ----

  private async load(): Promise<string> {
    const path = this.directory();
    const replicas = this.random.pick([1, 1, 2]);
    const skipIfExists = this.random.chance(0.3);
    const before = await this.usage();
    const what = `${path}, ${replicas} replicas${skipIfExists ? ', skipIfExists' : ''}`;
    const job = await runJob(this.api(), 'load', { paths: [path], options: { replicas, skipIfExists } });
    const below = this.below(path);
    this.expectLoadCounts(job, below.length);
    await this.expectNoNewExcess(before);
    if (job.state === 'SUCCEEDED' && !below.some((one) => this.mayExpire(one.path))) {
      const { cached } = await holdings(this.cluster);
      const missing = pathsOf(below).filter((one) => !cached.has(one));
      assert.deepEqual(missing, [], `a load of ${what} succeeded, but not all is cached`);
    }
    return `${what}: ${inWords(job)}`;
  }

  private expectLoadCounts(job: EndedJob, files: number): void {
    const { scannedFiles, loadedFiles, skippedFiles, failedFiles, filteredFiles, inFlightFiles, totalBytes, ...rest } =
      job as unknown as LoadProgress;
    const text = JSON.stringify(job);
    assert.equal(loadedFiles + skippedFiles + failedFiles + filteredFiles + inFlightFiles, scannedFiles, text);
    assert.equal(rest.loadedBytes + rest.skippedBytes + rest.failedBytes, totalBytes, text);
    assert.equal(inFlightFiles, 0, text);
    if (job.state === 'SUCCEEDED') {
      assert.equal(scannedFiles, files, text);
      assert.equal(failedFiles, 0, text);
    } else {
      assert.equal(job.state, 'FAILED', text);
      const { message = '', failures = [] } = job.errorMessage;
      const reasons = [message, ...failures.map(({ reason }) => reason)].join('; ');
      assert.match(reasons, /quota of .* would be exceeded|no room/i, text);
    }
  }

  private async free(): Promise<string> {
    const path = this.random.chance(0.2) ? this.random.pick(this.files).path : this.directory();
    const recursive = this.random.chance(0.7);
    const before = await holdings(this.cluster);
    const job = await runJob(this.api(), 'free', { paths: [path], options: { recursive } });
    assert.equal(job.state, 'SUCCEEDED', JSON.stringify(job));
    const after = await holdings(this.cluster);
    const ufsPath = this.ufsPathOf(path);
    const isMeant = (one: string) => {
      if (one === ufsPath) return true;
      return one.startsWith(`${ufsPath}/`) && (recursive || !one.slice(ufsPath.length + 1).includes('/'));
    };
    const left = [...after.cached].filter(isMeant);
    assert.deepEqual(left, [], `free of ${path} left some`);
    const others = [...before.cached].filter((one) => !isMeant(one) && !this.mayExpire(one));
    assert.deepEqual(
      others.filter((one) => !after.cached.has(one)),
      [],
      `free of ${path} took others`,
    );
    const freed = [...before.cached].filter(isMeant);
    if (!freed.some((one) => this.mayExpire(one))) this.expectFreeCounts(job, before, freed);
    return `${path}${recursive ? '' : ', not recursive'}: ${inWords(job)}`;
  }

  /** Each copy counts once, as a file or as a replica. Each file counts once if no worker outside the ring holds a copy. */
  private expectFreeCounts(job: EndedJob, { nodes, workers }: Holdings, freed: readonly string[]): void {
    const ring = new HashRing(nodes.map(({ identity }) => identity));
    const holders = (path: string) => workers.filter(({ entries }) => entries.has(path));
    const copies = freed.reduce((sum, path) => sum + holders(path).length, 0);
    assert.equal(Number(job['freedFiles']) + Number(job['freedReplicas']), copies, JSON.stringify(job));
    const isInPlace = (path: string) => {
      const found = holders(path).map(({ worker, entries }) => ({ id: worker.id, ...entries.get(path)! }));
      const owners = ring.owners(path, found[0].replicas);
      const mayHold = found.every(({ id, replicas }) => owners.includes(id) && replicas === found[0].replicas);
      return mayHold && found.some(({ id }) => id === owners[0]);
    };
    if (freed.every(isInPlace)) assert.equal(job['freedFiles'], freed.length, JSON.stringify(job));
  }

  private async rebalance(): Promise<string> {
    const nodes = await this.cluster.api.nodes();
    // Decommissioned workers hold copies too. A rebalance moves them away.
    const before = await heldByAny(this.cluster, pathsOf(this.files));
    const target = this.random.chance(0.6) ? 'ALL' : this.random.pick(nodes).identity;
    const skipPrune = this.random.chance(0.2);
    const job = await runJob(this.api(), 'rebalance', { target, options: { skipPrune } });
    if (job.state !== 'SUCCEEDED') {
      // A target may be too small for the files that the ring assigns to it.
      assert.equal(job.state, 'FAILED', JSON.stringify(job));
      assert.match(JSON.stringify(job.errorMessage), /no room|quota/i);
    }
    const { cached } = await holdings(this.cluster);
    const news = [...cached].filter((path) => !before.has(path));
    assert.deepEqual(news, [], 'a rebalance added a file that no worker had');
    return `${target === 'ALL' ? 'ALL' : this.nameOf(target)}${skipPrune ? ', skipPrune' : ''}: ${inWords(job)}`;
  }

  // ---- readers ----

  private async read(): Promise<string> {
    const files = this.random.some(this.files, 8);
    const before = await this.usage();
    await Promise.all(
      files.map(async ({ path, sha256 }) => {
        const answer = await readThrough(this.random.pick(this.members()), path);
        assert.deepEqual(answer, { status: 200, sha256 }, `a reader of ${path}`);
      }),
    );
    await this.expectNoNewExcess(before);
    return `${files.length} files`;
  }

  // ---- policies ----

  private async quota(): Promise<string> {
    const set = await quotas(this.api());
    const path = set.length > 0 && this.random.chance(0.5) ? this.random.pick(set).path : this.directory();
    if (set.some((one) => one.path === path) && this.random.chance(0.5)) {
      await this.policy('DELETE', '/quota', { path });
      return `removed from ${path}`;
    }
    const quotaBytes = Math.floor(this.random.next() * 1.5 * this.below(path).reduce((sum, f) => sum + f.sizeBytes, 0));
    await this.policy('POST', '/quota', { path, quotaBytes });
    return `${path} ${quotaBytes}`;
  }

  private async ttl(): Promise<string> {
    const known = [...this.ttls.keys()];
    if (known.length > 0 && this.random.chance(0.5)) {
      const path = this.random.pick(known);
      await this.policy('DELETE', '/ttl', { path });
      this.ttls.delete(path);
      return `removed from ${path}`;
    }
    const path = this.directory();
    // Most of the tree must stay for the next steps.
    const mayBeBrief = this.below(path).length < this.files.length / 2;
    const ttlSeconds = mayBeBrief ? this.random.pick([briefTtlSeconds, longTtlSeconds]) : longTtlSeconds;
    await this.policy('POST', '/ttl', { path, ttlSeconds });
    this.ttls.set(path, ttlSeconds);
    return `${path} ${ttlSeconds} s`;
  }

  private async priority(): Promise<string> {
    const path = this.directory();
    const { results } = await call<{ results: { path: string }[] }>(this.api(), 'GET', '/priority');
    if (results.length > 0 && this.random.chance(0.3)) {
      const old = this.random.pick(results).path;
      await this.policy('DELETE', '/priority', { path: old });
      return `removed from ${old}`;
    }
    const priority = this.random.pick(['LOW', 'medium', 'High']);
    await this.policy('POST', '/priority', { path, priority });
    return `${path} ${priority}`;
  }

  /** Waits until both coordinators know the change: the next step may ask either one. */
  private async policy(method: 'POST' | 'DELETE', route: string, body: Body): Promise<void> {
    const answer = await this.api().request(method, route, { body });
    assert.equal(answer.status, 200, `${method} ${route} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    const headers = { 'x-larder-sequence': String(answer.headers['x-larder-sequence']) };
    for (const { api } of this.cluster.coordinators) await api.request('GET', route, { headers });
  }

  // ---- the file index ----

  private async index(): Promise<string> {
    const paths = pathsOf(this.random.some(this.files, 5));
    const adds = this.random.chance(0.5);
    const before = new Set(await fileIndex(this.api()));
    const answer = await call<{ entries: number }>(this.api(), adds ? 'POST' : 'DELETE', '/file_index', {
      files: paths,
    });
    const after = new Set(await fileIndex(this.api()));
    const [to, from] = adds ? [this.added, this.removed] : [this.removed, this.added];
    for (const path of paths) {
      to.add(path);
      from.delete(path);
    }
    const text = `${adds ? 'added' : 'removed'} ${answer.entries} of ${paths.length}`;
    if (paths.some((path) => this.mayExpire(path))) return text;
    assert.deepEqual(
      paths.filter((path) => after.has(path) !== adds),
      [],
      `the file index after ${text}`,
    );
    const changed = paths.filter((path) => before.has(path) !== adds);
    assert.equal(answer.entries, changed.length, `${text}; before and after: ${changed.join(', ')}`);
    return text;
  }

  // ---- crashes and membership ----

  private async kill(): Promise<string> {
    const worker = this.random.pick(this.members());
    await worker.process.restart();
    await this.cluster.untilListed(worker);
    return worker.process.name;
  }

  private async membership(): Promise<string> {
    const members = this.members();
    const gone = this.cluster.workers.find((worker) => !members.includes(worker));
    if (members.length === maxWorkers) {
      const leaver = this.random.pick(members);
      await call(this.api(), 'DELETE', `/nodes?id=${leaver.id}`);
      this.decommissioned.add(leaver.id);
      for (const { api, process } of this.cluster.coordinators) {
        const isGone = async () => (await api.nodes()).length === members.length - 1;
        await eventually(`${process.name} counts ${members.length - 1} workers`, isGone);
      }
      return `decommissioned ${leaver.process.name}`;
    }
    if (gone) {
      await gone.process.restart();
      this.decommissioned.delete(gone.id);
      await this.cluster.untilListed(gone);
      return `${gone.process.name} is back with what it had`;
    }
    return `added ${(await this.cluster.startWorker()).process.name}`;
  }

  private readonly decommissioned = new Set<string>();

  private members() {
    return this.cluster.workers.filter(({ id }) => !this.decommissioned.has(id));
  }

  private nameOf(id: string): string {
    return this.cluster.workers.find((worker) => worker.id === id)?.process.name ?? id;
  }

  // ---- quotas that hold ----

  /** Bytes cached below each current quota, by the quota's path. */
  private async usage(): Promise<Map<string, number>> {
    const found = await holdings(this.cluster);
    const set = await quotas(this.cluster.api);
    return new Map(set.map(({ path }) => [path, cachedBytesBelow(found, this.ufsPathOf(path))]));
  }

  /** Waits for the evictions that follow when a quota was lowered or a worker came back. */
  private async untilQuotasHold(): Promise<void> {
    await eventually('workers hold no more than quotas allow', async () => {
      const found = await holdings(this.cluster);
      const online = found.nodes.filter(({ status }) => status === 'ONLINE').map(({ identity }) => identity);
      const workers = found.workers.filter(({ worker }) => online.includes(worker.id));
      const held = (path: string) => cachedBytesBelow({ ...found, workers }, this.ufsPathOf(path));
      const set = await quotas(this.cluster.api);
      return set.every(({ path, quotaBytes }) => held(path) <= quotaBytes) || undefined;
    });
  }

  /** A quota may be exceeded after it was lowered or a worker came back, but never by added copies. */
  private async expectNoNewExcess(before: ReadonlyMap<string, number>): Promise<void> {
    const after = await this.usage();
    for (const { path, quotaBytes } of await quotas(this.cluster.api)) {
      const allowed = Math.max(quotaBytes, before.get(path)!);
      assert.ok(after.get(path)! <= allowed, `${after.get(path)} bytes below ${path}, allowed are ${allowed}`);
    }
  }

  // ---- paths ----

  private api(): ApiClient {
    return this.random.pick(this.cluster.coordinators).api;
  }

  /** Picks a directory of the tree, deeper ones more often. @returns its path in the namespace */
  private directory(): string {
    const { path } = this.random.pick(this.files);
    const names = path.slice(this.mount.ufs.length + 1).split('/');
    const depth = this.random.below(names.length + 1);
    return [this.mount.path, ...names.slice(0, Math.min(depth, names.length - 1))].join('/');
  }

  private ufsPathOf(path: string): string {
    return path.startsWith(this.mount.path) ? this.mount.ufs + path.slice(this.mount.path.length) : path;
  }

  private below(path: string): SourceFile[] {
    return this.files.filter((file) => file.path.startsWith(`${this.ufsPathOf(path)}/`));
  }

  private mayExpire(ufsPath: string): boolean {
    const above = [...this.ttls].filter(([path]) => ufsPath.startsWith(`${this.ufsPathOf(path)}/`));
    const [, ttlSeconds] = above.sort(([a], [b]) => b.length - a.length).at(0) ?? [];
    return ttlSeconds === briefTtlSeconds;
  }
}

function inWords({ state, errorMessage }: EndedJob): string {
  return state === 'SUCCEEDED' ? state : `${state} (${errorMessage.message})`;
}
