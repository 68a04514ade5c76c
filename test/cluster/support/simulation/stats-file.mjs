// Writes what a process knows of its memory into a file, once a second, where SCALE_STATS names a directory.
import fs from 'node:fs';
import { Session } from 'node:inspector';
import path from 'node:path';

if (process.env.SCALE_STATS !== undefined) {
  const file = path.join(process.env.SCALE_STATS, `${process.pid}.json`);
  const write = () => fs.writeFileSync(file, JSON.stringify(process.memoryUsage()));
  setInterval(write, 1000).unref();
}

// With SCALE_PROFILE, its CPU profile goes into that directory when it ends.
if (process.env.SCALE_PROFILE !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.on('exit', () => {
    session.post('Profiler.stop', (_, { profile }) => {
      const name = `${path.basename(process.argv[1], '.js')}-${process.pid}.cpuprofile`;
      fs.writeFileSync(path.join(process.env.SCALE_PROFILE, name), JSON.stringify(profile));
    });
  });
}
