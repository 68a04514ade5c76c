import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { copySources, projectRoot } from '#testing';
import { edits, type Edit } from './edits.js';
import type { ListName } from './page.js';

const here = 'test/cluster/development/checklists';
/** Suffix of files to add. Without it, jest and the compiler would take them for files of the project. */
const suffix = '.txt';
const folders: Readonly<Record<ListName, string | undefined>> = {
  'Add a job kind': 'job-kind',
  'Add a policy': 'policy',
  'Add a route': 'route',
  'Add a UFS connector': 'connector',
  'Add an event': undefined,
  'Add a setting': undefined,
};

/** The pages that `npm run docs` changes. */
export const generated: Readonly<Record<ListName, readonly string[]>> = {
  'Add a job kind': [],
  'Add a policy': ['docs/events.md'],
  'Add a route': [],
  'Add a UFS connector': [],
  'Add an event': ['docs/events.md'],
  'Add a setting': ['docs/configuration.md'],
};

/** Copies the project with its tests. The copy needs a full build: the lists change the types of almost all files. */
export function copyProject(tree: string): void {
  copySources(tree, { build: false });
  cpSync(join(projectRoot(), 'test'), join(tree, 'test'), { recursive: true, preserveTimestamps: true });
}

/**
 * Makes the build of a copy compile these test files too. A separate run of the compiler would read all sources a second
 * time.
 * @returns a function that restores the build of the project
 */
export function alsoCompile(files: readonly string[], tree: string): () => void {
  const configuration = join(tree, 'tsconfig.build.json');
  const text = readFileSync(configuration, 'utf8');
  writeFileSync(configuration, JSON.stringify({ ...(JSON.parse(text) as object), files }));
  return () => writeFileSync(configuration, text);
}

/** Carries out a list in a copy. @returns the files that it has added and edited */
export function carryOut(list: ListName, tree: string): string[] {
  const added = addedBy(list);
  for (const [file, text] of added) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), text);
  }
  for (const edit of edits[list]) {
    const file = join(tree, edit.file);
    writeFileSync(file, edited(readFileSync(file, 'utf8'), edit));
  }
  return [...new Set([...added.keys(), ...edits[list].map(({ file }) => file)])].sort();
}

/** Texts by path, relative to the top of the project. */
function addedBy(list: ListName): Map<string, string> {
  const folder = folders[list];
  if (folder === undefined) return new Map();
  const base = join(projectRoot(), here, folder);
  return new Map(
    filesBelow(base).map((file) => [file.slice(0, -suffix.length), readFileSync(join(base, file), 'utf8')]),
  );
}

function edited(content: string, { file, text, before, after, instead }: Edit): string {
  const anchor = before ?? after ?? instead ?? '';
  const parts = content.split(anchor);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, and not once: ${anchor}`);
  const middle = before !== undefined ? text + anchor : after !== undefined ? anchor + text : text;
  return parts.join(middle);
}

/** Directories at the top of the copy that hold no sources. */
const made = ['dist', 'jest-cache'];

/** The files of the copy that are missing or different in the project. */
export function changedFiles(tree: string): string[] {
  const top = readdirSync(tree, { withFileTypes: true });
  const files = top.flatMap((entry) => {
    if (entry.isFile()) return [entry.name];
    return entry.isDirectory() && !made.includes(entry.name) ? filesBelow(tree, entry.name) : [];
  });
  return files.filter((file) => !isSame(join(tree, file), join(projectRoot(), file))).sort();
}

function isSame(one: string, other: string): boolean {
  try {
    return readFileSync(one).equals(readFileSync(other));
  } catch {
    // The file is missing in the project.
    return false;
  }
}

function filesBelow(base: string, start = ''): string[] {
  const entries = readdirSync(join(base, start), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(base, join(entry.parentPath, entry.name)));
}
