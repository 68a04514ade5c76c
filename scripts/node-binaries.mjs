// Makes other releases of Node available to the tests without touching the system: npm's packages named after a platform,
// of which the package `node` consists, hold nothing but the binary. It is unpacked under .cache/node/<version>/.
//
// `node scripts/node-binaries.mjs 22` prints the path of the newest available Node 22, after fetching one if there
// is none; where there is no way to get one, it says so on standard error and ends with 1.
import './check-node.mjs';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const cacheDir = path.join(root, '.cache', 'node');
const FETCH_TIMEOUT_MS = 180_000;

/**
 * @param {number} major of the release
 * @returns {Promise<string>} path of the binary
 * @throws {Error} with one sentence if it is not available
 */
export async function ensureNode(major) {
  return cached(major) ?? (await fetchNode(major));
}

/** The newest one of this major release in the cache. */
function cached(major) {
  if (!fs.existsSync(cacheDir)) return undefined;
  const versions = fs.readdirSync(cacheDir).filter((name) => name.startsWith(`${major}.`));
  const [newest] = versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return newest === undefined ? undefined : path.join(cacheDir, newest, 'node');
}

async function fetchNode(major) {
  fs.mkdirSync(cacheDir, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(cacheDir, '.fetch-'));
  try {
    const name = `node-${process.platform}-${process.arch}@${major}`;
    // Under `npm test` this is the very npm that runs us.
    const npm = process.env.npm_execpath;
    const pack = ['pack', name, '--silent', '--pack-destination', scratch];
    await (npm?.endsWith('.js') ? run(process.execPath, [npm, ...pack], scratch) : run('npm', pack, scratch));
    const archive = fs.readdirSync(scratch).find((file) => file.endsWith('.tgz'));
    if (archive === undefined) throw new Error(`npm has no package ${name}`);
    await run('tar', ['-xzf', archive, 'package/bin/node'], scratch);
    const unpacked = path.join(scratch, 'package', 'bin', 'node');
    const version = (await run(unpacked, ['--version'], scratch)).trim().replace(/^v/, '');
    const target = path.join(cacheDir, version);
    fs.mkdirSync(target, { recursive: true });
    // A rename within one file system is atomic: other processes see a whole binary or none.
    fs.renameSync(unpacked, path.join(target, 'node'));
    return path.join(target, 'node');
  } catch (error) {
    throw new Error(`Node ${major} cannot be fetched: ${String(error.message).split('\n')[0]}`, { cause: error });
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, timeout: FETCH_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      reject(new Error(error.killed ? `${command} took too long` : stderr.trim().split('\n')[0] || error.message));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureNode(Number(process.argv[2])));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
