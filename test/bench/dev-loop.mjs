// How long an edit takes under `npm run dev`: from the moment when a source is saved until the running coordinator gives
// the new answer. Works on a copy of the sources in a temporary directory. Needs a build (`npm run build`).
//
//   node test/bench/dev-loop.mjs [--edits 10]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { copySources, freePorts } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { median } from './support/rounds.mjs';

await bench({
  title: 'from a saved edit to the new answer under `npm run dev`',
  options: { edits: 5 },
  async run({ edits }) {
    const dev = await startDev();
    try {
      const startMs = await dev.started();
      const took = [];
      for (let edit = 1; edit <= edits; edit++) took.push(await dev.edit(`edit ${edit}`));
      const rows = [
        ['start, with a build at hand', seconds(startMs), '', ''],
        ['an edit, from saved to answered', ...spreadOf(took.map(({ answeredMs }) => answeredMs))],
        ['of that the compiler', ...spreadOf(took.map(({ compiledMs }) => compiledMs))],
      ];
      return { columns: [`${edits} edits of the coordinator`, 'median', 'fastest', 'slowest'], rows };
    } finally {
      await dev.end();
    }
  },
});

/** A copy of the sources under `npm run dev`. */
async function startDev() {
  const tree = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-dev-loop-'));
  const source = path.join(tree, 'apps/coordinator/src/health.controller.ts');
  copySources(tree, { build: true });
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}/healthz`;
  const env = { ...process.env, LARDER_PORT: String(port), LARDER_DATA_DIR: path.join(tree, 'data') };
  const dev = spawn(process.execPath, ['scripts/dev.mjs'], { cwd: tree, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => dev.once('close', resolve));
  const startedAt = performance.now();
  let said = '';
  dev.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  const until = async (condition) => {
    while (!(await condition())) {
      if (dev.exitCode !== null) throw new Error(`npm run dev ended with code ${dev.exitCode}: ${said}`);
      await sleep(10);
    }
  };
  return {
    started: async () => {
      await until(() => said.includes('Ctrl-C stops everything'));
      return performance.now() - startedAt;
    },
    edit: async (next) => {
      said = '';
      const savedAt = performance.now();
      const text = fs.readFileSync(source, 'utf8');
      fs.writeFileSync(source, text.replace(/status: '[^']*'(?: as 'ok')?/, `status: '${next}' as 'ok'`));
      await until(async () => (await answerOf(url)) === next);
      const answeredMs = performance.now() - savedAt;
      const compiledMs = Number(/Compiled in ([\d.]+) s/.exec(said)?.[1]) * 1000;
      await until(() => said.includes('runs the new code'));
      return { answeredMs, compiledMs };
    },
    end: async () => {
      dev.kill('SIGTERM');
      await ended;
      fs.rmSync(tree, { recursive: true, force: true });
    },
  };
}

async function answerOf(url) {
  try {
    return (await (await fetch(url)).json()).status;
  } catch {
    // On its way up again.
    return undefined;
  }
}

function spreadOf(times) {
  return [median(times), Math.min(...times), Math.max(...times)].map(seconds);
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
