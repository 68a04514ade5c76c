// `npm test`: does its own set-up, then runs every check and every test, and ends with one line: "N passed, N failed".
// A check (format, lint, types ...) counts as one test.
//
//   npm test -- <pattern> ...      only test files whose path matches one of the regular expressions, in whichever projects
//                                  they are; no check of the sources, and no build where only unit tests match
//   npm run test:unit              only the project `unit`; also with patterns
import './check-node.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { ensureNatsServer } from './nats-server.mjs';
import { runCheck, sourceChecks } from './checks.mjs';
import { build, ensureDependencies, root } from './prepare.mjs';
import { listTests, removeScratch, runJest } from './run-jest.mjs';

/**
 * Files at a time on two cores. `unit` and `integration` run one after the other, beside `processes`. Together these use
 * two cores almost fully: with more at a time each only takes longer. Files of `processes` that hold takeovers to limits
 * (`timed` in test-plan.json) run at the end, when nothing else does. With three of their clusters at once, a coordinator
 * can be silent for so long that another takes its jobs.
 */
const workers = { unit: 2, integration: 2, processes: 3, timed: 2 };
const SLOWEST_SHOWN = 10;

// The check above refuses a Node that is too old to have it.
const { parseArgs } = await import('node:util');
const { values, positionals: patterns } = parseArgs({
  options: { project: { type: 'string' } },
  allowPositionals: true,
});
const totals = { passed: 0, failed: 0, skipped: 0 };

try {
  if (await passes('dependencies', ensureDependencies)) {
    const files = await selectedFiles();
    // Unit tests alone run without a build. The others run what was built, on the oldest and the newest supported
    // nats-server.
    const onlyUnit = files.integration.length + files.processes.length === 0;
    const built = onlyUnit || (await passes('build', build));
    const served = await passes('nats-server', () => ensureNatsServer({ allSuites: !onlyUnit }));
    const { timed } = JSON.parse(fs.readFileSync(path.join(root, 'scripts/test-plan.json'), 'utf8'));
    const isTimed = (file) => timed.includes(file);

    async function withoutClusters() {
      // One after another: each takes a core for itself.
      const checks = patterns.length === 0 && !values.project ? sourceChecks : [];
      for (const [name, check] of checks) await passes(name, check);
      await runTests('unit', files.unit);
      if (built && served) await runTests('integration', files.integration);
    }
    async function withClusters(name, chosen) {
      if (built && served) await runTests('processes', chosen, { name, workers: workers[name], firstSlot: 2 });
    }
    await Promise.all([
      withoutClusters(),
      withClusters(
        'processes',
        files.processes.filter((file) => !isTimed(file)),
      ),
    ]);
    await withClusters('timed', files.processes.filter(isTimed));
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

/** The files to run, by project of jest.config.cjs. */
async function selectedFiles() {
  const files = { unit: [], integration: [], processes: [] };
  const projects = values.project ? [values.project] : Object.keys(files);
  await Promise.all(projects.map(async (project) => (files[project] = await listTests(project, patterns))));
  if (projects.every((project) => files[project].length === 0)) {
    console.error(`FAIL no test file matches ${patterns.join(' or ')}`);
    totals.failed += 1;
  } else if (patterns.length > 0) {
    console.log(projects.map((project) => `${project}: ${files[project].length} file(s)`).join(', '));
  }
  return files;
}

/** Runs files of one project of jest.config.cjs, adds up the results and says what took the time. */
async function runTests(project, files, { name = project, workers: atOnce = workers[project], firstSlot = 0 } = {}) {
  if (files.length === 0) return;
  const startedAt = performance.now();
  const { report, problem } = await runJest({ name, project, files, workers: atOnce, firstSlot });
  if (problem) {
    console.error(`FAIL jest ${name}: ${problem}`);
    totals.failed += 1;
  }
  if (report === undefined) return;
  totals.passed += report.numPassedTests;
  // A file that does not even load has no tests to count: it counts as one.
  totals.failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  totals.skipped += report.numPendingTests + report.numTodoTests;
  console.log(`${name}: ${report.numTotalTests} tests in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
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
