// Imported before everything else by what is started by hand, and for its effect alone: on a Node that is too old it says
// so in one sentence and ends the process. Nothing here is newer than what Node 12 understands, and `scripts/check-node.mjs`
// does the same where there is no build yet.
import { existsSync, readFileSync } from 'fs';

/** EX_CONFIG, as `EXIT_REFUSED` of the configuration. */
const refused = 78;

// The compiled module and the bundles that contain it are at different depths.
let file = new URL('../package.json', import.meta.url);
for (let depth = 0; !existsSync(file) && depth < 5; depth++) file = new URL('../package.json', file);
const packageJson = JSON.parse(readFileSync(file, 'utf8')) as { engines: { node: string } };
const wanted = (packageJson.engines.node.match(/\d+/g) || []).map(Number);
const own = process.versions.node.split('.').map(Number);
if (own[0] < wanted[0] || (own[0] === wanted[0] && own[1] < wanted[1])) {
  console.error('Larder needs Node ' + packageJson.engines.node + '; this is ' + process.versions.node + '.');
  process.exit(refused);
}
