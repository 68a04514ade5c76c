// `npm run bench`: runs all benchmarks of test/bench, each in a process of its own, and puts their tables into
// docs/performance.md. `npm run bench -- NAME [options of the benchmark]` runs one of them. With `--no-docs` the tables are
// only printed, and `--list` names the benchmarks.
//
// The contract of a benchmark is in test/bench/support/bench.mjs. A benchmark that only prints its figures can run too: what
// it prints then takes the place of the table.
import './check-node.mjs';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { placeTable } from './bench-page.mjs';
import { ensureNatsServer, installedServers } from './nats-server.mjs';
import { ensureBuild, ensureDependencies, root } from './prepare.mjs';

const directory = path.join(root, 'test/bench');
const page = path.join(root, 'docs/performance.md');
/** In a run of all: a benchmark that hangs must not keep the others from running. */
const limitMs = 5 * 60_000;

const names = fs
  .readdirSync(directory)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => path.basename(file, '.mjs'))
  .sort();

const own = ['--list', '--no-docs'];
const args = process.argv.slice(2);
const flags = new Set(args.filter((one) => own.includes(one)));
const [wanted, ...options] = args.filter((one) => !own.includes(one));
if (flags.has('--list')) {
  console.log(names.join('\n'));
} else if (wanted !== undefined && !names.includes(wanted)) {
  console.error(`There is no benchmark ${wanted}: use one of ${names.join(', ')}.`);
  process.exitCode = 1;
} else {
  await ensureDependencies();
  await ensureBuild();
  await ensureNatsServer({ replicated: true });
  process.exitCode = (await runAll(wanted === undefined ? names : [wanted])) ? 0 : 1;
}

/** @returns whether all succeeded */
async function runAll(chosen) {
  const { markdownOf, resultVariable } = await import('../test/bench/support/bench.mjs');
  const took = [];
  for (const name of chosen) {
    const resultFile = path.join(os.tmpdir(), `larder-bench-${process.pid}-${name}.json`);
    const startedAt = performance.now();
    const { failure, output } = await runOne(name, { [resultVariable]: resultFile }, chosen.length > 1);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    took.push({ name, seconds, failure });
    if (failure === undefined) {
      const measured = fs.existsSync(resultFile) ? JSON.parse(fs.readFileSync(resultFile, 'utf8')) : undefined;
      const table = measured ? markdownOf(measured) : `\`\`\`text\n${output.trim()}\n\`\`\``;
      if (!flags.has('--no-docs')) write(name, `${circumstances(name)}\n\n${table}`, measured?.title);
    }
    fs.rmSync(resultFile, { force: true });
  }
  for (const { name, seconds, failure } of took) console.error(`${name.padEnd(18)} ${seconds} s  ${failure ?? 'done'}`);
  return took.every(({ failure }) => failure === undefined);
}

function runOne(name, env, isLimited) {
  const child = spawn(process.execPath, [path.join(directory, `${name}.mjs`), ...options], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    process.stdout.write(text);
  });
  let isLate = false;
  // SIGTERM first: nats-servers that a benchmark has started end when it exits.
  const late = () => {
    isLate = true;
    child.kill('SIGTERM');
  };
  const timer = isLimited ? setTimeout(late, limitMs) : undefined;
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ failure: error.message, output }));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const why = isLate ? `took longer than ${limitMs / 60_000} minutes` : `ended with ${code ?? signal}`;
      resolve({ failure: code === 0 && !isLate ? undefined : why, output });
    });
  });
}

function write(name, table, title) {
  fs.writeFileSync(page, placeTable(fs.readFileSync(page, 'utf8'), name, table, title));
}

/** When, where and how: a figure means little without them. */
function circumstances(name) {
  const [cpu] = os.cpus();
  const memory = `${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  const command = ['npm run bench --', name, ...options].join(' ');
  const [nats] = installedServers();
  return (
    `Measured ${new Date().toISOString().slice(0, 10)} with \`${command}\`: ${os.cpus().length} cores of ` +
    `${cpu.model.trim()}, ${memory}, Linux ${os.release()}, Node ${process.versions.node}, ` +
    `nats-server ${nats.version}; load average ${os.loadavg()[0].toFixed(1)} at the end.`
  ).replace('Linux', os.type());
}
