// Bundles what the compiler wrote: each process in dist/bin starts from a few files instead of a thousand.
//
// Loading modules is most of what a process costs until it serves. The bundles hold the same code, as the compiler wrote
// it (a bundler that reads TypeScript does not write the type metadata that Nest needs).
import fs from 'node:fs';
import path from 'node:path';

const dist = path.resolve(import.meta.dirname, '..', 'dist');
/** Where the scripts to start are, and the chunks that they share. */
const bin = path.join(dist, 'bin');
/** Scripts in dist/bin, by the compiled scripts in dist/apps that they are made of. `npm start` finds them by these names. */
const entries = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'bundles.json'), 'utf8'));
const bundles = Object.keys(entries).map((name) => path.join(bin, `${name}.js`));

/** Native, or loaded by Nest, fastify and undici only where an application has them installed, as Larder has not. */
const external = [
  'lmdb',
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
];

/** @returns {Promise<boolean>} whether it succeeded; if not, it has said why */
export async function bundle() {
  // Only now: it needs the dependencies.
  const { build } = await import('esbuild');
  fs.rmSync(bin, { recursive: true, force: true });
  try {
    await build({
      entryPoints: Object.entries(entries).map(([name, file]) => ({ in: path.join(dist, 'apps', file), out: name })),
      outdir: bin,
      chunkNames: 'chunks/[name]-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external,
      minifyWhitespace: true,
      minifySyntax: true,
      legalComments: 'none',
      sourcemap: 'linked',
      sourcesContent: false,
      // What was CommonJS still asks for the modules of Node by `require`.
      banner: {
        js: "import{createRequire as larderRequire}from'node:module';const require=larderRequire(import.meta.url);",
      },
      logLevel: 'error',
    });
    return true;
  } catch (error) {
    // esbuild has printed what is wrong with the code.
    if (error?.errors === undefined) console.error(error);
    return false;
  }
}

export function bundlesIntact() {
  return bundles.every((script) => fs.existsSync(script));
}
