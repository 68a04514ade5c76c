import { type Setting, settings } from './settings.js';

export interface SettingDescription {
  readonly env: string;
  readonly default: string | undefined;
  readonly expected: string;
  readonly usedBy: readonly string[];
  readonly description: string;
}

/** Every setting in the order of the documentation. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.values<Setting>(settings).map((setting) => ({
    env: setting.env,
    default: setting.default,
    expected: setting.parser.expected,
    usedBy: setting.usedBy,
    description: setting.description,
  }));
}

/** The text of `docs/configuration.md`. */
export function configurationPage(): string {
  const rows = describeSettings().map((setting) => {
    const byDefault = setting.default === undefined ? 'unset' : `\`${setting.default}\``;
    const expected = setting.expected.replaceAll('<', '&lt;');
    const cells = [`\`${setting.env}\``, byDefault, expected, setting.usedBy.join(', '), setting.description];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '# Configuration',
    '',
    'All settings come from the environment; an empty variable counts as unset. A wrong value, and a `LARDER_` variable',
    'that is not in this table, stops the start with a sentence that names it. Secrets are never printed.',
    '',
    'This page is generated from `libs/config/settings.ts` by `npm run docs`; a test fails when it drifts.',
    '',
    '| variable | default | expected | used by | what it is |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
