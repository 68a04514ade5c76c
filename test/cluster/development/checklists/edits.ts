import type { ListName } from './page.js';

/** A text to put before, after or instead of another text, which the file contains exactly once. */
export interface Edit {
  readonly file: string;
  readonly text: string;
  readonly before?: string;
  readonly after?: string;
  readonly instead?: string;
}

const contract = 'test/contract/api.int.spec.ts';
const api = 'docs/api.md';
/** New rows go above this one. */
const apiRow = '| More options of a load |';

/** The edits of each list in existing files. Beside this file, each list has a folder with the files that it adds. */
export const edits: Readonly<Record<ListName, readonly Edit[]>> = {
  'Add a job kind': [
    inList('libs/job-kinds/coordinator/index.ts', '[load, free, rebalance', ', count'),
    {
      file: 'libs/job-kinds/coordinator/index.ts',
      before: "import { free } from '../free/index.js';",
      text: "import { count } from '../count/index.js';\n",
    },
    {
      file: 'libs/job-kinds/worker/index.ts',
      before: 'import { freeWorkerKind }',
      text: "import { countWorkerKind } from '../count/worker/index.js';\n",
    },
    {
      file: 'libs/job-kinds/worker/index.ts',
      before: '  [freeWorkerKind.name]',
      text: '  [countWorkerKind.name]: countWorkerKind,\n',
    },
    {
      file: 'libs/job-kinds/README.md',
      after: '| rebalance | the target workers | one batch each | `prune` unless skipped |\n',
      text: '| count | the paths themselves, or an index file | broadcast: every worker counts its own copies | |\n',
    },
    ...contractCase('count'),
    hostileTarget("{ method: 'POST', path: '/count', body: { paths: [nowhere] }, fields: { paths: 'list' } }"),
    hostileTarget("{ method: 'DELETE', path: '/count', body: { id: 'nobody' }, fields: { id: 'string' } }"),
    { file: api, before: apiRow, text: '| `POST /count` | Counts the copies that are cached below paths. |\n' },
  ],

  'Add a policy': [
    {
      file: 'libs/contexts/namespace/policies/index.ts',
      before: 'import { priorityPolicy }',
      text: "import { floorPolicy } from './floor.js';\n",
    },
    inList('libs/contexts/namespace/policies/index.ts', '[quotaPolicy, ttlPolicy, priorityPolicy', ', floorPolicy'),
    {
      file: 'libs/contexts/namespace/policies.spec.ts',
      after: "    [{ type: 'RemovePriority', path: '/data/a' }, /^No priority rule found for path: \\/data\\/a$/],\n",
      text: "    [{ type: 'RemoveFloor', path: '/data/a' }, /^No floor found for path: \\/data\\/a$/],\n",
    },
    {
      file: 'test/contract/suites/policies.ts',
      before: '];\n\n/** Needs the mount `/data`',
      text: `  {
    route: 'floor',
    example: { path, copies: 2 },
    shown: { path, copies: 2 },
    changed: { path, copies: 3 },
    missing: 'No floor found for path: ',
    malformed: [
      [{ path, copies: 0 }, 'copies'],
      [{ path: 'data', copies: 1 }, 'path'],
    ],
  },
`,
    },
    hostileTarget(
      "{ method: 'POST', path: '/floor', body: { path: nowhere, copies: 9 }, fields: { copies: 'number' } }",
    ),
    hostileTarget("{ method: 'DELETE', path: '/floor', body: { path: nowhere }, fields: pathFields }"),
    { file: api, before: apiRow, text: '| `POST /floor` | A policy: how many copies of each file stay. |\n' },
  ],

  'Add a route': [
    {
      file: 'libs/contexts/membership/http/index.ts',
      after: "import { NodesController } from './nodes.controller.js';\n",
      text: "import { NotesController } from './notes.controller.js';\n",
    },
    {
      file: 'libs/contexts/membership/http/index.ts',
      after: "export { CacheOperationDto } from './cache.controller.js';\n",
      text: "export { notesAnswer } from './notes.answers.js';\nexport { NoteDto } from './notes.controller.js';\n",
    },
    inList('libs/contexts/membership/http/index.ts', '[CacheController, NodesController', ', NotesController'),
    {
      file: 'libs/contexts/api-docs/document.ts',
      after: "import { nodesPaths } from './nodes.paths.js';\n",
      text: "import { notesPaths } from './notes.paths.js';\n",
    },
    {
      file: 'libs/contexts/api-docs/document.ts',
      after: "      { name: 'nodes', description: 'The workers of the cluster.' },\n",
      text: "      { name: 'notes', description: 'What operators noted about workers.' },\n",
    },
    { file: 'libs/contexts/api-docs/document.ts', after: '      ...nodesPaths,\n', text: '      ...notesPaths,\n' },
    ...contractCase('notes'),
    hostileTarget("{ method: 'POST', path: '/notes', body: { id: 'nobody', note: 'x' }, fields: { note: 'string' } }"),
    { file: api, before: apiRow, text: '| `POST /notes` | Leaves a note on a worker; `GET /notes` lists them. |\n' },
  ],

  'Add a UFS connector': [
    {
      file: 'libs/ufs/declarations/list.ts',
      after: "import { s3Declaration } from '../s3/s3-declaration.js';\n",
      text: "import { shelfDeclaration } from '../shelf/shelf-declaration.js';\n",
    },
    {
      file: 'libs/ufs/declarations/list.ts',
      instead: '[s3Declaration, fileDeclaration] as const satisfies readonly ConnectorDeclaration[];',
      text: `[
  s3Declaration,
  fileDeclaration,
  shelfDeclaration,
] as const satisfies readonly ConnectorDeclaration[];`,
    },
    {
      file: 'libs/ufs/openings.ts',
      after: "import { s3Opening } from './s3/s3-opening.js';\n",
      text: "import { shelfOpening } from './shelf/shelf-opening.js';\n",
    },
    {
      file: 'libs/ufs/openings.ts',
      instead: '{ file: fileOpening, s3: s3Opening };',
      text: `{
  file: fileOpening,
  s3: s3Opening,
  shelf: shelfOpening,
};`,
    },
    {
      file: 'libs/ufs/README.md',
      after: '`file://` has none. ',
      text: 'The only one of `shelf://` is `shelf.files`: its objects, texts by name in JSON. ',
    },
    inList('docs/architecture.md', 'Connectors to what can be mounted: `s3://`, `file://`', ', `shelf://`'),
  ],

  'Add an event': [
    {
      file: 'libs/contexts/membership/membership.ts',
      after: 'const departedSchema = z.object({ workerId: z.string(), bootId: z.string() });\n',
      text: 'const notedSchema = z.object({ workerId: z.string(), note: z.string() });\n',
    },
    {
      file: 'libs/contexts/membership/membership.ts',
      before: '} as const satisfies EventCatalogue;',
      text: "  WorkerNoted: { v: 1, description: 'An operator left a note on a worker.', schema: notedSchema },\n",
    },
    {
      file: 'libs/contexts/membership/membership.ts',
      before: '  /** `lost` and `decommissioned` workers are not on the ring.',
      text: '  /** As an operator left it; gone when the worker returns. */\n  readonly note?: string;\n',
    },
    {
      file: 'libs/contexts/membership/membership.ts',
      before: '    default:\n      return exhausted(event, state);',
      text: `    case 'WorkerNoted': {
      const worker = workerOf(state, event.data.workerId);
      return worker ? set(state, { ...worker, note: event.data.note }) : state;
    }
`,
    },
    {
      file: 'libs/contexts/membership/membership.ts',
      before: "  | { type: 'Decommission'; workerId: string };",
      text: "  | { type: 'Note'; workerId: string; note: string }\n",
    },
    {
      file: 'libs/contexts/membership/membership.ts',
      before: '    default:\n      return unreachable(command);',
      text: `    case 'Note': {
      const { workerId, note } = command;
      const worker = workerOf(state, workerId);
      if (!worker) throw new DomainError('NotFound', 'worker-not-found', 'worker not found...');
      return worker.note === note ? [] : [{ type: 'WorkerNoted', data: { workerId, note } }];
    }
`,
    },
    {
      file: 'libs/contexts/membership/membership.spec.ts',
      before: "describe('the view', () => {",
      text: `describe('a note', () => {
  const note = { type: 'Note', workerId: 'worker-1', note: 'slow disk' } as const;
  const noted: MembershipEvent = { type: 'WorkerNoted', data: { workerId: 'worker-1', note: 'slow disk' } };

  it('is recorded once', () => {
    given(membership, [joined]).when(note).then([noted]);
    given(membership, [joined, noted]).when(note).then([]);
    expect(given(membership, [joined, noted]).state.workers['worker-1'].note).toBe('slow disk');
  });

  it('is refused for an unknown worker', () => {
    given(membership, []).when(note).thenRefused('worker-not-found');
  });
});

`,
    },
    {
      file: 'libs/contexts/membership/membership.view.ts',
      instead: '  version: 2,',
      text: '  version: 3,',
    },
    {
      file: 'libs/contexts/audit/presenter.ts',
      after: '  WorkerDecommissioned: departed(),\n',
      text: `  WorkerNoted: {
    scope: 'membership',
    show: ({ workerId, note }) => ({ workerId, note }),
    ids: ({ workerId }) => [workerId],
  },
`,
    },
  ],

  'Add a setting': [
    {
      file: 'libs/config/settings.ts',
      before: '  finishedJobs: setting(',
      text: `  noteCharacters: setting(
    'LARDER_NOTE_CHARACTERS',
    'coordinator',
    p.integer(1, 1000),
    '200',
    'longest note on a worker',
  ),
`,
    },
    {
      file: 'libs/config/load-config.spec.ts',
      before: "  it('is frozen', () => {",
      text: `  it('reads how long a note may be', () => {
    expect(loadConfig({ LARDER_NOTE_CHARACTERS: '80' }).noteCharacters).toBe(80);
    expect(problems({ LARDER_NOTE_CHARACTERS: '0' })[0]).toContain('expected a whole number from 1 to 1000');
  });

`,
    },
  ],
};

/** An entry at the end of a list. */
function inList(file: string, after: string, text: string): Edit {
  return { file, after, text };
}

/** Calls the suite after that of the workers, which needs the same state. */
function contractCase(resource: string): Edit[] {
  return [
    {
      file: contract,
      before: "import { fileIndexContract } from './suites/file-index.js';",
      text: `import { ${resource}Contract } from './suites/${resource}.js';\n`,
    },
    { file: contract, before: '    fileIndexContract(fixture);', text: `    ${resource}Contract(fixture);\n` },
  ];
}

/** A route with a body, for the suites that send malformed bodies. */
function hostileTarget(row: string): Edit {
  return {
    file: 'test/contract/suites/hostile.ts',
    before: '];\n\n/** Values that no field of the type accepts. */',
    text: `  ${row},\n`,
  };
}
