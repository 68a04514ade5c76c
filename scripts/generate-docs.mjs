// Writes the pages of docs/ that are generated from the code, and the accounts of deploy/. Needs a build. Specs fail when a page has drifted.
import './check-node.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { natsAccountsFile } from '../dist/apps/cli/src/commands/nats-accounts.command.js';
import { configurationPage } from '../dist/libs/config/index.js';
import { eventsPage } from '../dist/libs/contexts/catalogue/index.js';

const docs = path.resolve(import.meta.dirname, '..', 'docs');
const pages = { 'configuration.md': configurationPage(), 'events.md': eventsPage() };

fs.mkdirSync(docs, { recursive: true });
for (const [name, text] of Object.entries(pages)) {
  fs.writeFileSync(path.join(docs, name), text);
  console.log(`docs/${name}`);
}

fs.writeFileSync(path.resolve(docs, '..', 'deploy', 'nats-accounts.conf'), natsAccountsFile('larder'));
console.log('deploy/nats-accounts.conf');
