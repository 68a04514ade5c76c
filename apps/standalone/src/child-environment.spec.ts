import { loadConfig } from '#config';
import { coordinatorEnvironment, workerEnvironment } from './child-environment.js';
import { openDataDirectory } from './data-directory.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

const secretKeys = `k1:${Buffer.alloc(32).toString('base64')}`;
const keys = { secretKeys, signingKeys: secretKeys.replace('k1', 's1'), verifyKeys: secretKeys.replace('k1', 'v1') };
const natsUrls = {
  coordinator: 'nats://larder-coordinator:c@127.0.0.1:4222',
  worker: 'nats://larder-worker:w@127.0.0.1:4222',
};

describe('the environment of child processes', () => {
  const directory = temporaryDirectory();

  it('has the settings, except those that only standalone uses', () => {
    const given = { PATH: '/bin', LARDER_BATCH_SIZE: '7', LARDER_WORKERS: '3', LARDER_WORKER_ADVERTISE: 'a:1' };
    const env = coordinatorEnvironment({ given, natsUrls, ...keys, natsReplicas: 3 }, 20001);
    expect(env).toEqual({
      PATH: '/bin',
      LARDER_BATCH_SIZE: '7',
      LARDER_NATS_URL: natsUrls.coordinator,
      LARDER_SECRET_KEYS: secretKeys,
      LARDER_SIGNING_KEYS: keys.signingKeys,
      LARDER_PORT: '20001',
      LARDER_DRAIN_MS: '0',
      LARDER_NATS_REPLICAS: '3',
    });
    const patient = { given: { LARDER_DRAIN_MS: '500' }, natsUrls, ...keys, natsReplicas: 1 };
    expect(coordinatorEnvironment(patient, 20001)).toMatchObject({ LARDER_DRAIN_MS: '500' });
    const balanced = { given: { LARDER_BALANCER_PORT: '0' }, natsUrls, ...keys, natsReplicas: 1 };
    const trusting = coordinatorEnvironment(balanced, 20001);
    expect(trusting).toMatchObject({ LARDER_TRUSTED_PROXIES: '127.0.0.1,::1' });
    loadConfig(trusting, 'coordinator');
    expect(loadConfig(env, 'coordinator')).toMatchObject({ port: 20001, batchSize: 7 });
  });

  it('has a directory for each worker, and a free port unless ports were asked for', () => {
    const layout = openDataDirectory(directory.path);
    const worker = (given: Record<string, string>) =>
      workerEnvironment({ given, natsUrls, ...keys, natsReplicas: 3 }, loadConfig(given), layout, 2);
    expect(worker({})).toMatchObject({ LARDER_CACHE_DIR: `${directory.path}/worker-2`, LARDER_WORKER_PORT: '0' });
    expect(worker({})).toMatchObject({ LARDER_NATS_URL: natsUrls.worker, LARDER_VERIFY_KEYS: keys.verifyKeys });
    // A process with these keys could write anything to the log.
    expect(worker({ LARDER_SIGNING_KEYS: keys.signingKeys })).not.toHaveProperty('LARDER_SIGNING_KEYS');
    expect(worker({ LARDER_WORKER_PORT: '30000' })).toMatchObject({ LARDER_WORKER_PORT: '30001' });
    expect(worker({ LARDER_WORKER_PORT: '0' })).toMatchObject({ LARDER_WORKER_PORT: '0' });
  });
});
