import { inspect } from 'node:util';
import path from 'node:path';
import fc from 'fast-check';
import { ConfigError, loadConfig, settings } from './index.js';

const key = Buffer.alloc(32, 7).toString('base64');

function problems(env: Record<string, string>, process?: 'coordinator' | 'worker'): readonly string[] {
  try {
    if (process) loadConfig(env, process);
    else loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('gives every default, with paths made absolute', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 19999,
      coordinators: 1,
      workers: 2,
      natsReplicas: 1,
      cacheBytes: 10 * 2 ** 30,
      bodyLimitBytes: 786_432,
      revealSecrets: false,
      logLevel: 'info',
    });
    expect(config.dataDir).toBe(path.resolve('.larder'));
    expect(config.cacheDir).toBe(path.resolve('.larder/worker'));
    expect(config.natsUrl).toBeUndefined();
  });

  it('is frozen', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes an empty variable as unset', () => {
    expect(loadConfig({ LARDER_PORT: '', LARDER_NATS_URL: '' })).toMatchObject({ port: 19999 });
  });

  it.each([
    ['1048576', 2 ** 20],
    ['2048KiB', 2 ** 21],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['2TiB', 2 * 2 ** 40],
  ])('reads %s as bytes', (text, expected) => {
    expect(loadConfig({ LARDER_CACHE_BYTES: text }).cacheBytes).toBe(expected);
  });

  it('reads the trusted balancers', () => {
    const given = '127.0.0.1, 10.0.0.0/8,::1,fd00::/8,';
    const config = loadConfig({ LARDER_TRUSTED_PROXIES: given });
    expect(config.trustedProxies).toEqual(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']);
    expect(loadConfig({}).trustedProxies).toBeUndefined();
  });

  it.each(['everybody', '10.0.0.0/33', '10.0.0', '1.2.3.4/8/8', '::1/129', '10.0.0.0/x', '*'])(
    'does not trust %s',
    (text) => {
      expect(problems({ LARDER_TRUSTED_PROXIES: text })[0]).toContain('expected IP addresses or CIDR ranges');
    },
  );

  it.each(['512KiB', '10GB', '-1', '1e9', '10 000 000'])('does not read %s as the bytes of a cache', (text) => {
    expect(problems({ LARDER_CACHE_BYTES: text })[0]).toContain(`LARDER_CACHE_BYTES is "${text}": expected bytes`);
  });

  it('reads a key ring in its order', () => {
    const { secretKeys } = loadConfig({ LARDER_SECRET_KEYS: `new:${key},old:${Buffer.alloc(32).toString('base64')}` });
    expect(secretKeys?.map(({ id }) => id)).toEqual(['new', 'old']);
    expect(secretKeys?.[0].key).toEqual(Buffer.alloc(32, 7));
  });

  it('names each wrong variable, its value and what was expected', () => {
    expect(problems({ LARDER_PORT: '70000', LARDER_NATS_REPLICAS: '2', LARDER_REVEAL_SECRETS: 'yes' })).toEqual([
      'LARDER_PORT is "70000": expected a port from 0 (any free one) to 65535.',
      'LARDER_NATS_REPLICAS is "2": expected one of 1, 3, 5.',
      'LARDER_REVEAL_SECRETS is "yes": expected true or false.',
    ]);
  });

  it.each([
    ['LARDER_SECRET_KEYS', 'k1:canary'],
    ['LARDER_SECRET_KEYS', `k1:${key},k1:${key}`],
    ['LARDER_NATS_URL', 'http://canary@host'],
  ])('fault 23: does not show the value of a wrong %s', (name, value) => {
    const [problem, ...others] = problems({ [name]: value });
    expect(problem).toContain(name);
    expect(problem).not.toContain('canary');
    expect(problem).not.toContain(key);
    expect(others).toEqual([]);
  });

  it('fault 23: prints no secret, neither as JSON nor in a log', () => {
    const config = loadConfig({ LARDER_SECRET_KEYS: `k1:${key}`, LARDER_NATS_URL: 'nats://canary@127.0.0.1:4222' });
    for (const printed of [JSON.stringify(config), JSON.stringify({ config }), inspect(config, { depth: 5 })]) {
      expect(printed).toContain('******');
      expect(printed).not.toMatch(/canary|BwcHBw/);
    }
  });

  it('reports a variable that is no setting, with the nearest setting', () => {
    expect(problems({ LARDER_PROT: '1' })).toEqual(['LARDER_PROT is not a setting: did you mean LARDER_PORT?']);
    expect(problems({ LARDER_NONSENSE: '1' })[0]).toContain('LARDER_NONSENSE is not a setting');
    expect(problems({ LARDER_SUPERVISED: '1', LARDER_TEST_SEED: '1', OTHER: '1' })).toEqual([]);
  });

  it('requires NATS and the key ring of a process that is started alone', () => {
    expect(problems({}, 'worker')).toEqual([
      expect.stringContaining('LARDER_NATS_URL is not set: a worker needs'),
      expect.stringContaining('LARDER_SECRET_KEYS is not set'),
    ]);
    const env = { LARDER_NATS_URL: 'nats://a:4222,nats://b:4222', LARDER_SECRET_KEYS: `k1:${key}` };
    expect(loadConfig(env, 'coordinator').natsUrl).toBe('nats://a:4222,nats://b:4222');
  });

  it('refuses settings that contradict each other', () => {
    expect(problems({ LARDER_HEARTBEAT_MS: '5000' })[0]).toContain('LARDER_WORKER_TIMEOUT_MS is 5000');
    expect(problems({ LARDER_RETRY_MAX_MS: '100' })[0]).toContain('LARDER_RETRY_MAX_MS is 100');
    expect(problems({ LARDER_PORT: '65535', LARDER_COORDINATORS: '2' })[0]).toContain('LARDER_PORT is 65535');
  });

  it('answers any environment with a configuration or a ConfigError, and nothing else', () => {
    const names = Object.values(settings).map(({ env }) => env as string);
    const environments = fc.dictionary(fc.constantFrom(...names), fc.string());
    fc.assert(fc.property(environments, (env) => void problems(env)));
  });
});
