import fs from 'node:fs';
import path from 'node:path';
import { eventsPage } from './events-page.js';
import { allEvents, eventCatalogues } from './index.js';

it('docs/events.md agrees with the code (`npm run docs` writes it)', () => {
  expect(fs.readFileSync(path.resolve('docs/events.md'), 'utf8')).toBe(eventsPage());
});

it('no event type belongs to two contexts', () => {
  const types = Object.values(eventCatalogues).flatMap((catalogue) => Object.keys(catalogue));
  expect(types).toHaveLength(Object.keys(allEvents).length);
});
