// `npm test`: does its own set-up, then runs every check and every test, and ends with one line: "N passed, N failed".
// A check (format, lint, types ...) counts as one test.
//
//   npm test -- <pattern> ...      only test files whose path matches one of the regular expressions, in whichever projects
//                                  they are; no check of the sources, and no build where only unit tests match
//   npm run test:unit              only the project `unit`; also with patterns
import './check-node.mjs';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ensureNatsServer } from './nats-server.mjs';
import { runCheck, sourceChecks } from './checks.mjs';
import { build, ensureDependencies, root } from './prepare.mjs';

/** For each of the runs of jest. Far beyond what they take (less than 1, some 4 and 12 minutes on two cores): for one that hangs. */
const JEST_LIMIT_MS = 40 * 60_000;
/**
 * Files at a time on two cores. Integration tests wait for servers half of the time. Process tests hold takeovers and
 * retries to their time limits, which three clusters at once exceed.
 */
const workers = { unit: 2, integration: 3, processes: 2 };
/** Time for jest to end by itself once it has written its results. */
const JEST_EXIT_LIMIT_MS = 30_000;

const SLOWEST_SHOWN = 10;

// The check above refuses a Node that is too old to have it.
const { parseArgs } = await import('node:util');
const { values, positionals: patterns } = parseArgs({
  options: { project: { type: 'string' } },
  allowPositionals: true,
});
const jest = path.join(root, 'node_modules/jest/bin/jest.js');
const totals = { passed: 0, failed: 0, skipped: 0 };
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

try {
  if (await passes('dependencies', ensureDependencies)) {
    const projects = await selectedProjects();
    // The others run what was built, on the oldest and the newest supported nats-server.
    const onlyUnit = projects.every((project) => project === 'unit');
    const built = onlyUnit || (await passes('build', build));
    const served = await passes('nats-server', () => ensureNatsServer({ allSuites: !onlyUnit }));
    if (patterns.length === 0 && !values.project) {
      await Promise.all(sourceChecks.map(([name, check]) => passes(name, check)));
    }
    for (const project of projects) if (project === 'unit' || (built && served)) await runJest(project);
  }
} finally {
  removeScratch();
}
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
process.exitCode = totals.failed > 0 ? 1 : 0;
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);

/** Runs a check that counts as one test. */
async function passes(name, check) {
  const passed = await runCheck(name, check);
  totals[passed ? 'passed' : 'failed'] += 1;
  return passed;
}

/** The projects of jest.config.cjs that have a file to run. */
async function selectedProjects() {
  const projects = values.project ? [values.project] : ['unit', 'integration', 'processes'];
  if (patterns.length === 0) return projects;
  const counts = await Promise.all(projects.map(countFiles));
  const selected = projects.filter((_, i) => counts[i] > 0);
  if (selected.length > 0) console.log(projects.map((project, i) => `${project}: ${counts[i]} file(s)`).join(', '));
  else {
    console.error(`FAIL no test file matches ${patterns.join(' or ')}`);
    totals.failed += 1;
  }
  return selected;
}

async function countFiles(project) {
  const args = ['--selectProjects', project, '--listTests', '--json', '--passWithNoTests', ...patterns];
  const { stdout } = await promisify(execFile)(process.execPath, [jest, ...args], { cwd: root, maxBuffer: 2 ** 24 });
  return JSON.parse(stdout).length;
}

/** Runs one project of jest.config.cjs, adds up its results and says what took its time. */
async function runJest(project) {
  const startedAt = performance.now();
  const results = path.join(scratch, `${project}.json`);
  const args = ['--selectProjects', project, '--ci', '--passWithNoTests', '--json', `--outputFile=${results}`];
  const problem = await watchJest([...args, `--maxWorkers=${workers[project]}`, ...patterns], results);
  if (problem) {
    console.error(`FAIL jest ${project}: ${problem}`);
    totals.failed += 1;
  }
  if (!fs.existsSync(results)) return;
  const report = JSON.parse(fs.readFileSync(results, 'utf8'));
  totals.passed += report.numPassedTests;
  // A file that does not even load has no tests to count: it counts as one.
  totals.failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  totals.skipped += report.numPendingTests + report.numTodoTests;
  console.log(`${project}: ${report.numTotalTests} tests in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  for (const line of slowestOf(report.testResults)) console.log(`  ${line}`);
}

function slowestOf(files) {
  const seconds = files.map(({ name, startTime, endTime }) => [
    (endTime - startTime) / 1000,
    path.relative(root, name),
  ]);
  seconds.sort(([a], [b]) => b - a);
  return seconds.slice(0, SLOWEST_SHOWN).map(([took, name]) => `${took.toFixed(1).padStart(6)} s ${name}`);
}

/** Waits for jest to end by itself; answers what went wrong with the run as a whole, as opposed to its tests. */
function watchJest(args, results) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [jest, ...args], {
      cwd: root,
      env: testEnvironment(),
      // Results go to the file; what people read goes to stderr.
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
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
function testEnvironment() {
  const entries = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('LARDER_') || name.startsWith('LARDER_TEST_'),
  );
  return { ...Object.fromEntries(entries), TMPDIR: scratch, NODE_ENV: 'test' };
}

function removeScratch() {
  fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
