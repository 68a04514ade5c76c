// What `npm start` and `npm test` need before they can begin: dependencies and a build, both made only when needed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { bundle, bundlesIntact } from './bundle.mjs';

export const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const buildInfo = path.join(dist, '.tsbuildinfo');
const buildStamp = path.join(dist, '.sources');

/**
 * Runs a command with this process's output.
 * @param {{ env?: Record<string, string>, quiet?: boolean }} options `quiet`: show the output only on failure
 * @returns {Promise<boolean>} whether it exited with 0
 */
export function run(command, args, { env = {}, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (quiet && code !== 0) process.stderr.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

/** Runs a tool of node_modules with this Node, whatever the PATH holds. */
export function runTool(script, args, options) {
  return run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);
}

/** `npm ci`, unless node_modules holds what package-lock.json asks for. */
export async function ensureDependencies() {
  if (dependenciesInstalled()) return;
  console.log('Installing dependencies (npm ci) ...');
  // Under `npm start` this is the very npm that runs us; dev dependencies are needed for the build, whatever NODE_ENV.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = npm?.endsWith('.js') ? await run(process.execPath, [npm, ...args]) : await run('npm', args);
  if (!done) throw new Error('npm ci failed: see its message above.');
}

/**
 * Compares the lock with the one that npm leaves in node_modules when an installation is complete. Optional packages
 * are installed only where they fit, so they may be missing but not differ.
 */
function dependenciesInstalled() {
  const installedLock = path.join('node_modules', '.package-lock.json');
  if (!fs.existsSync(path.join(root, installedLock))) return false;
  const installed = readJson(installedLock).packages;
  const { '': _project, ...locked } = readJson('package-lock.json').packages;
  const same = Object.entries(locked).every(([name, { version, optional }]) =>
    installed[name] ? installed[name].version === version : optional === true,
  );
  return same && Object.keys(installed).every((name) => name in locked);
}

/** `npm run build`, unless dist was built from these very sources. */
export async function ensureBuild() {
  const sources = hashOfSources();
  const built = fs.existsSync(buildStamp) && fs.readFileSync(buildStamp, 'utf8') === sources;
  if (built && outputsIntact() && bundlesIntact()) return;
  console.log('Building ...');
  if (!(await build())) throw new Error('The build failed: see the messages above.');
}

/**
 * One compiler run for all apps and libraries, incremental; what no longer has a source is removed from dist. Then the
 * bundles are made of what was compiled.
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function build() {
  distrustOldBuild();
  const sources = hashOfSources();
  const succeeded = await runTool('typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
  removeOrphans();
  if (!succeeded || !(await bundle())) return false;
  fs.writeFileSync(buildStamp, sources);
  return true;
}

/** Before dist is written: it is no build of known sources any more, and the compiler's notes go if they do not hold. */
export function distrustOldBuild() {
  fs.rmSync(buildStamp, { force: true });
  // The compiler trusts its notes: with them it would not write again what others deleted from dist, or wrote there.
  if (!outputsIntact()) fs.rmSync(buildInfo, { force: true });
}

/** TypeScript sources that are compiled, relative to the root: those of tsconfig.build.json. */
function sourceFiles() {
  return ['apps', 'libs'].flatMap((top) => {
    const names = fs.readdirSync(path.join(root, top), { recursive: true });
    const compiled = (name) => /(?<!\.spec|\.d)\.ts$/.test(name) && !name.split(path.sep).includes('spec-support');
    return names.filter(compiled).map((name) => path.join(top, name));
  });
}

function hashOfSources() {
  // The compiler's output is the same whatever Node runs it.
  const hash = createHash('sha256');
  const bundling = ['scripts/bundle.mjs', 'scripts/bundles.json'];
  const configuration = ['package-lock.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json', ...bundling];
  for (const file of [...configuration, ...sourceFiles().sort()]) {
    hash.update(`\0${file}\0`).update(fs.readFileSync(path.join(root, file)));
  }
  return hash.digest('hex');
}

const outputOf = (source) => path.join(dist, source.replace(/\.ts$/, '.js'));

/** Whether dist holds all that the compiler noted down last, and nothing that was compiled by other means since (`nest build`). */
function outputsIntact() {
  const modifiedAt = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
  const notedAt = fs.existsSync(buildInfo) ? modifiedAt(buildInfo) : 0;
  return sourceFiles().every((source) => modifiedAt(outputOf(source)) <= notedAt);
}

/** Removes from dist what has no source any more. */
export function removeOrphans() {
  const expected = new Set(sourceFiles().map(outputOf));
  for (const top of ['apps', 'libs']) {
    const directory = path.join(dist, top);
    if (!fs.existsSync(directory)) continue;
    for (const name of fs.readdirSync(directory, { recursive: true })) {
      const output = path.join(directory, name).replace(/(\.js\.map|\.d\.ts)$/, '.js');
      if (output.endsWith('.js') && !expected.has(output)) fs.rmSync(path.join(directory, name));
    }
  }
}

function readJson(file) {
  return JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
}
