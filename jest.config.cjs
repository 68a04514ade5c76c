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
module.exports = {
  rootDir: '.',
  testEnvironment: 'node',
  testRegex: '\\.spec\\.ts$',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
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
};
