import fs from 'node:fs';
import path from 'node:path';
import { configurationPage, describeSettings, settings } from './index.js';

describe('describeSettings', () => {
  it('has one line for each setting', () => {
    const described = describeSettings();
    expect(new Set(described.map(({ env }) => env)).size).toBe(Object.keys(settings).length);
    for (const { env, description } of described) {
      expect(env).toMatch(/^LARDER_[A-Z_]+$/);
      expect(description).toMatch(/^[^\n]+[^.\n]$/);
    }
  });

  it('equals docs/configuration.md (`npm run docs` writes it)', () => {
    const page = fs.readFileSync(path.resolve('docs/configuration.md'), 'utf8');
    expect(page).toBe(configurationPage());
  });
});
