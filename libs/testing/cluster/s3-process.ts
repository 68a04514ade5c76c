import { join } from 'node:path';
import { projectRoot } from '../nats/index.js';
import { ManagedProcess } from './managed-process.js';

/** The S3 test endpoint as a process of its own, so that serving a load takes no time from the test's process. */
export interface S3Process {
  readonly endpoint: string;
  readonly process: ManagedProcess;
  /** The options for mounting one of its buckets. */
  readonly mountOptions: Record<string, string>;
}

export const s3TestCredentials = { accessKeyId: 'larder-test', secretAccessKey: 'larder-test-secret' };

/** The options of a mount of a bucket of an S3 test endpoint. */
export function s3MountOptions(endpoint: string, credentials = s3TestCredentials): Record<string, string> {
  return {
    's3a.accessKeyId': credentials.accessKeyId,
    's3a.secretKey': credentials.secretAccessKey,
    'alluxio.underfs.s3.endpoint': endpoint,
    'alluxio.underfs.s3.region': 'us-east-1',
    'alluxio.underfs.s3.disable.dns.buckets': 'true',
  };
}

/** @param directories to serve as buckets, by bucket name */
export async function startS3Process(directories: Record<string, string>, logDirectory: string): Promise<S3Process> {
  const listening = /^listening (http:\S+)$/m;
  const process = new ManagedProcess({
    name: 's3',
    script: join(projectRoot(), 'dist/libs/testing/s3/main.js'),
    args: Object.entries(directories).map(([bucket, directory]) => `--directory=${bucket}=${directory}`),
    env: { S3_ACCESS_KEY_ID: s3TestCredentials.accessKeyId, S3_SECRET_ACCESS_KEY: s3TestCredentials.secretAccessKey },
    logFile: join(logDirectory, 's3.log'),
    isReady: (self) => listening.test(self.log()),
  });
  await process.start();
  const endpoint = listening.exec(process.log())![1];
  return { endpoint, process, mountOptions: s3MountOptions(endpoint) };
}
