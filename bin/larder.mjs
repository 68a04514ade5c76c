#!/usr/bin/env node
// `larder …`: in a clone it makes sure of dependencies and a build first, as `npm start` does; then it becomes the
// command line. It has no dependency itself: in a fresh clone there is nothing else yet.
import '../scripts/check-node.mjs';
import fs from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

try {
  // An installation without sources, such as the image, is built already.
  if (fs.existsSync(path.join(root, 'tsconfig.build.json'))) {
    // Standard output is the command's own.
    console.log = console.error;
    const { ensureBuild, ensureDependencies } = await import('../scripts/prepare.mjs');
    await ensureDependencies();
    await ensureBuild();
  }
  await import('../dist/bin/larder.js');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
