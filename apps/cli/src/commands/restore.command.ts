import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { type Command, Option } from 'commander';
import { allEvents } from '#contexts/catalogue';
import { restoreBackup } from '#contexts/log/backup';
import { LogGate, type TrustRing } from '#contexts/trust/gate';
import { EventCodec } from '#jetstream';
import { ownContext, Recorder } from '#runtime';
import { withLog } from '../open-log.js';
import { note, print } from '../output.js';
import { type ClusterOptions, clusterSettings } from '../settings.js';
import { clusterOptions } from './options.js';

interface RestoreCommandOptions extends ClusterOptions {
  readonly in: string;
  readonly replicas?: string;
  readonly acceptFaults?: boolean;
}

export function addRestore(program: Command): void {
  clusterOptions(program.command('restore'))
    .description('Copy a backup into an empty log. No coordinator of that cluster may run meanwhile.')
    .requiredOption('--in <file>', 'backup to restore')
    .addOption(
      new Option('--replicas <copies>', 'copies of the log in NATS (default: LARDER_NATS_REPLICAS, or 1)').choices([
        '1',
        '3',
        '5',
      ]),
    )
    .option('--accept-faults', 'restore a log even if it was tampered with; its faults stay in it')
    .action(async (options: RestoreCommandOptions) => {
      const settings = clusterSettings(options);
      const recorder = new Recorder(allEvents);
      const actor = `operator:${os.userInfo().username}`;
      const { count, root, alreadyThere, complete } = await withLog(settings, ({ link, names, store }) =>
        restoreBackup({
          link,
          names,
          store,
          file: options.in,
          replicas: Number(options.replicas ?? settings.replicas),
          logId: randomUUID(),
          acceptFaults: options.acceptFaults,
          signs: settings.ring?.canSign,
          ...(settings.ring && { gate: gateOf(settings.ring) }),
          record: (events) => recorder.record(events, ownContext(actor)),
          progress: (sequence, of) => note(`${sequence} of ${of}`),
        }),
      );
      if (complete) await print(`cluster ${settings.cluster} holds this backup already: nothing was done`);
      else await print(`cluster ${settings.cluster}: ${count} messages${resumed(alreadyThere)}, verified`);
      await print(`root ${root}`);
    });
}

/** Finds the void messages of the backup. */
const gateOf = (ring: TrustRing) => () => new LogGate({ codec: new EventCodec([allEvents]), ring });

function resumed(alreadyThere: number): string {
  return alreadyThere === 0 ? '' : ` (${alreadyThere} of them restored before)`;
}
