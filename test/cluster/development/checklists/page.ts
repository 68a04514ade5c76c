import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#testing';

/** The headings of docs/checklists.md with a list below them. */
export const listNames = [
  'Add a job kind',
  'Add a policy',
  'Add a route',
  'Add a UFS connector',
  'Add an event',
  'Add a setting',
] as const;
export type ListName = (typeof listNames)[number];

/** The values for the names in angle brackets. */
const names: Readonly<Record<ListName, Readonly<Record<string, string>>>> = {
  'Add a job kind': { kind: 'count' },
  'Add a policy': { policy: 'floor' },
  'Add a route': { context: 'membership', resource: 'notes' },
  'Add a UFS connector': { scheme: 'shelf' },
  'Add an event': { context: 'membership', aggregate: 'membership' },
  'Add a setting': {},
};

/** All headings of this depth, in order. */
export function headings(): string[] {
  return [...page().matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
}

/** The files that a list says to write, in the order of its steps. Their names are bold. */
export function filesNamed(list: ListName): string[] {
  const section = page()
    .split(/^## /m)
    .find((one) => one.startsWith(`${list}\n`));
  const bold = [...(section ?? '').matchAll(/\*\*`([^`]+)`\*\*/g)].map(([, file]) => file);
  return bold.map((file) => file.replace(/<(\w+)>/g, (whole, name: string) => names[list][name] ?? whole));
}

function page(): string {
  return readFileSync(join(projectRoot(), 'docs/checklists.md'), 'utf8');
}
