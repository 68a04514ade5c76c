// Compiles the sources whenever they change, in this process, with the settings and the notes of `npm run build`.
import path from 'node:path';
import ts from 'typescript';
import { distrustOldBuild, removeOrphans, root } from '../prepare.mjs';

/** After the last change of a burst, such as that of an editor which saves several files. TypeScript's own is 250. */
const SETTLE_MS = 60;

/**
 * Compiles now and after each change. While the sources have an error, nothing is written to dist.
 * @param {{ built: (changed: string[]) => void, say: (line: string) => void }} options `built`: after each compilation
 *   without errors, with the scripts in dist whose text is another one now
 */
export function compileOnChange({ built, say }) {
  distrustOldBuild();
  let changed = [];
  let startedAt = 0;
  const system = {
    ...ts.sys,
    writeFile(file, text, byteOrderMark) {
      if (file.endsWith('.js') && withoutMap(ts.sys.readFile(file)) !== withoutMap(text))
        changed.push(path.resolve(file));
      ts.sys.writeFile(file, text, byteOrderMark);
    },
    setTimeout: (callback, _ms, ...args) => setTimeout(callback, SETTLE_MS, ...args),
  };
  const print = ts.createDiagnosticReporter(ts.sys, process.stdout.isTTY);
  const report = ({ code }, _newLine, _options, errors) => {
    if (errors === undefined) {
      if (code !== STARTING) say('Compiling ...');
      startedAt = performance.now();
      return;
    }
    const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
    if (errors > 0) say(`${errors} error(s), after ${took}: nothing is restarted until they are gone.`);
    else {
      say(`Compiled in ${took}.`);
      removeOrphans();
      built(changed);
      changed = [];
    }
  };
  const host = ts.createWatchCompilerHost(
    path.join(root, 'tsconfig.build.json'),
    {},
    system,
    ts.createEmitAndSemanticDiagnosticsBuilderProgram,
    print,
    report,
    { excludeDirectories: ['**/node_modules', '**/dist', '**/.cache'] },
  );
  say('Compiling ...');
  ts.createWatchProgram(host);
}

/** The code of "Starting compilation in watch mode". */
const STARTING = 6031;

const withoutMap = (text) => text?.replace(/^\/\/# sourceMappingURL=.*$/m, '');
