// How long an edit takes under `npm run dev`: from the moment when a source is saved until the running coordinator gives
// the new answer. Works on a copy of the sources in a temporary directory. Needs a build (`npm run build`).
//
//   node test/bench/dev-loop.mjs [--edits 10]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { copySources, freePorts } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({ options: { edits: { type: 'string', default: '10' } } });
const edits = Number(values.edits);
const tree = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-dev-loop-'));
const source = path.join(tree, 'apps/coordinator/src/health.controller.ts');

copySources(tree, { build: true });
const [port] = await freePorts(1);
const url = `http://127.0.0.1:${port}/healthz`;
const env = { ...process.env, LARDER_PORT: String(port), LARDER_DATA_DIR: path.join(tree, 'data') };
const dev = spawn(process.execPath, ['scripts/dev.mjs'], { cwd: tree, env, stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => dev.once('close', resolve));
let said = '';
dev.stdout.setEncoding('utf8').on('data', (text) => (said += text));

try {
  const startedAt = performance.now();
  await until(() => said.includes('Ctrl-C stops everything'));
  console.log(`Start, with a build at hand: ${seconds(performance.now() - startedAt)}`);
  const took = [];
  const compiled = [];
  let answer = 'ok';
  for (let edit = 1; edit <= edits; edit++) {
    const next = `edit ${edit}`;
    said = '';
    const savedAt = performance.now();
    fs.writeFileSync(
      source,
      fs.readFileSync(source, 'utf8').replace(/status: '[^']*'(?: as 'ok')?/, `status: '${next}' as 'ok'`),
    );
    await until(async () => (await answerOf()) === next);
    took.push(performance.now() - savedAt);
    compiled.push(Number(/Compiled in ([\d.]+) s/.exec(said)?.[1]) * 1000);
    answer = next;
    await until(() => said.includes('runs the new code'));
  }
  console.log(`${edits} edits of ${path.relative(tree, source)}, from saved to answered: ${spread(took)}`);
  console.log(`Of that the compiler: ${spread(compiled)}`);
  console.log(
    `On ${os.cpus().length} cores with a load average of ${os.loadavg()[0].toFixed(1)}, Node ${process.versions.node}`,
  );
} finally {
  dev.kill('SIGTERM');
  await ended;
  fs.rmSync(tree, { recursive: true, force: true });
}

async function answerOf() {
  try {
    return (await (await fetch(url)).json()).status;
  } catch {
    // On its way up again.
    return undefined;
  }
}

async function until(condition) {
  while (!(await condition())) {
    if (dev.exitCode !== null) throw new Error(`npm run dev ended with code ${dev.exitCode}: ${said}`);
    await sleep(10);
  }
}

function spread(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return `median ${seconds(sorted[Math.floor(sorted.length / 2)])}, fastest ${seconds(sorted[0])}, slowest ${seconds(sorted.at(-1))}`;
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
