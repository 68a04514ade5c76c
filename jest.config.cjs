// Jest on Node 20 cannot require() ES modules, and Nest 12 ships nothing else: the packages named here, and our own
// TypeScript, are compiled to CommonJS for the tests. What runs in production is the ESM build in dist/.
const esm = [
  '@nestjs',
  'cookie',
  'file-type',
  'load-esm',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@tokenizer',
  '@borewit',
  'content-disposition',
];
const swc = (jsc, sourceMaps) => [
  '@swc/jest',
  { swcrc: false, jsc: { target: 'es2023', ...jsc }, module: { type: 'commonjs' }, sourceMaps },
];

const project = (displayName, options) => ({
  displayName,
  rootDir: __dirname,
  testEnvironment: 'node',
  testRegex: '\\.spec\\.ts$',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json'],
  transform: {
    '^.+\\.ts$': swc(
      {
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      'inline',
    ),
    'node_modules/.+\\.m?js$': swc({ parser: { syntax: 'ecmascript' } }, false),
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esm.join('|')})/)`],
  moduleNameMapper: {
    '^#([a-z0-9/-]+)$': '<rootDir>/libs/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // Not under the temporary directory: `npm test` has one of its own, made anew for each run.
  cacheDirectory: '<rootDir>/.cache/jest',
  ...options,
});

/** Beside the code, and those of test/ that start no cluster. `roots` keeps jest away from dist/. */
const besideTheCode = {
  roots: ['apps', 'libs', 'test'].map((directory) => `<rootDir>/${directory}`),
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(?!architecture/|histories/)'],
};

module.exports = {
  // Tests wait for conditions. This is only for those that never come true, and far beyond what a busy machine needs.
  testTimeout: 60_000,
  projects: [
    // Fast: no server, no worker's disk.
    project('unit', { ...besideTheCode, testRegex: '(?<!\\.int)\\.spec\\.ts$' }),
    // Real nats-servers, S3 and HTTP servers, and disks, in the process of the test.
    project('integration', { ...besideTheCode, testRegex: '\\.int\\.spec\\.ts$' }),
    // Whole clusters of processes. scripts/test.mjs says how many files run at a time.
    project('processes', {
      roots: ['<rootDir>/test'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(architecture|histories)/'],
    }),
  ],
};
