import fs from 'node:fs';
import path from 'node:path';

const root = path.resolve();
const pages = ['CONTRIBUTING.md', 'docs/architecture.md', 'docs/glossary.md'];
const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

describe.each(pages)('%s', (page) => {
  const text = fs.readFileSync(path.join(root, page), 'utf8');

  it('links to what is there', () => {
    const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => target);
    const missing = targets.filter((target) => !fs.existsSync(path.join(root, path.dirname(page), target)));
    expect(missing).toEqual([]);
  });

  it('names files and directories that are there', () => {
    const named = [...text.matchAll(/`((?:apps|libs|test|scripts|docs)\/[\w./-]*)`/g)].map(([, name]) => name);
    expect(named.filter((name) => !fs.existsSync(path.join(root, name)))).toEqual([]);
  });

  it('names commands of package.json', () => {
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
