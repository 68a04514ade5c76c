import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  clusterSuite,
  content,
  eventually,
  expectCacheEqualsSource,
  keys,
  sha256,
  type SourceFile,
  type TestCluster,
} from '#testing';
import { expectCountsToAddUp } from '../../cluster/support/counts.js';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

clusterSuite('hostile input', { testTimeoutMs: 60_000 }, ({ cluster, s3, test }) => {
  test('fault 17, fault 20: fails each key with a path traversal, and loads all keys that look alike', async () => {
    const good = [
      '🎈',
      '\u00e9',
      'e\u0301',
      'a%2Fb',
      'a/b',
      'a+b',
      'a b',
      'a%20b',
      'd',
      'd/',
      'd//',
      'n'.repeat(300),
      '%00',
    ];
    const bad = ['../up', 'a/../../up', './here', 'nul\u0000', 'a/./b'];
    const files = await s3.bucket(cluster, 'names', []);
    for (const key of good) files.push(await s3.put('names', key, content(key, 500)));
    for (const key of bad) await s3.put('names', key, content(key, 500));
    const before = filesBesideCaches(cluster);
    const id = await cluster.api.load({ paths: ['/names'] });
    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'FAILED', loadedFiles: good.length, failedFiles: bad.length });
    expectCountsToAddUp(done, { files: good.length + bad.length });
    const failures = await cluster.api.failedFiles(id);
    expect(failures).toHaveLength(bad.length);
    for (const { reason } of failures) expect(reason.length).toBeGreaterThan(10);
    await expectCacheEqualsSource(cluster, files);
    expect(filesBesideCaches(cluster)).toEqual(before);
  });

  test('fault 17: does not follow links that lead out of a mount', async () => {
    const root = join(cluster.directory, 'linked');
    mkdirSync(join(root, 'inside'), { recursive: true });
    mkdirSync(join(cluster.directory, 'outside'));
    const secret = join(cluster.directory, 'outside', 'secret');
    writeFileSync(secret, 'this is not mounted');
    writeFileSync(join(root, 'inside', 'file'), 'this is mounted');
    symlinkSync(secret, join(root, 'to-file'));
    symlinkSync(join(cluster.directory, 'outside'), join(root, 'to-directory'));
    symlinkSync('../../outside/secret', join(root, 'inside', 'relative'));
    await cluster.api.mount('/linked', `file://${root}/`);
    const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/linked'] }));
    expect(done).toMatchObject({ state: 'FAILED', loadedFiles: 1 });
    expectCountsToAddUp(done, { files: done.scannedFiles });
    const bytes = Buffer.from('this is mounted');
    const file: SourceFile = {
      path: `file://${root}/inside/file`,
      sizeBytes: bytes.length,
      sha256: sha256(bytes),
    };
    await expectCacheEqualsSource(cluster, [file], { others: 'any' });
    for (const path of [`file://${root}/to-file`, `file://${root}/to-directory/secret`, `file://${secret}`]) {
      expect(await cluster.readObject(path).catch(() => undefined)).toBeUndefined();
    }
  });

  test('fault 18: filters thousands of crafted names in linear time with a pattern that stalls backtracking engines', async () => {
    // Each name takes a backtracking engine 2^60 steps. One name would keep the coordinator busy without end.
    const names = keys(3000).map((key) => `${'a'.repeat(60)}${key.replace('/', '-')}!`);
    await s3.bucket(cluster, 'regex', names, 10);
    for (const pattern of ['(a+)+$', '(a|aa)+$', '(.*a){20}$', '([a-zA-Z]+)*$']) {
      const id = await cluster.api.load({ paths: ['/regex'], options: { fileFilterRegex: pattern } });
      const done = await cluster.api.waitForJob(id, { timeoutMs: 30_000 });
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 3000, filteredFiles: 3000, loadedFiles: 0 });
    }
    // The engine refuses patterns that it cannot match in linear time.
    for (const pattern of ['(a)\\1', '(?=a)b', '(?<=a)b', '('.repeat(2000)]) {
      const refused = await cluster.api.postLoad({ paths: ['/regex'], options: { fileFilterRegex: pattern } });
      expect({ pattern, status: refused.status }).toEqual({ pattern, status: 400 });
    }
  });

  test('fault 19: refuses a body of 1 GB, before its first byte if its length is announced, with constant memory', async () => {
    const pid = cluster.coordinators[0].process.pid!;
    await send('Transfer-Encoding: chunked', 2 * MiB);
    const before = residentBytes(pid);
    let largest = before;
    for (const path of ['/api/v1/load', '/api/v1/mount', '/api/v1/free']) {
      const announced = await send(`Content-Length: ${GiB}`, 0, path);
      expect({ path, status: announced.status }).toEqual({ path, status: 413 });
      const { status, sentBytes } = await send('Transfer-Encoding: chunked', GiB, path);
      // A client that keeps sending may see the connection reset before it has read the answer.
      expect([413, undefined]).toContain(status);
      expect(sentBytes).toBeLessThan(64 * MiB);
      largest = Math.max(largest, residentBytes(pid));
    }
    expect(largest - before).toBeLessThan(48 * MiB);
    expect((await cluster.api.request('GET', '/mount')).status).toBe(200);
  });

  /** Sends this much of a body unless the server ends the connection before. @returns the status, if there was one */
  async function send(length: string, bodyBytes: number, path = '/api/v1/load') {
    const socket = connect(Number(new URL(cluster.api.baseUrl).port), '127.0.0.1');
    let answer = '';
    let ended = false;
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
    socket.on('error', () => undefined); // The server may reset the connection after its answer.
    socket.on('close', () => (ended = true));
    await once(socket, 'connect');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`);
    const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);
    let sentBytes = 0;
    for (; !ended && answer === '' && sentBytes < bodyBytes; sentBytes += 0x10000) {
      if (socket.write(chunk)) await new Promise((next) => setImmediate(next));
      else await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    }
    await eventually('the server answers or ends the connection', () => answer.includes('\r\n\r\n') || ended);
    socket.destroy();
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
    return { status: status === undefined ? undefined : Number(status), sentBytes };
  }
});

/** The files in the cluster's directory, without those of caches and the logs. */
function filesBesideCaches(cluster: TestCluster): string[] {
  return readdirSync(cluster.directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(worker-\d+|logs)\//.test(name))
    .sort();
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}
