import { execFileSync } from 'node:child_process';
import { welcome } from './welcome.js';

const nothingElse = {
  balancer: undefined,
  coordinators: ['http://127.0.0.1:19999'],
  workers: [],
  natsServers: [],
  dataDir: '/d',
};

describe('welcome', () => {
  it('prints commands that work in a shell, with any name of the directory', () => {
    const sampleDir = "/srv/it's $HOME/docs";
    const text = welcome({ ...nothingElse, sampleDir });
    const [mount] = text.split('\n').filter((line) => line.startsWith('  curl'));
    const words = execFileSync('sh', ['-c', `curl() { for w; do echo "$w"; done; }; ${mount}`], { encoding: 'utf8' });
    expect(words.trim().split('\n')).toEqual([
      '-X',
      'POST',
      'http://127.0.0.1:19999/api/v1/mount',
      '-H',
      'Content-Type: application/json',
      '-d',
      JSON.stringify({ path: '/sample', ufs: `file://${sampleDir}` }),
    ]);
  });

  it('names the balancer first, and shows how to stop one nats-server and most of them', () => {
    const text = welcome({
      ...nothingElse,
      balancer: 'http://127.0.0.1:1',
      natsServers: [11, 12, 13].map((pid) => ({ pid, port: 4000 + pid })),
      sampleDir: '/docs',
    });
    const lines = text.split('\n');
    expect(lines[0]).toBe('Larder is up: http://127.0.0.1:1/api/v1, a balancer before the coordinators');
    expect(lines[1]).toBe('Coordinators: http://127.0.0.1:19999/api/v1');
    expect(text).toContain('process 11 on port 4011, process 12 on port 4012, process 13 on port 4013');
    expect(lines).toContain('  kill -9 11');
    expect(text).toMatch(/kill -STOP 11 12; .* http:\/\/127\.0\.0\.1:1\/api\/v1\/load; kill -CONT 11 12$/m);
    expect(lines.some((line) => line.startsWith('  curl -X POST http://127.0.0.1:1/api/v1/mount'))).toBe(true);
  });
});
