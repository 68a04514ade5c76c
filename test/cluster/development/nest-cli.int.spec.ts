import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copySources, eventually, projectRoot } from '#testing';

interface Project {
  readonly type: 'application' | 'library';
  readonly root: string;
  readonly sourceRoot: string;
  readonly entryFile: string;
  readonly compilerOptions: { readonly tsConfigPath: string };
}

const { projects } = JSON.parse(readFileSync(join(projectRoot(), 'nest-cli.json'), 'utf8')) as {
  projects: Record<string, Project>;
};
const limitMs = 240_000;

describe('nest-cli.json', () => {
  it.each(Object.entries(projects))(
    'names existing files of %s',
    (_, { type, root, sourceRoot, entryFile, compilerOptions }) => {
      for (const file of [root, sourceRoot, compilerOptions.tsConfigPath]) {
        expect([file, existsSync(join(projectRoot(), file))]).toEqual([file, true]);
      }
      // libs/ is many libraries, each with its own index. There is no index over all of them.
      if (type === 'application') expect(existsSync(join(projectRoot(), sourceRoot, `${entryFile}.ts`))).toBe(true);
    },
  );
});

describe('nest, in a tree that was never built', () => {
  let tree: string;
  const nest = (...args: string[]) => start('node_modules/@nestjs/cli/bin/nest.js', ...args);
  const running: ChildProcess[] = [];

  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'larder-nest-'));
    copySources(tree, { build: false });
  });
  afterAll(async () => {
    await Promise.all(running.map(end));
    rmSync(tree, { recursive: true, force: true });
  });

  /** Runs a script of the tree with Node and no settings, and collects its output. */
  function start(script: string, ...args: string[]) {
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, [script, ...args], { cwd: tree, env: { PATH, HOME } });
    running.push(child);
    const run = { child, said: '', code: new Promise<number | null>((resolve) => child.once('close', resolve)) };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (run.said += text));
    }
    return run;
  }

  it(
    'build coordinator produces a main file that runs, with the libraries that it needs',
    async () => {
      const build = nest('build', 'coordinator');
      expect([await build.code, build.said]).toEqual([0, '']);
      const coordinator = start('dist/apps/coordinator/src/main.js');
      expect(await coordinator.code).toBe(78);
      // The process reads its settings after it has loaded all modules.
      expect(coordinator.said).toMatch(/^coordinator: LARDER_\w+ is not set/);
    },
    limitMs,
  );

  it(
    'start worker --watch compiles and runs the worker, and runs it again after an edit',
    async () => {
      const worker = nest('start', 'worker', '--watch');
      const runs = (text: string) => worker.said.split(text).length - 1;
      await eventually('the worker names the missing settings', () => runs('worker: LARDER_') === 1, {
        timeoutMs: limitMs / 2,
      });
      appendFileSync(join(tree, 'apps/worker/src/main.ts'), `console.log('edited');\n`);
      await eventually('the new worker runs', () => runs('edited') === 1, { timeoutMs: limitMs / 2 });
    },
    limitMs,
  );
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}
