// Whose code a compiled script is: that of the processes whose main imports it, directly or by way of others.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { root } from '../prepare.mjs';

const dist = path.join(root, 'dist');
const mainOf = (app) => path.join(dist, 'apps', app, 'src', 'main.js');

/**
 * @param {string[]} changed absolute paths of scripts in dist
 * @returns {('coordinator' | 'worker')[]} the roles that run any of them
 */
export function affectedRoles(changed) {
  return ['coordinator', 'worker'].filter((role) => {
    const scripts = scriptsOf(mainOf(role));
    return changed.some((script) => scripts.has(script));
  });
}

/** Whether any of them is the standalone cluster's own, and of nothing that is restarted. */
export function affectsStandalone(changed) {
  return changed.some((script) => script.startsWith(path.join(dist, 'apps', 'standalone') + path.sep));
}

/** All scripts of dist that Node would load with this one. */
function scriptsOf(main) {
  const reached = new Set([main]);
  for (const script of reached) for (const imported of importsOf(script)) reached.add(imported);
  return reached;
}

function importsOf(script) {
  const { importedFiles } = ts.preProcessFile(fs.readFileSync(script, 'utf8'), true, true);
  return importedFiles
    .filter(({ fileName }) => /^[#.]/.test(fileName))
    .map(({ fileName }) => fileOf(fileName, script))
    .filter((file) => file.startsWith(dist) && fs.existsSync(file));
}

/** `#names` as Node resolves them for any file of this package. */
function fileOf(specifier, from) {
  return fileURLToPath(
    specifier.startsWith('#') ? import.meta.resolve(specifier) : new URL(specifier, pathToFileURL(from)),
  );
}
