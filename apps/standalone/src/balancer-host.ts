// Runs the balancer for the supervisor.
import { exitWithSupervisor } from '#config';
import { BALANCER_OPTIONS, type BalancerOptions, startBalancer } from './balancer.js';

/** Shorter than the supervisor's deadline for this process. */
const graceMs = 1_500;

const balancer = await startBalancer(JSON.parse(process.env[BALANCER_OPTIONS] ?? '') as BalancerOptions);
const stop = async () => {
  await balancer.close(graceMs);
  process.exit(0);
};
exitWithSupervisor(stop);
process.once('SIGTERM', () => void stop());
