// Imported first by every script that people start, for its effect alone: on a Node that is too old it says so in one
// sentence and ends the process, before anything else is run. Nothing here is newer than what Node 12 understands.
import fs from 'fs';

/** EX_CONFIG: starting it again would not help. */
const refused = 78;

const { engines } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const wanted = engines.node.match(/\d+/g).map(Number);
const own = process.versions.node.split('.').map(Number);
if (own[0] < wanted[0] || (own[0] === wanted[0] && own[1] < wanted[1])) {
  console.error('Larder needs Node ' + engines.node + '; this is ' + process.versions.node + '.');
  process.exit(refused);
}
