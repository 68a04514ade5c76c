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
  it("prints commands that a shell takes as they were meant, whatever the directory's name", () => {
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
});
