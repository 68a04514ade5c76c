/** What files may import from other parts of the project. Imports within a part (library, context, app) are free. */
export interface ImportRule {
  readonly what: string;
  readonly files: RegExp;
  /** Parts of the project, as `#names`; `#contexts/*` is any context's index. */
  readonly may: readonly string[];
  /** Packages of npm and Node; undefined: any. */
  readonly packages?: readonly string[];
  /** Also forbids imports from other folders of its own part, except of pure files: a pure file needs only pure files. */
  readonly pure?: boolean;
}

/** The first rule that matches a file applies. Specs may import anything that they test. */
export const importRules: readonly ImportRule[] = [
  { what: 'the kernel', files: /^libs\/kernel\//, may: [], packages: [] },
  { what: 'the hash ring', files: /^libs\/hash-ring\//, may: [], packages: [] },
  { what: 'schemas that carry types', files: /^libs\/schema\//, may: [], packages: [] },
  {
    what: 'sealing of secrets (cryptography, no rules of the domain)',
    files: /^libs\/contexts\/namespace\/secrets\.ts$/,
    may: ['#kernel', '#ufs/declarations'],
    packages: ['node:crypto'],
    pure: true,
  },
  {
    what: 'the store of a mount (as its connector declares it)',
    files: /^libs\/contexts\/namespace\/mount-store\.ts$/,
    may: ['#ufs/declarations'],
    packages: [],
    pure: true,
  },
  {
    what: 'paths (as connectors declare their names)',
    files: /^libs\/contexts\/namespace\/paths\.ts$/,
    may: ['#kernel', '#ufs/declarations'],
    packages: [],
    pure: true,
  },
  {
    what: 'the description of the API, made from the DTOs of the routes',
    files: /^libs\/contexts\/api-docs\/[^/]+\.ts$/,
    may: ['#kernel', '#schema', '#contexts/*', '#contexts/*/*', '#runtime'],
    packages: [],
  },
  {
    what: 'pure files of a context: aggregates, processes, views, declarations of policies',
    files: /^libs\/contexts\/[^/]+\/(policies\/)?[^/]+\.ts$/,
    may: ['#kernel', '#hash-ring', '#schema', '#contexts/*'],
    packages: ['zod'],
    pure: true,
  },
  {
    what: 'the port of the workers’ half of a job kind',
    files: /^libs\/contexts\/jobs\/kinds\/worker-kind\.ts$/,
    may: ['#hash-ring', '#contexts/membership', '#ufs', '#cache-store'],
    packages: [],
  },
  {
    what: 'the port of the coordinators’ half of a job kind, and the planning that all kinds share',
    files: /^libs\/contexts\/jobs\/kinds\//,
    may: ['#kernel', '#hash-ring', '#schema', '#ufs'],
    // Hashing is a pure function; ids of batches are derived from content.
    packages: ['zod', 'node:crypto'],
  },
  {
    what: 'a context’s wiring: http, owners of jobs, connections to stores',
    files: /^libs\/contexts\//,
    may: [
      ...['#kernel', '#async', '#hash-ring', '#schema', '#contexts/*', '#contexts/*/*'],
      ...['#runtime', '#jetstream', '#ufs', '#ufs/declarations'],
    ],
  },
  {
    what: 'the options, progress and messages of a job kind, which are pure',
    files: /^libs\/job-kinds\/[^/]+\/(progress|spec|[^/]+\.answers|worker\/options)\.ts$/,
    may: ['#kernel', '#schema', '#contexts/*', '#contexts/jobs/kinds'],
    packages: ['zod'],
    pure: true,
  },
  {
    what: 'planning of a job kind, without its source of files',
    files: /^libs\/job-kinds\/[^/]+\/[^/]+\.kind\.ts$/,
    may: ['#kernel', '#hash-ring', '#schema', '#contexts/*', '#contexts/jobs/kinds'],
    packages: [],
  },
  {
    what: 'the registry of job kinds for coordinators, with the routes of each kind',
    files: /^libs\/job-kinds\/([^/]+\/http\/|[^/]+\/index\.ts$|parts\.ts$)/,
    may: ['#kernel', '#schema', '#contexts/*', '#contexts/jobs/*', '#runtime'],
  },
  {
    what: 'files of job kinds that list or move files',
    files: /^libs\/job-kinds\//,
    may: ['#kernel', '#hash-ring', '#contexts/*', '#contexts/jobs/kinds', '#ufs', '#cache-store', '#transfer'],
  },
  {
    what: 'the transfer of files into a worker’s cache, which some kinds share',
    files: /^libs\/transfer\//,
    may: ['#kernel', '#contexts/*', '#contexts/jobs/kinds', '#ufs', '#cache-store'],
    packages: ['zod'],
  },
  { what: 'JetStream', files: /^libs\/jetstream\//, may: ['#kernel', '#async'] },
  { what: 'the runtime', files: /^libs\/runtime\//, may: ['#kernel', '#schema', '#async', '#jetstream', '#config'] },
  {
    what: 'the declarations of connectors, for code that must not open anything',
    files: /^libs\/ufs\/(declarations\/|declaration\.ts|[^/]+\/[^/]+-(declaration|options|store)\.ts)/,
    may: ['#kernel'],
    packages: [],
  },
  { what: 'connectors', files: /^libs\/ufs\//, may: ['#async', '#kernel'] },
  { what: 'the cache store', files: /^libs\/cache-store\//, may: ['#kernel', '#async', '#private-files', '#process'] },
  { what: 'closing files to others', files: /^libs\/private-files\//, may: [], packages: ['node:fs', 'node:path'] },
  {
    what: 'waiting: limits, turns, repetition',
    files: /^libs\/async\//,
    may: ['#kernel'],
    packages: [],
  },
  {
    what: 'processes: locks, identities, ends',
    files: /^libs\/process\//,
    may: ['#kernel'],
    packages: ['node:child_process', 'node:crypto', 'node:fs', 'node:path', 'node:timers/promises'],
  },
  { what: 'the configuration', files: /^libs\/config\//, may: ['#kernel', '#process'] },
  { what: 'the check of Node’s version', files: /^libs\/node-version\//, may: [], packages: ['fs'] },
  { what: 'starting nats-server', files: /^libs\/nats-server\//, may: ['#process'] },
  {
    what: 'support for tests',
    files: /^libs\/testing\//,
    may: ['#kernel', '#hash-ring', '#jetstream', '#nats-server', '#ufs', '#config', '#process', '#async'],
  },
  {
    what: 'applications: wiring of everything except tests',
    files: /^apps\//,
    may: [
      ...['#kernel', '#hash-ring', '#config', '#runtime', '#jetstream', '#nats-server', '#ufs', '#cache-store'],
      ...['#ufs/declarations', '#private-files', '#node-version', '#process', '#async', '#schema'],
      ...['#job-kinds/*', '#contexts/*', '#contexts/*/*'],
    ],
  },
];

/** Files that a process must not load, directly or through other files. */
export interface LoadRule {
  readonly entry: string;
  readonly never: RegExp;
}

/** Each application has its own half of the job kinds. */
export const loadRules: readonly LoadRule[] = [
  { entry: 'apps/coordinator/src/main.ts', never: /^libs\/(job-kinds\/([^/]+\/)?worker|transfer)\// },
  { entry: 'apps/worker/src/main.ts', never: /^libs\/job-kinds\/(coordinator|sources|[^/]+\/http)\/|\.kind\.ts$/ },
];

/** The job kind that a file belongs to. Undefined for files of no kind or of all kinds. */
export const kindOf = (file: string): string | undefined =>
  /^libs\/job-kinds\/(?!coordinator|worker|sources)([^/]+)\//.exec(file)?.[1];

/** Files that only tests run. */
export const isTestFile = (file: string): boolean =>
  /\.spec\.ts$|\.contract\.ts$|\/(spec-support|fixtures)\/|^test\//.test(file);

/** Lines per file. A spec may be longer: it is a list of cases, and each is read by itself. */
export const maxLines = (file: string): number => (isTestFile(file) ? 450 : 300);

/** Files that may be longer, with the reason. */
export const longFiles: Readonly<Record<string, string>> = {
  'libs/config/settings.ts': 'one table of all settings, a row each, in the order of its page in docs/',
};
