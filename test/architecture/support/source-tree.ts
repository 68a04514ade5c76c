import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export interface SourceFile {
  /** Relative to the project's root, with `/`: `libs/kernel/index.ts`. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

export interface Import {
  /** As the source writes it. */
  readonly specifier: string;
  /** The file of ours that it leads to. Undefined for packages of npm and Node. */
  readonly target: string | undefined;
}

/** All TypeScript files below the given directories of the project. */
export function readSources(root: string, directories: readonly string[]): SourceFile[] {
  return directories.flatMap((directory) =>
    fs
      .readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => path.posix.join(directory, ...name.split(path.sep)))
      .sort()
      .map((file) => parseSource(file, fs.readFileSync(path.join(root, file), 'utf8'))),
  );
}

/** Finds imports and re-exports: static and dynamic, of types and of values. */
export function parseSource(file: string, text: string): SourceFile {
  const { importedFiles } = ts.preProcessFile(text);
  const imports = importedFiles.map(({ fileName }) => ({ specifier: fileName, target: targetOf(file, fileName) }));
  return { path: file, lines: text.trimEnd().split('\n').length, imports };
}

/** `#name` means libs/name/index.ts (package.json, "imports"); relative imports carry `.js` for `.ts`. */
function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `libs/${specifier.slice(1)}/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  return path.posix.join(path.posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** The part of the project that a file belongs to: an application, a library, or a context. */
export function partOf(file: string): string {
  return /^(libs\/contexts\/[^/]+|libs\/[^/]+|apps\/[^/]+|test)\//.exec(file)?.[1] ?? file;
}

/**
 * Groups of files in more than one folder that import each other, directly or through other files. Within one folder,
 * two files may share a type.
 */
export function cyclesBetweenFolders(sources: readonly SourceFile[]): string[][] {
  const targets = targetsOf(sources);
  const reachable = new Map([...targets.keys()].map((file) => [file, reachableFrom(file, targets)]));
  const groups = new Map<string, string[]>();
  for (const [file, reached] of reachable) {
    if (!reached.has(file)) continue;
    const group = [...reached].filter((other) => reachable.get(other)?.has(file)).sort();
    groups.set(group[0], group);
  }
  return [...groups.values()].filter((group) => new Set(group.map((file) => path.posix.dirname(file))).size > 1);
}

/** Every file of ours that this file loads or names, directly or through other files. */
export function loadedWith(entry: string, sources: readonly SourceFile[]): Set<string> {
  return reachableFrom(entry, targetsOf(sources));
}

function targetsOf(sources: readonly SourceFile[]): Map<string, string[]> {
  return new Map(sources.map((source) => [source.path, source.imports.flatMap(({ target }) => target ?? [])]));
}

/** Contains the file itself only if it lies on a cycle. */
function reachableFrom(file: string, targets: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const pending = [file];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const target of targets.get(next) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      pending.push(target);
    }
  }
  return reached;
}
