// Runs of jest for `npm test`: several at once if need be, each with its results in a file.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from './prepare.mjs';

/** For each run of jest. Far beyond what one takes (some 7 minutes on two cores): for one that hangs. */
const JEST_LIMIT_MS = 40 * 60_000;
/** Time for jest to end by itself once it has written its results. */
const JEST_EXIT_LIMIT_MS = 30_000;

const jest = path.join(root, 'node_modules/jest/bin/jest.js');
const longestFirst = path.join(root, 'scripts/longest-first.mjs');

/** Everything temporary that tests make goes here, and goes away at the end. */
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-test-'));
// As open as /tmp: tests of permissions act as another user.
fs.chmodSync(scratch, 0o1777);
/** Jest runs under way, each the leader of its own process group. */
const running = new Set();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const { pid } of running) process.kill(-pid, 'SIGKILL');
    removeScratch();
    process.exit(130);
  });
}

export function removeScratch() {
  fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/**
 * The test files of a project of jest.config.cjs, relative to the root.
 * @param {string[]} patterns only those whose path matches one of these regular expressions; none: all
 */
export async function listTests(project, patterns) {
  const args = ['--selectProjects', project, '--listTests', '--json', '--passWithNoTests', ...patterns];
  const { stdout } = await promisify(execFile)(process.execPath, [jest, ...args], { cwd: root, maxBuffer: 2 ** 24 });
  return JSON.parse(stdout).map((file) => path.relative(root, file));
}

/**
 * Runs test files of a project, those that take longest first.
 * @param {{ name: string, project: string, files: string[], workers: number, firstSlot: number }} options
 *   `name`: of this run, among those of this `npm test`. `firstSlot`: the ports of its tests are those of so many workers
 *   further on, so that it can run beside another one
 * @returns {Promise<{ report?: object, problem?: string }>} `report`: jest's own; undefined when it did not come so far.
 *   `problem`: what went wrong with the run as a whole, as opposed to its tests
 */
export async function runJest({ name, project, files, workers, firstSlot }) {
  const results = path.join(scratch, `${name}.json`);
  const args = ['--selectProjects', project, '--ci', '--json', `--outputFile=${results}`, `--maxWorkers=${workers}`];
  const child = spawn(
    process.execPath,
    [jest, ...args, `--testSequencer=${longestFirst}`, '--runTestsByPath', ...files],
    {
      cwd: root,
      env: testEnvironment(firstSlot),
      // Results go to the file; what people read goes to stderr.
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    },
  );
  const problem = await untilEnded(child, results);
  return { problem, report: fs.existsSync(results) ? JSON.parse(fs.readFileSync(results, 'utf8')) : undefined };
}

/** Waits for jest to end by itself, and ends it when it does not. */
function untilEnded(child, results) {
  return new Promise((resolve) => {
    running.add(child);
    let problem;
    const stop = (reason) => {
      problem = reason;
      process.kill(-child.pid, 'SIGKILL');
    };
    const limit = setTimeout(() => stop(`took longer than ${JEST_LIMIT_MS / 60_000} minutes`), JEST_LIMIT_MS);
    let exitLimit;
    const poll = setInterval(() => {
      if (exitLimit || !fs.existsSync(results)) return;
      exitLimit = setTimeout(() => stop('did not end by itself: a test left something open'), JEST_EXIT_LIMIT_MS);
    }, 500);
    child.once('close', (code) => {
      running.delete(child);
      clearTimeout(limit);
      clearTimeout(exitLimit);
      clearInterval(poll);
      const ran = fs.existsSync(results);
      resolve(problem ?? (ran || code === 0 ? undefined : `ended with ${code} before it had run the tests`));
    });
  });
}

/** The caller's own settings must not change what the tests see. */
function testEnvironment(firstSlot) {
  const entries = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('LARDER_') || name.startsWith('LARDER_TEST_'),
  );
  const own = { LARDER_TEST_FIRST_SLOT: String(firstSlot), TMPDIR: scratch, NODE_ENV: 'test' };
  return { ...Object.fromEntries(entries), ...own };
}
