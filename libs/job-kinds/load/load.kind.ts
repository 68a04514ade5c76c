import { mainPass, type Counts, type JobRecord } from '#contexts/jobs';
import { wireState, type CoordinatorJobKind } from '#contexts/jobs/kinds';
import { indexSource } from '../sources/index.js';
import { fileFilter } from './file-filter.js';
import { batchSizeAt } from './batch-size.js';
import { loadProgress } from './progress.js';
import { loadSpecOf, verification } from './spec.js';
import { walkSource } from './walk-source.js';

/** The coordinator's half of the load job: what it walks, how it is cut, how it ends and how it is shown. */
export const loadKind: CoordinatorJobKind = {
  name: 'load',
  source(rawSpec, pass, cursor, ports) {
    const spec = loadSpecOf(rawSpec);
    if (spec.indexPath === '') return walkSource(spec, pass, cursor, ports);
    return indexSource(spec.indexPath, fileFilter(spec.options.fileFilterRegex), cursor, ports);
  },
  plan(record) {
    const spec = loadSpecOf(record.spec);
    const { options } = spec;
    const { skipIfExists, loadMetadataOnly } = options;
    const bandwidth = record.state.bandwidth ?? options.bandwidth;
    return {
      batchSize: batchSizeAt(record.state.steps, spec),
      placement: 'owners',
      replicas: options.replicas,
      options: { skipIfExists, loadMetadataOnly, bandwidth, replicas: options.replicas },
    };
  },
  passes: [
    { name: mainPass, abandonedCounts: (failedFiles, failedBytes) => ({ failedFiles, failedBytes }) },
    {
      name: verification,
      applies: (spec) => loadSpecOf(spec).options.verify,
      wireState: 'VERIFYING',
      abandonedCounts: (verifyFailedFiles) => ({ verifyFailedFiles }),
    },
  ],
  quotaRoots(rawSpec) {
    const { roots, options } = loadSpecOf(rawSpec);
    // Metadata takes no room.
    return options.loadMetadataOnly ? [] : roots;
  },
  conclude,
  progress: (record, nowMs, live) => loadProgress(record, wireState(loadKind, record), nowMs, live),
};

function conclude(record: JobRecord): { state: 'SUCCEEDED' | 'FAILED'; message: string } {
  const { totals, replicaTotals } = record;
  const faults = [
    count(
      record.rejectedFiles + sum(totals, 'failedFiles'),
      (n) => `${n} of ${record.scannedFiles} files could not be loaded`,
    ),
    count(sum(replicaTotals, 'failedFiles'), (n) => `${n} further replicas could not be loaded`),
    count(
      sum(totals, 'verifyFailedFiles') + sum(replicaTotals, 'verifyFailedFiles'),
      (n) => `${n} files failed verification`,
    ),
    record.state.sourceError ?? record.quotaError ?? '',
  ].filter((fault) => fault !== '');
  if (faults.length > 0) return { state: 'FAILED', message: faults.join('; ') };
  return { state: 'SUCCEEDED', message: [remark(record), passedOver(record)].filter((part) => part !== '').join('; ') };
}

/** A remark that a successful job should be read with. */
function remark(record: JobRecord): string {
  if (record.scannedFiles === 0) return 'nothing was loaded: there is no file at the given paths';
  if (record.scannedFiles === record.filteredFiles) {
    return `nothing was loaded: none of the ${record.filteredFiles} files matches options.fileFilterRegex`;
  }
  return '';
}

/** Names skipped entries that the user may have meant: a link to a directory has files behind it. */
function passedOver({ specialFiles = {} }: JobRecord): string {
  const { count: links = 0, examples = [] } = specialFiles['directoryLinks'] ?? {};
  if (links === 0) return '';
  const what =
    links === 1 ? '1 link to a directory was not followed' : `${links} links to directories were not followed`;
  return `${what}, such as ${examples[0]}`;
}

function count(n: number, say: (n: number) => string): string {
  return n > 0 ? say(n) : '';
}

function sum(counts: Counts, name: string): number {
  return counts[name] ?? 0;
}
