// Makes a nats-server available to the project without touching the system: Debian's package is a static binary, so
// it is downloaded with apt into a private state directory and unpacked under .cache/nats-server/<version>/. The
// mirror, proxy and keys are those that this machine's apt is configured with.
//
// `node scripts/nats-server.mjs` fetches every suite that is still missing and says which server is in use.
import './check-node.mjs';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const cacheDir = path.join(root, '.cache', 'nats-server');

/** Debian 13: 2.10, which can be told to fsync and is safe with three replicas. Runs on Debian 12 too. */
const PREFERRED_SUITE = 'trixie';
/** Debian keeps it in /usr/sbin, which is often not on a user's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];
const APT_TIMEOUT_MS = 180_000;
/** As libs/jetstream/stream/ensure-streams.ts has it: older ones can lose a replicated stream. */
const OLDEST_FOR_REPLICAS = '2.10.23';

export const HOW_TO_GET_ONE =
  'No nats-server was found: install one (`apt-get install nats-server` or `brew install nats-server`), or run one ' +
  'elsewhere (`docker run -p 4222:4222 nats -js`) and set LARDER_NATS_URL.';

/**
 * Every available nats-server, newest first: the project's cache, LARDER_NATS_SERVER_BIN, the PATH and the usual directories.
 * @returns {{ binary: string, version: string }[]}
 */
export function installedServers() {
  const cached = listDirectory(cacheDir).map((version) => path.join(cacheDir, version, 'nats-server'));
  const named = process.env.LARDER_NATS_SERVER_BIN ? [process.env.LARDER_NATS_SERVER_BIN] : [];
  const directories = [...(process.env.PATH ?? '').split(path.delimiter).filter(Boolean), ...SYSTEM_DIRECTORIES];
  const candidates = [...named, ...cached, ...directories.map((directory) => path.join(directory, 'nats-server'))];
  const servers = [];
  for (const binary of new Set(candidates)) {
    const version = fs.existsSync(binary) ? versionOf(binary) : undefined;
    if (version) servers.push({ binary, version });
  }
  return servers.sort((a, b) => compare(b.version, a.version));
}

/**
 * Makes sure that there is at least one server.
 * @param {{ allSuites?: boolean, replicated?: boolean, log?: (line: string) => void }} options `allSuites`: also fetch the suites that are
 *   missing although a server is available already (the tests run on the oldest and the newest supported server).
 *   `replicated`: one that is safe with several replicas.
 * @returns {Promise<{ binary: string, version: string }[]>} newest first
 * @throws {Error} with one sentence saying how to get a server
 */
export async function ensureNatsServer({ allSuites = false, replicated = false, log = console.log } = {}) {
  const usable = ({ version }) => !replicated || compare(version, OLDEST_FOR_REPLICAS) >= 0;
  if (allSuites || !installedServers().some(usable)) {
    const fetched = readFetchedSuites();
    for (const suite of suitesToFetch()) {
      if (fetched[suite] && fs.existsSync(path.join(cacheDir, fetched[suite], 'nats-server'))) continue;
      try {
        log(`Fetching nats-server from Debian ${suite} into .cache (the system is left alone) ...`);
        recordFetchedSuite(suite, await fetchFromSuite(suite));
      } catch (error) {
        log(`No nats-server from ${suite}: ${firstLine(error)}`);
      }
    }
  }
  const servers = installedServers();
  if (servers.length === 0) throw new Error(HOW_TO_GET_ONE);
  if (!servers.some(usable)) {
    throw new Error(
      `Several nats-servers need release ${OLDEST_FOR_REPLICAS} or later, and the newest here is ${servers[0].version}: ` +
        'take one from https://github.com/nats-io/nats-server/releases and set LARDER_NATS_SERVER_BIN to it.',
    );
  }
  return servers;
}

/** Makes sure of a server that the standalone cluster can run, unless its settings name a NATS or a server. */
export async function ensureOwnNatsServer() {
  const { LARDER_NATS_URL, LARDER_NATS_SERVER_BIN, LARDER_NATS_SERVERS = '1' } = process.env;
  const replicated = !['', '1'].includes(LARDER_NATS_SERVERS);
  if (!LARDER_NATS_URL && !LARDER_NATS_SERVER_BIN) await ensureNatsServer({ replicated });
}

/** The preferred suite and the machine's own; none where there is no apt or no Debian mirror. */
function suitesToFetch() {
  if (process.platform !== 'linux' || !onPath('apt-get') || !onPath('dpkg') || !mainMirror()) return [];
  const own = osRelease().VERSION_CODENAME;
  return [...new Set([PREFERRED_SUITE, own].filter(Boolean))];
}

/** Downloads and unpacks a suite's nats-server; returns its version. Safe beside other runs of itself. */
async function fetchFromSuite(suite) {
  fs.mkdirSync(cacheDir, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(cacheDir, '.fetch-'));
  try {
    const configuration = writeAptConfiguration(scratch, suite);
    await run('apt-get', ['-c', configuration, '-qq', 'update'], scratch);
    await run('apt-get', ['-c', configuration, '-qq', 'download', 'nats-server'], scratch);
    const archive = fs.readdirSync(scratch).find((name) => name.endsWith('.deb'));
    if (!archive) throw new Error('apt-get downloaded nothing');
    await run('dpkg', ['-x', archive, 'unpacked'], scratch);
    const unpacked = path.join(scratch, 'unpacked', 'usr', 'sbin', 'nats-server');
    const version = versionOf(unpacked);
    if (!version) throw new Error('the downloaded server does not run on this machine');
    const target = path.join(cacheDir, version);
    fs.mkdirSync(target, { recursive: true });
    // A rename within one file system is atomic: other processes see a whole binary or none.
    fs.renameSync(unpacked, path.join(target, 'nats-server'));
    return version;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

/** An apt configuration that reads the machine's own settings (proxy, keys) but writes nowhere outside `scratch`. */
function writeAptConfiguration(scratch, suite) {
  const { uri, signedBy } = mainMirror();
  const { ID: distribution } = osRelease();
  for (const directory of ['lists/partial', 'cache/archives/partial']) {
    fs.mkdirSync(path.join(scratch, directory), { recursive: true });
  }
  const sources = path.join(scratch, 'debian.sources');
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const signer = distribution === 'debian' && fs.existsSync(keyring) ? keyring : signedBy;
  fs.writeFileSync(
    sources,
    [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suite}`,
      `Components: ${distribution === 'ubuntu' ? 'main universe' : 'main'}`,
      ...(signer ? [`Signed-By: ${signer}`] : []),
      '',
    ].join('\n'),
  );
  const configuration = path.join(scratch, 'apt.conf');
  const settings = {
    'Dir::State::Lists': path.join(scratch, 'lists'),
    'Dir::Cache': path.join(scratch, 'cache'),
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    // As root, apt would otherwise download as a user that may not enter this checkout.
    'APT::Sandbox::User': os.userInfo().username,
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
  // Hooks of the machine (cleaning its own cache, for example) have no business here.
  fs.writeFileSync(
    configuration,
    [...lines, '#clear APT::Update::Post-Invoke;', '#clear APT::Update::Post-Invoke-Success;', ''].join('\n'),
  );
  return configuration;
}

/**
 * The mirror of the machine's own suite, from deb822 `.sources` files or one-line `.list` files.
 * @returns {{ uri: string, signedBy?: string } | undefined}
 */
function mainMirror() {
  const codename = osRelease().VERSION_CODENAME;
  const entries = aptSourceFiles().flatMap((file) => {
    const text = fs.readFileSync(file, 'utf8');
    return file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text);
  });
  return entries.find((entry) => entry.components.includes('main') && entry.suites.includes(codename));
}

function aptSourceFiles() {
  const parts = listDirectory('/etc/apt/sources.list.d')
    .filter((name) => name.endsWith('.sources') || name.endsWith('.list'))
    .map((name) => path.join('/etc/apt/sources.list.d', name));
  return ['/etc/apt/sources.list', ...parts].filter((file) => fs.existsSync(file));
}

/** Stanzas of `Field: value`, separated by blank lines; see sources.list(5). */
export function parseDeb822(text) {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = {};
    for (const [, name, value] of stanza.matchAll(/^([A-Za-z0-9-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
      fields[name.toLowerCase()] = value.trim();
    }
    if (!fields.uris || !words(fields.types).includes('deb') || fields.enabled?.toLowerCase() === 'no') return [];
    // A key written out in place spans several lines and cannot be pointed at: the system's keyrings serve then.
    const signedBy = fields['signed-by']?.startsWith('/') ? fields['signed-by'] : undefined;
    return words(fields.uris).map((uri) => ({
      uri,
      suites: words(fields.suites),
      components: words(fields.components),
      signedBy,
    }));
  });
}

/** Lines of `deb [options] uri suite component...`; see sources.list(5). */
export function parseOneLine(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!match) return [];
    const [, options = '', uri, suite, components] = match;
    const signedBy = /signed-by=(\/[^\s,]+)/.exec(options)?.[1];
    return [{ uri, suites: [suite], components: words(components), signedBy }];
  });
}

function osRelease() {
  if (!fs.existsSync('/etc/os-release')) return {};
  const lines = fs.readFileSync('/etc/os-release', 'utf8').matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

const compare = (a, b) => a.localeCompare(b, 'en', { numeric: true });

/** Which version came from which suite, so that a suite is asked once. */
function readFetchedSuites() {
  const file = path.join(cacheDir, 'suites.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
}

function recordFetchedSuite(suite, version) {
  const file = path.join(cacheDir, 'suites.json');
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, JSON.stringify({ ...readFetchedSuites(), [suite]: version }));
  fs.renameSync(temporary, file);
}

function versionOf(binary) {
  try {
    const text = execFileSync(binary, ['-v'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
    return /v?(\d+\.\d+\.\d+)/.exec(text)?.[1];
  } catch {
    // Not executable, or of another architecture: no server as far as this machine is concerned.
    return undefined;
  }
}

function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
    execFile(command, args, { cwd, env: environment, timeout: APT_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const reason = stderr.split('\n').find((line) => line.startsWith('E:')) ?? stderr.trim().split('\n').at(-1);
      reject(new Error(error.killed ? `${command} took too long` : reason || error.message));
    });
  });
}

function onPath(command) {
  const directories = (process.env.PATH ?? '').split(path.delimiter);
  return [...directories, '/usr/bin'].some((directory) => fs.existsSync(path.join(directory, command)));
}

function listDirectory(directory) {
  if (!fs.existsSync(directory)) return [];
  return fs.readdirSync(directory).filter((name) => !name.startsWith('.'));
}

const words = (text = '') => text.split(/\s+/).filter(Boolean);
const firstLine = (error) => String(error instanceof Error ? error.message : error).split('\n')[0];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const servers = await ensureNatsServer({ allSuites: true });
    for (const [index, { binary, version }] of servers.entries()) {
      const shown = binary.startsWith(root) ? path.relative(root, binary) : binary;
      console.log(`nats-server ${version}  ${shown}${index === 0 ? '  (in use)' : ''}`);
    }
  } catch (error) {
    console.error(firstLine(error));
    process.exitCode = 1;
  }
}
