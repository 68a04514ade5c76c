import fs from 'node:fs';
import path from 'node:path';
import { importRules, isTestFile } from './rules.js';
import { readSources } from './support/source-tree.js';

/** A row of docs/architecture.md: `| `libs/kernel` | what it is | what it may import |`, below a heading `### 1. …`. */
interface Row {
  readonly room: string;
  readonly layer: number;
  readonly imports: string;
}

const root = path.resolve();
const page = 'docs/architecture.md';
const update = 'UPDATE_DOCS=1 npx jest test/architecture/architecture-page';
const rowPattern = /^\| `((?:libs|apps)\/[^`]+)` \|.*\| ([^|]*) \|$/;
const production = readSources(root, ['apps', 'libs']).filter(({ path: file }) => !isTestFile(file));
const rooms = ['apps', 'libs'].flatMap((top) =>
  fs
    .readdirSync(path.join(root, top), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? [`${top}/${entry.name}`] : [])),
);

if (process.env.UPDATE_DOCS) fs.writeFileSync(page, updated(fs.readFileSync(page, 'utf8')));
const rows = rowsOf(fs.readFileSync(page, 'utf8'));

describe(page, () => {
  it('has a row for each room of libs/ and apps/, and for nothing else', () => {
    expect(rows.map(({ room }) => room).sort()).toEqual([...rooms].sort());
  });

  it.each(rows.map((row) => [row.room, row] as const))(`says what %s may import (run \`${update}\`)`, (room, row) => {
    expect(row.imports).toBe(importsCell(room));
  });

  it('has the layers in their order: a room imports from its own layer and those above it', () => {
    const layers = new Map(rows.map(({ room, layer }) => [room, layer]));
    const upwards = rows.flatMap(({ room, layer }) =>
      allowedRooms(room).flatMap((other) => ((layers.get(other) ?? Infinity) > layer ? [`${room}: ${other}`] : [])),
    );
    expect(upwards).toEqual([]);
  });
});

it('the check reads layers and rows, and ignores lines that are not rows', () => {
  const text =
    '### 2. Two\n\n| room | what | may import |\n|---|---|---|\n| `libs/a` | A thing. | `kernel` |\n\n| `b` |';
  expect(rowsOf(text)).toEqual([{ room: 'libs/a', layer: 2, imports: '`kernel`' }]);
});

function rowsOf(text: string): Row[] {
  let layer = 0;
  return text.split('\n').flatMap((line) => {
    layer = Number(/^### (\d+)\. /.exec(line)?.[1] ?? layer);
    const [, room, imports] = rowPattern.exec(line) ?? [];
    return room === undefined ? [] : [{ room, layer, imports }];
  });
}

function updated(text: string): string {
  const lines = text.split('\n').map((line) => {
    const room = rowPattern.exec(line)?.[1];
    return room === undefined ? line : line.replace(/\| [^|]* \|$/, `| ${importsCell(room)} |`);
  });
  return lines.join('\n');
}

function importsCell(room: string): string {
  const names = allowedRooms(room).map((one) => `\`${one.replace(/^libs\//, '')}\``);
  return names.join(', ') || 'nothing';
}

/** Rooms of libs/ that at least one file of this room may import, by the rules for its files. */
function allowedRooms(room: string): string[] {
  const files = production.filter(({ path: file }) => file.startsWith(`${room}/`));
  const rules = new Set(files.map(({ path: file }) => importRules.find((rule) => rule.files.test(file))));
  const names = [...rules].flatMap((rule) => rule?.may ?? []).map((name) => `libs/${name.slice(1).split('/')[0]}`);
  return [...new Set(names)].filter((name) => name !== room).sort();
}
