// What benchmarks of loads have in common: CPU time of processes, pages warmed before each run, turns.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ticksPerSecond = 100;

/** CPU seconds of a process and of its children that have ended. */
export function cpuOf(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/**
 * The first write of a page costs the kernel of a virtual machine up to ten times as much where the host has yet to find
 * the memory, and a balloon device takes free pages back within seconds. So each participant gets pages that were in use
 * right before it begins.
 */
export function warmPages(directory, bytes) {
  const file = path.join(directory, 'warm');
  const block = Buffer.alloc(1024 * 1024, 1);
  const fd = fs.openSync(file, 'w');
  for (let written = 0; written < bytes; written += block.length) fs.writeSync(fd, block);
  fs.closeSync(fd);
  fs.rmSync(file);
}

/** Seconds and CPU seconds of a shell script. */
export function runScript(script, args) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    // `times` prints the shell's own times and then those of what it ran.
    const child = spawn('bash', ['-c', `set -e; ${script}; times`, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0) return reject(new Error(`${script} exited with ${code}`));
      const times = [...text.matchAll(/(\d+)m([\d.]+)s/g)].map(([, min, sec]) => Number(min) * 60 + Number(sec));
      resolve({ seconds: (performance.now() - started) / 1000, cpu: times.reduce((sum, one) => sum + one, 0) });
    });
  });
}

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Runs all in turn, so that what else the machine does meets each of them. @returns results by name */
export async function inTurn(rounds, participants) {
  const names = Object.keys(participants);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length];
      results[name].push(await participants[name]());
    }
  }
  return results;
}

/** Rows of a Markdown table: Larder against each peer. @param results as of `inTurn`; the first is Larder's */
export function rows(label, amount, unit, results) {
  const [[, own], ...peers] = Object.entries(results);
  const rate = (all) => `${Math.round(amount / median(all.map(({ seconds }) => seconds)))} ${unit}`;
  const cpu = (all) => `${median(all.map((one) => one.cpu)).toFixed(1)} s`;
  return peers.map(([name, all]) => {
    const ratios = own.map(({ seconds }, i) => all[i].seconds / seconds);
    const each = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
    const cells = [label, name, `${median(ratios).toFixed(2)} (${each})`, rate(own), rate(all), cpu(own), cpu(all)];
    return `| ${cells.join(' | ')} |`;
  });
}
