import { statfsSync } from 'node:fs';
import { type TestCluster } from '#testing';

/**
 * Puts the cluster's first worker, as a new one, on a separate file system that can really run full. The file system is
 * mounted in a mount namespace of the process and ends with it. This needs root or an unprivileged user namespace. Without
 * either, a test must fail: to skip it would hide a gap.
 */
export async function onSmallDisk(cluster: TestCluster, sizeBytes: number): Promise<void> {
  const [worker] = cluster.workers;
  await worker.process.kill9();
  await cluster.api.request('DELETE', `/nodes?id=${worker.id}`);
  const unshare = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
  const script = `mount -t tmpfs -o size=${sizeBytes} tmpfs "$0" && exec "$@"`;
  worker.process.wrapper = [...unshare, 'sh', '-c', script, worker.cacheDir];
  await worker.process.start();
  await cluster.untilOnline(1);
}

/** The first worker's cache directory, as seen from outside its mount namespace. */
export function cacheDirOf(cluster: TestCluster): string {
  const { process, cacheDir } = cluster.workers[0];
  return `/proc/${process.pid}/root${cacheDir}`;
}

/** Free bytes of the file system of the first worker's cache. */
export function freeBytesOf(cluster: TestCluster): number {
  const { bavail, bsize } = statfsSync(cacheDirOf(cluster));
  return bavail * bsize;
}
