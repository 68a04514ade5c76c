// Writes docs/faults.md: what is promised in each case (scripts/faults.json), and which files hold it, by the names of
// their tests. A test fails when the page drifts.
import './check-node.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './prepare.mjs';

const promises = JSON.parse(fs.readFileSync(path.join(root, 'scripts/faults.json'), 'utf8'));

const tests = ['apps', 'libs', 'test']
  .flatMap((directory) =>
    fs
      .readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
      .map((name) => path.posix.join(directory, ...name.split(path.sep))),
  )
  .filter(
    (file) => /\.spec\.ts$|\.contract\.ts$|^test\/contract\/suites\//.test(file) && !file.endsWith('/faults.spec.ts'),
  )
  .map((file) => [file, casesIn(fs.readFileSync(path.join(root, file), 'utf8'))]);

function casesIn(text) {
  const names = text.matchAll(/['"`(](faults? \d+(?:, (?:fault )?\d+)*):/g);
  return [...names].flatMap(([, name]) => [...name.matchAll(/\d+/g)].map(([digits]) => Number(digits)));
}

const row = ({ what, promise }, i) => {
  const files = tests.filter(([, cases]) => cases.includes(i + 1)).map(([file]) => file);
  const links = files.sort().map((file) => `[${path.posix.basename(file)}](../${file})`);
  return `| ${i + 1} | ${what} | ${promise} | ${links.join(', ')} |`;
};

fs.writeFileSync(
  path.join(root, 'docs/faults.md'),
  `# Faults and abuse

The faults and abuse that Larder survives, and the exact promise in each case. In every case, no acknowledged request and
no end of a job is lost. Cached files equal those of the store byte for byte, counts add up exactly, and every job that
says \`SUCCEEDED\` has succeeded.

The tests carry the number of their case in their names (\`fault 7: …\`).
\`node scripts/generate-faults.mjs\` writes this page from \`scripts/faults.json\` and those names. A test fails when it differs.

| case | what happens | what is promised | held by |
|---|---|---|---|
${promises.map(row).join('\n')}
`,
);
