// Loads from this machine itself against the tools that people would use otherwise: `cp -r` and `rsync -a` for local files,
// `rclone copy` and `s5cmd cp` for S3, which nginx serves. Needs a build. Every round starts a fresh cluster, so that no
// copy is cached before; its start is not timed.
//
//   node test/bench/load.mjs [--files 100000] [--size 16384] [--large 8] [--large-size 268435456] [--rounds 3] [--only file|s3]
import { s3MountOptions } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { nginxEndpoint } from './support/endpoints.mjs';
import { timedLoad } from './support/loads.mjs';
import { intoFresh, rclone, s5cmd } from './support/peers.mjs';
import { isInstalled, timed, withDirectory } from './support/processes.mjs';
import { comparisonColumns, comparisonRows, cpuPerFile, cpuPerGigabyte, inTurn } from './support/rounds.mjs';
import { makeTree, warmPageCache } from './support/trees.mjs';

const transfers = 64;

/** A load ends when the bytes are on the disk, `cp` when they are in the page cache: so there is a copy with `sync`, too. */
function localPeers(tree, work, { skip }) {
  const scripts = {
    'cp -r': 'cp -r "$0/." "$1"',
    'cp -r and sync': 'cp -r "$0/." "$1" && sync -f "$1"',
    'rsync -a': 'rsync -a "$0/" "$1"',
  };
  if (!isInstalled('rsync')) {
    skip('rsync is not installed (`apt-get install rsync`)');
    delete scripts['rsync -a'];
  }
  const copy = (script) => () =>
    intoFresh(work, (target) => timed('sh', ['-c', `mkdir "$1" && ${script}`, tree.directory, target]));
  return Object.fromEntries(Object.entries(scripts).map(([name, script]) => [name, copy(script)]));
}

function s3Peers(store, work, tools) {
  const peers = { 'rclone copy': tools.rclone, 's5cmd cp': tools.s5cmd };
  const known = Object.entries(peers).filter(([, copy]) => copy !== undefined);
  const copies = known.map(([name, copy]) => [
    `${name}, ${transfers} at once`,
    () => intoFresh(work, (target) => copy(store, target, { transfers })),
  ]);
  return Object.fromEntries(copies);
}

await bench({
  title: 'loads from this machine against cp, rsync, rclone and s5cmd',
  options: { files: 8000, size: 16_384, large: 2, 'large-size': 256 * 2 ** 20, rounds: 1, only: '' },
  run: (options, tools) =>
    withDirectory(async (work) => {
      const rows = [];
      const parts = [];
      const trees = [makeTree(work, 'small', options.files, options.size)];
      if (options.large > 0) trees.push(makeTree(work, 'large', options.large, options['large-size']));
      const copiers = options.only === 'file' ? {} : { rclone: rclone(tools), s5cmd: s5cmd(tools) };

      const compare = async (tree, scheme, larder, peers) => {
        tools.progress(`${scheme}, ${tree.files} files`);
        warmPageCache(tree);
        const results = await inTurn(options.rounds, { Larder: larder, ...peers });
        const isLarge = tree.name === 'large';
        const size = isLarge ? `${options['large-size'] / 2 ** 20} MiB` : `${options.size / 1024} KiB`;
        const work = `${scheme}, ${tree.files.toLocaleString('en-US')} × ${size}`;
        const rate = isLarge ? { amount: tree.bytes / 1e6, unit: 'MB/s' } : { amount: tree.files, unit: 'files/s' };
        const cpuPer = isLarge ? cpuPerGigabyte(tree.bytes) : cpuPerFile(tree.files);
        rows.push(...comparisonRows(results, { work, ...rate, cpuPer }));
        const [{ cpuBy }] = results.Larder;
        const each = Object.values(cpuBy).map((cpu) => ((cpu / cpuPer.count) * cpuPer.scale).toFixed(3));
        parts.push([work, ...each, cpuPer.unit]);
      };

      for (const tree of trees) {
        if (options.only !== 's3') {
          const load = () => timedLoad(`file://${tree.directory}/`, {}, tree);
          await compare(tree, 'file://', load, localPeers(tree, work, tools));
        }
        if (options.only === 'file') continue;
        const store = await nginxEndpoint(tree, work, tools);
        if (store === undefined) continue;
        try {
          const load = () => timedLoad('s3://bench/', s3MountOptions(store.endpoint), tree);
          await compare(tree, 's3://', load, s3Peers(store, work, copiers));
        } finally {
          await store.stop();
        }
      }
      return [
        { columns: comparisonColumns, rows },
        {
          caption: 'Larder’s CPU by process, in the first round',
          columns: ['work', 'coordinator', 'two workers', 'nats-server', 'unit'],
          rows: parts,
        },
      ];
    }),
});
