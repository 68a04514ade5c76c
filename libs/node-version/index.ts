// Imported before everything else by what is started by hand, and for its effect alone: on a Node that is too old it says
// so in one sentence and ends the process. Nothing here is newer than what Node 12 understands, and `scripts/check-node.mjs`
// does the same where there is no build yet.
import { readFileSync } from 'fs';

/** EX_CONFIG, as `EXIT_REFUSED` of the configuration. */
const refused = 78;

const packageJson = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string };
};
const wanted = (packageJson.engines.node.match(/\d+/g) || []).map(Number);
const own = process.versions.node.split('.').map(Number);
if (own[0] < wanted[0] || (own[0] === wanted[0] && own[1] < wanted[1])) {
  console.error('Larder needs Node ' + packageJson.engines.node + '; this is ' + process.versions.node + '.');
  process.exit(refused);
}
